"""SquareCB, RegCB, logistic and bootstrap Thompson sampling by hand; drift, delays, weights of all learners."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit

from campaignrl import rng
from campaignrl.errors import SpecError
from campaignrl.policies.bandits.bootstrap_ts import poisson_counts, row_keys
from campaignrl.policies.bandits.forgetting import DriftingSums
from campaignrl.policies.bandits.square_cb import inverse_gap
from campaignrl.policies.bundle import load_bundle, save_bundle
from campaignrl.policies.learner_settings import (
    LearningConfig,
    expected_reward,
    share_seen,
    training_rows,
    uniform_weight,
)
from campaignrl.policies.linear_model.posterior_width import joint_covariance, marginal_covariances
from campaignrl.policies.linear_model.ridge import RidgeStatistics, fit_ridge
from campaignrl.policies.loading import build_policy


def trained(shop, kind, n=1500, **settings):
    policy = build_policy({"kind": kind, **settings}, shop.catalog, shop.schema, seed=5)
    policy.update(shop.log(n))
    return policy


def phi_of(shop, context):
    return np.hstack([np.ones((len(context), 1)), context.encode(shop.schema)])


class TestSquareCB:
    def test_by_hand(self):
        scores = np.array([[1.0, 0.5, 0.0], [1.0, 0.5, 0.0], [2.0, 2.0, 1.0]])
        allowed = np.array([[1, 1, 1], [0, 1, 1], [1, 1, 1]], dtype=bool)
        p = inverse_gap(scores, allowed, 10.0)
        np.testing.assert_allclose(p[0], [1 - 1 / 8 - 1 / 13, 1 / 8, 1 / 13])
        np.testing.assert_allclose(p[1], [0, 1 - 1 / 7, 1 / 7])
        np.testing.assert_allclose(p[2], [1 - 1 / 3 - 1 / 13, 1 / 3, 1 / 13])

    @given(st.integers(0, 2**32 - 1), st.floats(0.0, 1e6))
    def test_laws(self, seed, gamma):
        chance = np.random.default_rng(seed)
        scores, allowed = chance.normal(size=(20, 6)), chance.random((20, 6)) < 0.5
        allowed[:, 0] = True
        p = inverse_gap(scores, allowed, gamma)
        np.testing.assert_allclose(p.sum(axis=1), 1.0)
        assert (p >= 0.0).all()
        assert (p[~allowed] == 0.0).all()
        best = np.where(allowed, scores, -np.inf).argmax(axis=1)
        assert (p[np.arange(20), best] >= 1.0 / allowed.sum(axis=1) - 1e-12).all()
        for row in range(20):  # a better action never has the smaller chance
            order = np.flatnonzero(allowed[row])[np.argsort(scores[row][allowed[row]])]
            assert (np.diff(p[row][order]) >= -1e-12).all()

    def test_gamma_grows_with_rows_and_counts_in_noise(self, shop):
        policy = trained(shop, "square_cb", l2=1.0, gamma_scale=7.0, gamma_power=0.5)
        model = fit_ridge(RidgeStatistics.from_tensors(policy.tensors()), shop.catalog, 1.0)
        rows = policy.tensors()["count"].sum()
        assert policy.tensors()["sharpness"][0] == pytest.approx(7.0 * np.sqrt(rows / model.sigma2))

    def test_money_in_cents_is_explored_as_money_in_euros(self, shop):
        log = shop.log(1500)
        euros, cents = (build_policy({"kind": "square_cb", "l2": 1.0}, shop.catalog, shop.schema) for _ in range(2))
        euros.update(replace(log, reward=log.reward * 100.0))
        cents.update(replace(log, reward=log.reward * 10_000.0))
        context, allowed = shop.context(100), shop.allowed(100)
        p, q = (policy.probabilities(context, allowed) for policy in (euros, cents))
        np.testing.assert_allclose(p, q, atol=1e-3)


class TestBounds:
    def bound(self, shop, policy, context, radius2):
        model = fit_ridge(RidgeStatistics.from_tensors(policy.tensors()), shop.catalog, 1.0)
        phi = phi_of(shop, context)
        variance = model.sigma2 * np.einsum("nd,kde,ne->nk", phi, marginal_covariances(model.posterior), phi)
        return phi @ model.posterior.mean().T, np.sqrt(radius2 * variance)

    def test_lin_ucb_takes_the_highest_upper_end(self, shop):
        policy = trained(shop, "lin_ucb", n=120, l2=1.0, alpha=1.5, explore=0.0)
        context, allowed = shop.context(200), shop.allowed(200)
        mean, half = self.bound(shop, policy, context, 1.5**2)
        best = np.where(allowed, mean + half, -np.inf).argmax(axis=1)
        np.testing.assert_array_equal(policy.probabilities(context, allowed), np.eye(7)[best])
        assert (best != np.where(allowed, mean, -np.inf).argmax(axis=1)).any()

    @pytest.mark.parametrize("optimistic", [True, False])
    def test_reg_cb_by_its_definition(self, shop, optimistic):
        policy = trained(
            shop, "reg_cb", n=120, l2=1.0, explore=0.0, optimistic=optimistic, mellowness=0.2, reward_range=(-0.5, 0.6)
        )
        context, allowed = shop.context(200), shop.allowed(200)
        rows = policy.tensors()["count"].sum()
        mean, half = self.bound(shop, policy, context, 0.2 * np.log1p(rows))
        lower, upper = np.clip(mean - half, -0.5, 0.6), np.clip(mean + half, -0.5, 0.6)
        if optimistic:
            wins = allowed & np.isclose(upper, np.where(allowed, upper, -np.inf).max(axis=1, keepdims=True), atol=1e-6)
        else:
            wins = allowed & (upper >= np.where(allowed, lower, -np.inf).max(axis=1, keepdims=True) - 1e-6)
        np.testing.assert_allclose(policy.probabilities(context, allowed), wins / wins.sum(axis=1, keepdims=True))

    def test_the_bound_is_the_best_near_best_regressor(self, shop):
        """RegCB's own definition: maximise the prediction over all coefficients whose excess loss is at most Delta."""
        log = shop.log(60)
        stats = RidgeStatistics.zeros(shop.catalog, shop.schema.width)
        stats.add(log.context.encode(shop.schema), log.action, log.reward)
        model = fit_ridge(stats, shop.catalog, 1.0)
        phi, action, excess = phi_of(shop, shop.context(1))[0], 3, 0.7
        width = np.sqrt(excess * phi @ marginal_covariances(model.posterior)[action] @ phi)
        # The direction in which the prediction rises most per loss, from the joint covariance; it costs Delta.
        joint = joint_covariance(model.posterior)
        direction = np.einsum("kde,e->kd", joint[:, :, action, :], phi)
        step = direction * np.sqrt(excess / (phi @ direction[action]))
        assert phi @ step[action] == pytest.approx(width, rel=1e-9)
        precision = np.linalg.pinv(joint.reshape(7 * len(phi), -1))
        assert step.ravel() @ precision @ step.ravel() == pytest.approx(excess, rel=1e-4)


