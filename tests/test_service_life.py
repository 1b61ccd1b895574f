"""A world lives through the API: its log is true, values policies rightly, teaches a better one; faults are seen."""

import datetime

import numpy as np
import pytest
from life_through_api import START, begin

import campaignrl as crl
from campaignrl.ledger import ledger_log
from campaignrl.monitor import health_of
from campaignrl.send import audit_ledger
from campaignrl.service import learn_once
from campaignrl.specs import load_world
from campaignrl.true_value import decision_lift, decision_value

FREE = {"guard": {"caps": [], "holdout": 0.0}}


def test_what_a_world_answers_through_the_api_is_what_the_log_says(tmp_path):
    """Late, doubled and shuffled outcomes: every row of the log has, to a cent, what the world says it brought."""
    world = load_world("coupon_trap", horizon=6, outcome_days=3)
    life = begin(tmp_path, world, "uniform", 150, seed=2)
    with life.face:
        for _ in range(world.horizon):
            life.day()
        life.end()
    log = ledger_log(life.ledger, world, as_of=life.today)
    assert log.matured.sum() == 150 * (world.horizon - world.outcome_days + 1)
    np.testing.assert_allclose(log.reward[log.matured], life.brought(log)[log.matured], atol=0.02)
    assert np.unique(log.reward[log.matured]).size > 20
    assert audit_ledger(life.ledger) == (150 * world.horizon, [])


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_a_week_of_life_is_valued_rightly_and_promotes_the_better_policy(tmp_path, capsys):
    world = load_world("ecommerce", horizon=9, outcome_days=3)
    few = crl.simulate(world, "uniform", customers=150, seed=11)
    learned = crl.train({"kind": "lin_ts", "explore": 0.2}, few)
    first = crl.save_policy(learned, tmp_path / "first.bundle", trained_on=world)
    life = begin(tmp_path, world, first, 6_000, seed=5)
    with life.face:
        for _ in range(world.horizon):
            life.day()
        life.end()
        log = ledger_log(life.ledger, world, as_of=life.today)
        np.testing.assert_allclose(log.reward[log.matured], life.brought(log)[log.matured], atol=0.02)
        told, truth = {}, {}
        for target in ("none", "uniform", "rules"):
            told[target] = crl.evaluate(log, target).estimates["dr"]
            truth[target] = decision_value(world, target, str(first), customers=200_000, seed=77)
        learned = learn_once(
            life.face.service.store, life.ledger, world, tmp_path / "learned", today=life.today, promote=True
        )
        life.face.service.catch_up()
        deciding = life.face.get("/v1/policies").json()["deciding"]
    with capsys.disabled():
        for target, one in told.items():
            known = truth[target]
            print(
                f"\n{target:<8} log {one.value:+.4f} [{one.ci_low:+.4f}, {one.ci_high:+.4f}]  truth {known.value:+.4f}"
            )
        print(f"{learned.became}: {learned.why}")
    for target, one in told.items():
        assert one.ci_low <= truth[target].value <= one.ci_high, target
    assert learned.became == "promoted"
    assert deciding == crl.policies.policy_hash(crl.load_policy(learned.bundle))
    lift = decision_lift(world, str(learned.bundle), str(first), str(first), customers=100_000, seed=78)
    with capsys.disabled():
        print(f"promoted over the one before: {lift.value:+.4f} [{lift.ci_low:+.4f}, {lift.ci_high:+.4f}] a decision")
    assert lift.ci_low > 0.0
    assert audit_ledger(life.ledger)[1] == []


def alarms(life):
    return {one.name for one in health_of(life.ledger, as_of=life.today, world=life.panel.world).alarms}


def week_with_faults(folder, customers, quiet, seed):
    """Five weeks of life, so many quiet mornings that are looked at, then a fault; (false alarms, what it raised)."""
    world = load_world("ecommerce", horizon=35 + quiet + 4, **FREE)
    life = begin(folder, world, "uniform", customers, seed)
    found = set()
    with life.face:
        for day in range(35 + quiet):
            if day >= 35:
                found |= {(day, name) for name in alarms(life)}
            life.day()
        chance = np.random.default_rng(seed)
        life.day(keeps=lambda row: row["kind"] == "unsubscribe" or chance.random() < 0.5)
        lost = alarms(life)
    return found, lost


@pytest.mark.slow
@pytest.mark.timeout(7_200)
def test_ten_quiet_weeks_through_the_api_raise_no_alarm_and_lost_outcomes_theirs_within_a_day(tmp_path, capsys):
    false, lost = week_with_faults(tmp_path, 5_000, 70, seed=3)
    with capsys.disabled():
        print(f"\nfalse alarms {sorted(false)}; half of the outcomes lost: {sorted(lost)}")
    assert not false
    assert "outcomes" in lost


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_a_channel_that_dies_raises_its_alarm_within_a_day(tmp_path):
    world = load_world("ecommerce", horizon=40, **FREE)
    life = begin(tmp_path, world, "uniform", 5_000, seed=4)
    with life.face:
        for _ in range(36):
            life.day()
        assert alarms(life) == set()
        life.day(keeps=lambda row: row.get("channel") != "email")
        assert "open@email" in alarms(life)
    assert life.today == START + datetime.timedelta(days=37)
