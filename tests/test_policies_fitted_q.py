"""Returns of trajectories by hand, and a world of two days in which looking ahead is everything."""

import numpy as np
import pytest

from campaignrl.actions import Catalog, Channel, Offer
from campaignrl.features import Context, Feature, FeatureSchema
from campaignrl.policies.linear_model.ridge import RidgeStatistics, with_intercept
from campaignrl.policies.loading import build_policy
from campaignrl.policies.offline.advantage_regression import Sums, fit_parts
from campaignrl.policies.offline.lookahead_choice import (
    Judged,
    beyond_chance,
    near_is_ahead,
    of_whole_return,
    part_of,
)
from campaignrl.policies.offline.returns import ENDED, later_rows, return_parts, widths_of
from campaignrl.tables.log.decision_log import DecisionLog

CATALOG = Catalog.product([Offer(name="coupon", discount=0.1)], [Channel(name="push")], [("coupon", "push")])
SCHEMA = FeatureSchema((Feature(name="days_to_go", high=10.0),))


def log_of(reward, action, days, matured=None, **meta):
    """One row for each customer and day; reward and action (customers, days)."""
    n, T = np.shape(reward)
    context = Context(SCHEMA, {"days_to_go": np.tile(days - np.arange(T), n).astype(np.float32)})
    return DecisionLog(
        catalog=CATALOG,
        customers=np.array([f"c{i}" for i in range(n)], dtype=object),
        customer=np.repeat(np.arange(n), T),
        step=np.tile(np.arange(T), n),
        day=np.tile(np.arange(T), n),
        context=context,
        action=np.ravel(action),
        propensity=np.full(n * T, 0.5),
        reward=np.ravel(np.asarray(reward, dtype=float)),
        cost=np.zeros(n * T, dtype=np.int64),
        matured=np.ones(n * T, dtype=bool) if matured is None else np.ravel(matured),
        meta=meta,
    )


def test_returns_by_hand():
    log = log_of([[1, 2, 4, 8, 16, 32, 64]], np.zeros((1, 7), dtype=int), 7)
    later = later_rows(log)
    np.testing.assert_array_equal(later, [1, 2, 3, 4, 5, 6, ENDED])
    parts = return_parts(log, later, 64)
    np.testing.assert_array_equal(parts[0], [1, 2, 4 + 8, 16 + 32 + 64])
    np.testing.assert_array_equal(parts[5], [32, 64, 0, 0])
    np.testing.assert_array_equal(return_parts(log, later, 3)[0], [1, 2, 4])  # three windows at most
    np.testing.assert_array_equal(return_parts(log, later, 1), log.reward[:, None])


def test_windows_of_several_days_do_not_overlap():
    log = log_of([[1, 2, 4, 8, 16, 32]], np.zeros((1, 6), dtype=int), 6, outcome_days=3)
    later = later_rows(log)
    np.testing.assert_array_equal(later, [3, 4, 5, ENDED, ENDED, ENDED])
    np.testing.assert_array_equal(return_parts(log, later, 64), [[1, 8], [2, 16], [4, 32], [8, 0], [16, 0], [32, 0]])


def test_a_return_ends_with_the_last_closed_window():
    log = log_of([[1, 2, 4, 8]], np.zeros((1, 4), dtype=int), 4, matured=[[1, 1, 0, 1]], outcome_days=1)
    np.testing.assert_array_equal(later_rows(log), [1, 3, ENDED, ENDED])  # the open row does not exist


def test_a_window_begins_with_the_first_decision_after_the_last():
    whole = log_of([[1, 2, 4, 8, 16]], np.zeros((1, 5), dtype=int), 5, outcome_days=2)
    log = whole.take(np.array([4, 0, 1, 3]))  # day 2 is missing, rows in any order
    np.testing.assert_array_equal(later_rows(log), [ENDED, 3, 3, ENDED])


def test_customers_are_not_mixed_up():
    log = log_of([[1, 2], [10, 20], [100, 200]], np.zeros((3, 2), dtype=int), 2)
    np.testing.assert_array_equal(return_parts(log, later_rows(log), 9).sum(axis=1), [3, 2, 30, 20, 300, 200])


def test_widths_of_parts_are_those_of_the_returns():
    log = log_of(np.ones((1, 40)), np.zeros((1, 40), dtype=int), 40)
    first = return_parts(log, later_rows(log), 64)[0]
    widths = widths_of(len(first))
    assert first.sum() == 40.0
    np.testing.assert_array_equal(first[:-1], widths[:-1])  # the last one may be cut short


@pytest.fixture(scope="module")
def trap():
    """A coupon brings 1 today and costs 3 two days later: twice as many customers know it as would be needed."""
    chance = np.random.default_rng(0)
    action = chance.integers(0, 2, (4000, 6))
    reward = 1.0 * action + chance.normal(0, 1, action.shape)
    reward[:, 2:] -= 3.0 * action[:, :-2]
    return log_of(reward, action, 6, outcome_days=1)


