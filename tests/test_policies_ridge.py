"""Ridge regression against the same model written out in full, and its laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaignrl.actions import Catalog, Channel, Offer
from campaignrl.policies.linear_model import ridge
from campaignrl.policies.linear_model.parameter_sharing import blocks_of
from campaignrl.policies.linear_model.ridge import RidgeStatistics, fit_ridge

OFFERS = [Offer(name="a", kind="x"), Offer(name="b", kind="x"), Offer(name="c", kind="y")]
CHANNELS = [Channel(name="push"), Channel(name="sms")]
CATALOG = Catalog.product(OFFERS, CHANNELS, [(o.name, c.name) for o in OFFERS for c in CHANNELS])
k, d = len(CATALOG), 3


def rows(n, seed=0):
    chance = np.random.default_rng(seed)
    X = chance.random((n, d), dtype=np.float32)
    action = chance.integers(0, k, n)
    return X, action, X[:, 0] * (action % 3) + 0.2 * action + chance.normal(0, 0.3, n)


def statistics(X, action, reward, catalog=CATALOG):
    stats = RidgeStatistics.zeros(catalog, X.shape[1])
    stats.add(X, action, reward)
    return stats


def design(X, action, l2):
    """The model of blocks.py written out: one column per block and feature, and each column's penalty."""
    members = np.zeros((k, 4))  # all, push, sms, kind x; offers a, b, c and pairs follow
    members[:, 0] = 1
    members[[1, 3, 5], 1] = 1
    members[[2, 4, 6], 2] = 1
    members[[1, 2, 3, 4], 3] = 1
    offers = np.zeros((k, 3))
    offers[[1, 2], 0] = offers[[3, 4], 1] = offers[[5, 6], 2] = 1
    blocks = np.hstack([members, offers, np.eye(k)])
    # Kind y is offer c and stands once. all: 0.01; shared and none's own: 1; pairs: 4. An intercept has 0.03 of each.
    penalty = l2 * np.array([0.01, 1, 1, 1, 1, 1, 1, 1, 4, 4, 4, 4, 4, 4])
    phi = np.hstack([np.ones((len(X), 1)), X.astype(np.float64)])
    Z = (blocks[action][:, :, None] * phi[:, None, :]).reshape(len(X), -1)
    return blocks, Z, np.outer(penalty, [0.03, 1, 1, 1]).ravel()


@pytest.mark.parametrize("l2", [0.5, 1.0, 50.0])
def test_the_mean_is_the_dense_solution(l2):
    X, action, reward = rows(400)
    blocks, Z, penalty = design(X, action, l2)
    augmented = np.vstack([Z, np.diag(np.sqrt(penalty))])
    theta = np.linalg.lstsq(augmented, np.concatenate([reward, np.zeros(len(penalty))]), rcond=None)[0]
    expected = blocks @ theta.reshape(-1, d + 1)
    model = fit_ridge(statistics(X, action, reward), CATALOG, l2)
    np.testing.assert_allclose(model.coefficients.T, expected, atol=2e-6)
    np.testing.assert_allclose(model.predict(X), X @ expected[:, 1:].T + expected[:, 0], atol=1e-5)


def test_draws_have_the_dense_posterior_mean_and_covariance():
    X, action, reward = rows(60)
    blocks, Z, penalty = design(X, action, 1.0)
    precision = Z.T @ Z + np.diag(penalty)
    theta = np.linalg.solve(precision, Z.T @ reward)
    sigma2 = (reward @ reward - theta @ (Z.T @ reward) + 1.0) / (len(X) + 1.0)
    collapse = np.kron(blocks, np.eye(d + 1))
    model = fit_ridge(statistics(X, action, reward), CATALOG)
    assert model.sigma2 == pytest.approx(sigma2)
    draws = model.draw(40_000, np.random.default_rng(1)).transpose(0, 2, 1).reshape(40_000, -1)
    covariance = sigma2 * collapse @ np.linalg.inv(precision) @ collapse.T
    scale = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose((draws.mean(axis=0) - collapse @ theta) / scale, 0, atol=0.025)  # 5 standard errors
    np.testing.assert_allclose(np.cov(draws.T) / np.outer(scale, scale), covariance / np.outer(scale, scale), atol=0.04)


def test_evidence_is_the_marginal_likelihood():
    """Against the Gaussian density of the rewards themselves, sigma2 given."""
    X, action, reward = rows(50)
    log_density = []
    models = []
    for l2 in (1.0, 100.0):
        _, Z, penalty = design(X, action, l2)
        covariance = np.eye(50) + (Z / penalty) @ Z.T
        residual = reward @ np.linalg.solve(covariance, reward)
        sigma2 = (residual + 1.0) / 51.0
        log_density.append(-0.5 * (50 * np.log(sigma2) + np.linalg.slogdet(covariance)[1]))
        models.append(fit_ridge(statistics(X, action, reward), CATALOG, l2))
    assert [m.log_evidence for m in models] == pytest.approx(log_density, rel=1e-8)


