"""Between decision and hand-over: opt-outs, late words of the sending tool, erased customers, shared addresses."""

import datetime
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from typer.testing import CliRunner

import campaignrl as crl
from campaignrl.actions import NONE
from campaignrl.cli.main import app
from campaignrl.envs import Panel, customers_frame
from campaignrl.errors import DataError
from campaignrl.ledger import Ledger, add, erase, sent_after_all
from campaignrl.send import audit_ledger, plan_of
from campaignrl.send.audit import audit
from campaignrl.send.recount import SentAfterAll, of_days, of_one, of_windows

START = datetime.date(2026, 1, 1)
FIRST = (START - datetime.date(1970, 1, 1)).days
TEXT = "always:news@sms"
AGAINST = "handed over after the permission was taken away"


def day(t):
    return START + datetime.timedelta(days=t)


@pytest.fixture(scope="module")
def world():
    return crl.load_world("tight_budget")  # one text in 7 days, 300 EUR for 1,000 customers over 60 days


@pytest.fixture(scope="module")
def frame(world):
    found = customers_frame(Panel(world, 120, 7)).astype({"customer_id": str})
    found["customer_id"] = [f"c-{i}" for i in range(120)]
    return found.drop(columns=[c for c in found if c.startswith("contacts_")])


@pytest.fixture
def ledger(tmp_path, world):
    return Ledger.create(tmp_path / "led", world, start=START, customers=120)


@pytest.fixture
def told(tmp_path, ledger, world):
    """Adds rows of a table to the ledger on a day."""

    def tell(what, t, **columns):
        pd.DataFrame(columns).to_csv(tmp_path / "in.csv", index=False)
        return add(ledger, what, tmp_path / "in.csv", world, today=day(t))

    return tell


def sent(found):
    return found.ids[found.action != NONE]


def decision_of(found, one):
    return found.decision_id[found.ids == one][0]


def broken(ledger, **how):
    return {one.rule: one for one in audit_ledger(ledger, **how)[1]}


# ---- an opt-out between decision and hand-over (bad input 20)


def test_a_hand_over_after_an_opt_out_is_named_and_audited(ledger, frame, world, told):
    found = crl.decide(TEXT, frame, world, day=day(0), ledger=ledger)
    late, same_day, refused, again, other = sent(found)[:5]
    ids = [decision_of(found, one) for one in (late, same_day, refused, again, other)]
    told("permissions", 1, customer_id=[late, refused, again], channel=["*", "sms", "sms"], allowed="no", day=day(1))
    told("permissions", 2, customer_id=[same_day], channel=["sms"], allowed=["no"], day=[day(2)])
    told("permissions", 2, customer_id=[again], channel=["sms"], allowed=["yes"], day=[day(2)])
    status = ["sent", "sent", "refused", "sent", "sent"]
    came = told("handovers", 3, decision_id=ids, status=status, day=[day(2)] * 5)
    assert came[:4] == (5, 5, 0, 0)
    assert came.against == (f"{late} on sms, {day(2)}",)
    assert told("handovers", 3, decision_id=ids, status=status, day=[day(2)] * 5).against == came.against
    assert broken(ledger) == {AGAINST: (AGAINST, 1, (f"{late} on day {FIRST + 2}",))}


def test_the_verb_names_them(ledger, frame, world, told, tmp_path):
    found = crl.decide(TEXT, frame, world, day=day(0), ledger=ledger)
    one = sent(found)[0]
    told("permissions", 0, customer_id=[one], channel=["sms"], allowed=["no"], day=[day(0)])
    rows = f"decision_id,status,day\n{decision_of(found, one)},sent,{day(1)}\n"
    (tmp_path / "h.csv").write_text(rows)
    done = CliRunner().invoke(app, ["ledger", "add", str(ledger.folder), "handovers", str(tmp_path / "h.csv")])
    assert done.exit_code == 0
    assert f"1 handed over after the permission was taken away: {one} on sms, {day(1)}" in done.stderr
    told_by = CliRunner().invoke(app, ["audit", str(ledger.folder)])
    assert told_by.exit_code == 1
    assert AGAINST in told_by.stdout


