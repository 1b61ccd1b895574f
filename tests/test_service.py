"""The decision service: equal to `decide`, one answer for one key, one send under a cap of one."""

import datetime
import json
from dataclasses import asdict

import numpy as np
import pytest
from service_face import CAPPED, Face, frame_of, world_of
from sqlalchemy import select

import campaignrl as crl
from campaignrl.errors import UsageError
from campaignrl.ledger import Ledger, add, erase, ledger_log
from campaignrl.policies import Priced
from campaignrl.send import audit_ledger, plan_of, read_prices
from campaignrl.send.decide import decide
from campaignrl.service import Store, flow, price_at
from campaignrl.service.api.past import Customer
from campaignrl.service.store.database import Database, Question, put_rows
from campaignrl.service.store.schema import totals

DAY = datetime.date(2026, 11, 21)


def clock():
    return DAY


@pytest.fixture(scope="module")
def tight():
    return world_of()


@pytest.fixture
def face(tmp_path, tight):
    with Face(tmp_path, tight, frame_of(tight), clock=clock) as found:
        yield found


def ledger_for(folder, world, customers=1_000):
    return Ledger.create(folder / "led", world, start=DAY, customers=customers)


SAME = ("action", "offer", "channel", "propensity", "propensity_before", "cost", "reason", "blocked", "policy_hash")
SAME += ("world_hash", "guard_hash", "seed", "customer_id")


@pytest.mark.parametrize("policy", ["uniform", "lin_ts"])
def test_a_decision_of_the_service_is_that_of_decide(tmp_path, policy):
    """Same state, seed and limits: first everybody one by one, then, with what that left, a batch."""
    world = world_of(**CAPPED)
    if policy == "lin_ts":
        log = crl.simulate(world, "uniform", customers=200, seed=3)
        policy = crl.save_policy(crl.train("lin_ts", log), tmp_path / "lin_ts.bundle", trained_on=world)
    frame, ledger = frame_of(world), ledger_for(tmp_path, world)
    with Face(tmp_path, world, frame, policy=str(policy), clock=clock, seed=4, salt=ledger.salt) as face:
        for customer in frame["customer_id"][:2]:
            assert face.decide(customer).status_code == 200
        batch = face.post("/v1/decide/batch", {"customer_ids": list(frame["customer_id"][2:])})
        assert batch.status_code == 200
    for rows in [*(frame.iloc[[i]] for i in range(2)), frame.iloc[2:]]:
        decide(policy, rows, world, day=DAY, ledger=ledger, seed=4)
    own = Ledger.create(tmp_path / "own", world, start=DAY, customers=1_000)
    store = Store.open(f"sqlite:///{tmp_path}/service.db")
    vars(store)["salt"] = own.salt  # the ledger of the comparison is another one
    flow(store, own, world, DAY)
    served, decided = (
        one.read("decisions").to_pandas().sort_values("customer_id").reset_index(drop=True) for one in (own, ledger)
    )
    columns = [*SAME, *(c for c in decided.columns if c.startswith(("seen.", "rule.")))]
    for name in columns:
        if served[name].dtype.kind == "f":
            np.testing.assert_array_equal(served[name], decided[name], err_msg=name)
        else:
            assert served[name].tolist() == decided[name].tolist(), name
    assert [list(a) for a in served["eligible"]] == [list(b) for b in decided["eligible"]]
    for left, right in zip(served["expected_gain"], decided["expected_gain"], strict=True):
        assert left == pytest.approx(right, rel=1e-5, nan_ok=True)
    assert audit_ledger(own) == (60, [])


