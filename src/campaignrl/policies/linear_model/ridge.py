"""Bayesian ridge regression of reward on context, one coefficient vector an action, from sums alone.

Here: the sufficient statistics per action, the posterior they imply, its mean and its draws. Not here: which
coefficients actions share (parameter_sharing.py), what is done with them (linear.py, dr_greedy.py, the reward models of
ope/). Index letters: n rows, k actions, d encoded columns, D = d + 1 with the intercept first.

Model: r = phi(x) . beta_a + noise, noise ~ N(0, sigma2), theta_block ~ N(0, sigma2 / penalty). This is the
linear mixed model of Henderson (1975, Biometrics 31) with a conjugate noise level; the own block of every
action is integrated out first, exactly, so only the few shared blocks meet in one matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_solve, cholesky, solve_triangular

from campaignrl.actions import Catalog
from campaignrl.arrays import Bool, Float, Float32, Rows
from campaignrl.policies.base import ROWS_AT_A_TIME, Tensors
from campaignrl.policies.blas_threads import one_blas_thread
from campaignrl.policies.chunks import CHUNK
from campaignrl.policies.linear_model.parameter_sharing import INTERCEPT, Blocks, blocks_of
from campaignrl.policies.row_products import row_product

SUMMED_AT_ONCE = 16_384  # rows raised to float64 at once
L2_GRID = (1.0, 10.0, 100.0, 1e3, 1e4, 1e5)  # pseudo-observations; daily margins are noisy, so the top is used


def with_intercept(X: Float32) -> Float32:
    """(n, d) -> (n, d + 1) float32, a column of ones in front."""
    return np.concatenate([np.ones((len(X), 1), dtype=np.float32), X], axis=1)


@dataclass(eq=False)
class RidgeStatistics:
    """What a ridge regression needs to know of any number of rows; sums, so parts can be added and taken away."""

    gram: Float  # (k, D, D) sums of phi phi^T
    moment: Float  # (k, D) sums of phi r
    square: Float  # (k,) sums of r^2
    count: Float  # (k,) rows, or their weights

    @classmethod
    def zeros(cls, catalog: Catalog, width: int) -> Self:
        """No rows yet, for `width` encoded columns."""
        k, D = len(catalog), width + 1
        return cls(np.zeros((k, D, D)), np.zeros((k, D)), np.zeros(k), np.zeros(k))

    def add(
        self,
        X: Float32,
        action: npt.NDArray[np.integer[Any]],
        reward: Float,
        weight: Float | None = None,
        at: Rows | None = None,
    ) -> None:
        """Take in m rows: X (m, d) encoded without intercept, action, reward, weight (m,): rows each counts for.

        at: these of them alone, which is the same as handing in no others, and copies them once less.
        """
        with one_blas_thread():
            for start in range(0, len(X if at is None else at), SUMMED_AT_ONCE):
                rows = slice(start, start + SUMMED_AT_ONCE)
                some = np.arange(rows.start, min(rows.stop, len(X))) if at is None else at[rows]
                self._add_block(X, some, action, reward, weight)

    def _add_block(
        self, X: Float32, at: Rows, action: npt.NDArray[np.integer[Any]], reward: Float, weight: Float | None
    ) -> None:
        action, reward = np.asarray(action[at]), np.asarray(reward[at], dtype=np.float64)
        weight = None if weight is None else weight[at]
        few = action.astype(np.uint16) if len(self.count) < 2**16 else action
        order = np.argsort(few, kind="stable")  # of short numbers by their digits, seven times as fast
        phi, r = np.empty((len(at), X.shape[1] + 1)), reward[order]
        phi[:, 0], phi[:, 1:] = 1.0, X.take(at[order], axis=0)
        rows = np.bincount(action, minlength=len(self.count))
        ends = np.cumsum(rows)
        counts: Float = rows.astype(np.float64)
        if weight is not None:
            root = np.sqrt(weight[order])
            phi, r = phi * root[:, None], r * root
            counts = np.bincount(action, weight, minlength=len(self.count)).astype(np.float64)
        for a, (start, end) in enumerate(zip(ends - rows, ends, strict=True)):
            if end > start:
                self._add_rows(a, phi[start:end], r[start:end], counts[a])

    def _add_rows(self, a: int, phi: Float, r: Float, count: float) -> None:
        self.gram[a] += phi.T @ phi
        self.moment[a] += phi.T @ r
        self.square[a] += r @ r
        self.count[a] += count

    def add_targets(self, X: Float32, targets: Float, allowed: Bool) -> None:
        """Take in a target for every allowed action of m rows: X (m, d), targets and allowed (m, k)."""
        with one_blas_thread():
            for start in range(0, len(X), ROWS_AT_A_TIME):
                rows = slice(start, start + ROWS_AT_A_TIME)
                phi = with_intercept(X[rows]).astype(np.float64)
                for a in range(len(self.count)):
                    mask = allowed[rows, a]
                    self._add_rows(a, phi[mask], targets[rows, a][mask], float(mask.sum()))

    def __add__(self, other: Self) -> Self:
        return type(self)(**{name: value + other.tensors()[name] for name, value in self.tensors().items()})

    def __sub__(self, other: Self) -> Self:
        return type(self)(**{name: value - other.tensors()[name] for name, value in self.tensors().items()})

    def tensors(self) -> Tensors:
        """The arrays by name; `from_tensors` is the inverse."""
        return {"gram": self.gram, "moment": self.moment, "square": self.square, "count": self.count}

    @classmethod
    def from_tensors(cls, tensors: Tensors) -> Self:
        """Statistics from arrays by name."""
        return cls(**{name: np.array(tensors[name], dtype=np.float64) for name in cls.__dataclass_fields__})


@dataclass(frozen=True, eq=False)
class RidgeMean:
    """The mean of a posterior alone, `coefficients` (D, k) float32: all that predicting needs, and a tenth of a MB."""

    coefficients: Float32

    def predict(self, X: Float32) -> Float32:
        """Expected reward (n, k) float32 of every action for encoded rows X (n, d)."""
        result = np.empty((len(X), self.coefficients.shape[1]), dtype=np.float32)
        self.predict_into(result, X)
        return result

    def predict_into(self, out: Float32, X: Float32, rows: Rows | None = None) -> None:
        """The same into `out` (n, k), or into these rows of it for the same rows of X."""
        with one_blas_thread():
            _predict(out, X, self.coefficients, rows)


@dataclass(frozen=True, eq=False)
class RidgeModel:
    """A posterior over coefficients. `coefficients` (D, k) float32 is its mean, intercept first."""

    coefficients: Float32
    sigma2: float  # noise variance of one reward
    l2: float  # the penalty in use, pseudo-observations
    log_evidence: float  # log marginal likelihood of the rewards, up to a constant of the data
    posterior: Posterior

    @property
    def mean(self) -> RidgeMean:
        """What predicts, without what it was made of."""
        return RidgeMean(self.coefficients)

    def predict(self, X: Float32) -> Float32:
        """Expected reward (n, k) float32 of every action for encoded rows X (n, d)."""
        return self.mean.predict(X)

    def draw(self, count: int, generator: np.random.Generator) -> Float32:
        """(count, D, k) float32 draws of all coefficients from the posterior."""
        with one_blas_thread():
            beta = self.posterior.draw(np.sqrt(self.sigma2), count, generator)
        return np.ascontiguousarray(beta.transpose(2, 1, 0), dtype=np.float32)


def fit_ridge(
    stats: RidgeStatistics, catalog: Catalog, l2: float | None = 1.0, blocks: Blocks | None = None
) -> RidgeModel:
    """The posterior given `stats`. l2: pseudo-observations of zero effect; None: the best of L2_GRID by evidence.

    blocks: with penalties other than those of the catalog.
    """
    blocks = blocks or blocks_of(catalog, stats.gram.shape[1])
    with one_blas_thread():
        if l2 is not None:
            return _fit(stats, blocks, l2)
        return max((_fit(stats, blocks, each) for each in L2_GRID), key=lambda model: model.log_evidence)


@dataclass(frozen=True, eq=False)
class Posterior:
    """The precision of all coefficients in factors, and their mean; sigma2 apart.

    own_factor: (k, D, D) inverse lower Cholesky factors of gram_a + own penalty; shared_factor: (B D, B D)
    lower Cholesky factor of the precision of the shared blocks, own blocks integrated out.
    """

    gram: Float  # (k, D, D), a copy: the statistics may grow on
    moment: Float  # (k, D), likewise
    blocks: Blocks
    own_factor: Float
    shared_factor: Float
    shared_mean: Float  # (B, D)

    def own(self, shared: Float) -> Float:
        """Mean of beta (k, D, S) given shared blocks (B, D, S): what they say plus each action's own block."""
        given = np.tensordot(self.blocks.members.astype(np.float64), shared, axes=1)
        left = self.moment[:, :, None] - self.gram @ given
        beta: Float = given + self.own_factor.transpose(0, 2, 1) @ (self.own_factor @ left)
        return beta

    def mean(self) -> Float:
        """Posterior mean of beta, (k, D)."""
        return self.own(self.shared_mean[:, :, None])[:, :, 0]

    def draw(self, sigma: float, count: int, generator: np.random.Generator) -> Float:
        """(k, D, count) draws of beta: shared blocks first, then each action's own block given them."""
        B, D = self.shared_mean.shape
        z = generator.standard_normal((B * D, count))
        spread = solve_triangular(self.shared_factor, z, lower=True, trans="T").reshape(B, D, count)
        z_own = generator.standard_normal((len(self.own_factor), D, count))
        beta = self.own(self.shared_mean[:, :, None] + sigma * spread)
        beta += sigma * (self.own_factor.transpose(0, 2, 1) @ z_own)
        return beta


