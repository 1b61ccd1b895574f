"""A world lives through the API: its log is true, values policies rightly, teaches a better one; faults are seen."""

import datetime
from pathlib import Path

import numpy as np
import pytest
from life_through_api import START, begin

import campaignrl as crl
from campaignrl.envs.truth import live
from campaignrl.ledger import ledger_log
from campaignrl.monitor import health_of
from campaignrl.policies import PROOF, paired_gain
from campaignrl.proof import prove
from campaignrl.send import audit_ledger
from campaignrl.specs import load_world
from campaignrl.true_value import acting, decision_value

STRONG = "pretrained/ecommerce"
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
    """Two challengers watch a week: who is not shown to be better is refused, who is decides, and is the better one."""
    world, whole = load_world("ecommerce", horizon=9, outcome_days=3), load_world("ecommerce")
    few = crl.simulate(whole, "uniform", customers=100, seed=11)
    weak = crl.train({"kind": "lin_ts", "explore": 0.2}, few)
    facts = {"world": "ecommerce", PROOF: prove(weak, whole, customers=2_000).to_dict()}
    crl.save_policy(weak, tmp_path / "weak.bundle", trained_on=facts)
    life = begin(tmp_path, world, "uniform", 6_000, seed=5, policies=tmp_path)
    with life.face as face:
        for name in ("weak.bundle", STRONG):
            assert face.post("/v1/policies/shadow", {"policy": name, "why": "it may watch"}).status_code == 200
        for _ in range(world.horizon):
            life.day()
        life.end()
        agreed = {one["policy"]: one["decisions"] for one in face.get("/v1/policies").json()["shadows"]}
        refused = face.post("/v1/policies/promote", {"policy": "weak.bundle", "why": "let us see"})
        taken = face.post("/v1/policies/promote", {"policy": STRONG, "why": "shown to be better"})
        deciding = face.get("/v1/policies").json()["deciding"]
    assert set(agreed.values()) == {6_000 * world.horizon}
    assert refused.status_code == 409
    assert refused.json()["doubts"]
    assert (taken.status_code, taken.json()["hash"]) == (200, deciding)
    log = ledger_log(life.ledger, world, as_of=life.today)
    np.testing.assert_allclose(log.reward[log.matured], life.brought(log)[log.matured], atol=0.02)
    assert audit_ledger(life.ledger)[1] == []
    for target in ("none", "rules", STRONG, str(tmp_path / "weak.bundle")):
        told = crl.evaluate(log, target, alpha=0.05 / 4).estimates["dr"]
        truth = decision_value(world, target, "uniform", customers=100_000, seed=77)
        with capsys.disabled():
            said = f"[{told.ci_low:+.4f}, {told.ci_high:+.4f}]  truth {truth.value:+.4f}"
            print(f"\n{Path(target).name:<12} log {told.value:+.4f} {said}")
        assert told.ci_low <= truth.ci_high, target  # each known within its own error
        assert truth.ci_low <= told.ci_high, target
    ids = (1 << 45) + np.arange(3_000)
    ways = (acting(STRONG, whole), acting(str(tmp_path / "weak.bundle"), whole))
    ours, theirs = (live(whole, way, customers=ids, seed=1, expects=True)["expected"] for way in ways)
    better = paired_gain(ours, theirs)
    with capsys.disabled():
        print(f"the promoted one over the refused one: {better.said('CNY a customer of a whole campaign')}")
    assert better.low > 0.0


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
