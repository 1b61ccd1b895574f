"""Propensities that nobody wrote down: estimated from the log itself, and how well they are calibrated.

A multinomial logistic regression of the action on the context, cross-fitted by customer, kept within what was
eligible. It can only be right if everything that drove the choice is among the contexts, which no log can show; so
whoever uses it must say so (verdict.py does). Not here: who asks for it (logging_policy.py). n rows, k actions.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from campaignrl.arrays import Float
from campaignrl.ope.data.blocks import blocks
from campaignrl.ope.nuisance.cross_fitting import capped, folds_of
from campaignrl.policies import one_blas_thread
from campaignrl.tables.log import DecisionLog

MAX_ROWS = 100_000  # fitted on; contexts of some tens of columns need no more
PRIOR = 1.0  # pseudo-rows spread over the actions by their share, so that no action seen has probability 0
BINS = 10


class CalibrationBin(NamedTuple):
    """Rows and actions of about the same estimated probability."""

    predicted: float  # mean
    observed: float  # share that was taken
    pairs: int  # of a row and an action


class EstimatedPropensities:
    """Probabilities of every action, each customer's by a model that has not seen that customer."""

    def __init__(self, log: DecisionLog, folds: int, seed: int) -> None:
        self._log = log
        self._fold = folds_of(log.customers, folds, seed)[log.customer]
        chosen = capped(log, MAX_ROWS, seed)
        X, action, fold = log.context.take(chosen).encode(), log.action[chosen], self._fold[chosen]
        self.rows_used = len(chosen)
        self._models = [_Multinomial(X[fold != f], action[fold != f], len(log.catalog)) for f in range(folds)]

    def probabilities(self, rows: slice) -> Float:
        """(m, k); rows sum to 1 over what was eligible."""
        X, fold = self._log.context.take(rows).encode(), self._fold[rows]
        p = np.empty((len(X), len(self._log.catalog)))
        for f, model in enumerate(self._models):
            mine = fold == f
            if mine.any():
                p[mine] = model.probabilities(X[mine])
        # The least positive number: where no eligible action was ever seen, all of them are alike.
        p = np.where(self._log.allowed(rows), np.maximum(p, np.finfo(np.float64).tiny * 1e10), 0.0)
        return np.asarray(p / p.sum(axis=1, keepdims=True))

    def of_logged(self) -> Float:
        """(n,) estimated probability of what was done."""
        parts = [self.probabilities(rows) for rows in blocks(len(self._log))]
        action = np.array_split(self._log.action, np.cumsum([len(p) for p in parts])[:-1])
        return np.concatenate([p[np.arange(len(p)), a] for p, a in zip(parts, action, strict=True)])

    def calibration(self, bins: int = BINS) -> tuple[CalibrationBin, ...]:
        """Estimated against observed, over eligible actions, in bins of equal width; empty ones left out."""
        count, predicted, observed = np.zeros(bins), np.zeros(bins), np.zeros(bins)
        for rows in blocks(len(self._log)):
            p, allowed = self.probabilities(rows), self._log.allowed(rows)
            taken = (np.arange(p.shape[1]) == self._log.action[rows][:, None])[allowed]
            at = np.minimum((p[allowed] * bins).astype(np.int64), bins - 1)
            count += np.bincount(at, minlength=bins)
            predicted += np.bincount(at, p[allowed], minlength=bins)
            observed += np.bincount(at, taken, minlength=bins)
        return tuple(
            CalibrationBin(float(predicted[b] / count[b]), float(observed[b] / count[b]), int(count[b]))
            for b in np.flatnonzero(count)
        )


def calibration_gap(curve: tuple[CalibrationBin, ...]) -> float:
    """Mean distance of estimated and observed, weighted by pairs (the expected calibration error)."""
    return sum(b.pairs * abs(b.predicted - b.observed) for b in curve) / sum(b.pairs for b in curve)


class _Multinomial:
    """Multinomial logistic regression that knows actions it has not seen, and logs with one action alone."""

    def __init__(self, X: npt.NDArray[Any], action: npt.NDArray[Any], k: int) -> None:
        share = np.bincount(action, minlength=k) / max(len(action), 1)
        self._share, self._weight = share, PRIOR / (PRIOR + len(action))
        self._model: LogisticRegression | None = None
        if X.shape[1] and len(np.unique(action)) > 1:
            self._model = LogisticRegression(max_iter=300)
            with one_blas_thread(), warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # an early stop is a stronger prior, no fault
                self._model.fit(X.astype(np.float64), action)

    def probabilities(self, X: npt.NDArray[Any]) -> Float:
        p = np.tile(self._share, (len(X), 1))
        if self._model is not None:
            with one_blas_thread():
                fitted = self._model.predict_proba(X.astype(np.float64))
            p *= self._weight
            p[:, self._model.classes_] += (1.0 - self._weight) * fitted
        return p
