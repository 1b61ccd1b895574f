"""The posterior covariance of a ridge with shared blocks, conditioned on one row at a time.

Coefficients are beta_b = M_b (sum of the shared blocks b uses) + its own block; given the shared ones the own block
has covariance C_b, the shared ones have covariance K, and M_b = C_b P_b with P_b the own prior precision
(posterior_width.py). A row phi of action a changes only C_a and K, both by one rank: with q = C_a phi and w = P_a q on
the blocks of a,

    cov(phi . beta_a, beta_b) = C_b P_b (sum over the blocks i of b of K_i w) + [b = a] q,

so the covariance of everything with everything, (k D)^2 numbers, is never needed. Not here: means, draws and choices
(online.py). k actions, D = 1 + encoded columns, B shared blocks; all in units of the noise variance.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg.blas import dgemm

from campaignrl.arrays import Float
from campaignrl.policies.blas_threads import one_blas_thread
from campaignrl.policies.linear_model.posterior_width import block_covariances, marginal_covariances
from campaignrl.policies.linear_model.ridge import RidgeModel, prior_precision

PENDING = 64  # rank-one steps that are kept apart before they are worked into K
PENDING_GAINS = 16  # likewise before they are worked into the marginal covariances


class RankOneUpdate:
    """K and every C_b, and what rows do to them."""

    def __init__(self, model: RidgeModel) -> None:
        posterior = model.posterior
        blocks = posterior.blocks
        shared, self._own = block_covariances(posterior)
        k, D, _ = self._own.shape
        self._members = blocks.members.astype(np.float64)
        self._blocks = [[slice(i * D, (i + 1) * D) for i in np.flatnonzero(uses)] for uses in blocks.members]
        self._shared = np.ascontiguousarray(shared.reshape(len(blocks.penalty) * D, -1))
        self._prior, _ = prior_precision(blocks, D, model.l2)
        self._given = np.empty((k, D, 1))
        self._pending = np.empty((PENDING, len(self._shared)))
        self._waiting = 0

    def condition(self, phi: Float, action: int) -> tuple[Float, float]:
        """Take in one row: what it says of every coefficient, (k, D), and the variance of its reward before it.

        The first is cov(phi . beta_action, beta), the second phi . cov . phi + 1.
        """
        own = self._own[action]
        q = own @ phi
        shift = self._shift(self._prior[action] * q, action)  # (B D,) covariance with the shared blocks
        np.matmul(self._members, shift.reshape(-1, len(phi)), out=self._given[:, :, 0])
        self._given[:, :, 0] *= self._prior
        gain: Float = (self._own @ self._given)[:, :, 0]
        gain[action] += q
        spread = 1.0 + float(gain[action] @ phi)
        own -= np.multiply.outer(q, q / (1.0 + float(q @ phi)))
        np.multiply(shift, 1.0 / np.sqrt(spread), out=self._pending[self._waiting])
        self._waiting += 1
        if self._waiting == PENDING:
            with one_blas_thread():  # symmetric, so its transpose is what Fortran changes in place
                dgemm(-1.0, self._pending.T, self._pending.T, 1.0, self._shared.T, trans_b=True, overwrite_c=1)
            self._waiting = 0
        return gain, spread

    def _shift(self, w: Float, action: int) -> Float:
        """(B D,) K times w on the blocks of the action."""
        blocks = self._blocks[action]
        shift: Float = w @ self._shared[blocks[0]]
        for block in blocks[1:]:
            shift += w @ self._shared[block]
        if self._waiting:
            waiting = self._pending[: self._waiting]
            taken = waiting[:, blocks[0]] @ w
            for block in blocks[1:]:
                taken += waiting[:, block] @ w
            shift -= taken @ waiting
        return shift


class Marginals:
    """The covariance of each action's coefficients by itself, (k, D, D), for widths row by row."""

    def __init__(self, model: RidgeModel) -> None:
        self._covariance = marginal_covariances(model.posterior)
        self._pending = np.empty((PENDING_GAINS, *self._covariance.shape[:2]))
        self._waiting = 0

    def condition(self, gain: Float, spread: float) -> None:
        """Take in one row, by what `RankOneUpdate.condition` says of it."""
        np.multiply(gain, 1.0 / np.sqrt(spread), out=self._pending[self._waiting])
        self._waiting += 1
        if self._waiting == PENDING_GAINS:
            by_action = self._pending.transpose(1, 0, 2)
            self._covariance -= by_action.transpose(0, 2, 1) @ by_action
            self._waiting = 0

    def variances(self, phi: Float) -> Float:
        """(k,) variance of each action's mean reward."""
        k, D, _ = self._covariance.shape
        variance: Float = (self._covariance.reshape(-1, D) @ phi).reshape(k, D) @ phi
        if self._waiting:
            taken = (self._pending[: self._waiting].reshape(-1, D) @ phi).reshape(self._waiting, k)
            taken *= taken
            variance -= np.add.reduce(taken, axis=0)
        return np.maximum(variance, 0.0, out=variance)
