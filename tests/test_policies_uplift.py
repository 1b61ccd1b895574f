"""Who is changed by a send, who buys anyway: the learners that tell them apart, and the one that does not."""

import numpy as np
import pytest

from campaignrl.policies.linear_model.ridge import RidgeStatistics
from campaignrl.policies.loading import build_policy
from campaignrl.policies.offline.uplift import separate_ridge


@pytest.fixture(scope="module")
def anyway(shop):
    """Loyal customers buy anyway, sends do nothing to them; price-sensitive ones buy when given coupon20."""
    log = shop.log(6000, seed=7)
    log.reward[:] = np.random.default_rng(0).normal(0, 0.3, len(log)) + 3.0 * (log.context.columns["segment"] == 0)
    log.reward[:] += 1.5 * ((log.context.columns["segment"] == 1) & np.isin(log.action, [5, 6]))
    log.reward[:] -= 0.2 * (log.action > 0)
    return log


def taught(shop, log, kind, **settings):
    policy = build_policy({"kind": kind, **settings}, shop.catalog, shop.schema)
    policy.update(log)
    return policy


@pytest.mark.parametrize("kind", ["uplift", "dr_uplift"])
def test_uplift_writes_to_those_who_are_changed(kind, shop, anyway):
    context, everything = shop.context(600), np.ones((600, 7), dtype=bool)
    p = taught(shop, anyway, kind).probabilities(context, everything)
    segment = context.columns["segment"]
    assert p[segment == 0][:, 0].mean() > 0.85
    assert p[segment == 1][:, [5, 6]].sum(axis=1).mean() > 0.95


def test_propensity_writes_to_those_who_buy_anyway(shop, anyway):
    context, everything = shop.context(600), np.ones((600, 7), dtype=bool)
    policy = taught(shop, anyway, "propensity_greedy", response_above=1.0, top=0.35)
    p = policy.probabilities(context, everything)
    segment = context.columns["segment"]
    assert p[segment == 0][:, 0].mean() < 0.1
    assert p[segment == 2][:, 0].mean() > 0.9


@pytest.mark.parametrize("top", [0.1, 0.5])
def test_the_share_of_decisions_with_a_send_is_as_set(top, shop, anyway):
    policy = taught(shop, anyway, "propensity_greedy", response_above=1.0, top=top)
    p = policy.probabilities(anyway.context, anyway.eligible)
    assert 1.0 - p[:, 0].mean() == pytest.approx(top, abs=0.07)


@pytest.mark.parametrize("kind", ["uplift", "dr_uplift"])
def test_scores_are_gains_over_none(kind, shop, anyway):
    """Of coupon20 by push for the price-sensitive: 1.5 less 0.2; of everything else less 0.2."""
    context = shop.context(900)
    scores = taught(shop, anyway, kind).scores(context)
    gains = (scores - scores[:, [0]])[context.columns["segment"] == 1].mean(axis=0)
    np.testing.assert_allclose(gains, [0, -0.2, -0.2, -0.2, -0.2, 1.3, 1.3], atol=0.2)


def test_what_nobody_ever_got_is_not_recommended(shop, anyway):
    log = anyway.take(anyway.action != 5)
    p = taught(shop, log, "uplift").probabilities(shop.context(300), np.ones((300, 7), dtype=bool))
    assert (p[:, 5] == 0.0).all()


def test_separate_models_are_least_squares_of_each_action(shop):
    log = shop.log(2000)
    X = log.context.encode()
    stats = RidgeStatistics.zeros(shop.catalog, shop.schema.width)
    stats.add(X, log.action, log.reward)
    beta = separate_ridge(stats, 1e-6)
    mine = log.action == 3
    phi = np.hstack([np.ones((mine.sum(), 1)), X[mine]])
    residual = log.reward[mine] - phi @ beta[3]
    np.testing.assert_allclose(phi.T @ residual, 0.0, atol=1e-2)


def test_doubly_robust_survives_propensities_that_follow_the_customer(shop, anyway):
    """Coupons go mostly to the loyal, who buy most: a comparison of means would credit the coupon with it."""
    chance = np.random.default_rng(3)
    loyal = anyway.context.columns["segment"] == 0
    keep = chance.random(len(anyway)) < np.where((anyway.action > 0) & ~loyal, 0.25, 1.0)
    log = anyway.take(np.flatnonzero(keep))
    context = shop.context(500)
    p = taught(shop, log, "dr_uplift").probabilities(context, np.ones((500, 7), dtype=bool))
    assert p[context.columns["segment"] == 0][:, 0].mean() > 0.8