def prior_precision(blocks: Blocks, D: int, l2: float) -> tuple[Float, Float]:
    """(k, D) of each action's own coefficients and (B, D) of the shared blocks', in units of 1 / noise variance."""
    column = np.where(np.arange(D) == 0, INTERCEPT, 1.0)
    return l2 * np.outer(blocks.own_penalty, column), l2 * np.outer(blocks.penalty, column)


def _fit(stats: RidgeStatistics, blocks: Blocks, l2: float) -> RidgeModel:
    D = stats.moment.shape[1]
    own, shared = prior_precision(blocks, D, l2)
    own_prior = own[:, :, None] * np.eye(D)
    own_cholesky = np.linalg.cholesky(stats.gram + own_prior)
    own_factor = np.linalg.inv(own_cholesky)
    own_covariance = own_factor.transpose(0, 2, 1) @ own_factor
    # What the rows of action a still say about shared blocks once its own block is integrated out:
    # G - G (G + P)^-1 G = P - P (G + P)^-1 P, and likewise for the moments.
    information = own_prior - own[:, :, None] * own_covariance * own[:, None, :]
    moment = own * (own_covariance @ stats.moment[:, :, None])[:, :, 0]
    shared_factor = cholesky(_assemble(information, blocks, shared), lower=True, overwrite_a=True, check_finite=False)
    right = (blocks.members.T.astype(np.float64) @ moment).ravel()
    shared_mean = cho_solve((shared_factor, True), right).reshape(-1, D)

    posterior = Posterior(stats.gram.copy(), stats.moment.copy(), blocks, own_factor, shared_factor, shared_mean)
    beta, n = posterior.mean(), stats.count.sum()
    residual = max(float(stats.square.sum() - np.sum(stats.moment * beta)), 0.0)
    # One pseudo-observation of unit variance: with no rows, or rewards that are all equal, draws still differ.
    sigma2 = (residual + 1.0) / (n + 1.0)
    log_determinant = 2.0 * (_log_diagonal(own_cholesky) + _log_diagonal(shared_factor[None]))
    log_prior = np.log(own).sum() + np.log(shared).sum()
    log_evidence = 0.5 * (log_prior - log_determinant) - 0.5 * n * np.log(sigma2)
    return RidgeModel(np.ascontiguousarray(beta.T, dtype=np.float32), sigma2, l2, float(log_evidence), posterior)


