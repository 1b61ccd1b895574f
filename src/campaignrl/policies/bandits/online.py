"""A linear bandit row by row: choose, see what came of it, learn, choose for the next one.

`lin_ts`, `lin_ucb` and `lin_epsilon` learn from logs in bulk, which costs milliseconds a time. Here the same posterior
is kept up to date by rank-one steps (Kalman 1960; Sherman & Morrison 1950) on the joint distribution of all actions'
coefficients, so what one action teaches the others learn at once, as in the bulk form. Posterior draws are carried
along by Matheron's rule: each answers to the reward it would itself have seen, and stays an exact draw. Means, noise
level and widths are those of the bulk form up to rounding; draws have its distribution. Every so often all is computed
afresh from the sums, which bounds rounding and lets an automatic penalty follow. Not here: the covariance and its
steps (rank_one_update.py), contexts (the caller encodes them), bulk (linear_base.py). k actions, D = 1 + encoded
columns, S draws.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg.blas import sger

from campaignrl import rng
from campaignrl.arrays import Bool, Float, Float32
from campaignrl.errors import DataError, Problem, UsageError
from campaignrl.policies.bandits.linear import LinEpsilon, LinTS, LinUCB
from campaignrl.policies.bandits.linear_base import Factorised
from campaignrl.policies.linear_model import Marginals, RankOneUpdate

AFRESH = 4096  # rows after which everything is computed anew; sooner at first, when rows double


class Online:
    """The row-by-row form of a linear bandit; what it learns goes into the policy's own sums."""

    def __init__(self, policy: Factorised) -> None:
        if not isinstance(policy, LinTS | LinUCB | LinEpsilon):
            fix = "Row by row: lin_ts, lin_ucb, lin_epsilon."
            raise UsageError(Problem("online", "policy", policy.kind, "a linear bandit", fix))
        if policy.config.window:
            raise UsageError(Problem("online", "window", policy.config.window, "0 for learning row by row"))
        self.policy, self._explore = policy, policy.config.explore
        self._chance = rng.generator(policy.config.seed, rng.Purpose.POSTERIOR, 1)
        self._draws = policy.config.draws if isinstance(policy, LinTS) and not policy.config.greedy else 0
        self._afresh()

    def probabilities(self, x: Float32, allowed: Bool) -> Float:
        """(k,) exact chance of every action for one encoded context x (D - 1,) and mask (k,)."""
        every = allowed.all()
        count = self._k if every else np.count_nonzero(allowed)
        if not count:
            raise DataError(Problem("row", "allowed actions", 0, "at least one", "Allow `none`."))
        shares = self._shares(x, None if every else ~allowed)
        if self._explore == 0.0:
            return shares
        shares *= 1.0 - self._explore
        shares += (self._explore / count) * allowed
        return shares

    def choose(self, x: Float32, allowed: Bool, u: float) -> tuple[int, float]:
        """The action for one context, by a uniform u in [0, 1), and its propensity."""
        p = self.probabilities(x, allowed)
        cumulative = p.cumsum()
        action = int(cumulative.searchsorted(u * cumulative[-1], side="right"))
        return action, float(p[action])

    def learn(self, x: Float32, action: int, reward: float) -> None:
        """Take in the reward of one decision."""
        phi, sums = self._phi, self.policy._sums.total
        phi[1:] = x
        sums["gram"][action] += np.multiply.outer(phi, phi)
        sums["moment"][action] += phi * reward
        sums["square"][action] += reward * reward
        sums["count"][action] += 1.0
        self._rows += 1
        if self._rows >= self._next:
            self._afresh()
        else:
            self._step(phi, action, reward)

    def settle(self) -> None:
        """Let the policy decide by all that was learned; without it only its sums know."""
        self.policy._adopt(self.policy._fit(self.policy._posterior()))

    def _afresh(self) -> None:
        """The posterior from the sums."""
        policy = self.policy
        model = policy._posterior()
        self._k, D = len(policy.catalog), policy.schema.width + 1
        self._rows = int(policy._sums.total["count"].sum())
        self._next = min(max(64, 2 * self._rows), self._rows + AFRESH)
        self._mean = model.posterior.mean()  # (k, D)
        self._residual = model.sigma2 * (self._rows + 1.0)
        self._update = RankOneUpdate(model)
        self._marginals = Marginals(model) if isinstance(policy, LinUCB) else None
        self._phi, self._phi32 = np.ones(D), np.ones(D, dtype=np.float32)  # the row in hand
        # (S, k, D) draws around 0 in units of the noise
        unit = model.posterior.draw(1.0, self._draws, self._chance) - self._mean[:, :, None]
        self._around = np.ascontiguousarray(unit.transpose(2, 0, 1), dtype=np.float32)

    def _sigma(self) -> float:
        return math.sqrt(self._residual / (self._rows + 1.0))

    def _shares(self, x: Float32, barred: Bool | None) -> Float:
        """(k,) chances before the floor; barred: None if nothing is."""
        phi = self._phi
        phi[1:] = x
        score = self._mean @ phi
        if self._draws:
            self._phi32[1:] = x
            scores = (self._around.reshape(-1, len(phi)) @ self._phi32).reshape(-1, self._k)
            scores += (score / self._sigma()).astype(np.float32)  # all in units of the noise
            return _vote(scores, barred)
        if self._marginals is not None and self._rows:
            width = np.sqrt(self._variances(phi))
            width *= self.policy.config.alpha * self._sigma()
            score += width
        if barred is not None:
            score[barred] = -np.inf
        best = score == score.max()
        shares: Float = best.astype(np.float64)
        ties = np.count_nonzero(best)
        if ties > 1:
            shares /= ties
        return shares

    def _variances(self, phi: Float) -> Float:
        """(k,) variance of each action's mean, in units of the noise."""
        assert self._marginals is not None
        return self._marginals.variances(phi)

    def _step(self, phi: Float, action: int, reward: float) -> None:
        gain, spread = self._update.condition(phi, action)
        error = reward - float(self._mean[action] @ phi)
        if self._marginals is not None:
            self._marginals.condition(gain, spread)
        if self._draws:
            self._phi32[1:] = phi[1:]
            missed = self._chance.standard_normal(self._draws, dtype=np.float32)
            missed -= self._around[:, action] @ self._phi32
            flat = self._around.reshape(self._draws, -1).T  # as Fortran has it, so that it is changed in place
            sger(1.0 / spread, gain.ravel().astype(np.float32), missed, a=flat, overwrite_a=1)
        gain *= error / spread
        self._mean += gain
        self._residual += error * error / spread


def _vote(scores: Float32, barred: Bool | None) -> Float:
    """(k,) share of draws (S, k) in which each allowed action is best; draws differ, so ties do not come."""
    if barred is not None:
        scores[:, barred] = -np.inf
    votes = np.bincount(scores.argmax(axis=1), minlength=scores.shape[1])
    return np.asarray(votes / len(scores))
