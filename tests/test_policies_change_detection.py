"""Forgetting what new rows contradict: by hand, where nothing changed, where something did, where only noise did."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

import campaignrl as crl
from campaignrl.errors import SpecError
from campaignrl.policies.bandits import change_detection
from campaignrl.policies.bandits.change_detection import SHARES, share_to_keep
from campaignrl.policies.bundle import load_bundle, save_bundle
from campaignrl.policies.linear_model.parameter_sharing import blocks_of
from campaignrl.policies.linear_model.ridge import RidgeStatistics, prior_precision
from campaignrl.policies.loading import build_policy

D = 3
CATALOG = crl.load_world("coupon_trap").catalog


def rows(generator, n, slope, noise=1.0, action=None):
    """Sums of n rows whose rewards go by `slope` (2,) whatever is sent; and the rows of them."""
    X = generator.normal(size=(n, D - 1)).astype(np.float32)
    actions = generator.integers(0, len(CATALOG), n) if action is None else np.full(n, action)
    reward = 1.0 + X @ np.asarray(slope) + noise * generator.normal(size=n)
    stats = RidgeStatistics.zeros(CATALOG, D - 1)
    stats.add(X, actions, reward)
    return stats, X, reward


def test_how_well_a_share_of_the_past_foretells_by_hand():
    """All rows of one action: a Gaussian whose prior is that of its own block and of those that it shares."""
    generator, l2, noise, action = np.random.default_rng(3), 2.0, 1.7, 1
    past, X, r = rows(generator, 12, (1.0, 0.5), action=action)
    new, Y, s = rows(generator, 7, (0.5, 0.5), action=action)
    blocks = blocks_of(CATALOG, D)
    own, shared = prior_precision(blocks, D, l2)
    variance = noise * (1 / own[action] + (blocks.members[action][:, None] / shared).sum(axis=0))
    phi, psi = (np.column_stack([np.ones(len(Z)), Z]).astype(np.float64) for Z in (X, Y))

    def by_hand(share):
        covariance = np.linalg.inv(np.diag(1 / variance) + share * phi.T @ phi / noise)
        mean = covariance @ (share * phi.T @ r / noise)
        return multivariate_normal.logpdf(s, psi @ mean, noise * np.eye(len(s)) + psi @ covariance @ psi.T)

    told = [change_detection._foretold(past, new, share, CATALOG, l2, noise) for share in SHARES]
    expected = [by_hand(share) for share in SHARES]
    np.testing.assert_allclose(np.diff(told), np.diff(expected), rtol=1e-6, atol=1e-8)


def test_all_is_kept_where_nothing_changes():
    generator = np.random.default_rng(1)
    kept = []
    for _ in range(60):
        past, new = (rows(generator, n, (1.0, -0.5))[0] for n in (1_200, 300))
        kept.append(share_to_keep(past, new, CATALOG, 1.0))
    assert np.mean(np.array(kept) == 1.0) >= 0.98


def test_what_is_contradicted_is_forgotten():
    generator = np.random.default_rng(2)
    for _ in range(20):
        past, new = rows(generator, 1_200, (1.0, -0.5))[0], rows(generator, 300, (-1.0, 0.5))[0]
        assert share_to_keep(past, new, CATALOG, 1.0) <= 0.05
        mild = rows(generator, 300, (0.8, -0.5))[0]
        assert share_to_keep(past, mild, CATALOG, 1.0) >= share_to_keep(past, new, CATALOG, 1.0)


def test_more_noise_alone_is_no_change_and_less_makes_older_rows_count_for_what_they_are_worth():
    generator = np.random.default_rng(4)
    weights = []
    for _ in range(20):
        past, new = rows(generator, 1_200, (1.0, -0.5))[0], rows(generator, 300, (1.0, -0.5), 5.0)[0]
        assert share_to_keep(past, new, CATALOG, 1.0) == 1.0
        quiet = rows(generator, 300, (1.0, -0.5), 0.2)[0]
        weights.append(share_to_keep(past, quiet, CATALOG, 1.0))
    assert 0.0 < np.mean(weights) <= 0.2  # a row of the past is worth 1 / 25 of a new one


def test_a_short_past_is_no_measure():
    generator = np.random.default_rng(5)
    past, new = rows(generator, 500, (1.0, -0.5))[0], rows(generator, 300, (-1.0, 0.5))[0]
    assert share_to_keep(past, new, CATALOG, 1.0) == 1.0
    assert share_to_keep(RidgeStatistics.zeros(CATALOG, D - 1), new, CATALOG, 1.0) == 1.0


def test_a_learner_that_decides_itself_what_to_forget_is_what_keeps_all_until_then(shop, tmp_path):
    faithful, watching = (
        build_policy({"kind": "lin_ucb", **more}, shop.catalog, shop.schema) for more in ({}, {"forget": "auto"})
    )
    for seed in range(4):
        for each in (faithful, watching):
            each.update(shop.log(900, seed=seed))
    for name, sums in faithful.tensors().items():
        assert sums.tobytes() == watching.tensors()[name].tobytes()
    again = load_bundle(save_bundle(watching, tmp_path / "a.bundle"))
    assert again.settings()["forget"] == "auto"


def test_one_way_of_forgetting_at_a_time(shop):
    with pytest.raises(SpecError, match="goes without a window"):
        build_policy({"kind": "lin_ts", "forget": "auto", "window": 3}, shop.catalog, shop.schema)
    for kind in ("gaussian_ts", "bootstrap_ts", "logit_ts"):
        with pytest.raises(SpecError, match="forget"):
            build_policy({"kind": kind, "forget": "auto"}, shop.catalog, shop.schema)