def test_a_decision_at_the_prices_of_a_plan_is_that_of_decide_at_the_same_prices(tmp_path):
    """The morning's plan by value says the prices; whoever asks later is decided by them, alone as in a batch."""
    world = world_of(**CAPPED)
    learned = crl.train("lin_ts", crl.simulate(world, "uniform", customers=200, seed=3))
    policy = str(crl.save_policy(learned, tmp_path / "lin_ts.bundle", trained_on=world))
    frame, ledger = frame_of(world), ledger_for(tmp_path, world)
    scarce = {"budget": 2.0, "allocate": "value", "explore": 0.2, "ledger": ledger, "dry_run": True}
    plan = plan_of(decide(policy, frame, world, day=DAY, **scarce), world)
    assert plan.certificate.prices["money"] > 0.0
    (tmp_path / "plan.json").write_text(json.dumps({"plan_by_value": asdict(plan.certificate)}))
    prices = read_prices(tmp_path / "plan.json")
    priced = Priced.of(crl.load_policy(policy, world), prices.of, prices.explore)
    more = {"policy": policy, "prices": tmp_path / "plan.json", "clock": clock, "seed": 4, "salt": ledger.salt}
    with Face(tmp_path, world, frame, **more) as face:
        alone = [face.decide(customer).json() for customer in frame["customer_id"][:4]]
        rest = face.post("/v1/decide/batch", {"customer_ids": list(frame["customer_id"][4:])}).json()["decisions"]
        assert face.get("/v1/plan").json()["prices"] == prices.to_dict()
        with face.service.store.writing() as con:
            price_at(con, "")
        face.service.catch_up()
        assert face.get("/v1/plan").json()["prices"] is None
        assert face.decide("c59", "later").json()["policy"] == "lin_ts"
    parts = [decide(priced, frame.iloc[[i]], world, day=DAY, ledger=ledger, seed=4) for i in range(4)]
    parts.append(decide(priced, frame.iloc[4:], world, day=DAY, ledger=ledger, seed=4))
    told = [tuple(one[name] for name in ("action", "propensity", "reason", "cost")) for one in (*alone, *rest)]
    made = [
        (found.catalog.names[a], p, why, found.catalog.cost_of[a] / world.money.minor_per_unit)
        for found in parts
        for a, p, why in zip(found.action.tolist(), found.propensity.tolist(), found.reason, strict=True)
    ]
    assert told == made
    assert {one["policy"] for one in rest} == {"lin_ts at prices"}
    assert audit_ledger(ledger, policy=priced) == (60, [])
    new = Ledger.create(tmp_path / "new", world, start=DAY, customers=1_000)
    free = decide(policy, frame.iloc[4:], world, day=DAY, seed=4, ledger=new)
    assert [one["action"] for one in rest] != [free.catalog.names[a] for a in free.action]


def test_a_customers_past_is_told_in_the_words_units_and_days_of_the_answers(tmp_path):
    """A client that holds its answers against it, or adds up what it told, must not be off by a factor of a hundred."""
    world = world_of()
    with Face(tmp_path, world, frame_of(world, 20), policy="uniform", clock=clock) as face:
        answered = {one: face.decide(one).json() for one in (f"c{i}" for i in range(12))}
        told = {"outcome_id": "o", "customer_id": "c1", "kind": "order", "margin": 12.5, "day": DAY.isoformat()}
        face.post("/v1/outcomes", {"outcomes": [told]})
        face.post("/v1/permissions", {"permissions": [{"customer_id": "c1", "channel": "sms", "allowed": False}]})
        past = {one: face.get(f"/v1/customers/{one}").json() for one in answered}
    assert {one["send"] for one in answered.values()} == {True, False}
    for name, answer in answered.items():
        (decision,) = past[name]["decisions"]
        shared = decision.keys() & answer.keys()
        assert shared == decision.keys() - {"at", "seen"}
        assert {key: decision[key] for key in shared} == {key: answer[key] for key in shared}
        assert past[name]["why"] == {key: answer[key] for key in ("decision_id", "reason", "blocked")}
        Customer.model_validate(past[name], strict=True)
    today = DAY.isoformat()
    (outcome,) = past["c1"]["outcomes"]
    assert outcome == {
        **{name: told[name] for name in ("outcome_id", "kind", "margin", "day")},
        **{"decision_id": "", "channel": "", "currency": world.money.currency, "arrived": today},
    }
    (word,) = past["c1"]["permissions"]
    assert word == {"channel": "sms", "allowed": False, "day": today, "source": "", "arrived": today}