def test_a_repeat_says_how_many_of_its_list_opted_out_and_which(ledger, frame, world, told):
    first = crl.decide(TEXT, frame, world, day=day(0), ledger=ledger)
    one = sent(first)[0]
    told("permissions", 0, customer_id=[one], channel=["sms"], allowed=["no"], day=[day(0)])
    again = crl.decide(TEXT, frame, world, day=day(0), ledger=ledger)
    plan = plan_of(again, world, ledger)
    assert one not in set(again.sends()["customer_id"])
    assert plan.sends == len(sent(first)) - 1
    assert plan.left_out == (decision_of(first, one),)
    assert any(text.startswith("1 sends are left out: the permission was taken away since.") for text in plan.limits)
    told("handovers", 0, decision_id=plan.left_out, status=["withdrawn"], day=[day(0)])  # which frees their money
    later = crl.decide(TEXT, frame, world, day=day(0), ledger=ledger, seed=1, dry_run=True)
    assert later.limits.money == first.limits.money - first.cost + 8


def test_a_later_run_of_the_day_names_sends_that_may_no_longer_leave(ledger, frame, world, told):
    first = crl.decide(TEXT, frame, world, day=day(0), ledger=ledger)
    one, two, gone = sent(first)[:3]
    told("handovers", 0, decision_id=[decision_of(first, gone)], status=["sent"], day=[day(0)])
    changed = frame.copy()
    changed.loc[changed["customer_id"].isin([one, gone]), "consent_sms"] = 0.0
    later = crl.decide(TEXT, changed, world, day=day(0), ledger=ledger, suppressed=[two])
    assert later.run != first.run
    named = tuple(sorted(decision_of(first, who) for who in (one, two)))  # the third has left
    assert later.barred_today == plan_of(later, world).left_out == named
    assert any("may no longer leave" in text for text in plan_of(later, world).limits)
    tomorrow = crl.decide(TEXT, changed, world, day=day(1), ledger=ledger, suppressed=[two])
    assert tomorrow.barred_today == ()


# ---- a word that comes late


def test_what_was_refused_and_then_sent_accuses_no_run_that_could_not_know(ledger, frame, world, told):
    """The money and the contact of a refused send are used again; then it turns out that it was sent."""
    first = crl.decide(TEXT, frame, world, day=day(0), ledger=ledger)
    ids = first.decision_id[first.action != NONE]
    assert len(ids) > 5
    told("handovers", 0, decision_id=ids, status="refused", day=day(0))
    crl.decide(TEXT, frame, world, day=day(0), ledger=ledger, seed=1)  # the same day: it has all the money again
    second = crl.decide(TEXT, frame, world, day=day(1), ledger=ledger)
    assert broken(ledger) == {}
    told("handovers", 2, decision_id=ids, status="sent", day=day(0))
    late = sent_after_all(ledger)
    assert sorted(late["decision_id"]) == sorted(ids)
    assert set(late["since"]) == {FIRST}
    assert set(late["until"]) == {FIRST + 2}
    assert broken(ledger) == {}
    third = crl.decide(TEXT, frame, world, day=day(3), ledger=ledger)  # from now on they count
    assert not set(sent(third)) & set(sent(first))
    assert broken(ledger) == {}
    assert len(sent(second)) > 0


def test_words_of_a_ledger_that_kept_no_arrival_came_on_their_own_day(ledger, frame, world, told):
    found = crl.decide(TEXT, frame, world, day=day(0), ledger=ledger)
    one = decision_of(found, sent(found)[0])
    for status, t in (("refused", 1), ("sent", 4)):
        told("handovers", 9, decision_id=[one], status=[status], day=[day(t)])
    assert sent_after_all(ledger)[["since", "until"]].to_numpy().tolist() == [[FIRST + 9, FIRST + 9]]
    rows = ledger.read("handovers")
    place = rows.column_names.index("arrived")
    ledger.replace("handovers", rows.set_column(place, "arrived", pa.nulls(2, pa.int32())))
    assert sent_after_all(ledger)[["since", "until"]].to_numpy().tolist() == [[FIRST + 1, FIRST + 4]]


def row_log(world, days, cost=False):
    """A log of one customer who is texted on these days, without any other rule."""
    log = crl.simulate(world, "none", customers=1, seed=2).take(np.arange(len(days)))
    action = np.full(len(days), world.catalog.id_of("news@sms"))
    return replace(log, action=action, day=np.array(days), eligible=None)


def late_row(row, since, until):
    return SentAfterAll(np.array([row]), np.array([since]), np.array([until]))


