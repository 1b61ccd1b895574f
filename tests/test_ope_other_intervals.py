"""Intervals asked for by name: the value stays, the ends follow, and wrong words or logs are errors."""

import importlib.util
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from campaignrl.errors import DataError, UnknownName
from campaignrl.ope.data.target_policy import target_policy_of
from campaignrl.ope.evaluate import evaluate
from campaignrl.ope.intervals import Estimate
from campaignrl.ope.intervals.bootstrap import percentile_interval, resampled_rows
from campaignrl.ope.intervals.clustered import Clusters
from campaignrl.ope.methods.intervals_by_name import INTERVALS, Orders, customer_bounds, difference_mean
from campaignrl.ope.methods.registry import ESTIMATORS
from campaignrl.ope.refit_bootstrap import _spread, refit_bootstrap

_SPEC = importlib.util.spec_from_file_location("logs", Path(__file__).with_name("test_ope_log.py"))
LOGS = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(LOGS)
K, make_log, within = LOGS.K, LOGS.make_log, LOGS.within

EVERY = tuple(name for name, e in ESTIMATORS.items() if e.marginal is None and not e.pooled)
CHANCE = np.random.default_rng


# ---- by hand


def test_bounds_of_customers_follow_their_rows():
    # two customers with one and three rows: sums are scaled by 2/4
    assert customer_bounds((-1.0, 2.0), Clusters(np.array([0, 1, 1, 1]))) == (-1.5, 3.0)
    assert customer_bounds((1.0, 2.0), Clusters(np.array([0, 1, 1, 1]))) == (0.5, 3.0)
    assert customer_bounds((0.0, 50.0), Clusters(np.arange(7))) == (0.0, 50.0)


def test_a_resample_holds_whole_customers():
    clusters = Clusters(np.array([4, 4, 9, 2]))
    rows = list(resampled_rows(clusters, 50, CHANCE(0)))
    assert len({tuple(r) for r in rows}) > 5
    for r in rows:
        times = np.bincount(r, minlength=4)
        assert times[0] == times[1]  # both rows of customer 4
        assert times[0] + times[2] + times[3] == 3  # three customers


def test_the_bootstrap_of_a_mean_is_about_its_t_interval():
    x = CHANCE(1).normal(3.0, 2.0, 2_000)
    low, high = percentile_interval(
        lambda rows: float(x[rows].mean()), Clusters(np.arange(2_000)), 0.05, CHANCE(2), 500
    )
    assert (low, high) == pytest.approx((x.mean() - 1.96 * 2 / 2000**0.5, x.mean() + 1.96 * 2 / 2000**0.5), abs=0.02)


def test_a_bootstrap_of_nothing_finite_is_no_interval():
    ends = percentile_interval(lambda rows: math.nan, Clusters(np.arange(5)), 0.05, CHANCE(0), 5)
    assert all(math.isnan(end) for end in ends)


def test_orders_follow_time_and_ids_but_not_outcomes():
    log = make_log(400, rows=2)
    orders = Orders.of(log, Clusters(log.customer))
    other = make_log(400, rows=2, reward=1.0 - log.reward)
    assert Orders.of(other, Clusters(other.customer)).by_hash.tolist() == orders.by_hash.tolist()
    assert sorted(orders.by_hash.tolist()) == sorted(orders.by_time.tolist()) == list(range(200))
    days = np.repeat(np.arange(200)[::-1], 2)
    later = make_log(400, rows=2, day=days)
    assert Orders.of(later, Clusters(later.customer)).by_time.tolist() == list(range(200))[::-1]


# ---- laws over all ways and estimators


@pytest.mark.parametrize("interval", INTERVALS)
def test_the_value_stays_and_the_ends_hold_it(interval):
    log = make_log(600, rows=2)
    usual, asked = (evaluate(log, within(log), estimators=EVERY, interval=i) for i in (INTERVALS[0], interval))
    for name, made in asked.estimates.items():
        assert made.value == usual.estimates[name].value
        assert made.std_error == usual.estimates[name].std_error
        assert 0.0 <= made.ci_low <= made.value <= made.ci_high <= 1.0, name
    assert asked.lift == usual.lift
    assert asked.lift_ci_low <= asked.lift <= asked.lift_ci_high
    assert asked.verdict == usual.verdict
    made_by = {made.interval for made in asked.estimates.values()}
    assert interval == INTERVALS[0] or len({how.split(",")[0] for how in made_by}) == 1


@pytest.mark.parametrize("interval", INTERVALS[2:4])
def test_what_holds_without_a_large_sample_is_wider(interval):
    log = make_log(1000)
    t, asked = (evaluate(log, within(log), estimators=("ips", "dr"), interval=i) for i in ("t", interval))
    for name in ("ips", "dr"):
        a, b = t.estimates[name], asked.estimates[name]
        assert b.ci_high - b.ci_low > a.ci_high - a.ci_low


