"""Propensities that nobody wrote down: estimated from the log itself, and how well they are calibrated.

A multinomial logistic regression of the action on what was known (contexts, wave, day; propensity_features.py),
cross-fitted by customer, kept within what was eligible. Squares and products of columns are taken in where customers
that were not fitted on become likelier by them. It can only be right if everything that drove the choice is among the
columns, which no log can show; so whoever uses it must say so (verdict.py does). Not here: who asks for it
(logging_policy.py), what its own error does to a value (propensity_error.py). n rows, k actions.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Float, Int
from campaignrl.ope.data.blocks import blocks
from campaignrl.ope.nuisance.cross_fitting import capped, folds_of
from campaignrl.ope.nuisance.propensity_features import Columns
from campaignrl.policies import one_blas_thread
from campaignrl.tables.log import DecisionLog

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

MAX_ROWS = 100_000  # fitted on; contexts of some tens of columns need no more
PRIOR = 1.0  # pseudo-rows spread over the actions by their share, so that no action seen has probability 0
BINS = 10
PENALTY = 1.0  # inverse, of columns of spread 1
MAX_SQUARED_ROWS = 20_000  # that squares and products are fitted on
ROWS_A_SQUARE = 20  # at least, for each column of squares and products
LIKELIER = 3.0  # log likelihood that they must gain: e^3 to 1


class CalibrationBin(NamedTuple):
    """Rows and actions of about the same estimated probability."""

    predicted: float  # mean
    observed: float  # share that was taken
    pairs: int  # of a row and an action


class WaveCalibration(NamedTuple):
    """Estimated against observed shares of actions within one wave."""

    wave: int
    rows: int
    gap: float  # half the sum over actions of |estimated - observed|: decisions that are elsewhere than estimated
    action: str  # that is off most


class EstimatedPropensities:
    """Probabilities of every action, each customer's by a model that has not seen that customer."""

    def __init__(self, log: DecisionLog, folds: int, seed: int) -> None:
        self._log = log
        self._fold = folds_of(log.customers, folds, seed)[log.customer]
        chosen = capped(log, MAX_ROWS, seed)
        self.features = Columns.of(log)
        self.rows_used, k = len(chosen), len(log.catalog)
        seen = np.bincount(log.action, minlength=k) > 0
        self._floor = np.where(seen, floor_of(len(log), k), np.finfo(np.float64).tiny * 1e10)
        X, action, fold = self.features.take(chosen), log.action[chosen], self._fold[chosen]
        self._models = [Multinomial(X[fold != f], action[fold != f], k) for f in range(folds)]
        if self.features.may_be_squared and len(chosen) >= ROWS_A_SQUARE * self.features.squared_width:
            self._take_squares(chosen[:: -(-len(chosen) // MAX_SQUARED_ROWS)], folds)

    def _take_squares(self, chosen: Int, folds: int) -> None:
        """Squares and products too, if customers that were not fitted on become likelier."""
        squared, log = self.features.squared(), self._log
        X, action, fold = squared.take(chosen), log.action[chosen], self._fold[chosen]
        models = [Multinomial(X[fold != f], action[fold != f], len(log.catalog)) for f in range(folds)]
        plain = self._likelihood(self._models, self.features.take(chosen), action, fold)
        if self._likelihood(models, X, action, fold) > plain + LIKELIER:
            self.features, self._models, self.rows_used = squared, models, len(chosen)

    @staticmethod
    def _likelihood(models: Sequence[Multinomial], X: Float, action: Int, fold: Int) -> float:
        """Log likelihood of rows, each by the model that has not seen it."""
        total = 0.0
        for f, model in enumerate(models):
            mine = np.flatnonzero(fold == f)
            p = model.probabilities(X[mine])[np.arange(len(mine)), action[mine]]
            total += float(np.log(np.maximum(p, 1e-12)).sum())
        return total

    def probabilities(self, rows: slice) -> Float:
        """(m, k); rows sum to 1 over what was eligible."""
        X, fold = self.features.take(rows), self._fold[rows]
        p = np.empty((len(X), len(self._log.catalog)))
        for f, model in enumerate(self._models):
            mine = fold == f
            if mine.any():
                p[mine] = model.probabilities(X[mine])
        # What is below the floor is extrapolation, and would be a huge weight.
        p = np.where(self._log.allowed(rows), np.maximum(p, self._floor), 0.0)
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

    def by_wave(self) -> tuple[WaveCalibration, ...]:
        """Estimated against observed shares in each wave; empty where the log has none."""
        log = self._log
        if log.wave is None:
            return ()
        waves, at = np.unique(log.wave, return_inverse=True)
        k, rows_of = len(log.catalog), np.bincount(at)
        off = -np.bincount(at * k + log.action, minlength=len(waves) * k).reshape(-1, k).astype(np.float64)
        for rows in blocks(len(log)):
            np.add.at(off, at[rows], self.probabilities(rows))
        worst, names = np.abs(off).argmax(axis=1), log.catalog.names
        gaps = np.abs(off).sum(axis=1) / 2.0 / rows_of
        each = zip(waves.tolist(), rows_of.tolist(), gaps.tolist(), worst.tolist(), strict=True)
        return tuple(WaveCalibration(int(w), int(n), float(gap), names[a]) for w, n, gap, a in each)


def floor_of(n: int, k: int) -> float:
    """The least probability that n rows can tell from 0, for each of k actions (Gruber et al. 2022; Am J Epidemiol).

    Theirs is 5 / (sqrt(n) log n) for two arms; never more than half of an even share.
    """
    return min(5.0 / (math.sqrt(n) * math.log(max(n, 3))), 0.5) / max(k - 1, 1) if n > 1 else 0.0


def calibration_gap(curve: tuple[CalibrationBin, ...]) -> float:
    """Mean distance of estimated and observed, weighted by pairs (the expected calibration error)."""
    return sum(b.pairs * abs(b.predicted - b.observed) for b in curve) / sum(b.pairs for b in curve)


class Multinomial:
    """Multinomial logistic regression that knows actions it has not seen, and logs with one action alone."""

    def __init__(self, X: npt.NDArray[Any], action: npt.NDArray[Any], k: int) -> None:
        from sklearn.exceptions import ConvergenceWarning  # slow to import, and few verbs need it
        from sklearn.linear_model import LogisticRegression

        share = np.bincount(action, minlength=k) / max(len(action), 1)
        self._share, self._weight = share, PRIOR / (PRIOR + len(action))
        self._model: LogisticRegression | None = None
        if X.shape[1] and len(np.unique(action)) > 1:
            self._model = LogisticRegression(max_iter=300, C=PENALTY)
            with one_blas_thread(), warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # an early stop is a stronger prior, no fault
                self._model.fit(X.astype(np.float64), action)

    def probabilities(self, X: npt.NDArray[Any]) -> Float:
        """(m, k), every action that was seen above 0."""
        p = np.tile(self._share, (len(X), 1))
        if self._model is not None:
            with one_blas_thread():
                fitted = self._model.predict_proba(X.astype(np.float64))
            p *= self._weight
            p[:, self._model.classes_] += (1.0 - self._weight) * fitted
        return p