def test_who_asks_together_and_in_which_order_changes_nothing(tmp_path):
    """A batch, the same customers one by one the other way round, and another service of its own."""
    world = world_of("coupon_trap")
    frame, found = frame_of(world, 20), []
    for turn in range(2):
        folder = tmp_path / str(turn)
        folder.mkdir()
        with Face(folder, world, frame, clock=clock) as face:
            ids = list(frame["customer_id"])
            if turn:
                rows = [
                    one.json() for one in face.all(*(face.posting("/v1/decide", {"customer_id": i}) for i in ids[::-1]))
                ]
            else:
                rows = face.post("/v1/decide/batch", {"customer_ids": ids}).json()["decisions"]
        found.append({row["customer_id"]: (row["action"], row["propensity"], row["reason"]) for row in rows})
    assert found[0] == found[1]


def test_a_key_is_answered_once_with_the_same_bytes(face):
    calls = [face.posting("/v1/decide", {"customer_id": "c1"}, "same") for _ in range(100)]
    found = face.all(*calls)
    assert {one.status_code for one in found} == {200}
    assert len({one.content for one in found}) == 1
    assert sum("idempotency-replayed" in one.headers for one in found) == 99
    other = face.post("/v1/decide", {"customer_id": "c2"}, "same")
    assert other.status_code == 422
    assert face.decide("c1", "same").content == found[0].content
    assert len(face.get("/v1/customers/c1").json()["decisions"]) == 1


def test_64_requests_for_one_customer_under_a_cap_of_one_are_one_send(tmp_path):
    world = world_of(**CAPPED)
    with Face(tmp_path, world, frame_of(world), policy="always:coupon15@sms", clock=clock) as face:
        found = face.all(*(face.posting("/v1/decide", {"customer_id": "c3"}) for _ in range(64)))
        assert sorted(one.json()["send"] for one in found) == [False] * 63 + [True]
        plan = face.get("/v1/plan").json()
    assert sum(row["sends"] for row in plan["sends"]) == 1


def test_an_opt_out_holds_for_the_very_next_decision(tmp_path, tight):
    with Face(tmp_path, tight, frame_of(tight), policy="always:coupon15@sms", clock=clock) as face:
        said = face.post(
            "/v1/permissions", {"permissions": [{"customer_id": "C4", "channel": "sms", "allowed": False}]}
        )
        assert said.json()["counts"] == {"new": 1}
        found = face.decide("c4").json()  # spelled in another way
        assert not found["send"]
        assert any("no consent: sms" in text for text in found["blocked"])
        left = {"outcome_id": "o1", "customer_id": "c5", "kind": "unsubscribe"}
        assert face.post("/v1/outcomes", {"outcomes": [left]}).status_code == 200
        assert "suppressed" in face.decide("c5").json()["blocked"]


def test_budget_and_capacity_hold_however_many_ask_at_once(tmp_path):
    world = world_of(budget={"amount_per_1000_customers": 90.0})
    with Face(tmp_path, world, frame_of(world, 200), clock=clock) as face:
        found = face.all(*(face.posting("/v1/decide", {"customer_id": f"c{i}"}) for i in range(200)))
        plan = face.get("/v1/plan").json()
    spent = sum(one.json()["cost"] for one in found)
    released = world.minor(90.0) // world.horizon
    assert round(spent * 100) == plan["spent_minor"] <= released
    assert plan["left"]["money"] * 100 == pytest.approx(released - plan["spent_minor"])
    assert any("no money" in one.json()["blocked"][-1] for one in found if one.json()["blocked"])


def test_a_failed_hand_over_gives_back_and_a_late_word_of_success_takes_again(tmp_path):
    world = world_of(**CAPPED)
    with Face(tmp_path, world, frame_of(world), policy="always:coupon15@sms", clock=clock) as face:
        first = face.decide("c1").json()
        assert first["send"]
        assert not face.decide("c1").json()["send"]
        failed = {"handovers": [{"decision_id": first["decision_id"], "status": "refused"}]}
        assert face.post("/v1/handed-over", failed).json()["counts"] == {"new": 1}
        assert face.post("/v1/handed-over", failed).json()["counts"] == {"repeated": 1}
        spent = face.get("/v1/plan").json()["spent_minor"]
        assert spent == 0
        second = face.decide("c1").json()
        assert second["send"]
        assert second["decision_id"] != first["decision_id"]
        face.post("/v1/handed-over", {"handovers": [{"decision_id": first["decision_id"], "status": "sent"}]})
        assert face.get("/v1/plan").json()["spent_minor"] == world.minor(first["cost"] + second["cost"])


