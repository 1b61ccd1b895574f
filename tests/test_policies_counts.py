"""Bandits that see one category: what they state, by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaignrl.errors import SpecError
from campaignrl.features import Context
from campaignrl.policies.bandits.counts import drawn_in
from campaignrl.policies.loading import build_policy


def log_of(shop, rows, segment=None):
    """A log of (action, reward) pairs, everything allowed, all of one segment."""
    n = len(rows)
    log = shop.log(n)
    context = log.context
    if segment is not None:
        context = Context(shop.schema, {**context.columns, "segment": np.full(n, segment)})
    action, reward = np.array([a for a, _ in rows]), np.array([float(r) for _, r in rows])
    ones = np.ones(n, dtype=bool)
    return replace(log, context=context, action=action, reward=reward, matured=ones, eligible=None)


def shares(policy, shop, segment=None, allowed=None):
    context = shop.context(1)
    if segment is not None:
        context = Context(shop.schema, {**context.columns, "segment": np.array([segment])})
    return policy.probabilities(context, np.ones((1, 7), dtype=bool) if allowed is None else allowed)[0]


def test_means_are_drawn_in_by_pseudo_rows_by_hand():
    """Two groups, two actions: 3 rows of mean 2 and 1 row of mean 4 for action 0, none in group 1 for action 1."""
    sums = {"count": np.array([[3.0, 2.0], [1.0, 0.0]]), "total": np.array([[6.0, 2.0], [4.0, 0.0]])}
    sums["square"] = np.array([[14.0, 2.0], [16.0, 0.0]])  # around the cells' means: 2 + 0 + 0
    means = drawn_in(sums, prior=1.0)
    overall = 12.0 / 6.0
    action = [(10.0 + overall) / 5.0, (2.0 + overall) / 3.0]
    expected = [[(6 + action[0]) / 4, (2 + action[1]) / 3], [(4 + action[0]) / 2, action[1]]]
    np.testing.assert_allclose(means.mean, expected)
    assert means.deviation == pytest.approx(np.sqrt((2.0 + 1.0) / (6.0 + 1.0)))


def test_epsilon_greedy_takes_the_best_mean_of_the_segment(shop):
    policy = build_policy({"kind": "epsilon_greedy", "by": "segment", "explore": 0.14}, shop.catalog, shop.schema)
    policy.update(log_of(shop, [(1, 5.0)] * 9 + [(2, 1.0)] * 9, segment=0))
    policy.update(log_of(shop, [(1, 1.0)] * 9 + [(2, 5.0)] * 9, segment=1))
    np.testing.assert_allclose(shares(policy, shop, 0), 0.02 + 0.86 * (np.arange(7) == 1))
    np.testing.assert_allclose(shares(policy, shop, 1), 0.02 + 0.86 * (np.arange(7) == 2))


def test_ucb1_by_hand(shop):
    """Untried actions first, all alike; then mean + s sqrt(2 ln N / n)."""
    policy = build_policy({"kind": "ucb1", "explore": 0.0, "prior": 1e-9}, shop.catalog, shop.schema)
    policy.update(log_of(shop, [(a, 1.0) for a in range(5)]))
    np.testing.assert_allclose(shares(policy, shop), np.array([0, 0, 0, 0, 0, 0.5, 0.5]))
    rows = [(a, r) for a in range(7) for r in (0.0, 2.0)] + [(3, 1.0)] * 6
    policy = build_policy({"kind": "ucb1", "explore": 0.0, "prior": 1e-9}, shop.catalog, shop.schema)
    policy.update(log_of(shop, rows))
    count = np.array([2, 2, 2, 8, 2, 2, 2.0])
    deviation = np.sqrt((14 + 1) / (20 + 1))
    bound = 1.0 + deviation * np.sqrt(2 * np.log(20) / count)
    np.testing.assert_allclose(policy.tensors()["compared"][0, :, 0], bound, rtol=1e-6)
    assert shares(policy, shop)[3] == 0.0


def test_beta_ts_counts_successes_above_the_line(shop):
    policy = build_policy({"kind": "beta_ts", "success_above": 1.0, "draws": 255}, shop.catalog, shop.schema)
    policy.update(log_of(shop, [(1, 1.5)] * 30 + [(1, 1.0)] * 10 + [(2, 0.9)] * 40))
    assert policy.tensors()["count"][0, 1:3].tolist() == [40.0, 40.0]
    assert policy.tensors()["total"][0, 1:3].tolist() == [30.0, 0.0]
    draws = policy.tensors()["compared"][:, 1, 0]
    assert draws.mean() == pytest.approx(31 / 42, abs=5 * np.sqrt(0.74 * 0.26 / 43 / 255))
    assert draws.std() == pytest.approx(np.sqrt(31 * 11 / 42**2 / 43), rel=0.25)


def test_gaussian_draws_have_the_posterior_spread(shop):
    policy = build_policy({"kind": "gaussian_ts", "draws": 255, "prior": 1.0}, shop.catalog, shop.schema)
    policy.update(log_of(shop, [(1, r) for r in (0.0, 2.0)] * 20 + [(2, 1.0)] * 10))
    draws, deviation = policy.tensors()["compared"], np.sqrt((40.0 + 1.0) / (50.0 + 1.0))
    for action, rows in [(1, 40), (2, 10), (3, 0)]:
        assert draws[:, action, 0].std() == pytest.approx(deviation / np.sqrt(rows + 1.0), rel=0.2)


@given(st.integers(0, 2**32 - 1))
def test_thompson_shares_are_what_a_loop_finds(shop, seed):
    chance = np.random.default_rng(seed)
    policy = build_policy({"kind": "gaussian_ts", "by": "segment", "draws": 16, "explore": 0.0, "seed": seed % 1000},
                          shop.catalog, shop.schema)  # fmt: skip
    policy.update(shop.log(40, seed=int(chance.integers(100))))
    context, allowed = shop.context(5, seed=3), shop.allowed(5, seed=3)
    draws = policy.tensors()["compared"]
    for row, group in enumerate(np.where(context.columns["segment"] < 0, 3, context.columns["segment"])):
        won = np.where(allowed[row], draws[:, :, group], -np.inf).argmax(axis=1)
        expected = np.bincount(won, minlength=7) / 16
        np.testing.assert_allclose(policy.probabilities(context, allowed)[row], expected, atol=1e-12)


def test_a_missing_category_is_a_group_of_its_own(shop):
    policy = build_policy({"kind": "epsilon_greedy", "by": "segment", "explore": 0.0}, shop.catalog, shop.schema)
    policy.update(log_of(shop, [(4, 9.0)] * 5 + [(1, 0.0)] * 5, segment=-1))
    policy.update(log_of(shop, [(4, 0.0)] * 9 + [(1, 9.0)] * 9, segment=2))
    assert shares(policy, shop, -1)[4] == 1.0
    assert shares(policy, shop, 2)[1] == 1.0


@pytest.mark.parametrize("by", ["orders", "segmnt"])
def test_only_a_category_makes_groups(shop, by):
    with pytest.raises(SpecError, match="a category of the features"):
        build_policy({"kind": "ucb1", "by": by}, shop.catalog, shop.schema)
