"""Bad inputs of `decide` as a caller meets them: said in words or decided safely, never a stack trace or a guess."""

import datetime
import gzip
import socket
import sys

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import campaignrl as crl
from campaignrl.actions import NONE
from campaignrl.cli import main as cli
from campaignrl.cli.main import app
from campaignrl.envs import Panel, customers_frame
from campaignrl.errors import CampaignError, DataError, SpecError, UsageError
from campaignrl.guard import rules_said
from campaignrl.ledger import Ledger
from campaignrl.policies import save_bundle
from campaignrl.send import audit_ledger, example_customers, plan_of
from campaignrl.send.limits import overdrawn
from campaignrl.tables.files import csv_text


@pytest.fixture(scope="module")
def world():
    return crl.load_world("ecommerce")


@pytest.fixture(scope="module")
def frame(world):
    found = customers_frame(Panel(world, 60, 7)).astype({"customer_id": str})
    found[[c for c in found if c.startswith("contacts_")]] = 0.0
    return found


def changed(world, **offer):
    tables = world.model_dump(exclude_unset=True)
    offers = {**tables["offers"], "coupon20": {**tables["offers"]["coupon20"], **offer}}
    return {**tables, "name": "shop", "offers": offers}


# ---- rows of one id (bad inputs 3, 19)


def test_rows_of_one_id_are_refused_or_on_demand_the_first_stands(frame, world, tmp_path):
    twice = pd.concat([frame, frame.head(3)], ignore_index=True)
    with pytest.raises(DataError, match="not unique"):
        crl.read_customers(twice, world)
    found = crl.read_customers(twice, world, dedupe=True)
    assert found.ids.tolist() == frame["customer_id"].tolist()
    assert found.notes["a further row of an id, of which the first stands"] == 3
    once = crl.read_customers(frame, world, dedupe=True)
    assert once.notes == crl.read_customers(frame, world).notes
    decided = crl.decide("uniform", found, world, day="2026-11-21")
    assert np.array_equal(decided.action, crl.decide("uniform", frame, world, day="2026-11-21").action)
    twice.to_csv(tmp_path / "c.csv", index=False)
    words = ["decide", "uniform", str(tmp_path / "c.csv"), "-w", "ecommerce", "--dry-run"]
    assert isinstance(CliRunner().invoke(app, words).exception, DataError)
    done = CliRunner().invoke(app, [*words, "--dedupe"])
    assert done.exit_code == 0
    assert "3 customers with a further row of an id" in done.stderr


def test_what_rows_of_one_id_do_not_agree_on_is_unknown_and_never_a_yes(frame, world, tmp_path):
    frame = frame.assign(consent_email=1.0, suppressed="no")
    later = frame.head(4).copy()
    later.loc[0, "consent_email"] = 0.0
    later.loc[1, "contacts_7d"] = 2.0
    later.loc[2, "suppressed"] = "yes"
    later.loc[3, "orders"] = 400.0  # no permission: the first row stands
    both = pd.concat([frame, later], ignore_index=True)
    both.to_csv(tmp_path / "c.csv", index=False)
    for source in (both, tmp_path / "c.csv"):
        found = crl.read_customers(source, world, dedupe=True)
        assert found.consent[list(world.channels).index("email")][:5].tolist() == [False, True, True, True, True]
        assert found.suppressed[:5].tolist() == [False, False, True, False, False]
        decided = crl.decide("always:content@email", found, world, day="2026-11-21")
        assert decided.action[:3].tolist() == [NONE] * 3
        assert found.context.columns["orders"][3] == frame["orders"][3]


# ---- offers, caps and money (bad inputs 12, 22, 28, 32)


@pytest.mark.parametrize("gift", [{"face_value": 1e6}, {"discount": 0.9, "face_value": 5e3}])
def test_an_offer_that_gives_away_more_than_the_order_is_refused(world, gift):
    with pytest.raises(SpecError, match="given away of a mean order"):
        crl.load_world(changed(world, **gift))


def test_an_offer_that_gives_away_less_in_some_segment_is_fine(world):
    largest = max(segment.basket.mean for segment in world.segments.values())
    crl.load_world(changed(world, discount=0.5, face_value=0.49 * largest))
    with pytest.raises(SpecError, match="given away"):
        crl.load_world(changed(world, discount=0.5, face_value=0.5 * largest))


