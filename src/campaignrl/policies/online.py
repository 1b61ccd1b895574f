"""A linear bandit row by row: choose, see what came of it, learn, choose for the next one.

`lin_ts`, `lin_ucb` and `lin_epsilon` learn from logs in bulk, which costs milliseconds a time. Here the same posterior
is kept up to date by rank-one steps (Kalman 1960; Sherman & Morrison 1950) on the joint distribution of all actions'
coefficients, so what one action teaches the others learn at once, as in the bulk form. Posterior draws are carried
along by Matheron's rule: each answers to the reward it would itself have seen, and stays an exact draw. Means, noise
level and widths are those of the bulk form; draws have its distribution. Every so often all is computed afresh from the
sums, which bounds rounding and lets an automatic penalty follow. Not here: contexts (the caller encodes them), bulk
(factorised.py). k actions, D = 1 + encoded columns, S draws, J = k D.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg.blas import dgemm, sger

from campaignrl import rng
from campaignrl.errors import DataError, Problem, UsageError
from campaignrl.policies.base import Bool, Float
from campaignrl.policies.factorised import Factorised
from campaignrl.policies.linear import LinEpsilon, LinTS, LinUCB
from campaignrl.policies.ridge import Float32
from campaignrl.policies.threads import one_blas_thread
from campaignrl.policies.width import joint_covariance

PENDING = 64  # rank-one steps that are kept apart before they are worked into the joint covariance
AFRESH = 4096  # rows after which everything is computed anew; sooner at first, when rows double


class Online:
    """The row-by-row form of a linear bandit; what it learns goes into the policy's own sums."""

    def __init__(self, policy: Factorised) -> None:
        if not isinstance(policy, LinTS | LinUCB | LinEpsilon):
            fix = "Row by row: lin_ts, lin_ucb, lin_epsilon."
            raise UsageError(Problem("online", "policy", policy.kind, "a linear bandit", fix))
        if policy.config.window:
            raise UsageError(Problem("online", "window", policy.config.window, "0 for learning row by row"))
        self.policy = policy
        self._chance = rng.generator(policy.config.seed, rng.Purpose.POSTERIOR, 1)
        self._draws = policy.config.draws if isinstance(policy, LinTS) and not policy.config.greedy else 0
        self._afresh()

    def probabilities(self, x: Float32, allowed: Bool) -> Float:
        """(k,) exact chance of every action for one encoded context x (D - 1,) and mask (k,)."""
        count = np.count_nonzero(allowed)
        if not count:
            raise DataError(Problem("row", "allowed actions", 0, "at least one", "Allow `none`."))
        shares = self._shares(self._phi(x), allowed)
        explore = self.policy.config.explore
        p: Float = (1.0 - explore) * shares + (explore / count) * allowed
        return p

    def choose(self, x: Float32, allowed: Bool, u: float) -> tuple[int, float]:
        """The action for one context, by a uniform u in [0, 1), and its propensity."""
        p = self.probabilities(x, allowed)
        cumulative = p.cumsum()
        action = int(cumulative.searchsorted(u * cumulative[-1], side="right"))
        return action, float(p[action])

    def learn(self, x: Float32, action: int, reward: float) -> None:
        """Take in the reward of one decision."""
        phi = self._phi(x)
        sums = self.policy._sums.total
        gram, moment = sums["gram"][action], sums["moment"][action]
        gram += phi[:, None] * phi
        moment += phi * reward
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
        k, D = len(policy.catalog), policy.schema.width + 1
        self._k, self._D = k, D
        self._rows = int(policy._sums.total["count"].sum())
        self._next = min(max(64, 2 * self._rows), self._rows + AFRESH)
        self._mean = model.posterior.mean()  # (k, D)
        self._residual = model.sigma2 * (self._rows + 1.0)
        self._joint = joint_covariance(model.posterior).reshape(k * D, k * D)
        self._own = self._diagonal()
        self._pending = np.empty((PENDING, k * D))
        self._waiting = 0
        # (S, k, D) draws around 0 in units of the noise
        unit = model.posterior.draw(1.0, self._draws, self._chance) - self._mean[:, :, None]
        self._around = np.ascontiguousarray(unit.transpose(2, 0, 1), dtype=np.float32)

    def _phi(self, x: Float32) -> Float:
        phi = np.empty(self._D)
        phi[0], phi[1:] = 1.0, x
        return phi

    def _sigma(self) -> float:
        return float(np.sqrt(self._residual / (self._rows + 1.0)))

    def _shares(self, phi: Float, allowed: Bool) -> Float:
        score = self._mean @ phi
        if self._draws:
            scores = (self._around.reshape(-1, self._D) @ phi.astype(np.float32)).reshape(-1, self._k)
            scores *= np.float32(self._sigma())
            scores += score.astype(np.float32)
            return _vote(scores, allowed)
        if isinstance(self.policy, LinUCB) and self._rows:
            score += self.policy.config.alpha * self._sigma() * np.sqrt(self._variances(phi))
        score[~allowed] = -np.inf
        best = score == score.max()
        return np.asarray(best / best.sum())

    def _step(self, phi: Float, action: int, reward: float) -> None:
        k, D = self._k, self._D
        block = slice(action * D, (action + 1) * D)
        gain = phi @ self._joint[block]  # (J,) covariance of this row's mean with every coefficient
        waiting = self._pending[: self._waiting]
        if self._waiting:
            gain -= (waiting[:, block] @ phi) @ waiting
        spread = 1.0 + float(gain[block] @ phi)  # variance of the reward, in units of the noise
        error = reward - float(self._mean[action] @ phi)
        by_action = gain.reshape(k, D)
        if self._draws:
            missed = self._chance.standard_normal(self._draws, dtype=np.float32)
            missed -= self._around[:, action] @ phi.astype(np.float32)
            flat = self._around.reshape(self._draws, -1).T  # as Fortran has it, so that it is changed in place
            sger(1.0, (gain / spread).astype(np.float32), missed, a=flat, overwrite_a=1)
        self._mean += by_action * (error / spread)
        self._residual += error * error / spread
        self._pending[self._waiting] = gain / np.sqrt(spread)
        self._waiting += 1
        if self._waiting == PENDING:
            with one_blas_thread():  # symmetric, so its transpose is what Fortran changes in place
                dgemm(-1.0, self._pending.T, self._pending.T, 1.0, self._joint.T, trans_b=True, overwrite_c=1)
            self._own, self._waiting = self._diagonal(), 0

    def _diagonal(self) -> Float:
        """(k, D, D) the joint covariance within each action."""
        k, D = self._k, self._D
        at = np.arange(k)
        return np.ascontiguousarray(self._joint.reshape(k, D, k, D)[at, :, at, :])

    def _variances(self, phi: Float) -> Float:
        """(k,) variance of each action's mean, in units of the noise."""
        variance: Float = (self._own.reshape(-1, self._D) @ phi).reshape(self._k, self._D) @ phi
        if self._waiting:
            taken = (self._pending[: self._waiting].reshape(-1, self._D) @ phi).reshape(self._waiting, self._k)
            variance -= np.einsum("wk,wk->k", taken, taken)
        return np.maximum(variance, 0.0)


def _vote(scores: Float32, allowed: Bool) -> Float:
    """(k,) share of draws (S, k) in which each allowed action is best; draws differ, so ties do not come."""
    if not allowed.all():
        scores[:, ~allowed] = -np.inf
    return np.bincount(scores.argmax(axis=1), minlength=len(allowed)) / len(scores)
