"""True values: paired luck, exact by construction, and the very thing that estimators read off a log."""

import numpy as np
import pytest

from campaignrl import rng
from campaignrl.campaign import run_campaign, simulate
from campaignrl.envs.panel import Panel
from campaignrl.errors import UsageError
from campaignrl.rng import Purpose
from campaignrl.specs.world import load_world
from campaignrl.true_value import campaign_lift, campaign_value, decision_value, mean_value


def test_a_mean_by_hand():
    value = mean_value(np.array([1.0, 2.0, 3.0, 4.0]))
    assert value.value == 2.5
    assert value.std_error == pytest.approx(np.sqrt(5 / 3) / 2)
    assert value.ci_low == pytest.approx(2.5 - 1.959964 * value.std_error)
    assert value.ci_high == pytest.approx(2.5 + 1.959964 * value.std_error)
    wide = mean_value(np.array([1.0, 2.0, 3.0, 4.0]), alpha=0.01)
    assert wide.ci_high > value.ci_high


def test_a_policy_against_itself_gains_exactly_nothing(small_world):
    campaigns = [run_campaign(small_world, "none", customers=300, seed=1) for _ in range(2)]
    assert campaign_lift(*campaigns) == (0.0, 0.0, 0.0, 0.0)


def test_lift_is_the_difference_of_values_with_less_noise(small_world):
    ours, theirs = (run_campaign(small_world, policy, customers=2000, seed=1) for policy in ("uniform", "none"))
    lift, values = campaign_lift(ours, theirs), [campaign_value(c) for c in (ours, theirs)]
    assert lift.value == pytest.approx(values[0].value - values[1].value)
    assert lift.std_error < 0.8 * np.hypot(values[0].std_error, values[1].std_error)  # the luck is shared


def chosen_days(world, n, seed):
    u = rng.uniform(rng.customer_keys(np.arange(n)), seed, 0, Purpose.RESAMPLE)
    return np.floor(u * (world.horizon - world.outcome_days + 1)).astype(int)


def test_a_decision_by_the_logging_policy_is_worth_its_row_of_the_log(small_world):
    n = 500
    log = simulate(small_world, "uniform", customers=n, seed=9)
    day = chosen_days(small_world, n, 9)
    assert set(day) == set(range(10))
    rows = np.arange(n) * small_world.horizon + day
    assert log.matured[rows].all()
    value = decision_value(small_world, "uniform", "uniform", customers=n, seed=9)
    assert value.value == pytest.approx(log.reward[rows].mean(), abs=1e-6)
    assert value.std_error == pytest.approx(log.reward[rows].std(ddof=1) / np.sqrt(n), rel=1e-6)


def test_a_decision_by_another_policy_replaces_one_day_alone(small_world):
    n = 60
    value = decision_value(small_world, "always:coupon20@push", "none", customers=n, seed=2)
    coupon, day = small_world.catalog.id_of("coupon20@push"), chosen_days(small_world, n, 2)
    earned = np.zeros(n)
    for i in range(n):  # each customer alone, day by day
        panel = Panel(small_world, np.array([i]), seed=2)
        while not panel.done:
            today = panel.day
            may = panel.allowed(panel.observe())[0, coupon]
            reward = panel.step(np.array([coupon if today == day[i] and may else 0])).reward[0]
            earned[i] += reward if day[i] <= today < day[i] + small_world.outcome_days else 0.0
    assert value.value == pytest.approx(earned.mean(), abs=1e-5)


def test_a_value_does_not_depend_on_who_is_asked_first(small_world):
    first = decision_value(small_world, "none", "uniform", customers=200, seed=4)
    decision_value(small_world, "uniform", "none", customers=200, seed=5)
    assert decision_value(small_world, "none", "uniform", customers=200, seed=4) == first


def test_a_window_longer_than_the_campaign_has_no_answer(small_world):
    with pytest.raises(UsageError, match="outcome_days = 3 is not at most 2"):
        decision_value(load_world(small_world, horizon=2), "none", customers=10)
