"""What a ledger alone says of one customer: everything it holds, nothing of others, in the world's money."""

import datetime
import json

import pandas as pd
import pytest
from typer.testing import CliRunner

import campaignrl as crl
from campaignrl.cli.main import app
from campaignrl.envs import Panel, customers_frame
from campaignrl.errors import UsageError
from campaignrl.ledger import SEEN, Ledger, add, erase
from campaignrl.send import history_of

START = datetime.date(2026, 1, 1)


@pytest.fixture
def ledger(tmp_path):
    world = crl.load_world("coupon_trap")
    made = Ledger.create(tmp_path / "led", world, start=START, customers=60)
    frame = customers_frame(Panel(world, 60, seed=2))
    for t in (0, 3):
        crl.decide("uniform", frame, world, day=START + datetime.timedelta(days=t), ledger=made)
    return made


def added(ledger, tmp_path, what, text):
    (tmp_path / "in.csv").write_text(text)
    add(ledger, what, tmp_path / "in.csv", crl.load_world("coupon_trap"), today=START + datetime.timedelta(days=9))


def test_every_decision_is_told_as_it_stands_in_the_ledger(ledger):
    rows = ledger.read("decisions").to_pandas()
    for one in ("0", "7", "59"):
        told = history_of(ledger, one).decisions
        mine = rows[rows["customer_id"] == one].sort_values("day", ascending=False)
        assert [d.decision_id for d in told] == list(mine["decision_id"])
        assert [d.day for d in told] == ["2026-01-04", "2026-01-01"]
        for said, (_, row) in zip(told, mine.iterrows(), strict=True):
            assert said.action == (f"{row['offer']}@{row['channel']}" if row["channel"] else "none")
            assert (said.reason, said.probability, said.allowed) == (
                row["reason"],
                row["propensity"],
                len(row["eligible"]),
            )
            assert said.seen["recency_days"] == f"{row[SEEN + 'recency_days']:.6g}"
            assert "; ".join(said.blocked) == row["blocked"]


def test_outcomes_go_to_the_decision_they_name_and_money_is_of_the_world(ledger, tmp_path):
    first = history_of(ledger, "7").decisions[-1].decision_id
    added(
        ledger,
        tmp_path,
        "outcomes",
        f"outcome_id,decision_id,customer_id,kind,day,margin\na,{first},,order,2026-01-02,18.5\n"
        "b,,7,refund,2026-01-05,2\nc,,8,order,2026-01-05,99\n",
    )
    added(ledger, tmp_path, "handovers", f"decision_id,status,day\n{first},sent,2026-01-01\n")
    added(ledger, tmp_path, "permissions", "customer_id,channel,allowed,day\n7,*,no,2026-01-06\n")
    told = history_of(ledger, "7")
    assert told.decisions[-1].outcomes == (("2026-01-02", "order", 1850),)
    assert told.decisions[-1].handed_over == "sent"
    assert told.decisions[0].outcomes == ()
    assert told.outcomes == (("2026-01-05", "refund", -200),)
    assert told.permissions == (("2026-01-06", "*", "taken away", "a file"),)
    words = "\n".join(told.lines())
    currency = crl.load_world("coupon_trap").money.currency
    assert f"order, margin 18.50 {currency}" in words
    assert "99" not in words  # that of another customer


def test_an_id_is_found_in_any_spelling_and_an_erased_one_is_said_to_be_so(ledger):
    assert len(history_of(ledger, " 7.0 ").decisions) == 2
    with pytest.raises(UsageError, match="a customer of the ledger"):
        history_of(ledger, "nobody")
    erase(ledger, "7", today=START)
    with pytest.raises(UsageError, match="not erased"):
        history_of(ledger, "7")


def test_the_verb_needs_neither_policy_nor_table(ledger):
    def run(*args):
        return CliRunner().invoke(app, ["decide", *map(str, args)])

    plain = run("--ledger", ledger.folder, "--explain", "7")
    assert plain.exit_code == 0
    assert plain.stdout.startswith("2026-01-04  7 got ")
    told = json.loads(run("--ledger", ledger.folder, "--explain", "7", "--json").stdout)
    assert len(told["decisions"]) == 2
    assert pd.to_datetime(told["decisions"][0]["day"]) == pd.Timestamp("2026-01-04")
    for args, missing in (((), "POLICY"), (("uniform",), "CUSTOMERS"), (("--ledger", ledger.folder), "POLICY")):
        wrong = run(*args)
        assert isinstance(wrong.exception, UsageError)
        assert missing in str(wrong.exception)