def test_looking_ahead_sees_the_trap_and_a_bandit_does_not(trap):
    context, everything = trap.context.take(slice(0, 6)), np.ones((6, 2), dtype=bool)
    far, near = (build_policy({"kind": "fitted_q", "windows": w}, CATALOG, SCHEMA) for w in (64, 1))
    for policy in (far, near):
        policy.update(trap)
    assert near.probabilities(context, everything)[:, 1].min() == 1.0
    np.testing.assert_array_equal(far.probabilities(context, everything)[:4, 0], 1.0)


def test_what_it_learns_is_the_difference_a_coupon_makes(trap):
    policy = build_policy({"kind": "fitted_q"}, CATALOG, SCHEMA)
    policy.update(trap)
    scores = policy.scores(trap.context.take(slice(0, 3)))  # mornings from which the price is paid in full
    np.testing.assert_allclose((scores[:, 1] - scores[:, 0]).mean(), -2.0, atol=0.5)


def test_where_later_days_hold_nothing_looking_ahead_changes_little():
    chance = np.random.default_rng(1)
    action = chance.integers(0, 2, (3000, 8))
    log = log_of(0.5 * action + chance.normal(0, 1, action.shape), action, 8, outcome_days=1)
    scores = []
    for windows in (1, 64):
        policy = build_policy({"kind": "fitted_q", "windows": windows}, CATALOG, SCHEMA)
        policy.update(log)
        found = policy.scores(log.context.take(slice(0, 8)))
        scores.append(found[:, 1] - found[:, 0])
    np.testing.assert_allclose(scores[1], scores[0], atol=0.1)


def test_where_later_windows_matter_the_first_alone_does_not_decide(trap):
    policy = build_policy({"kind": "fitted_q"}, CATALOG, SCHEMA)
    policy.update(trap)
    assert policy.looks == "far"


@pytest.mark.parametrize(
    ("gains", "ahead"),
    [
        ([1.0, 1.1, 0.9], True),
        ([-1.0, -1.1, -0.9], False),
        ([3.0, -1.0, 1.0], False),  # mean 1, standard error 1.15
        ([0.0, 0.0, 0.0], False),
        ([5.0], False),  # one fold says nothing of chance
    ],
)
def test_beyond_chance_by_hand(gains, ahead):
    assert beyond_chance(np.array(gains)) is ahead


def sums_of(X, action, rewards):
    """Sums of P rewards for two actions."""
    stats, phi = RidgeStatistics.zeros(CATALOG, X.shape[1]), with_intercept(X).astype(float)
    stats.add(X, action, rewards[:, 0])
    moments = np.stack([[phi[action == a].T @ r[action == a] for a in range(2)] for r in rewards.T])
    return Sums(stats, moments, np.stack([[np.sum(r[action == a] ** 2) for a in range(2)] for r in rewards.T]))


def fake_log(rows, seed, lasting):
    """Rewards of two windows: a send gains 1 where x > 0.5, loses 1 elsewhere, and brings `lasting` in the second."""
    chance = np.random.default_rng(seed)
    X, action = chance.random((rows, 1), dtype=np.float32), chance.integers(0, 2, rows)
    first = action * np.sign(X[:, 0] - 0.5) + chance.normal(0, 0.1, rows)
    return X, action, np.column_stack([first, lasting * action + chance.normal(0, 0.1, rows)])


@pytest.mark.parametrize("lasting", [0.0, -6.0])
def test_near_is_not_ahead_where_it_is_as_good_or_worse(lasting):
    assert not judge([fake_log(3000, seed, lasting) for seed in range(4)], None)


def test_near_is_ahead_where_far_was_misled():
    """Far windows of the rows it learns from are luck that the held-out scores, of the true return, do not bear out."""
    folds = [fake_log(3000, seed, 0.0) for seed in range(4)]
    misled = [(X, a, np.column_stack([r[:, 0], r[:, 1] - 6.0 * a])) for X, a, r in folds]
    assert judge(misled, folds)


def judge(folds, truth):
    """near_is_ahead from rows by fold; scores are of `truth`, by default the rows' own."""
    sums = [sums_of(*each) for each in folds]
    scored = [sums_of(X, a, r.sum(axis=1, keepdims=True)) for X, a, r in (truth or folds)]
    X = np.concatenate([each[0] for each in folds])
    rows = Judged(with_intercept(X), np.ones((len(X), 2), dtype=bool), np.repeat(np.arange(4), 3000))
    return near_is_ahead(sums, scored, rows, CATALOG, [1.0, 1.0], fit_parts(sums, CATALOG, [1.0, 1.0]))


def test_the_whole_return_has_the_moments_of_its_sum():
    X, action, rewards = fake_log(50, 0, 1.0)
    whole = sums_of(X, action, rewards.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(of_whole_return(sums_of(X, action, rewards)).moments, whole.moments)
    second = sums_of(X, action, rewards[:, 1:])
    np.testing.assert_allclose(part_of(sums_of(X, action, rewards), 1).stats.moment, second.stats.moment)
