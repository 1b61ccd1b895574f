"""Sequential estimators: what whole episodes would earn under another policy.

Here: pure functions of (N, T) arrays. Not here: alignment (trajectories.py), the model Q (fqe.py), the weights of
states (density_ratios.py), how far a log lasts (support_horizon.py).

N trajectories, T steps. weight: (N, T) w_t = pi_e(a_t|s_t) / p_t, 1 after an episode's end; W_t = w_0 ... w_t and
W_-1 = 1; reward: (N, T), 0 after the end; predicted: (N, T) the model's Q_t(s_t, a_t), expected: (N, T)
V_t(s_t) = sum over a of pi_e(a|s_t) Q_t(s_t, a), both 0 after the end, both of what is still to come up to T;
discount: g in (0, 1]. A value is the discounted reward of an episode, and so is each trajectory's influence.
"""

from __future__ import annotations

import numpy as np

from campaignrl.arrays import Float
from campaignrl.ope.intervals import Point


def cumulative_weights(weight: Float) -> Float:
    """W_t (N, T): how much more often the valued policy would have come this way."""
    return np.asarray(np.cumprod(weight, axis=1), dtype=np.float64)


def returns(reward: Float, discount: float) -> Float:
    """(N,) discounted sum of rewards."""
    return np.asarray(reward @ _discounts(reward, discount))


def tis(weight: Float, reward: Float, discount: float = 1.0) -> Point:
    """Trajectory-wise importance sampling: mean of W_T-1 sum_t g^t r_t. Variance grows exponentially with T."""
    return _mean_of(np.prod(weight, axis=1) * returns(reward, discount))


def sntis(weight: Float, reward: Float, discount: float = 1.0) -> Point:
    """Self-normalised TIS: W_T-1 divided by its mean over trajectories. Stays inside the observed returns."""
    return _ratio_of(np.prod(weight, axis=1), returns(reward, discount))


def pdis(weight: Float, reward: Float, discount: float = 1.0) -> Point:
    """Per-decision importance sampling: mean of sum_t g^t W_t r_t (Precup, Sutton & Singh 2000). Unbiased."""
    return _mean_of(returns(cumulative_weights(weight) * reward, discount))


def wpdis(weight: Float, reward: Float, discount: float = 1.0) -> Point:
    """Weighted per-decision importance sampling: W_t divided by its mean over trajectories at each step."""
    return _sum_of_ratios(cumulative_weights(weight), reward, _discounts(reward, discount))


def sdr(weight: Float, reward: Float, predicted: Float, expected: Float, discount: float = 1.0) -> Point:
    """Sequential doubly robust: mean of sum_t g^t [W_t (r_t - Q_t) + W_t-1 V_t] (Jiang & Li 2016, arXiv 1511.03722)."""
    W = cumulative_weights(weight)
    return _mean_of(returns(W * (reward - predicted) + _before(W) * expected, discount))


def wdr(
    weight: Float,
    reward: Float,
    predicted: Float,
    expected: Float,
    discount: float = 1.0,
    corrected: int | None = None,
) -> Point:
    """Weighted doubly robust: `sdr` with W_t divided by its mean at each step (Thomas & Brunskill 2016, 1604.00923).

    corrected: how many first steps are corrected by what was seen; from there on the model's V alone speaks. This is
    the j-step estimator that their MAGIC blends: with none it is the direct method, with all steps plain WDR.
    """
    T = reward.shape[1]
    j, g = T if corrected is None else corrected, _discounts(reward, discount)
    W = cumulative_weights(weight)
    W_before = _before(W)
    value, influence = 0.0, np.zeros(len(reward))
    for part in (
        _sum_of_ratios(W[:, :j], (reward - predicted)[:, :j], g[:j]),
        _sum_of_ratios(W_before[:, : min(j + 1, T)], expected[:, : min(j + 1, T)], g[: min(j + 1, T)]),
    ):
        value, influence = value + part.value, influence + part.influence
    return Point(value, influence)


def dm(expected: Float) -> Point:
    """Direct method: the model's V at the first step; with Q of fqe.py, fitted-Q evaluation. As biased as Q."""
    return _mean_of(expected[:, 0])


def drl(ratio: Float, reward: Float, predicted: Float, expected: Float, discount: float = 1.0) -> Point:
    """Double reinforcement learning: `sdr` with marginal weights (Kallus & Uehara 2020, JMLR 21:167, 1908.08526).

    Mean of V_0 + sum_t g^t rho_t (r_t + g V_t+1 - Q_t), ratio: (N, T) rho_t(s_t) w_t (minimax_ratios.py). The errors of
    ratios and of Q multiply, and its variance does not grow exponentially with T; but states must tell all that matters
    of the past. With W_t in place of the ratio it is `sdr`.
    """
    following = np.concatenate([expected[:, 1:], np.zeros((len(expected), 1))], axis=1)
    return _mean_of(expected[:, 0] + returns(ratio * (reward + discount * following - predicted), discount))


def msis(ratio: Float, weight: Float, reward: Float, discount: float = 1.0) -> Point:
    """Marginal importance sampling: rho_t(s_t) w_t r_t, self-normalised at each step (Xie, Ma & Wang 2019).

    ratio: (N, T) rho_t(s_t), how much more often the valued policy is in that state at step t (density_ratios.py). Its
    variance does not multiply over the steps; it is as biased as the ratios are wrong.
    """
    return _sum_of_ratios(ratio * weight, reward, _discounts(reward, discount))


def _discounts(reward: Float, discount: float) -> Float:
    return np.asarray(discount ** np.arange(reward.shape[1]), dtype=np.float64)


def _before(W: Float) -> Float:
    """W_t-1: (N, T) with a first column of ones."""
    return np.concatenate([np.ones((len(W), 1)), W[:, :-1]], axis=1)


def _mean_of(terms: Float) -> Point:
    value = float(terms.mean())
    return Point(value, terms - value)


def _ratio_of(weight: Float, terms: Float) -> Point:
    return _sum_of_ratios(weight[:, None], terms[:, None], np.ones(1))


def _sum_of_ratios(W: Float, terms: Float, g: Float) -> Point:
    """sum_t g_t sum_i(W_it terms_it) / sum_i(W_it), with the influence of the delta method; NaN where no W is left."""
    mean = W.mean(axis=0)
    if (mean <= 0.0).any():
        return Point(float("nan"), np.full(len(W), np.nan))
    share = W / mean
    per_step = (share * terms).mean(axis=0)
    return Point(float(per_step @ g), np.asarray((share * (terms - per_step)) @ g))