@pytest.mark.parametrize(("most", "fine"), [(0, True), (1_000, True), (1_001, False), (-1, False), (1.5, False)])
def test_a_cap_is_a_sensible_number(world, most, fine):
    guard = {**world.guard.model_dump(exclude_unset=True), "caps": [{"per_days": 7, "at_most": most}]}
    if fine:
        assert crl.load_world("ecommerce", guard=guard).guard.caps[0].at_most == most
        return
    with pytest.raises(SpecError, match="at_most"):
        crl.load_world("ecommerce", guard=guard)


def test_a_budget_of_less_than_the_smallest_coin_is_a_word_of_the_call(frame, world):
    with pytest.raises(UsageError, match=r"whole minor units of CNY.*Write 1\.23"):
        crl.decide("uniform", frame, world, day="2026-11-21", budget=1.234)
    crl.decide("uniform", frame, world, day="2026-11-21", budget=0.29)  # 29 cents, though 0.29 is no binary fraction


@pytest.mark.parametrize("how", ["lot", "value"])
def test_a_run_without_money_says_that_there_is_none(frame, world, how):
    policy = "pretrained/ecommerce" if how == "value" else "always:coupon20@sms"
    found = crl.decide(policy, frame, world, day="2026-11-21", allocate=how, budget=0.0)
    assert found.cost == 0
    told = [text for text in found.reason if text.startswith("no money")]
    assert told
    assert all("this run has no money for it" in text for text in told)
    assert not any("others" in text for text in told)


@pytest.mark.parametrize("how", ["lot", "value"])
def test_a_channel_without_room_says_so(frame, world, how):
    policy = "pretrained/ecommerce" if how == "value" else "always:coupon20@push"
    none = dict.fromkeys(world.channels, 0)
    found = crl.decide(policy, frame, world, day="2026-11-21", allocate=how, capacity=none)
    told = [text for text in found.reason if text.startswith("no capacity")]
    assert told
    assert not any("others" in text for text in told)