def test_evidence_shrinks_noise_and_keeps_signal():
    chance = np.random.default_rng(3)
    X, action, _ = rows(5000)
    noise = fit_ridge(statistics(X, action, chance.normal(size=5000)), CATALOG, None)
    signal = fit_ridge(statistics(X, action, 3.0 * X[:, 0] * action), CATALOG, None)
    assert noise.l2 > 100.0 > signal.l2


def test_pairs_shrink_towards_offer_and_channel():
    """A pair never tried is scored by what its offer did elsewhere."""
    chance = np.random.default_rng(0)
    X = chance.random((4000, d), dtype=np.float32)
    action = chance.choice([0, 1, 2, 3, 5, 6], 4000)  # b@sms, id 4, is never sent; b@push pays 5
    model = fit_ridge(statistics(X, action, np.where(action == 3, 5.0, 0.0)), CATALOG)
    mean = model.predict(X).mean(axis=0)
    assert mean[4] > 1.0
    assert mean[4] > max(mean[[1, 2, 5, 6]])


def test_without_rows_every_action_is_alike():
    model = fit_ridge(RidgeStatistics.zeros(CATALOG, d), CATALOG)
    assert not model.coefficients.any()
    assert model.sigma2 == 1.0


@given(st.integers(1, 200), st.floats(0, 1))
def test_parts_add_up_and_can_be_taken_away(n, share):
    X, action, reward = rows(n)
    cut = int(n * share)
    first, rest = statistics(X[:cut], action[:cut], reward[:cut]), statistics(X[cut:], action[cut:], reward[cut:])
    whole = statistics(X, action, reward)
    for name, value in (first + rest).tensors().items():
        np.testing.assert_allclose(value, whole.tensors()[name], atol=1e-9)
    for name, value in (whole - rest).tensors().items():
        np.testing.assert_allclose(value, first.tensors()[name], atol=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_some_rows_of_many_are_taken_in_as_if_there_were_no_others(weighted, monkeypatch):
    monkeypatch.setattr(ridge, "SUMMED_AT_ONCE", 50)  # several blocks of them
    X, action, reward = rows(300)
    weight = np.linspace(0.5, 2.0, 300) if weighted else None
    mine = np.flatnonzero(np.arange(300) % 3 != 1)
    a, b = (RidgeStatistics.zeros(CATALOG, X.shape[1]) for _ in range(2))
    a.add(X, action, reward, weight, mine)
    b.add(X[mine], action[mine], reward[mine], None if weight is None else weight[mine])
    for name, value in a.tensors().items():
        np.testing.assert_array_equal(value, b.tensors()[name])
    assert a.count.sum() == pytest.approx(200 if weight is None else weight[mine].sum())


def test_row_order_does_not_matter():
    X, action, reward = rows(300)
    order = np.random.default_rng(0).permutation(300)
    a, b = statistics(X, action, reward), statistics(X[order], action[order], reward[order])
    np.testing.assert_allclose(a.gram, b.gram, atol=1e-9)


def test_targets_for_every_action_are_rows_of_every_action():
    X, _, _ = rows(50)
    chance = np.random.default_rng(0)
    targets, allowed = chance.normal(size=(50, k)), chance.random((50, k)) < 0.5
    row, action = np.nonzero(allowed)
    together = RidgeStatistics.zeros(CATALOG, d)
    together.add_targets(X, targets, allowed)
    one_by_one = statistics(X[row], action, targets[row, action])
    for name, value in together.tensors().items():
        np.testing.assert_allclose(value, one_by_one.tensors()[name], atol=1e-9)


def test_a_model_does_not_change_when_its_statistics_grow():
    stats = statistics(*rows(100))
    model = fit_ridge(stats, CATALOG)
    before = model.draw(3, np.random.default_rng(0))
    stats.add(*rows(100, seed=9))
    np.testing.assert_array_equal(model.draw(3, np.random.default_rng(0)), before)


def test_a_row_is_predicted_alike_in_any_batch():
    X, action, reward = rows(1200)
    model = fit_ridge(statistics(X, action, reward), CATALOG)
    whole = model.predict(X)
    for start, stop in [(0, 1), (700, 701), (511, 1200)]:
        assert model.predict(X[start:stop]).tobytes() == whole[start:stop].tobytes()


def test_a_wide_catalog_of_single_offers_stays_small():
    """Eighty items and a hundred features: only theta_all is shared, so one matrix of 101 columns is solved."""
    items = Catalog.from_names([str(i) for i in range(80)])
    assert blocks_of(items, 101).members.shape == (81, 1)


def test_too_many_blocks_leave_out_the_finest_family():
    offers = [Offer(name=f"o{i}") for i in range(60)]
    catalog = Catalog.product(offers, CHANNELS, [(o.name, c.name) for o in offers for c in CHANNELS])
    assert blocks_of(catalog, 10).members.shape == (121, 63)  # all, 2 channels, 60 offers
    assert blocks_of(catalog, 100).members.shape == (121, 3)