def test_leave_to_hand_over_is_refused_once_the_permission_is_gone(tmp_path, tight):
    with Face(tmp_path, tight, frame_of(tight), policy="always:coupon15@sms", clock=clock) as face:
        made = [face.decide(f"c{i}").json()["decision_id"] for i in range(2)]
        face.post("/v1/permissions", {"permissions": [{"customer_id": "c1", "channel": "*", "allowed": False}]})
        asked = {"handovers": [{"decision_id": one, "status": "sending"} for one in (*made, "nobody-x")]}
        rows = face.post("/v1/handed-over", asked).json()["rows"]
        assert [row["go"] for row in rows] == [True, False, False]
        assert "taken away" in rows[1]["why"]
        assert face.get("/v1/plan").json()["sends"][0]["sends"] == 1
        assert "send withdrawn" in [entry["what"] for entry in face.get("/v1/trail").json()["entries"]]


def test_features_of_a_request_stand_in_for_the_table(face, tight):
    whole = json.loads(frame_of(tight, 1).drop(columns="customer_id").to_json(orient="records"))[0]
    found = face.decide("stranger", features=whole)
    assert found.status_code == 200, found.text
    lacking = face.decide("stranger2", features={"consent_sms": 1})
    assert lacking.status_code == 409
    assert "column" in lacking.json()["errors"][0]
    refuses = face.decide("c7", features={"consent_sms": 0, "consent_call": 0}).json()
    assert not refuses["send"]
    assert face.decide("unknown").status_code == 404


def test_channels_that_are_closed_now_are_not_used(face):
    found = [face.decide(f"c{i}", channels=["call"]).json()["channel"] for i in range(25)]
    assert set(found) <= {"", "call"}
    assert "call" in found
    assert face.decide("c40", channels=["pigeon"]).status_code == 422


def test_a_ranking_says_what_was_allowed(face):
    found = face.decide("c1", ranking=3).json()["ranking"]
    assert len(found) == 3
    assert sorted((row["probability"] for row in found), reverse=True) == [row["probability"] for row in found]