@pytest.mark.parametrize("interval", INTERVALS)
def test_row_order_changes_no_interval(interval):
    log = make_log(300)
    p, order = within(log), CHANCE(3).permutation(300)
    a = evaluate(log, p, estimators=("ips", "snips"), interval=interval)
    b = evaluate(log.take(order), p[order], estimators=("ips", "snips"), interval=interval)
    for name in ("ips", "snips"):
        assert b.estimates[name][:4] == pytest.approx(a.estimates[name][:4], abs=1e-9)


@pytest.mark.parametrize("interval", INTERVALS)
def test_the_logged_policy_differs_from_itself_by_nothing(interval):
    found = evaluate(make_log(300), "logged", estimators=("ips",), interval=interval)
    assert (found.lift, found.lift_ci_low, found.lift_ci_high) == (0.0, 0.0, 0.0)


# ---- refitting


def test_refitting_counts_what_fitting_adds():
    log = make_log(400)
    asked = {"estimators": ("dm", "ips"), "seed": 0}
    refitted = refit_bootstrap(log, within(log), resamples=40, estimators=asked["estimators"])  # seed 0 as ever
    fixed = evaluate(log, within(log), interval="bootstrap", **asked).estimates
    assert refitted["dm"].value == fixed["dm"].value
    assert refitted["dm"].ci_high - refitted["dm"].ci_low > 2 * (fixed["dm"].ci_high - fixed["dm"].ci_low)
    width = [e["ips"].ci_high - e["ips"].ci_low for e in (refitted, fixed)]
    assert width[0] == pytest.approx(width[1], rel=0.4)  # ips fits nothing
    assert refitted["dm"].interval == "bootstrap over customers, refitted"


def test_the_spread_of_draws_by_hand():
    made = Estimate(2.5, 9.0, 0.0, 9.0, "t")
    found = _spread(made, np.array([1.0, 2.0, np.nan, 4.0, 3.0]), 0.5)
    assert found == Estimate(2.5, pytest.approx(np.sqrt(5.0 / 3.0)), 1.75, 3.25, "bootstrap over customers, refitted")
    one = _spread(made, np.array([1.0, np.nan]), 0.5)
    assert (one.ci_low, one.ci_high, math.isnan(one.std_error)) == (1.0, 1.0, True)
    assert _spread(made, np.array([1.0, 3.0]), 0.5).std_error == pytest.approx(np.sqrt(2.0))
    none = _spread(made, np.array([np.nan, np.nan]), 0.5)
    assert [math.isnan(x) for x in none[1:4]] == [True] * 3


def test_a_difference_lies_within_what_rewards_can_differ_by():
    """Of rewards from 5 to 6 no policy earns more than 1 above another, however wide the interval was.

    The value may, and its interval shows it.
    """
    log = make_log(30)
    log = replace(log, reward=5.0 + (log.reward > 0.0))
    found = evaluate(
        log, "uniform", reference="always:none", estimators=("ips",), interval="betting", reward_range=(5.0, 6.0)
    )
    assert found.lift_ci_low == min(-1.0, found.lift)
    assert found.lift_ci_high <= max(1.0, found.lift)


def test_what_was_given_is_said_to_be_given():
    log = make_log(60)
    assert evaluate(log, "uniform", q=np.zeros((60, len(log.catalog))), estimators=("dr",)).reward_model == "given"


def test_a_target_read_already_is_followed_to_the_drawn_rows():
    log, asked = make_log(60), {"resamples": 3, "estimators": ("ips",)}
    for given in ("logged", within(log)):
        target = target_policy_of(given, log)
        assert refit_bootstrap(log, target, **asked) == refit_bootstrap(log, given, **asked)


# ---- wrong input


def test_an_unknown_interval_is_named_with_the_nearest():
    with pytest.raises(UnknownName, match="Did you mean 'bootstrap'"):
        evaluate(make_log(50), "logged", interval="bootstap")


def test_an_anytime_interval_of_an_impossible_log_is_an_error():
    log = make_log(4000)
    wrong = make_log(4000, propensity=log.propensity / 4)  # weights of 4 on average
    p = np.full((4000, K), 0.25)
    with pytest.raises(DataError, match="anytime bounds cross"):
        evaluate(wrong, p, estimators=("ips",), interval="anytime")
    assert evaluate(wrong, p, estimators=("ips",)).verdict == "refuse"


def test_bounds_of_a_difference_are_reached_by_the_extreme_weights():
    """Each row's term is q_a - q_b + (w_a - w_b)(r - q): its range by hand, for weights that do not begin at 0."""
    facts = {"reward_range": (0.0, 1.0), "predicted_range": (0.0, 1.0), "clusters": Clusters(np.array([0, 1]))}
    rows = {"expected": np.zeros(2), "reward": np.ones(2), "predicted": np.zeros(2)}
    a = SimpleNamespace(weight=np.array([3.0, 1.0]), weight_range=(1.0, 3.0), **rows, **facts)
    b = SimpleNamespace(weight=np.array([0.5, 2.0]), weight_range=(0.5, 2.0), **rows, **facts)
    found = difference_mean(a, b)
    assert found.terms.tolist() == [2.5, -1.0]
    assert found.range == (-3.5, 3.5)  # weights differ by -1 to 2.5, a residual lies in -1 to 1, predictions in 1