def _predict(out: Float32, X: Float32, coefficients: Float32, rows: Rows | None) -> None:
    """Rows of phi = (1, x) times coefficients (D, k), in batches of one shape (chunks.py)."""
    phi = np.ones((CHUNK, X.shape[1] + 1), dtype=np.float32)
    for start in range(0, len(X) if rows is None else len(rows), CHUNK):
        at: Any = slice(start, min(start + CHUNK, len(X))) if rows is None else rows[start : start + CHUNK]
        some = X[at] if rows is None else X.take(at, axis=0)  # which is faster than X[at]
        phi[: len(some), 1:] = some
        out[at] = row_product(phi, coefficients)[: len(some)]


def _assemble(information: Float, blocks: Blocks, penalty: Float) -> Float:
    """Precision (B D, B D) of the shared blocks from what each action says, (k, D, D), and penalty (B, D).

    Its lower half, which is what is factored, in columns, as LAPACK reads it.
    """
    B, D = penalty.shape
    turned, said = np.zeros((B, D, B, D)), np.ascontiguousarray(information.transpose(0, 2, 1))
    for i in range(B):
        for j in range(i + 1):
            both = np.flatnonzero(blocks.members[:, i] & blocks.members[:, j])
            if len(both):
                turned[j, :, i, :] = said[both[0]] if len(both) == 1 else np.add.reduce(said[both], axis=0)
    flat = turned.reshape(B * D, B * D).T
    flat[np.diag_indices(B * D)] += penalty.ravel()
    return flat


def _log_diagonal(factors: npt.NDArray[Any]) -> float:
    return float(np.log(np.diagonal(factors, axis1=1, axis2=2)).sum())
