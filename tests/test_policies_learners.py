"""Thompson sampling against brute force, the doubly robust scores by hand, and what learners gain."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

import campaignrl as crl
from campaignrl.policies import keep_one_blas_thread
from campaignrl.policies.bandits.draw_votes import winning_draws
from campaignrl.policies.bundle import load_bundle, save_bundle
from campaignrl.policies.linear_model.ridge import RidgeStatistics, fit_ridge
from campaignrl.policies.loading import build_policy
from campaignrl.policies.offline.dr_greedy import doubly_robust_scores


def trained(shop, n=600, **settings):
    policy = build_policy({"kind": "lin_ts", **settings}, shop.catalog, shop.schema)
    policy.update(shop.log(n))
    return policy


def test_winning_draws_by_hand():
    coefficients = np.array([[[1, 0], [0, 1], [0, 0]], [[0, 0], [2, 2], [2, 2]]], dtype=np.float32)  # (2, 3, 2)
    phi = np.array([[1, 0], [0, 1], [-1, -1]], dtype=np.float32)
    allowed = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], dtype=bool)
    # Draw 1 scores rows [1,0,0], [0,1,0], [-1,-1,0]; draw 2 scores [0,2,2], [0,2,2], [0,-4,-4].
    expected = [[1, 1, 1], [1, 0, 2], [1, 0, 1]]
    np.testing.assert_array_equal(winning_draws(coefficients, phi, allowed), expected)


@given(st.integers(0, 2**32 - 1))
def test_winning_draws_are_what_a_loop_finds(seed):
    chance = np.random.default_rng(seed)
    coefficients = chance.integers(-3, 4, (5, 4, 3)).astype(np.float32)  # whole numbers: no rounding, many ties
    phi = chance.integers(0, 3, (6, 3)).astype(np.float32)
    allowed = chance.random((6, 4)) < 0.7
    allowed[:, 0] = True
    expected = np.zeros((6, 4), dtype=int)
    for i in range(6):
        for draw in coefficients:
            scores = [float(row @ phi[i]) if ok else -np.inf for row, ok in zip(draw, allowed[i], strict=True)]
            expected[i] += [score == max(scores) for score in scores]
    np.testing.assert_array_equal(winning_draws(coefficients, phi, allowed), expected)


@pytest.mark.parametrize("draws", [1, 7, 16, 20, 64, 255])
def test_winning_draws_of_many_rows(draws):
    """More rows than are scored at once, any number of draws; no ties, so each draw has one winner."""
    chance = np.random.default_rng(draws)
    coefficients, phi = chance.normal(size=(draws, 30, 5)), chance.random((700, 5))
    allowed = chance.random((700, 30)) < 0.5
    allowed[:, 3] = True
    best = np.where(allowed[:, None], np.einsum("skd,nd->nsk", coefficients, phi), -np.inf).argmax(axis=2)
    expected = (best[:, :, None] == np.arange(30)).sum(axis=1)
    votes = winning_draws(coefficients.astype(np.float32), phi.astype(np.float32), allowed)
    assert (votes.sum(axis=1, dtype=int) == draws).all()
    assert (votes != expected).any(axis=1).mean() < 0.01  # single precision may turn a vote


def test_probabilities_are_the_share_of_kept_draws_over_the_floor(shop):
    policy = trained(shop, explore=0.05)
    context, allowed = shop.context(50), shop.allowed(50)
    phi = np.hstack([np.ones((50, 1)), context.encode(shop.schema)])
    wins = np.zeros((50, 7))
    for draw in policy.tensors()["draws"]:
        scores = np.where(allowed, phi @ draw, -np.inf)
        wins[np.arange(50), scores.argmax(axis=1)] += 1
    expected = 0.95 * wins / 64 + 0.05 * allowed / allowed.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(policy.probabilities(context, allowed), expected, atol=1e-12)


def test_shares_come_near_the_posterior_chance_of_being_best(shop):
    """Against 20,000 fresh draws from the same posterior; 255 kept draws have a standard error of 0.03."""
    policy = trained(shop, draws=255, explore=0.0, l2=1.0)
    context, allowed = shop.context(40), shop.allowed(40)
    model = fit_ridge(RidgeStatistics.from_tensors(policy.tensors()), shop.catalog, 1.0)
    draws = model.draw(20_000, np.random.default_rng(99))
    phi = np.hstack([np.ones((40, 1), dtype=np.float32), context.encode(shop.schema)])
    best = np.where(allowed[None], np.einsum("nd,sdk->snk", phi, draws), -np.inf).argmax(axis=2)
    chance = np.stack([(best == a).mean(axis=0) for a in range(7)], axis=1)
    difference = np.abs(policy.probabilities(context, allowed) - chance)
    assert difference.max() < 0.16  # 5 standard errors
    assert difference.mean() < 0.02


def test_more_data_less_exploration(shop):
    few, many = trained(shop, 100, explore=0.0), trained(shop, 6000, explore=0.0)
    context, allowed = shop.context(300), np.ones((300, 7), dtype=bool)
    assert many.probabilities(context, allowed).max(1).mean() > few.probabilities(context, allowed).max(1).mean() + 0.1


def test_greedy_takes_the_best_mean(shop):
    policy = trained(shop, greedy=True, explore=0.0)
    context, allowed = shop.context(100), shop.allowed(100)
    best = np.where(allowed, policy.scores(context), -np.inf).argmax(axis=1)
    np.testing.assert_array_equal(policy.probabilities(context, allowed), np.eye(7)[best])


def test_another_seed_other_draws_same_mean(shop):
    one, two = trained(shop, seed=1), trained(shop, seed=2)
    context = shop.context(100)
    np.testing.assert_array_equal(one.scores(context), two.scores(context))
    everything = np.ones((100, 7), dtype=bool)
    assert not np.array_equal(one.probabilities(context, everything), two.probabilities(context, everything))


@pytest.mark.parametrize("kind", ["lin_ts", "dr_greedy"])
def test_a_loaded_learner_learns_on(kind, shop, tmp_path):
    log = shop.log(3000)
    policy = build_policy(kind, shop.catalog, shop.schema)
    policy.update(log.take(slice(0, 1500)))
    again = load_bundle(save_bundle(policy, tmp_path / "half.bundle"))
    for each in (policy, again):
        each.update(log.take(slice(1500, 3000)))
    context, allowed = shop.context(100), shop.allowed(100)
    assert again.probabilities(context, allowed).tobytes() == policy.probabilities(context, allowed).tobytes()


def test_doubly_robust_scores_by_hand():
    q = np.array([[1.0, 2.0], [3.0, 4.0]])
    gamma = doubly_robust_scores(q, np.array([1, 0]), np.array([2.5, 3.0]), np.array([4.0, 10.0]))
    np.testing.assert_allclose(gamma, [[1.0, 2.0 + 4.0 * 0.5], [3.0, 4.0]])


def test_doubly_robust_scores_average_to_the_value_whatever_q_says():
    """With the true propensity the mean over logged actions is r(a), exactly, for any q."""
    p, reward, q = np.array([0.2, 0.5, 0.3]), np.array([1.0, -2.0, 4.0]), np.array([[7.0, 7.0, -9.0]])
    average = sum(p[a] * doubly_robust_scores(q, np.array([a]), reward[[a]], 1 / p[[a]]) for a in range(3))
    np.testing.assert_allclose(average, reward[None])


@pytest.mark.parametrize("kind", ["lin_ts", "dr_greedy"])
def test_learners_beat_every_fixed_action(kind, shop):
    """On fresh customers of a world whose mean rewards are known; masks bind."""
    policy = build_policy({"kind": kind, "explore": 0.0}, shop.catalog, shop.schema)
    policy.update(shop.log(6000))
    context, allowed = shop.context(3000, seed=77), shop.allowed(3000, seed=77)
    likes = (context.columns["segment"] == 1)[:, None] & np.isin(np.arange(7), [5, 6])
    mean = likes - 0.3 * (np.arange(7) > 0)
    value = (policy.probabilities(context, allowed) * mean).sum(axis=1).mean()
    fixed = [np.where(allowed[:, a], mean[:, a], 0.0).mean() for a in range(7)]
    best = np.where(allowed, mean, -np.inf).max(axis=1).mean()
    assert value > max(fixed) + 0.5 * (best - max(fixed))


@pytest.mark.parametrize("kind", ["dr_uplift", "fitted_q"])
def test_what_is_learned_does_not_depend_on_the_number_of_blas_threads(kind):
    log = crl.simulate("ecommerce", "uniform", customers=300, seed=2)
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(crl.train(kind, log, seed=1).tensors()["coefficients"].tobytes())
    assert found[0] == found[1]


def test_one_blas_thread_is_kept_for_a_process_that_asks_for_it():
    with threadpool_limits(2):
        keep_one_blas_thread()
        assert {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"} == {1}