@pytest.mark.parametrize(
    ("days", "late", "accused"),
    [
        ([0, 3], None, [1]),  # the cap is one in seven days
        ([0, 3], (0, 1, 5), []),  # refused on day 1, sent after all on day 5: day 3 could not know
        ([0, 3], (0, 3, 3), []),  # of the day of either word nobody knows which came first
        ([0, 3], (0, 4, 6), [1]),  # on day 3 it still counted
        ([0, 6], (0, 1, 5), [1]),  # on day 6 it counted again
        ([0, 3, 5], (0, 1, 9), [2]),  # but the send of day 3 counts on day 5
        ([0, 0], (0, 0, 2), []),
        ([0, 0], (1, 0, 2), []),  # whichever of the two stands first
        ([0, 0], (0, 1, 2), [1]),
        ([0, 3], (1, 4, 6), [1]),  # a late row is judged by what went before, as any
    ],
)
def test_caps_count_a_late_word_from_its_day(world, days, late, accused):
    log = row_log(world, days)
    found = dict(of_windows(log, world, SentAfterAll.none() if late is None else late_row(*late)))
    assert np.flatnonzero(found["cap: 1 in 7 days on sms"]).tolist() == accused


def test_two_sends_of_a_day_of_which_one_was_refused_that_day(world):
    log = row_log(world, [0, 0])
    rule = "two sends to one customer on one day"
    assert dict(of_one(log, world, SentAfterAll.none()))[rule].sum() == 1
    assert not dict(of_one(log, world, late_row(0, 0, 2)))[rule].any()
    assert dict(of_one(log, world, late_row(0, 1, 2)))[rule].sum() == 1


@pytest.mark.parametrize(
    ("days", "late", "accused"),
    [
        ([0, 1, 2], None, [1]),  # money for two texts by day 1, for three by day 2
        ([0, 0, 1], None, [0, 1]),
        ([0, 0, 1], (0, 0, 1), []),
        ([0, 1, 1], (0, 1, 1), []),
        ([0, 1, 1, 2], (0, 1, 1), [2]),  # on day 2 the late one is counted: four texts of three
        ([0, 1, 1, 2], (0, 1, 2), []),
        ([0, 1, 1], (0, 2, 2), [1]),
    ],
)
def test_budget_counts_a_late_word_from_its_day(world, days, late, accused):
    text = world.catalog.cost_of[world.catalog.id_of("news@sms")]
    budget = {"amount_per_1000_customers": text / 100 * 60}  # a text a day
    guard = {**world.guard.model_dump(exclude_unset=True), "budget": budget, "caps": []}
    one = crl.load_world("tight_budget", guard=guard)
    log = row_log(one, days)
    if late is None and days == [0, 1, 2]:
        log = replace(log, day=np.array([0, 1, 1]))
    rules = of_days(log, one, 1_000, 0, SentAfterAll.none() if late is None else late_row(*late))
    over = [int(log.day[rows][0]) for rule, rows in rules if rule.startswith("budget")]
    assert over == accused


def test_stock_counts_a_late_word_from_its_day(world):
    tables = world.model_dump(exclude_unset=True)
    tables["offers"]["news"]["stock"] = 2
    del tables["guard"]["budget"]
    one = crl.load_world(tables)
    log = row_log(one, [0, 1, 2])

    def over(*late):
        rules = of_days(log, one, 1_000_000, 0, late_row(*late) if late else SentAfterAll.none())
        return [int(log.day[rows][0]) for rule, rows in rules if rule.startswith("stock")]

    assert over() == [2]
    assert over(0, 1, 3) == []
    assert over(0, 1, 1) == [2]
    log = row_log(one, [0, 0, 0, 1])  # three of two on a day; nothing is left on the next
    assert over() == [0, 1]
    assert over(0, 0, 0) == [1]


def test_rows_of_other_rules_count_and_are_not_judged(world):
    log = row_log(world, [0, 3])
    many = [audit(log, world, judged=np.array(which)) for which in ([True, True], [True, False], [False, True])]
    caps = [{f.rule: f.many for f in found}.get("cap: 1 in 7 days on sms", 0) for found in many]
    assert caps == [1, 0, 1]


# ---- erased customers


