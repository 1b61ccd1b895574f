"""The audit: silent on what was decided within the rules, and it names each rule that a changed log breaks."""

import datetime
import json
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import campaignrl as crl
from campaignrl.actions import NONE
from campaignrl.cli import main as cli
from campaignrl.envs import Panel, customers_frame
from campaignrl.errors import ArtifactError, SupportError
from campaignrl.features import Context
from campaignrl.ledger import Ledger, add
from campaignrl.send import audit_ledger
from campaignrl.send.audit import audit
from campaignrl.specs import bundled_files

START = datetime.date(2026, 1, 1)


def rules(found):
    return {f.rule for f in found}


@pytest.mark.parametrize("name", sorted(bundled_files("envs")))
def test_a_simulated_log_breaks_no_rule_and_its_propensities_are_the_policys(name):
    world = crl.load_world(name, horizon=min(crl.load_world(name).horizon, 40))
    log = crl.simulate(world, "uniform", customers=200, seed=2)
    limited = world.guard.budget is not None or any(c.capacity for c in world.channels.values())
    assert audit(log, world, policy=None if limited else crl.load_policy("uniform", world)) == []


@pytest.fixture(scope="module")
def bank():
    world = crl.load_world("bank", horizon=30)
    return world, crl.simulate(world, "uniform", customers=300, seed=2)


def changed(log, rows, **columns):
    """The log with other values in some rows; every action is eligible there, as a liar would have it."""
    new = {name: getattr(log, name).copy() for name in columns}
    for name, value in columns.items():
        new[name][rows] = value
    return replace(log, **new, eligible=np.ones_like(log.eligible))


def test_each_rule_is_named_where_a_row_breaks_it(bank):
    world, log = bank
    names = list(world.channels)
    sends = np.flatnonzero(log.action != NONE)
    channel = world.catalog.channel_of[log.action[sends]]
    one = sends[0]
    closed = {k: v.copy() for k, v in log.context.columns.items()}
    closed[f"consent_{names[channel[0]]}"][one] = 0.0
    found = audit(replace(log, context=Context(log.context.schema, closed)), world)
    assert rules(found) == {f"no consent: {names[channel[0]]}"}
    assert found[0].many == 1
    assert found[0].rows == (f"{log.customers[log.customer[one]]} on day {log.day[one]}",)
    held = np.flatnonzero(Panel(world, 300, 2).traits.held_out[log.customer])[:3]
    found = audit(changed(log, held, action=log.action[one]), world)
    assert "holdout" in rules(found)
    idle = np.setdiff1d(np.flatnonzero(log.action == NONE), held)
    barred = idle[~log.eligible[idle, log.action[one]]]
    liars = np.isin(np.arange(len(log)), barred[:1])
    eligible_lie = replace(log, action=np.where(liars, log.action[one], log.action), eligible=None)
    assert audit(eligible_lie, world) != []
    twice = replace(log, day=np.where(log.customer == log.customer[one], log.day[one], log.day))
    assert "two sends to one customer on one day" in rules(audit(twice, world))


def test_caps_count_the_window_to_the_day():
    """One text in 7 days: the seventh day is too early, the eighth is not."""
    world = crl.load_world("tight_budget")
    sms = world.catalog.id_of("news@sms")
    log = crl.simulate(world, "none", customers=2, seed=2)
    log = replace(
        log,
        eligible=None,
        context=Context(log.context.schema, {**log.context.columns, "consent_sms": np.ones(len(log))}),
    )
    for gap, broken in ((6, True), (7, False)):
        action = np.zeros_like(log.action)
        action[[10, 10 + gap]] = sms
        said = rules(audit(replace(log, action=action), world, customers=100_000))
        assert ("cap: 1 in 7 days on sms" in said) == broken
    action = np.zeros_like(log.action)
    action[[57, 60]] = sms  # of two customers: day 57, and day 0 of the next
    assert "cap: 1 in 7 days on sms" not in rules(audit(replace(log, action=action), world, customers=100_000))


