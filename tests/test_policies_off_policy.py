"""Learners from finished logs: returns, baselines, lower bounds, risk and its gradient, by hand and by law."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from campaignrl.policies.linear_model.ridge import RidgeStatistics, fit_ridge
from campaignrl.policies.loading import build_policy
from campaignrl.policies.offline.advantage_regression import (
    RegressionRows,
    folds_of,
    products,
    rows_with_a_choice,
    without_baseline,
)
from campaignrl.policies.offline.cql import conservative_loss, standard_error_alpha
from campaignrl.policies.offline.crm import Scored, risk, softmax
from campaignrl.policies.offline.lbfgs import Parameters, minimise
from campaignrl.policies.offline.merge_logs import merge_logs
from campaignrl.policies.offline.pessimistic import contrast_covariances


@pytest.fixture
def scored(shop):
    """Thirty rows with random scores."""
    chance = np.random.default_rng(1)
    log = shop.log(30)
    phi = np.hstack([np.ones((30, 1)), log.context.encode()]).astype(np.float32)
    return Scored(phi, log.eligible, log.action, 1.0 / log.propensity, log.reward, chance.normal(0, 1, (30, 7)))


def test_softmax_by_hand():
    p = softmax(np.array([[0.0, np.log(3.0), 5.0]]), np.array([[True, True, False]]))
    np.testing.assert_allclose(p, [[0.25, 0.75, 0.0]])


@pytest.mark.parametrize("estimator", ["dr", "snips"])
def test_risk_is_minus_the_estimate(scored, estimator):
    beta = np.random.default_rng(2).normal(0, 0.3, (scored.phi.shape[1], 7))
    p = softmax(scored.phi @ beta.astype(np.float32), scored.allowed)
    w = scored.weight * p[np.arange(30), scored.action]
    model = (p * scored.q).sum(axis=1)
    logged = scored.q[np.arange(30), scored.action]
    value = {"dr": np.mean(model + w * (scored.reward - logged)), "snips": (w @ scored.reward) / w.sum()}[estimator]
    rows = scored if estimator == "dr" else scored._replace(q=np.zeros_like(scored.q))
    assert risk(beta, rows, estimator, 0.0, 2.0)[0] == pytest.approx(-value / 2.0, rel=1e-5)


def test_gradient_of_the_risk_is_that_of_its_differences(scored):
    at = np.random.default_rng(3).normal(0, 0.3, (scored.phi.shape[1], 7))
    rows = scored._replace(phi=scored.phi.astype(np.float32))
    for penalty in (0.0, 1.5):
        loss = lambda flat, c=penalty: risk(flat.reshape(at.shape), rows, "dr", c, 1.0)[0]  # noqa: E731
        found = risk(at, rows, "dr", penalty, 1.0)[1].ravel()
        np.testing.assert_allclose(found, approx_fprime(at.ravel(), loss, 1e-3), atol=5e-3)


def test_gradient_of_the_snips_risk_is_that_of_its_differences(scored):
    at = np.random.default_rng(4).normal(0, 0.3, (scored.phi.shape[1], 7))
    rows = scored._replace(q=np.zeros_like(scored.q))
    loss = lambda flat: risk(flat.reshape(at.shape), rows, "snips", 0.0, 1.0)[0]  # noqa: E731
    found = risk(at, rows, "snips", 0.0, 1.0)[1].ravel()
    np.testing.assert_allclose(found, approx_fprime(at.ravel(), loss, 1e-3), atol=5e-3)


def test_gradient_of_the_conservative_loss_is_that_of_its_differences(scored):
    at = np.random.default_rng(5).normal(0, 0.3, (scored.phi.shape[1], 7))
    parts = scored.phi, scored.allowed, scored.action, scored.reward
    loss = lambda flat: conservative_loss(flat.reshape(at.shape), *parts, 0.4)[0]  # noqa: E731
    found = conservative_loss(at, *parts, 0.4)[1].ravel()
    np.testing.assert_allclose(found, approx_fprime(at.ravel(), loss, 1e-3), atol=5e-3)


def test_conservatism_lowers_what_was_not_logged(shop):
    log, context = shop.log(900), shop.context(200)
    lead = {}
    for alpha in (0.0, 1.0):
        policy = build_policy({"kind": "cql", "alpha": alpha, "hold": 0.0}, shop.catalog, shop.schema)
        few = log.take(np.flatnonzero((log.action != 6) | (np.arange(900) % 12 == 0)))  # action 6 is rare
        policy.update(few)
        scores = policy.scores(context)
        lead[alpha] = (scores[:, 6] - scores[:, :6].mean(axis=1)).mean()
    assert lead[1.0] < lead[0.0]


def test_alpha_takes_one_standard_error_off_an_action_taken_for_certain():
    share, rows = np.array([0.9, 0.1, 0.0]), 4000  # 400 rows: a standard error of 1 / 20; nobody was given the last one
    assert standard_error_alpha(share, rows) / 0.1 == pytest.approx(1.0 / 20.0)


def test_with_neither_conservatism_nor_freedom_cql_is_fitted_q(shop):
    log, context = shop.log(900), shop.context(100)
    cql = build_policy({"kind": "cql", "alpha": 0.0, "hold": 1e9}, shop.catalog, shop.schema)
    fitted_q = build_policy({"kind": "fitted_q"}, shop.catalog, shop.schema)
    for policy in (cql, fitted_q):
        policy.update(log)
    np.testing.assert_allclose(cql.scores(context), fitted_q.scores(context), atol=1e-4)


def test_blocks_turn_gradients_round(shop):
    start = np.zeros((4, 7))
    parameters = Parameters(shop.catalog, start, 0.3)
    chance = np.random.default_rng(0)
    theta, direction = chance.normal(size=(2, parameters.size))
    by_action = chance.normal(size=(4, 7))
    change = np.sum((parameters.beta(theta + direction) - parameters.beta(theta)) * by_action)
    assert parameters.gradient(by_action) @ direction == pytest.approx(change)
    loss, pull = parameters.held_back(theta)
    numeric = approx_fprime(theta, lambda t: parameters.held_back(t)[0], 1e-6)
    np.testing.assert_allclose(pull, numeric, atol=1e-4)
    assert loss > 0.0


def test_descent_keeps_the_best_held_out_point_and_never_a_worse_one(shop):
    start = np.zeros((2, 7))
    target = np.full((2, 7), 3.0)

    def loss(beta):
        return float(np.sum((beta - target) ** 2)), 2.0 * (beta - target)

    near = minimise(shop.catalog, start, loss, lambda beta: loss(beta)[0], l2=0.0, steps=50)
    np.testing.assert_allclose(near, target, atol=1e-3)
    stays = minimise(shop.catalog, start, loss, lambda beta: float(np.sum(beta**2)), l2=0.0, steps=50)
    np.testing.assert_array_equal(stays, start)


def test_only_matured_rows_with_a_choice_teach(shop):
    log = shop.log(60)
    log.eligible[:20] = False
    log.eligible[np.arange(20), log.action[:20]] = True
    rows = rows_with_a_choice(log)
    assert set(rows) == set(np.flatnonzero(log.matured & (log.eligible.sum(axis=1) > 1)))
    assert rows.min() >= 20


def test_a_baseline_takes_off_what_customers_bring_anyway_and_nothing_of_the_action(shop):
    log = shop.log(6000)
    orders, contacts = log.context.columns["orders"], log.context.columns["contacts_7d"]
    level = 2.0 * np.log1p(orders) * contacts + 0.3 * contacts**2
    rows, fold = rows_with_a_choice(log), folds_of(log, 3, 0)
    data = RegressionRows(rows, fold[rows], (log.reward + level)[rows, None])
    left = without_baseline(log, data, shop.schema, 3).rewards[:, 0]
    assert left.std() < 0.15 * data.rewards.std()
    sent = np.isin(log.action[rows], [5, 6]) & (log.context.columns["segment"][rows] == 1)
    assert left[sent].mean() - left[~sent].mean() > 0.5  # what coupon20 does is still there


def test_products_hold_every_pair_of_numbers_once(shop):
    X = shop.context(5).encode()
    numbers = X[:, shop.schema.encoding.number_at]
    assert products(X, shop.schema).shape == (5, 1 + X.shape[1] + 6)  # three numbers: six pairs
    np.testing.assert_allclose(products(X, shop.schema)[:, -1], numbers[:, -1] ** 2)


def test_lower_bounds_are_those_of_drawn_contrasts(shop):
    log = shop.log(800)
    stats = RidgeStatistics.zeros(shop.catalog, shop.schema.width)
    stats.add(log.context.encode(), log.action, log.reward)
    model = fit_ridge(stats, shop.catalog, 1.0)
    draws = model.draw(20_000, np.random.default_rng(0)).astype(np.float64)
    contrast = draws[:, :, 3] - draws[:, :, 0]
    expected = model.sigma2 * contrast_covariances(model.posterior)[3]
    np.testing.assert_allclose(np.cov(contrast.T), expected, atol=0.05 * expected.max())
    np.testing.assert_allclose(contrast_covariances(model.posterior)[0], 0.0, atol=1e-9)


def test_more_pessimism_fewer_sends(shop):
    log, context, allowed = shop.log(600), shop.context(400), shop.allowed(400)
    none = []
    for width in (0.0, 3.0, 10.0):
        policy = build_policy({"kind": "pessimistic", "width": width, "l2": 1.0}, shop.catalog, shop.schema)
        policy.update(log)
        none.append(policy.probabilities(context, allowed)[:, 0].mean())
    assert none[0] < none[1] < none[2]


def test_logs_laid_together_are_one_log(shop):
    log = shop.log(90)
    whole = merge_logs([log.take(slice(0, 40)), log.take(slice(40, 90))])
    np.testing.assert_array_equal(whole.customers[whole.customer], log.customers[log.customer])
    np.testing.assert_array_equal(whole.reward, log.reward)
    np.testing.assert_array_equal(whole.eligible, log.eligible)
    np.testing.assert_array_equal(whole.context.encode(), log.context.encode())


def test_two_lives_of_one_customer_stay_apart(shop):
    log = shop.log(30)
    twice = merge_logs([log, log])
    assert len(twice.customers) == 2 * len(log.customers)
    assert not set(twice.customer[:30]) & set(twice.customer[30:])
