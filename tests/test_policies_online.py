"""Row by row a linear bandit must come to what it comes to in bulk."""

import numpy as np
import pytest

from campaignrl.errors import DataError, UsageError
from campaignrl.policies.bandits import online
from campaignrl.policies.bandits.online import Online
from campaignrl.policies.linear_model.posterior_width import joint_covariance, marginal_covariances, widths
from campaignrl.policies.linear_model.rank_one_update import PENDING, PENDING_GAINS, Marginals, RankOneUpdate
from campaignrl.policies.linear_model.ridge import RidgeStatistics, fit_ridge
from campaignrl.policies.loading import build_policy

KINDS = ("lin_ts", "lin_ucb", "lin_epsilon")
ROWS = 300  # several times PENDING


def fresh(shop, kind="lin_ucb", **settings):
    return build_policy({"kind": kind, "l2": 2.0, **settings}, shop.catalog, shop.schema, seed=3)


def taught(shop, policy, monkeypatch, afresh=10**9):
    """The policy's row-by-row form after ROWS rows, all by rank-one steps unless `afresh` is smaller."""
    monkeypatch.setattr(online, "AFRESH", afresh)
    form, log = Online(policy), shop.log(ROWS)
    if afresh > ROWS:
        form._next = afresh
    X = log.context.encode(shop.schema)
    for x, action, reward in zip(X, log.action, log.reward, strict=True):
        form.learn(x, int(action), float(reward))
    return form


def in_bulk(shop, kind="lin_ucb", **settings):
    policy, log = fresh(shop, kind, **settings), shop.log(ROWS)
    log.matured[:] = True
    policy.update(log)
    return policy


@pytest.mark.parametrize("afresh", [10**9, 50])
def test_means_noise_and_widths_are_those_of_the_bulk(shop, monkeypatch, afresh):
    form, bulk = taught(shop, fresh(shop), monkeypatch, afresh), in_bulk(shop)
    model = fit_ridge(RidgeStatistics.from_tensors(bulk.tensors()), shop.catalog, 2.0)
    np.testing.assert_allclose(form._mean, model.posterior.mean(), atol=1e-9)
    assert form._sigma() ** 2 == pytest.approx(model.sigma2, rel=1e-9)
    X = shop.context(50).encode(shop.schema)
    phi = np.hstack([np.ones((50, 1)), X])
    exact = np.sqrt(np.einsum("nd,kde,ne->nk", phi, marginal_covariances(model.posterior), phi))
    np.testing.assert_allclose([np.sqrt(form._variances(row)) for row in phi], exact, atol=1e-8)


@pytest.mark.parametrize("kind", ["lin_ucb", "lin_epsilon"])
def test_it_answers_as_the_bulk_does(shop, monkeypatch, kind):
    form, bulk = taught(shop, fresh(shop, kind), monkeypatch), in_bulk(shop, kind)
    context, allowed = shop.context(200), shop.allowed(200)
    expected = bulk.probabilities(context, allowed)
    rows = zip(context.encode(shop.schema), allowed, strict=True)
    np.testing.assert_allclose([form.probabilities(x, ok) for x, ok in rows], expected, atol=1e-12)
    form.settle()
    np.testing.assert_allclose(form.policy.probabilities(context, allowed), expected, atol=1e-12)


def test_draws_carried_along_keep_the_posteriors_covariance(shop, monkeypatch):
    """Matheron's rule: 255 draws, their spread in 40 directions against the exact one; a standard error is 4.4 %."""
    form = taught(shop, fresh(shop, "lin_ts", draws=255), monkeypatch)
    bulk = in_bulk(shop)
    model = fit_ridge(RidgeStatistics.from_tensors(bulk.tensors()), shop.catalog, 2.0)
    D = shop.schema.width + 1
    exact = joint_covariance(model.posterior).reshape(7 * D, 7 * D)
    draws = form._around.reshape(255, -1).astype(np.float64)
    directions = np.random.default_rng(0).standard_normal((40, 7 * D))
    ratio = (draws @ directions.T).std(axis=0) / np.sqrt(np.einsum("id,de,ie->i", directions, exact, directions))
    assert abs(ratio - 1.0).max() < 0.2
    assert abs(ratio.mean() - 1.0) < 0.06
    centred = (draws @ directions.T).mean(axis=0) / (draws @ directions.T).std(axis=0) * np.sqrt(255)
    assert abs(centred).max() < 4.5