def test_budget_at_every_prefix_and_capacity_of_every_day(bank):
    world = crl.load_world("tight_budget")
    log = crl.simulate(world, "uniform", customers=400, seed=2)
    assert not any("budget" in rule for rule in rules(audit(log, world)))
    early = audit(log, world, customers=300)  # the same sends from three quarters of the money
    assert any(rule.startswith("budget: ") for rule in rules(early))
    world, log = bank
    assert any(rule.startswith("capacity: ") for rule in rules(audit(log, world, customers=100)))


def test_a_propensity_that_is_not_the_policys_is_found():
    world = crl.load_world("no_memory", horizon=20)
    log = crl.simulate(world, "uniform", customers=50, seed=1)
    policy = crl.load_policy("uniform", world)
    said = log.propensity.copy()
    said[[3, 77]] *= 0.99
    found = audit(replace(log, propensity=said), world, policy=policy)
    assert [(f.rule, f.many) for f in found] == [("propensity: not that of the policy", 2)]
    with pytest.raises(ArtifactError, match="Give the world"):
        audit(log, crl.load_world("bank"))


def test_a_ledger_is_audited_with_its_withdrawals_and_its_policy(tmp_path, monkeypatch, capsys):
    world = crl.load_world("tight_budget")
    frame = customers_frame(Panel(world, 200, 7)).drop(columns=["contacts_sms_7d", "contacts_call_14d"])
    ledger = Ledger.create(tmp_path / "l", world, start=START, customers=200)
    for t in range(10):
        found = crl.decide("uniform", frame, world, day=START + datetime.timedelta(t), ledger=ledger)
    policy = crl.load_policy("uniform", world)
    assert audit_ledger(ledger, world, policy) == (2_000, [])
    sent = found.ids[found.action != NONE][0]
    said = {"customer_id": [sent], "channel": ["*"], "allowed": ["no"], "day": ["2026-01-09"]}
    pd.DataFrame(said).to_csv(tmp_path / "p.csv", index=False)
    add(ledger, "permissions", tmp_path / "p.csv", world, today=START + datetime.timedelta(9))
    assert audit_ledger(ledger, world)[1] == []  # it came on the day of the last run
    action = found.action[found.ids == sent][0]
    by = world.catalog.channels[world.catalog.channel_of[action]].name
    for channel, broken in (
        ({"sms": "call", "call": "sms"}[by], set()),
        (by, {"sent after the permission was taken away"}),
    ):
        pd.DataFrame(said | {"channel": [channel]}).to_csv(tmp_path / "p.csv", index=False)
        add(ledger, "permissions", tmp_path / "p.csv", world, today=START + datetime.timedelta(8))
        assert rules(audit_ledger(ledger, world)[1]) == broken

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["campaignrl", "audit", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return end.value.code, capsys.readouterr()

    code, answer = call(tmp_path / "l", "--json")
    assert code == 1
    assert json.loads(answer.out)["broken"][0]["many"] == 1
    crl.write_log(crl.simulate("no_memory", "uniform", customers=30), tmp_path / "log.parquet")
    code, answer = call(tmp_path / "log.parquet", "-p", "uniform")
    assert not code
    assert "no rule is broken" in answer.out
    assert call(tmp_path / "nothing")[0] == 3


def test_what_was_not_looked_at_is_not_said_to_be_fine(tmp_path):
    world = crl.load_world("tight_budget")
    log = crl.simulate(world, "uniform", customers=50)
    with pytest.raises(SupportError, match="Audit the ledger"):
        audit(log, world, policy=crl.load_policy("uniform", world))
    frame = customers_frame(Panel(world, 60, 7))
    ledger = Ledger.create(tmp_path / "l", world, start=START, customers=60)
    crl.decide("uniform", frame, world, day=START, ledger=ledger)
    with pytest.raises(SupportError, match="one that decided here: uniform"):
        audit_ledger(ledger, world, crl.load_policy("always:news@sms", world))
    rows = ledger.read("decisions").to_pandas()
    gone = {"decision_id": rows["decision_id"], "status": "refused", "day": "2026-01-01"}
    pd.DataFrame(gone).to_csv(tmp_path / "h.csv", index=False)
    add(ledger, "handovers", tmp_path / "h.csv", world, today=START)
    assert audit_ledger(ledger, world) == (60, [])
