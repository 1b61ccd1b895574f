"""The expected reward q(x, a) of every action, for the estimators that lean on a model.

Cross-fitted: the rows of a customer are predicted by a model that saw no row of that customer, so that the
model's errors and the rewards it is compared with are independent (Chernozhukov et al. 2018, "Double/debiased
machine learning"). Folds are drawn by customer from the counter-based generator. Each fold's model is the
factorised ridge of policies/linear_model/ridge.py, fitted from sums: the total less the fold's, so rows are read once
however many folds. Its penalty is the likeliest of a grid, by evidence: with a fixed small one, rare clicks and
heavy weights made DR three times noisier than IPS on the Open Bandit sample. Here: fitting and predicting by
blocks. Not here: models of other kinds (reward_models.py), estimators (bandit.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Float32, Int
from campaignrl.errors import DataError, Problem
from campaignrl.ope.data.blocks import blocks
from campaignrl.policies.linear_model import RidgeMean, RidgeStatistics, fit_ridge
from campaignrl.rng import Purpose, customer_keys, uniform
from campaignrl.tables.log import DecisionLog


class RewardModel(Protocol):
    """Anything that predicts a log's rows."""

    def predict(self, rows: slice) -> npt.NDArray[Any]:
        """(m, k) expected reward of every action for a block of rows."""


def folds_of(customers: npt.NDArray[Any], folds: int, seed: int) -> Int:
    """(C,) fold of each customer, from their id and the seed alone."""
    return (uniform(customer_keys(customers), seed, 0, Purpose.FOLD) * folds).astype(np.int64)


def capped(log: DecisionLog, rows: int, seed: int) -> Int:
    """Row numbers of about `rows` rows, or all: those of customers drawn by id, so that every part of a log agrees."""
    if len(log) <= rows:
        return np.arange(len(log))
    kept = uniform(customer_keys(log.customers), seed, 0, Purpose.FOLD, k=1) < rows / len(log)  # apart from folds
    return np.flatnonzero(kept[log.customer])


class CrossFitted:
    """One ridge model per fold, each for the customers it has not seen; predictions stay in the reward range.

    weight: (n,) how many rows each row counts for; None: one.
    """

    def __init__(
        self,
        log: DecisionLog,
        reward_range: tuple[float, float],
        folds: int,
        seed: int,
        weight: npt.NDArray[np.float64] | None = None,
    ) -> None:
        self._log, self._range, self._weight = log, reward_range, weight
        self.fold = folds_of(log.customers, folds, seed)[log.customer]  # (n,)
        self.rows_used = len(log)
        self._models = self._fit(folds)

    def _fit(self, folds: int) -> list[RidgeMean]:
        log = self._log
        parts = [RidgeStatistics.zeros(log.catalog, log.context.schema.width) for _ in range(folds)]
        for rows in blocks(len(log)):
            X, fold = log.context.take(rows).encode(), self.fold[rows]
            weight = None if self._weight is None else self._weight[rows]
            for f, part in enumerate(parts):
                part.add(X, log.action[rows], log.reward[rows], weight, np.flatnonzero(fold == f))
        total = sum(parts[1:], parts[0])
        return [fit_ridge(total - part, log.catalog, l2=None).mean for part in parts]

    def predict(self, rows: slice) -> Float32:
        """(m, k) float32; each row by the model of the folds it is not in."""
        X = self._log.context.take(rows).encode()
        return predict_unseen(self._models, X, self.fold[rows], self._range)


def predict_unseen(models: Sequence[RidgeMean], X: Float32, fold: Int, reward_range: tuple[float, float]) -> Float32:
    """(m, k) predictions of encoded rows (m, d), each by the model of the folds it is not in, in the reward range."""
    q = np.empty((len(X), models[0].coefficients.shape[1]), dtype=np.float32)
    for f, model in enumerate(models):
        model.predict_into(q, X, np.flatnonzero(fold == f))
    return np.clip(q, *(np.float32(bound) for bound in reward_range), out=q)


class GivenPredictions:
    """Predictions that the caller made; whether their rows were held out is the caller's business."""

    def __init__(self, q: npt.NDArray[Any], log: DecisionLog) -> None:
        expected = (len(log), len(log.catalog))
        if q.shape != expected or not np.isfinite(q).all():
            raise DataError(Problem("reward model", "q", q.shape, f"finite numbers of shape {expected}"))
        self._q = q

    def predict(self, rows: slice) -> npt.NDArray[Any]:
        """(m, k) rows of what was given."""
        return self._q[rows]
