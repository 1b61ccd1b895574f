"""The morning's plan by value says at which prices the service decides: nothing is copied by hand."""

import datetime
import json
import shutil

import pytest
from console_face import exports
from service_face import CAPPED, Face, frame_of, world_of
from typer.testing import CliRunner

import campaignrl as crl
from campaignrl.cli.main import app
from campaignrl.cli.service.serve import _told as told_of
from campaignrl.errors import SpecError, UsageError
from campaignrl.ledger import Ledger, newest_plan
from campaignrl.loop import CampaignFile, approve, confirm, new_campaign, today
from campaignrl.policies import Priced
from campaignrl.send import audit_ledger, read_prices
from campaignrl.send.decide import decide
from campaignrl.service import flow, price_at

DAY = datetime.date(2026, 11, 21)
BY_VALUE = {"allocate": "value", "explore": 0.2}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """(folder with a ledger whose morning decided for the first forty by value, world, frame, policy)."""
    folder = tmp_path_factory.mktemp("shop")
    world = world_of(**CAPPED, budget={"amount_per_1000_customers": 300.0})
    learned = crl.train("lin_ts", crl.simulate(world, "uniform", customers=200, seed=3))
    policy = str(crl.save_policy(learned, folder / "lin_ts.bundle", trained_on=world))
    frame = frame_of(world)
    ledger = Ledger.create(folder / "led", world, start=DAY, customers=1_000)
    decide(policy, frame.iloc[:40], world, day=DAY, budget=0.5, ledger=ledger, **BY_VALUE)
    return folder, world, frame, policy


@pytest.fixture
def copied(shop, tmp_path):
    """The same with a ledger of its own."""
    shutil.copytree(shop[0] / "led", tmp_path / "led")
    return tmp_path, *shop[1:]


def beside(folder, world, frame, policy, days=(DAY,), **more):
    """A service beside the ledger of a folder, as `serve --ledger` begins one."""
    ledger = Ledger.open(folder / "led")
    more |= {"clock": lambda: days[0], "seed": 4, "salt": ledger.salt, "start": DAY, "ledger": ledger.folder}
    face = Face(folder, world, frame, policy=policy, **more)
    flow(face.service.store, ledger, world, days[0])
    face.service.catch_up()
    return face


def test_who_asks_at_noon_is_decided_as_by_decide_at_the_prices_of_the_morning(copied):
    """Alone and in a batch: the same state, seed and day, and nobody hands a price over."""
    folder, world, frame, policy = copied
    shutil.copytree(folder / "led", folder / "own")
    with beside(folder, world, frame, policy) as face:
        alone = [face.decide(customer).json() for customer in frame["customer_id"][40:44]]
        batch = face.post("/v1/decide/batch", {"customer_ids": list(frame["customer_id"][44:])})
        plan = face.get("/v1/plan").json()
    rest = batch.json()["decisions"]
    kept = read_prices(folder / "led")
    assert kept.of["money"] > 0.0
    assert plan["prices"] == kept.to_dict()
    assert plan["priced_by"].startswith(f"{DAY}-0000-")
    priced, own = Priced.of(crl.load_policy(policy, world), kept.of, kept.explore), Ledger.open(folder / "own")
    parts = [decide(priced, frame.iloc[[i]], world, day=DAY, ledger=own, seed=4) for i in range(40, 44)]
    parts.append(decide(priced, frame.iloc[44:], world, day=DAY, ledger=own, seed=4))
    told = [tuple(one[name] for name in ("action", "propensity", "reason", "cost")) for one in (*alone, *rest)]
    made = [
        (found.catalog.names[a], p, why, found.catalog.cost_of[a] / world.money.minor_per_unit)
        for found in parts
        for a, p, why in zip(found.action.tolist(), found.propensity.tolist(), found.reason, strict=True)
    ]
    assert told == made
    assert {one["policy"] for one in (*alone, *rest)} == {"lin_ts at prices"}
    assert any(one["send"] for one in rest)
    assert audit_ledger(own)[1] == []


def test_the_terminal_decides_by_the_prices_of_a_ledger(copied, monkeypatch):
    folder, _, frame, policy = copied
    monkeypatch.chdir(folder)
    counts = dict.fromkeys(("contacts_7d", "contacts_30d", "contacts_sms_7d", "contacts_call_14d"), 0)
    frame.iloc[40:].assign(**counts).to_parquet("noon.parquet")
    (folder / "plan.json").write_text(json.dumps(read_prices("led").to_dict()))
    words = ["decide", policy, "noon.parquet", "--as-of", str(DAY), "--dry-run", "--json", "--prices"]
    found = [CliRunner().invoke(app, [*words, given]) for given in ("led", "plan.json")]
    assert [one.exit_code for one in found] == [0, 0], (found[0].output, found[0].exception)
    assert json.loads(found[0].stdout)["sends"] == json.loads(found[1].stdout)["sends"]
    with pytest.raises(UsageError, match="plan by value"):
        read_prices(folder)