def test_nothing_of_an_erased_customer_comes_back_with_later_files(ledger, frame, world, told, tmp_path):
    found = crl.decide(TEXT, frame, world, day=day(0), ledger=ledger)
    one, two = sent(found)[:2]
    ids = [decision_of(found, who) for who in (one, two)]
    erase(ledger, one, today=day(1))
    came = told("handovers", 1, decision_id=ids, status="sent", day=day(1))
    assert came == (2, 1, 0, 0, 1, ())
    what = {"outcome_id": ["a", "b", "c"], "customer_id": [one.upper(), "", two], "decision_id": ["", ids[0], ""]}
    assert told("outcomes", 1, **what, kind="click", day=day(1))[:5] == (3, 1, 0, 0, 2)
    assert told("permissions", 1, customer_id=[one, two], channel="*", allowed="yes", day=day(1))[:5] == (2, 1, 0, 0, 1)
    for what, text in (  # and files of nobody else, or of nobody at all
        ("handovers", f"decision_id,status,day\n{ids[0]},sent,{day(1)}\n"),
        ("outcomes", f"outcome_id,customer_id,kind,day\nx,{one},click,{day(1)}\n"),
        ("permissions", f"customer_id,channel,allowed,day\n{one},*,yes,{day(1)}\n"),
    ):
        for rows, gone in ((text, 1), (text.splitlines()[0] + "\n", 0)):
            (tmp_path / "x.csv").write_text(rows)
            assert add(ledger, what, tmp_path / "x.csv", world, today=day(1)) == (gone, 0, 0, 0, gone, ())
    for path in ledger.folder.rglob("*"):
        assert not path.is_file() or f'{one}"'.encode() not in path.read_bytes()
    for name in ("handovers", "outcomes", "permissions", "decisions"):
        assert f"'{one}'" not in str(ledger.read(name).to_pydict())
    assert broken(ledger) == {}


def test_a_table_that_still_holds_an_erased_customer_leaves_no_row_of_them(ledger, frame, world):
    one = frame["customer_id"][5]
    erase(ledger, one, today=day(0))
    for _ in range(2):
        found = crl.decide("uniform", frame, world, day=day(0), ledger=ledger)  # and a repeat is one
        assert len(found.ids) == 120
        assert found.blocked[5].startswith("suppressed")
        assert len(ledger.read("decisions")) == 119
        assert one not in ledger.read("decisions")["customer_id"].to_pylist()
        assert any("an id that was erased" in text for text in plan_of(found, world).limits)
    assert broken(ledger) == {}


# ---- one address, several runs


def test_an_address_is_sent_to_once_a_day_whatever_table_its_customers_stand_in(ledger, frame, world, tmp_path):
    with_address = frame.assign(address_key=[f"home-{i % 60}" for i in range(120)], consent_sms=1.0)
    early, late = with_address.iloc[:60], with_address.iloc[60:]
    first = crl.decide(TEXT, early, world, day=day(0), ledger=ledger)
    homes = {f"home-{one[2:]}" for one in sent(first)}
    assert homes
    second = crl.decide(TEXT, late, world, day=day(0), ledger=ledger)
    theirs = np.isin(late["address_key"], sorted(homes))
    assert (second.action[theirs] == NONE).all()
    assert all(text.startswith("already sent to today") for text in second.blocked[theirs])
    soon = crl.decide(TEXT, late, world, day=day(6), ledger=ledger)
    assert (soon.action[theirs] == NONE).all()  # one text in seven days is one to the address
    week = crl.decide(TEXT, late, world, day=day(7), ledger=ledger, budget=1.0)
    assert (week.action[theirs] != NONE).any()
    hashes = set(ledger.read("decisions")["rule.address"].to_pylist()) - {None}
    assert len(hashes) > 0
    everything = "".join(str(ledger.read(name).to_pydict()) for name in ("decisions", "permissions"))
    assert "home-" not in everything
    rows = ledger.read("decisions").to_pandas()
    assert rows.loc[rows["action"] == NONE, "rule.address"].isna().all()
    other = Ledger.create(tmp_path / "other", world, start=START, customers=120)
    assert ledger.address_hashes(["home-1"]) != other.address_hashes(["home-1"])
    assert ledger.address_hashes(["home-1", ""])[1] == ""
    assert broken(ledger) == {}


# ---- what is not there


def test_an_audit_of_nothing_says_that_nothing_is_there(ledger, monkeypatch):
    monkeypatch.chdir(ledger.folder.parent)
    done = CliRunner().invoke(app, ["audit", "ledd"])
    assert isinstance(done.exception, DataError)
    assert "that is there" in str(done.exception)
    assert "'led'" in str(done.exception)
    assert json.loads(CliRunner().invoke(app, ["audit", "led", "--json"]).stdout)["decisions"] == 0
