"""Returns of trajectories by hand, and a world of two days in which looking ahead is everything."""

import numpy as np
import pytest

from campaignrl.actions import Catalog, Channel, Offer
from campaignrl.features import Context, Feature, FeatureSchema
from campaignrl.policies.catalog import build_policy
from campaignrl.policies.contrasts import Sums
from campaignrl.policies.horizon import centring, furthest, in_basis, of_whole_return
from campaignrl.policies.returns import ENDED, later_rows, return_parts, widths_of
from campaignrl.policies.ridge import RidgeStatistics, with_intercept
from campaignrl.tables.decisions import DecisionLog

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


def test_the_trap_is_worth_telling_days_apart(trap):
    policy = build_policy({"kind": "fitted_q"}, CATALOG, SCHEMA)
    policy.update(trap)
    assert policy.looks == "far"  # on the last two mornings a coupon does pay
    everything = np.ones((6, 2), dtype=bool)
    np.testing.assert_array_equal(policy.probabilities(trap.context.take(slice(4, 6)), everything[4:])[:, 1], 1.0)


@pytest.mark.parametrize(("later", "looks"), [(0.0, "near"), (-6.0, "average")])
def test_customers_are_told_apart_by_the_first_window_unless_later_ones_overrule_it(later, looks):
    """A coupon gains 1 on even days to go and loses 1 on odd ones; next week it costs everybody `-later`."""
    chance = np.random.default_rng(2)
    action = chance.integers(0, 2, (3000, 8))
    log = log_of(np.zeros(action.shape), action, 8, outcome_days=1)
    reward = np.where(log.context.columns["days_to_go"] > 4, 1.0, -1.0) * log.action + chance.normal(
        0, 1, log.action.size
    )
    reward.reshape(action.shape)[:, 1:] += later * action[:, :-1]
    log.reward[:] = reward
    policy = build_policy({"kind": "fitted_q"}, CATALOG, SCHEMA)
    policy.update(log)
    assert policy.looks == looks


@pytest.mark.parametrize(
    ("worth", "place"),
    [
        ([[0, 1, 9], [0, 1, -9], [0, 1, 9]], 1),  # far is ahead on average, but not beyond chance
        ([[0, 1, 3], [0, 1, 3.1], [0, 1, 2.9]], 2),
        ([[0, -1, 3], [0, 1, 3.1], [0, -1, 2.9]], 2),  # past a near that is no better than the average
        ([[0, 0, 0], [0, 0, 0], [0, 0, 0]], 0),
        ([[0, 3, 1], [0, -2, -1], [0, 0, 0]], 0),  # by less than one standard error
        ([[0, 1, 2]], 0),  # one fold says nothing of chance
    ],
)
def test_the_plainest_candidate_that_is_not_clearly_beaten(worth, place):
    assert furthest(np.array(worth, dtype=float)) == place


def sums_of(X, action, rewards):
    """Sums of P rewards for two actions."""
    stats, phi = RidgeStatistics.zeros(CATALOG, X.shape[1]), with_intercept(X).astype(float)
    stats.add(X, action, rewards[:, 0])
    moments = np.stack([[phi[action == a].T @ r[action == a] for a in range(2)] for r in rewards.T])
    return Sums(stats, moments, np.stack([[np.sum(r[action == a] ** 2) for a in range(2)] for r in rewards.T]))


def test_centred_columns_have_mean_0_and_variance_1_and_constants_stay():
    chance = np.random.default_rng(0)
    X = np.column_stack([chance.normal(5, 3, 400), chance.random(400), np.full(400, 0.5)]).astype(np.float32)
    sums = sums_of(X, chance.integers(0, 2, 400), chance.normal(0, 1, (400, 2)))
    basis = centring([sums])
    Z = with_intercept(X) @ basis
    np.testing.assert_allclose(Z.mean(axis=0), [1, 0, 0, 0], atol=1e-5)
    np.testing.assert_allclose(Z.std(axis=0), [0, 1, 1, 0], atol=1e-4)
    np.testing.assert_allclose(in_basis(sums, basis).stats.gram.sum(axis=0), Z.T @ Z, atol=1e-2)


def test_the_whole_return_has_the_moments_of_its_sum():
    chance = np.random.default_rng(0)
    X, action, rewards = (
        chance.random((50, 3), dtype=np.float32),
        chance.integers(0, 2, 50),
        chance.normal(0, 1, (50, 4)),
    )
    whole = sums_of(X, action, rewards.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(of_whole_return(sums_of(X, action, rewards)).moments, whole.moments)
