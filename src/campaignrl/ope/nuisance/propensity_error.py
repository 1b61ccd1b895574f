"""What estimating propensities adds to the error of a value.

The regression's coefficients b are known up to a covariance S, the inverse of their information. A value moves with
them by its gradient g, as a row's weight falls by as much as its propensity grows; so its variance grows by g' S g (the
delta method). Propensities and residuals come from the same rows and their errors partly cancel (Hirano, Imbens &
Ridder 2003), which is not counted: the interval errs on the wide side. Not here: fitting (propensity_model.py).
n rows, d columns and a constant, k actions.
"""

from __future__ import annotations

import numpy as np

from campaignrl.arrays import Float
from campaignrl.ope.data.blocks import blocks
from campaignrl.ope.nuisance.propensity_model import PENALTY, EstimatedPropensities
from campaignrl.tables.log import DecisionLog

MOST = 1_200  # coefficients whose covariance is worked out; of more, only those of each action by itself


class PropensityError:
    """The covariance of an estimate's coefficients, to be asked about any number of values."""

    def __init__(self, log: DecisionLog, estimated: EstimatedPropensities) -> None:
        self._log, self._estimated = log, estimated
        self._k = len(log.catalog)
        self._tried = np.flatnonzero(np.bincount(log.action, minlength=self._k))
        first = self._columns(slice(0, min(1, len(log))))
        self._d, self._whole = first.shape[1], first.shape[1] * len(self._tried) <= MOST
        self._information = self._summed()

    def variance(self, pull: Float) -> float:
        """What is added to the variance of a value. pull: (n,) by how much it falls as a row's log propensity grows."""
        gradient = np.zeros((len(self._tried), self._d))
        for rows in blocks(len(self._log)):
            X, p = self._columns(rows), self._probabilities(rows)
            taken = (self._log.action[rows][:, None] == self._tried).astype(np.float64)
            gradient += ((taken - p) * pull[rows][:, None]).T @ X
        if self._whole:
            flat = gradient.ravel()
            return float(flat @ np.linalg.solve(self._information, flat))
        solved = np.linalg.solve(self._information, gradient[:, :, None])[:, :, 0]
        return float((gradient * solved).sum())

    def _columns(self, rows: slice) -> Float:
        X = self._estimated.features.take(rows)
        return np.concatenate([np.ones((len(X), 1)), X], axis=1)

    def _probabilities(self, rows: slice) -> Float:
        return self._estimated.probabilities(rows)[:, self._tried]

    def _summed(self) -> Float:
        """The information, with the penalty: of all coefficients together, or (tried, d, d) action by action."""
        a, d = len(self._tried), self._d
        if not self._whole:
            found = np.tile(np.eye(d) / PENALTY, (a, 1, 1))
            for rows in blocks(len(self._log)):
                X, p = self._columns(rows), self._probabilities(rows)
                for i in range(a):
                    found[i] += (X * (p[:, i] * (1.0 - p[:, i]))[:, None]).T @ X
            return found
        whole = np.eye(a * d) / PENALTY
        for rows in blocks(len(self._log)):
            X, p = self._columns(rows), self._probabilities(rows)
            for i in range(a):
                for j in range(i, a):
                    curve = p[:, i] * ((i == j) - p[:, j])
                    part = (X * curve[:, None]).T @ X
                    whole[i * d : (i + 1) * d, j * d : (j + 1) * d] += part
                    if i != j:
                        whole[j * d : (j + 1) * d, i * d : (i + 1) * d] += part.T
        return whole