def test_the_joint_covariance_is_the_dense_one(shop):
    model = fit_ridge(RidgeStatistics.from_tensors(in_bulk(shop).tensors()), shop.catalog, 2.0)
    joint = joint_covariance(model.posterior)
    draws = model.posterior.draw(1.0, 40_000, np.random.default_rng(1)).reshape(-1, 40_000)  # (k D, S)
    dense, scale = joint.reshape(draws.shape[0], -1), np.sqrt(np.diag(joint.reshape(draws.shape[0], -1)))
    np.testing.assert_allclose(np.cov(draws) / np.outer(scale, scale), dense / np.outer(scale, scale), atol=0.035)
    at = np.arange(7)
    np.testing.assert_allclose(joint[at, :, at, :], marginal_covariances(model.posterior), atol=1e-10)


def test_a_row_conditions_every_coefficient(shop):
    """By parts as by the dense joint covariance, over more rows than are kept apart."""
    model = fit_ridge(RidgeStatistics.from_tensors(in_bulk(shop).tensors()), shop.catalog, 2.0)
    D = shop.schema.width + 1
    joint = joint_covariance(model.posterior).reshape(7 * D, 7 * D)
    parts, marginals = RankOneUpdate(model), Marginals(model)
    X, chance = shop.context(150).encode(shop.schema), np.random.default_rng(4)
    for x, action in zip(X, chance.integers(0, 7, 150), strict=True):
        phi = np.concatenate([[1.0], x])
        at = slice(action * D, (action + 1) * D)
        gain, spread = parts.condition(phi, action)
        marginals.condition(gain, spread)
        expected = joint[:, at] @ phi
        np.testing.assert_allclose(gain.ravel(), expected, atol=1e-9)
        assert spread == pytest.approx(1.0 + phi @ joint[at, at] @ phi, rel=1e-9)
        joint -= np.outer(expected, expected) / spread
        diagonal = joint.reshape(7, D, 7, D)[np.arange(7), :, np.arange(7), :]
        np.testing.assert_allclose(marginals.variances(phi), phi @ diagonal @ phi, atol=1e-9)
    assert PENDING < 150 > PENDING_GAINS


def test_widths_by_hand():
    covariance = np.array([[[4.0, 1.0], [1.0, 1.0]], [[0.0, 0.0], [0.0, 9.0]]], dtype=np.float32)
    phi = np.array([[1.0, 0.0], [1.0, 2.0], [0.0, 1.0]], dtype=np.float32)
    np.testing.assert_allclose(widths(covariance, phi), np.sqrt([[4.0, 12.0, 1.0], [0.0, 36.0, 9.0]]), rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_stated_is_what_is_drawn_from(shop, monkeypatch, kind):
    form = taught(shop, fresh(shop, kind, explore=0.2), monkeypatch)
    x, allowed = shop.context(1).encode(shop.schema)[0], np.array([1, 1, 0, 1, 0, 1, 1], dtype=bool)
    p = form.probabilities(x, allowed)
    assert p.sum() == pytest.approx(1.0, abs=1e-12)
    assert (p[~allowed] == 0.0).all()
    assert (p[allowed] >= 0.2 / 5 - 1e-12).all()
    draws = [form.choose(x, allowed, u) for u in np.linspace(0, 1, 2000, endpoint=False)]
    shares = np.bincount([action for action, _ in draws], minlength=7) / 2000
    np.testing.assert_allclose(shares, p, atol=1e-3)
    assert all(chance == p[action] for action, chance in draws)


@pytest.mark.parametrize("kind", KINDS)
def test_one_action_left_is_certain_and_none_is_an_error(shop, kind):
    form, x = Online(fresh(shop, kind)), shop.context(1).encode(shop.schema)[0]
    only = np.arange(7) == 4
    assert form.choose(x, only, 0.999) == (4, pytest.approx(1.0))
    with pytest.raises(DataError, match="at least one"):
        form.choose(x, only & False, 0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_choices(shop, kind):
    def run():
        form, X = Online(fresh(shop, kind)), shop.context(80).encode(shop.schema)
        chance, chosen = np.random.default_rng(2), []
        for x in X:
            chosen.append(form.choose(x, np.ones(7, dtype=bool), chance.random()))
            form.learn(x, chosen[-1][0], chance.normal())
        return chosen

    assert run() == run()


def test_what_cannot_learn_row_by_row_says_so(shop):
    with pytest.raises(UsageError, match="a linear bandit"):
        Online(build_policy("square_cb", shop.catalog, shop.schema))
    with pytest.raises(UsageError, match="window"):
        Online(fresh(shop, window=2))