def shuffled(rows, rng):
    doubled = [*rows, *rows[: len(rows) // 2]]
    return [doubled[i] for i in rng.permutation(len(doubled))]


def test_outcomes_in_any_order_doubled_make_the_same_ledger_and_the_same_model(tmp_path):
    """One after the other, and shuffled with repeats in parcels of seven."""
    world = world_of()
    frame = frame_of(world, 80)
    ledgers = []
    for turn in range(2):
        folder = tmp_path / str(turn)
        folder.mkdir()
        ledger = ledger_for(folder, world)
        with Face(folder, world, frame, clock=clock, salt=ledger.salt) as face:
            made = face.post("/v1/decide/batch", {"customer_ids": list(frame["customer_id"])}, "k").json()["decisions"]
            rows = [
                {"outcome_id": f"o{i}", "decision_id": one["decision_id"], "kind": "order", "margin": 1.5 + i}
                for i, one in enumerate(made[::2])
            ]
            rows = shuffled(rows, np.random.default_rng(7)) if turn else rows
            for start in range(0, len(rows), 7):
                told = face.post("/v1/outcomes", {"outcomes": rows[start : start + 7]})
                assert told.status_code == 200
            flow(face.service.store, ledger, world, DAY)
        ledgers.append(ledger)
    first, second = (
        one.read("outcomes").to_pandas().sort_values("outcome_id").reset_index(drop=True) for one in ledgers
    )
    drop = ["decision_id"]  # named after the store
    assert first.drop(columns=drop).equals(second.drop(columns=drop))
    models = [trained_on(ledger, world, tmp_path / f"m{i}.bundle") for i, ledger in enumerate(ledgers)]
    assert models[0] == models[1]


def trained_on(ledger, world, path):
    """Bytes of a model taught by a ledger; a last outcome says that all earlier ones are known."""
    late = DAY + datetime.timedelta(days=90)
    file = path.with_suffix(".csv")
    file.write_text(f"outcome_id,customer_id,kind,day\nlast,c0,open,{late}\n")
    add(ledger, "outcomes", file, world, today=late)
    log = ledger_log(ledger, world, as_of=late)
    assert log.matured.all()
    return crl.save_policy(crl.train("lin_ucb", log), path).read_bytes()


def test_the_flow_is_exactly_once_even_when_it_is_cut_off(tmp_path, tight, monkeypatch):
    frame, ledger = frame_of(tight), ledger_for(tmp_path, tight)
    with Face(tmp_path, tight, frame, clock=clock, salt=ledger.salt) as face:
        face.post("/v1/decide/batch", {"customer_ids": list(frame["customer_id"][:30])})
        face.post("/v1/permissions", {"permissions": [{"customer_id": "c9", "channel": "*", "allowed": False}]})
        append, cut = Ledger.append, []

        def cut_off(self, name, *rest, **more):
            done = append(self, name, *rest, **more)
            if name == "decisions" and not cut:
                cut.append(1)
                raise KeyboardInterrupt
            return done

        monkeypatch.setattr(Ledger, "append", cut_off)
        with pytest.raises(KeyboardInterrupt):
            flow(face.service.store, ledger, tight, DAY)
        monkeypatch.undo()
        face.post("/v1/decide/batch", {"customer_ids": list(frame["customer_id"][30:])})
        flow(face.service.store, ledger, tight, DAY)
        again = flow(face.service.store, ledger, tight, DAY)
        assert sum(again) == 0
    assert ledger.counts()["decisions"] == 60
    assert ledger.counts()["permissions"] == 1
    assert audit_ledger(ledger) == (60, [])


def test_what_a_morning_sent_counts_in_the_service(tmp_path):
    world = world_of(**CAPPED)
    frame, ledger = frame_of(world), ledger_for(tmp_path, world)
    sent = decide("always:coupon15@sms", frame.iloc[:5], world, day=DAY, ledger=ledger)
    erase(ledger, "c50", today=DAY)
    with Face(tmp_path, world, frame, policy="always:coupon15@sms", clock=clock, salt=ledger.salt) as face:
        assert flow(face.service.store, ledger, world, DAY).taken == len(sent.sends()) > 0
        for customer in sent.sends()["customer_id"]:
            assert not face.decide(customer).json()["send"]
        assert "suppressed" in face.decide("c50").json()["blocked"]
        assert flow(face.service.store, ledger, world, DAY).taken == 0


@pytest.mark.parametrize(
    "odd", ["a\0b", "é", "😀", "a'b", 'q"x', "back\\slash", "\u200b", "tab\tx", "1", "1.0", "null", "[1]"]
)
def test_rows_are_found_by_whatever_text_they_are_called(tmp_path, odd):
    database = Database(f"sqlite:///{tmp_path}/x.db")
    with database.writing() as con:
        totals.create(con)
        put_rows(con, totals, {"name": [odd, odd + "x"], "value": [1, 1]})
    with database.reading() as con:
        asked = Question(lambda listed: select(totals.c.name).where(listed(totals.c.name, "names")))
        assert asked.rows(con, {"names": [odd, "another"]}) == [(odd,)]
    database.close()


def test_a_store_goes_into_another_world_of_the_same_actions(tmp_path, tight):
    """With the ledger of its campaign (ledger rules), when that moves into the world calibrated on it."""
    own = crl.load_world({**tight.model_dump(exclude_unset=True), "name": "own"})
    with Face(tmp_path, tight, frame_of(tight), clock=clock) as face:
        assert face.decide("c1").status_code == 200
        url = face.settings.store
    store = Store.open(url)
    with pytest.raises(UsageError, match="store rules"):
        store.require(own)
    assert store.accept(own).world == "own"
    with Face(tmp_path, own, frame_of(own), clock=clock) as face:
        answer = face.decide("c2", key="after the move")
        assert answer.status_code == 200, answer.text
    with pytest.raises(UsageError, match="Begin another store"):
        store.accept(crl.load_world("travel"))
    assert Store.open(url).world == "own"