class TestLogistic:
    def log(self, shop, n=900, seed=0):
        log, chance = shop.log(n, seed), np.random.default_rng(seed + 9)
        odds = -1.0 + 2.0 * ((log.context.columns["segment"] == 1) & np.isin(log.action, [5, 6]))
        return replace(log, reward=(chance.random(n) < expit(odds)).astype(float), matured=np.ones(n, dtype=bool))

    def test_the_mode_is_that_of_the_dense_posterior(self, shop):
        """Against a general optimiser on the penalised log-likelihood, blocks integrated out by their covariance."""
        log = self.log(shop)
        policy = build_policy({"kind": "logit_ts", "l2": 2.0}, shop.catalog, shop.schema)
        policy.update(log)
        prior = fit_ridge(RidgeStatistics.zeros(shop.catalog, shop.schema.width), shop.catalog, 2.0).posterior
        D = shop.schema.width + 1
        root = np.linalg.cholesky(joint_covariance(prior).reshape(7 * D, 7 * D))
        phi = phi_of(shop, log.context)
        design = np.zeros((len(log), 7, D))
        design[np.arange(len(log)), log.action] = phi
        white = design.reshape(len(log), -1) @ root

        def loss(z):
            odds = white @ z
            return np.logaddexp(0, odds).sum() - log.reward @ odds + z @ z / 2, white.T @ (expit(odds) - log.reward) + z

        z = minimize(loss, np.zeros(7 * D), jac=True, method="L-BFGS-B", options={"maxiter": 5000, "ftol": 1e-14}).x
        expected = (root @ z).reshape(7, D)
        np.testing.assert_allclose(policy.tensors()["coefficients"].T, expected, atol=5e-3)
        np.testing.assert_allclose(policy.scores(log.context), expit(phi @ expected.T), atol=2e-3)

    def test_shares_of_a_success_count_as_such(self, shop):
        log = self.log(shop)
        plain, scaled = (
            build_policy({"kind": "logit_ts", **s}, shop.catalog, shop.schema) for s in ({}, {"low": -2.0, "high": 8.0})
        )
        plain.update(log)
        scaled.update(replace(log, reward=log.reward * 10.0 - 2.0))
        context = shop.context(50)
        np.testing.assert_allclose(scaled.scores(context), plain.scores(context) * 10.0 - 2.0, atol=1e-4)

    def test_low_stands_below_high(self, shop):
        with pytest.raises(SpecError, match="above low"):
            build_policy({"kind": "logit_ts", "low": 1.0, "high": 1.0}, shop.catalog, shop.schema)

    def test_separable_rewards_do_not_run_away(self, shop):
        log = self.log(shop)
        policy = build_policy({"kind": "logit_ts"}, shop.catalog, shop.schema)
        policy.update(replace(log, reward=(log.action == 3).astype(float)))
        assert np.isfinite(policy.tensors()["coefficients"]).all()
        p = policy.probabilities(log.context, np.ones((len(log), 7), dtype=bool))
        assert p[:, 3].mean() > 0.95