def test_a_new_plan_is_seen_while_the_service_runs_and_prices_by_hand_hold_until_then(copied):
    folder, world, frame, policy = copied
    days, by_hand = [DAY], {"prices": {"money": 9.0}, "explore": 0.0}
    (folder / "hand.json").write_text(json.dumps(by_hand))
    first = newest_plan(folder / "led").stem
    with beside(folder, world, frame, policy, days, prices=folder / "hand.json") as face:
        ledger = Ledger.open(folder / "led")
        before = face.get("/v1/plan").json()
        assert (before["prices"], before["priced_by"]) == (by_hand, None)
        days[0] += datetime.timedelta(days=1)
        for _ in range(2):  # the second time it is the same run
            decide(policy, frame.iloc[:40], world, day=days[0], budget=0.3, ledger=ledger, **BY_VALUE)
        face.service.catch_up()
        after = face.get("/v1/plan").json()
        assert after["priced_by"] == newest_plan(ledger.folder).stem != first
        assert after["priced_by"].startswith(f"{days[0]}-0000-")
        assert face.decide("c50").json()["policy"] == "lin_ts at prices"
        with face.service.store.writing() as con:
            price_at(con, "")
        flow(face.service.store, ledger, world, days[0])
        face.service.catch_up()
        assert face.get("/v1/plan").json()["prices"] is None
        changes = [one["who"] for one in face.get("/v1/trail").json()["entries"] if one["what"] == "prices changed"]
        assert changes == ["plan", "start"]
    assert newest_plan(ledger.folder, DAY).stem == first


def test_who_states_no_values_decides_without_the_prices_of_a_plan_and_is_refused_at_those_of_a_hand(copied):
    folder, world, frame, _ = copied
    with beside(folder, world, frame, "uniform") as face:
        assert face.decide("c50").json()["policy"] == "uniform"
        assert "states no values" in face.get("/v1/policies").json()["wrong"]
        found = face.post("/v1/policies/promote", {"policy": "rules_tight_budget", "why": "it may"})
        assert found.status_code == 200, found.text
        with face.service.store.writing() as con:
            price_at(con, json.dumps(read_prices(folder / "led").to_dict()))
        assert face.post("/v1/policies/promote", {"policy": "uniform", "why": "no"}).status_code == 422


def test_a_campaigns_folder_is_served_at_the_prices_of_its_approved_plan(tmp_path):
    """`today` plans by value, nothing holds before somebody approves it; then the folder says it by itself."""
    place = tmp_path / "shop"
    new_campaign(place, exports=exports(tmp_path / "exported", DAY), start=DAY)
    path = place / "campaign.toml"
    text = path.read_text().replace("customers = 4000", "customers = 300")
    text = text.replace('champion = "rules"', 'champion = "pretrained/ecommerce"')
    path.write_text(text.replace("[sends]\n", '[sends]\nallocate = "value"\nbudget = 1.0\n'))
    confirm(place)
    planned = today(place, day=DAY)
    assert planned.plan.certificate.prices["money"] > 0.0
    assert planned.plan.certificate.explore == 0.05
    assert newest_plan(place / "ledger") is None
    approve(place, day=DAY, who="Ann", now=datetime.datetime(2026, 11, 21, 8, 30))
    assert read_prices(place).of == planned.plan.certificate.prices
    told = told_of(str(place), None, None, None, None)
    ledger = told.pop("ledger")
    table, world = told.pop("customers"), told.pop("world")
    frame = crl.tables.files.read_frame(table, text=["customer_id"])
    more = {name: told[name] for name in ("campaign", "policies", "salt", "start", "horizon_customers", "send_at")}
    with Face(tmp_path, world, frame, policy=told["policy"], clock=lambda: DAY, ledger=ledger.folder, **more) as face:
        flow(face.service.store, ledger, world, DAY)
        face.service.catch_up()
        plan = face.get("/v1/plan").json()
        assert plan["prices"] == read_prices(place).to_dict()
        sent = set(ledger.read("decisions", ["customer_id", "action"]).to_pandas().query("action != 0")["customer_id"])
        others = [one for one in frame["customer_id"] if one not in sent][:50]
        made = face.post("/v1/decide/batch", {"customer_ids": others}).json()["decisions"]
    assert {one["policy"] for one in made} == {f"{crl.load_policy(told['policy'], world).name} at prices"}
    path.write_text(path.read_text().replace('mode = "apprentice"', 'mode = "trial"'))
    with pytest.raises(SpecError, match="by lot while"):  # one plan would be of both
        CampaignFile(place)
