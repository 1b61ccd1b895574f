"""Fitting factorised coefficients to any smooth loss by L-BFGS, stopped where a held-out loss stops falling.

Coefficients of actions are sums of the blocks they share (parameter_sharing.py), so a gradient by action becomes one by
block. Steps are stopped early by a loss on customers the steps do not see, never by anything a log does not hold. Not
here: the losses (crm.py, cql.py). k actions, D = 1 + encoded columns, B shared blocks.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize

from campaignrl.actions import Catalog
from campaignrl.arrays import Float
from campaignrl.policies.blas_threads import one_blas_thread
from campaignrl.policies.linear_model import INTERCEPT, Blocks, blocks_of

Loss = Callable[[Float], tuple[float, Float]]  # beta (D, k) -> loss, gradient (D, k)

PATIENCE = 3  # looks at the held-out loss without a better one


class Parameters:
    """Blocks of coefficients as one vector, held back in units of `l2` around a starting point."""

    def __init__(self, catalog: Catalog, start: Float, l2: float) -> None:
        self._blocks: Blocks = blocks_of(catalog, len(start))
        self._start, self._l2 = start, l2
        self._column = np.where(np.arange(len(start)) == 0, INTERCEPT, 1.0)

    @property
    def size(self) -> int:
        """Length of the vector."""
        k, B = self._blocks.members.shape
        return int((k + B) * len(self._start))

    def beta(self, theta: Float) -> Float:
        """(D, k) coefficients of each action."""
        shared, own = self._split(theta)
        return np.asarray(self._start + (self._blocks.members.astype(np.float64) @ shared + own).T)

    def gradient(self, by_action: Float) -> Float:
        """Of the vector, from that of the coefficients (D, k)."""
        own = by_action.T
        return np.concatenate([(self._blocks.members.T.astype(np.float64) @ own).ravel(), own.ravel()])

    def held_back(self, theta: Float) -> tuple[float, Float]:
        """The penalty and its gradient."""
        shared, own = self._split(theta)
        by_shared = self._l2 * np.outer(self._blocks.penalty, self._column) * shared
        by_own = self._l2 * np.outer(self._blocks.own_penalty, self._column) * own
        loss = 0.5 * (np.sum(by_shared * shared) + np.sum(by_own * own))
        return float(loss), np.concatenate([by_shared.ravel(), by_own.ravel()])

    def _split(self, theta: Float) -> tuple[Float, Float]:
        k, B = self._blocks.members.shape
        D = len(self._start)
        return theta[: B * D].reshape(B, D), theta[B * D :].reshape(k, D)


class _Stop(Exception):
    pass


def minimise(
    catalog: Catalog, start: Float, loss: Loss, held_out: Callable[[Float], float], *, l2: float, steps: int
) -> Float:
    """(D, k) coefficients with the least `held_out` loss met on the way down `loss`, from `start` (D, k) on."""
    parameters = Parameters(catalog, start, l2)
    best, best_loss, waited = start, held_out(start), 0

    def whole(theta: Float) -> tuple[float, Float]:
        value, gradient = loss(parameters.beta(theta))
        penalty, pull = parameters.held_back(theta)
        return value + penalty, parameters.gradient(gradient) + pull

    def look(theta: Float) -> None:
        nonlocal best, best_loss, waited
        beta = parameters.beta(theta)
        found = held_out(beta)
        if found < best_loss:
            best, best_loss, waited = beta, found, 0
        else:
            waited += 1
        if waited >= PATIENCE:
            raise _Stop

    start_at, options = np.zeros(parameters.size), {"maxiter": steps}
    with one_blas_thread(), contextlib.suppress(_Stop):
        minimize(whole, start_at, jac=True, method="L-BFGS-B", callback=look, options=options)
    return best