class TestBootstrap:
    def test_counts_are_poisson_and_depend_on_the_decision_alone(self, shop):
        keys = rng.customer_keys(np.arange(200_000))
        counts = poisson_counts(keys, 3, 1)
        for value, chance in enumerate(np.exp(-1.0) / np.array([1, 1, 2, 6, 24])):
            assert (counts == value).mean() == pytest.approx(chance, abs=5 * np.sqrt(chance / 200_000))
        assert abs(np.corrcoef(counts, poisson_counts(keys, 3, 2))[0, 1]) < 0.012
        log = shop.log(90)
        order = np.random.default_rng(1).permutation(90)
        np.testing.assert_array_equal(row_keys(log.take(order)), row_keys(log)[order])
        assert len(set(row_keys(log).tolist())) == 90

    def test_members_differ_by_what_the_posterior_says(self, shop):
        """Where the noise is even and normal, the ensemble's spread is the posterior's, within its own error."""
        policy = trained(shop, "bootstrap_ts", n=3000, members=64, l2=1.0)
        stats = {name: a.mean(axis=0) for name, a in policy.tensors().items() if name in ("gram", "moment", "square")}
        stats["count"] = policy.tensors()["count"].mean(axis=0)
        model = fit_ridge(RidgeStatistics.from_tensors(stats), shop.catalog, 1.0)
        phi = phi_of(shop, shop.context(200))
        exact = np.sqrt(model.sigma2 * np.einsum("nd,kde,ne->nk", phi, marginal_covariances(model.posterior), phi))
        spread = np.einsum("nd,sdk->snk", phi, policy.tensors()["draws"]).std(axis=0)
        assert np.median(spread / exact) == pytest.approx(1.0, abs=0.15)


class TestDrift:
    def test_forgetting_by_hand(self):
        sums = DriftingSums({"x": np.zeros(2)}, forget=0.5)
        for part in ([4.0, 0.0], [2.0, 2.0], [1.0, 1.0]):
            sums.take_in({"x": np.array(part)})
        np.testing.assert_allclose(sums.total["x"], [1.0 + 1.0 + 1.0, 1.0 + 1.0])

    def test_a_window_drops_what_is_older(self):
        sums = DriftingSums({"x": np.zeros(1)}, forget=0.5, window=2)
        for part in (8.0, 4.0, 2.0, 1.0):
            sums.take_in({"x": np.array([part])})
        np.testing.assert_allclose(sums.total["x"], [1.0 + 0.5 * 2.0])
        again = DriftingSums({"x": np.zeros(1)}, forget=0.5, window=2)
        again.restore(sums.tensors())
        for each in (sums, again):
            each.take_in({"x": np.array([3.0])})
        assert sums.total["x"] == again.total["x"] == 3.0 + 0.5 * 1.0

    @pytest.mark.parametrize(
        ("kind", "settings"),
        [
            *itertools.product(("lin_ts", "lin_ucb", "square_cb", "gaussian_ts"), ({"window": 2}, {"forget": 0.3})),
            *itertools.product(("lin_ts", "lin_ucb", "square_cb", "reg_cb"), ({"forget": "auto"},)),
        ],
    )
    def test_tastes_that_turn_are_followed(self, shop, kind, settings):
        """First coupon20 is liked, then nobody likes anything."""
        liked, log = shop.log(1500), shop.log(1500, seed=8)
        turned = replace(log, reward=np.where(log.action == 0, 0.0, -0.3 - log.reward))
        faithful, drifting = (build_policy({"kind": kind, **s}, shop.catalog, shop.schema) for s in ({}, settings))
        for each in (faithful, drifting):
            for part in (liked, liked, liked, turned, turned):
                each.update(part)
        context = shop.context(300)
        likes = context.columns["segment"] == 1
        fresh = build_policy({"kind": kind}, shop.catalog, shop.schema)
        fresh.update(turned)
        fresh.update(turned)
        error = [
            abs(each.scores(context)[likes] - fresh.scores(context)[likes]).mean() for each in (faithful, drifting)
        ]
        assert error[1] < 0.5 * error[0]
        if "window" in settings:
            assert error[1] < 1e-5

    def test_a_window_travels_in_the_bundle(self, shop, tmp_path):
        policy = trained(shop, "lin_ucb", window=3, forget=0.9)
        again = load_bundle(save_bundle(policy, tmp_path / "w.bundle"))
        for each in (policy, again):
            each.update(shop.log(400, seed=4))
        context, allowed = shop.context(100), shop.allowed(100)
        assert again.probabilities(context, allowed).tobytes() == policy.probabilities(context, allowed).tobytes()