@pytest.mark.parametrize("name", ["", "a" * 300 + ".csv", "顧" * 70 + ".csv"])
def test_a_list_without_a_name_or_of_too_long_a_one_is_refused_in_words(name, frame, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame.to_csv("c.csv", index=False)
    done = CliRunner().invoke(app, ["decide", "uniform", "c.csv", "-w", "ecommerce", "-o", name])
    assert isinstance(done.exception, UsageError)
    assert "1 to 200 bytes" in str(done.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["c.csv"]


# ---- an old policy (bad input 54)


def test_an_old_policy_is_said_to_be_old_and_refused_beyond_the_limit(frame, world):
    closed = datetime.date(2026, 11, 21)
    policy = crl.load_policy("pretrained/ecommerce", world)
    sketch = {"least": "", "complete": True, "closed": (closed - datetime.date(1970, 1, 1)).days}
    vars(policy)["trained_on"] = {"customer_sketch": sketch}
    guard = {**world.guard.model_dump(exclude_unset=True), "max_policy_age_days": 120}
    strict = crl.load_world("ecommerce", guard=guard)

    def decided(days, rules=strict):
        found = crl.decide(policy, frame, rules, day=closed + datetime.timedelta(days=days))
        return [text for text in plan_of(found, rules).limits if "learned from nothing" in text]

    assert decided(90) == []
    assert decided(91) == ["The policy learned from nothing of the last 91 days: train it on."]
    assert len(decided(120)) == 1
    with pytest.raises(UsageError, match=r"last outcome it learned from = '2026-11-21' is not at most 120 days"):
        decided(121)
    assert len(decided(121, world)) == 1  # without a limit it is only said
    vars(policy)["trained_on"] = {"customer_sketch": {**sketch, "closed": 40}}  # of a simulated campaign
    assert decided(3_000) == []
    assert {rule.rule for rule in rules_said(strict)} - {rule.rule for rule in rules_said(world)} == {
        "age of the policy"
    }


@pytest.mark.parametrize(
    ("words", "said"), [(["--engine", "slurm"], "local or dask or ray or spark"), (["--workers", "0"], "1")]
)
def test_an_engine_nobody_knows_is_refused_for_a_small_table_too(words, said, tmp_path, monkeypatch, capsys):
    table = tmp_path / "c.csv"
    example_customers(crl.load_world("coupon_trap")).to_csv(table, index=False)
    call = ["campaignrl", "decide", "uniform", str(table), "-w", "coupon_trap", "-o", str(tmp_path / "s.csv"), *words]
    monkeypatch.setattr(sys, "argv", call)
    with pytest.raises(SystemExit) as end:
        cli.main()
    told = capsys.readouterr().err
    assert (end.value.code, words[0].strip("-") in told, said in told) == (2, True, True)
    assert not (tmp_path / "s.csv").exists()


# ---- a campaign that is used up (bad inputs 27, 30)


def ten_cents(budget):
    """A world whose only send costs ten cents, and of whose gift there are eight."""
    guard = {"caps": [{"per_days": 1, "at_most": 1}], "budget": {"amount_per_1000_customers": budget}}
    tables = crl.load_world("coupon_trap").model_dump(exclude_unset=True)
    tables["channels"] = {name: {**one, "cost": 0.1} for name, one in tables["channels"].items()}
    offers = {name: {**one, "stock": 8} for name, one in tables["offers"].items()}
    return crl.load_world({**tables, "name": "shop", "horizon": 10, "guard": guard, "offers": offers})


def test_a_budget_lowered_below_what_is_spent_stops_what_costs_and_says_so(tmp_path):
    rich, poor = ten_cents(1_000.0), ten_cents(10.0)  # 10 and 0.10 for ten customers, a tenth of it a day
    frame = customers_frame(Panel(rich, 10, 7)).assign(consent_email=1.0, consent_push=1.0)
    first = datetime.date(2026, 11, 21)
    ledger = Ledger.create(tmp_path / "led", rich, start=first, customers=10)
    action = next(name for name in rich.catalog.names if "@" in name)
    before = crl.decide(f"always:{action}", frame, rich, day=first, ledger=ledger)
    assert before.cost == 80  # the stock, though there was money for ten
    assert plan_of(before, rich, ledger).limits == plan_of(before, rich).limits
    assert before.overdrawn == ()
    ledger = ledger.accept(poor)
    call = {"day": first + datetime.timedelta(days=1), "ledger": ledger}
    after = crl.decide(f"always:{action}", frame, poor, **call)
    assert (after.cost, after.limits.money, len(after.sends())) == (0, 0.0, 0)
    said = "0.78 EUR more is spent than the budget has released: nothing that costs is sent until it has."
    assert said in plan_of(after, poor, ledger).limits
    assert audit_ledger(ledger)[1] == []  # each run is judged by the rules it was made under


def test_what_is_used_up_is_said_at_its_edge_and_not_before():
    world, none = ten_cents(100.0), np.zeros(len(ten_cents(100.0).offers), dtype=np.int64)  # 1.00 for ten, 0.10 a day
    assert overdrawn(world, 10, 0, 10, none) == ()
    assert overdrawn(world, 10, 1, 20, none) == ()
    assert overdrawn(world, 10, 0, 11, none) == (
        "0.01 EUR more is spent than the budget has released: nothing that costs is sent until it has.",
    )
    sold = none.copy()
    sold[-1] = 8
    assert overdrawn(world, 10, 0, 0, sold) == ()
    sold[-1] = 10
    assert overdrawn(world, 10, 0, 0, sold) == (f"2 more of {list(world.offers)[-1]} are sent than its stock.",)
    assert overdrawn(world, 10, 9, 100, none) == ()
    assert overdrawn(world, 10, 10, 100, none) == ("The campaign was to last 10 days: this is day 11 of it.",)
    assert overdrawn(world, 10, 3_650, 0, none) == ("The campaign was to last 10 days: this is day 3,651 of it.",)


# ---- an offer that is withdrawn while its sends wait (bad input 13)


def test_a_send_whose_offer_is_withdrawn_before_it_leaves_is_named_by_the_next_run(tmp_path):
    world, first = ten_cents(1_000.0), datetime.date(2026, 11, 21)
    frame = customers_frame(Panel(world, 10, 7)).assign(consent_email=1.0, consent_push=1.0)
    ledger = Ledger.create(tmp_path / "led", world, start=first, customers=10)
    action = next(name for name in world.catalog.names if "@" in name)
    offer = action.partition("@")[0]
    before = crl.decide(f"always:{action}", frame, world, day=first, ledger=ledger)
    assert len(before.sends()) == 8
    tables = world.model_dump(exclude_unset=True)
    tables["offers"][offer]["valid_until"] = first
    still = crl.load_world(tables)
    tables["offers"][offer]["valid_until"] = first - datetime.timedelta(days=1)
    over = crl.load_world(tables)
    for rules, named in ((still, 0), (over, 8)):
        ledger = ledger.accept(rules)
        found = crl.decide("none", frame, rules, day=first, ledger=ledger, dry_run=True)
        assert len(found.barred_today) == named
        assert len([text for text in plan_of(found, rules).limits if "may no longer leave" in text]) == bool(named)
    assert set(found.barred_today) == set(before.sends()["decision_id"])
    assert plan_of(found, over, ledger).left_out == found.barred_today


# ---- what stands in a list's or a policy's place (bad inputs 21, 46, 49, 55)

WATCHED = ("open", "import")


@pytest.mark.parametrize("content", [None, b"", b"customer_id\n", b"PK\x03\x04 not a list", "a folder"])
def test_a_suppression_list_that_cannot_be_had_stops_the_run(content, frame, tmp_path):
    frame.to_csv(tmp_path / "c.csv", index=False)
    listed = tmp_path / "no.csv"
    if content == "a folder":
        listed.mkdir()
    elif content is not None:
        listed.write_bytes(content)
    words = ["decide", "uniform", str(tmp_path / "c.csv"), "-w", "ecommerce", "-o", str(tmp_path / "s.csv")]
    done = CliRunner().invoke(app, [*words, "--suppress", str(listed)])
    assert isinstance(done.exception, CampaignError)
    assert "no.csv" in str(done.exception) or "suppression list: customer_id = 'no rows'" in str(done.exception)
    assert {path.name for path in tmp_path.iterdir()} <= {"c.csv", "no.csv"}


@pytest.mark.parametrize("name", ["nowhere.bundle", "pretrained/nowhere", "lin_tss", "os:system", "p.bundle"])
def test_a_policy_that_is_not_there_is_never_replaced_by_chance(name, frame, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame.to_csv("c.csv", index=False)
    (tmp_path / "p.bundle").write_bytes(b"\x80\x04\x95 a pickle")
    done = CliRunner().invoke(app, ["decide", name, "c.csv", "-w", "ecommerce", "-o", "s.csv"])
    assert isinstance(done.exception, CampaignError)
    assert name.split(":")[0].split("/")[-1].split(".")[0] in str(done.exception)
    assert {path.name for path in tmp_path.iterdir()} == {"c.csv", "p.bundle"}


def test_what_a_bundle_says_of_itself_is_neither_followed_nor_believed(frame, world, tmp_path, monkeypatch):
    """A hook, an address, a path, a list of whom to allow: the same decisions, no connection, no other file."""
    policy = crl.load_policy("pretrained/ecommerce", world)
    canary = tmp_path / "canary.py"
    canary.write_text("raise SystemExit('it was imported')")
    facts = {
        "world": "ecommerce",
        "hook": "canary:run",
        "on_load": str(canary),
        "url": "http://127.0.0.1:9/list",
        "suppress": "../../etc/passwd",
        "allowed": frame["customer_id"].tolist(),
        "consent": "everybody",
    }
    bundle = save_bundle(policy, tmp_path / "p.bundle", facts)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(socket, "socket", lambda *_, **__: pytest.fail("a connection was opened"))
    opened, watching = [], [True]  # no hook is ever taken away again: this one falls asleep
    sys.addaudithook(lambda event, what: opened.append(str(what[0])) if watching and event in WATCHED else None)
    nobody = frame.assign(consent_email=0.0)
    found = crl.decide(str(bundle), nobody, world, day="2026-11-21")
    watching.clear()
    assert found.action.tolist() == crl.decide(policy, nobody, world, day="2026-11-21").action.tolist()
    assert not any("email" in channel for channel in found.sends()["channel"])
    assert str(bundle) in opened
    assert not [name for name in opened if "canary" in name or "passwd" in name]


# ---- a packed table that fills the memory (bad input 18)


@pytest.mark.parametrize("where", ["a cell", "the header"])
def test_a_packed_table_that_holds_far_more_than_a_table_would_is_refused_before_it_is_read(
    where, frame, tmp_path, monkeypatch
):
    monkeypatch.setattr(csv_text, "SMALLEST", 1_000)
    monkeypatch.setattr(csv_text, "CHUNK", 10_000)
    text, zeros = frame.to_csv(index=False).encode(), b"0" * 20_000_000
    bomb = tmp_path / "c.csv.gz"
    bomb.write_bytes(gzip.compress(text + zeros if where == "a cell" else zeros + text))
    read = []
    refused = csv_text._refuse_bomb
    monkeypatch.setattr(csv_text, "_refuse_bomb", lambda path, size: (read.append(size), refused(path, size)))
    words = ["decide", "uniform", str(bomb), "-w", "ecommerce", "-o", str(tmp_path / "s.csv")]
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, DataError)
    assert "more than a table would" in str(done.exception)
    assert max(read) < 18_000_000  # and not all of it first
    bomb.write_bytes(gzip.compress(text))
    assert CliRunner().invoke(app, [*words[:-2], "--dry-run"]).exit_code == 0