class TestDelays:
    def late(self, shop):
        """Six rows of days 0 to 5 with a window of 4 days; the log ends on day 6, so days 3 to 5 are open."""
        log = shop.log(6)
        return replace(
            log,
            day=np.arange(6),
            step=np.arange(6),
            customer=np.zeros(6, dtype=int),
            reward=np.array([1.0, 2.0, 3.0, 1.0, 0.5, 0.0]),
            cost=np.array([0, 0, 0, 50, 50, 0]),
            matured=np.arange(6) <= 2,
            meta={"horizon": 6, "outcome_days": 4, "minor_per_unit": 100},
        )

    def test_share_seen_by_hand(self, shop):
        log = self.late(shop)
        whole = 1 - np.exp(-4 / 2.0)
        expected = [1, 1, 1, *(1 - np.exp(-np.array([3, 2, 1]) / 2.0)) / whole]
        np.testing.assert_allclose(share_seen(log, 2.0), expected)

    def test_outcomes_to_come_are_added_and_costs_are_not(self, shop):
        log = self.late(shop)
        seen = np.array([1.0, 1.0, 1.0, 0.5, 0.25, 0.2])
        expected = [1.0, 2.0, 3.0, 1.5 / 0.5 - 0.5, 1.0 / 0.25 - 0.5, 0.0]
        np.testing.assert_allclose(expected_reward(log, np.arange(6), seen), expected)

    def test_only_closed_windows_teach_unless_told_otherwise(self, shop):
        log = self.late(shop)
        taught = [
            np.concatenate([block.rows for block in training_rows(log, shop.schema, LearningConfig(**s))]).tolist()
            for s in ({}, {"delay_days": 2.0}, {"delay_days": 400.0})
        ]
        assert taught == [[0, 1, 2], [0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5]]

    def test_it_is_unbiased_where_the_delay_is_right(self, shop):
        """Orders come after exponential delays; the log is cut while they still come in."""
        n, delay, window, chance = 60_000, 5.0, 14, np.random.default_rng(3)
        day = chance.integers(0, 20, n)
        log = shop.log(n)
        buys = chance.random(n) < 0.3
        when = chance.exponential(delay, n)
        seen_by_end = buys & (when < np.minimum(20 - day, window))
        log = replace(
            log, day=day, reward=seen_by_end.astype(float), cost=np.zeros(n, dtype=int), matured=day + window <= 20,
            meta={"horizon": 20, "outcome_days": window},
        )  # fmt: skip
        truth = 0.3 * (1 - np.exp(-window / delay))
        reward = expected_reward(log, np.arange(n), share_seen(log, delay))
        assert reward.mean() == pytest.approx(truth, abs=5 * reward.std() / np.sqrt(n))
        assert log.reward.mean() < truth - 0.03


class TestWeights:
    def test_by_hand(self, shop):
        log = shop.log(40)
        weight = uniform_weight(log, np.arange(40), 3.0)
        np.testing.assert_allclose(weight, np.minimum(1 / (log.propensity * log.eligible.sum(axis=1)), 3.0))

    def test_a_skewed_log_teaches_what_a_uniform_one_would(self, shop):
        """A segment the features do not show decides who gets what: only weights undo the confusion."""
        n, chance = 40_000, np.random.default_rng(6)
        base = shop.log(n)
        hidden = chance.random(n) < 0.5
        p = np.where(hidden, 0.9, 0.1)
        action = np.where(chance.random(n) < p, 1, 2)
        log = replace(
            base,
            action=action,
            propensity=np.where(action == 1, p, 1 - p),
            reward=hidden + 0.2 * (action == 2) + chance.normal(0, 0.1, n),
            matured=np.ones(n, dtype=bool),
            eligible=np.tile(np.isin(np.arange(7), [1, 2]), (n, 1)),
        )
        effect = {}
        for importance in (False, True):
            policy = build_policy({"kind": "lin_epsilon", "importance": importance}, shop.catalog, shop.schema)
            policy.update(log)
            scores = policy.scores(shop.context(200)).mean(axis=0)
            effect[importance] = scores[2] - scores[1]
        assert effect[False] < -0.4  # the truth is +0.2
        assert effect[True] == pytest.approx(0.2, abs=0.03)
