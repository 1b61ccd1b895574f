"""Fitted-Q evaluation: what an episode would still earn, fitted backwards from the last step.

    Q_j(s, a) = E[r + g V_j-1(s')],   V_j(s) = sum over a of pi_e(a|s) Q_j(s, a),   V_0 = 0,

with j the steps to go and s' always the NEXT decision's context (Le, Voloshin & Yue 2019, arXiv 1903.08738). What is
not eligible at s' has no probability there, so it never enters V, however high the model thinks of it. Where an
episode ends V is 0. Cross-fitted: the episodes of a customer are predicted by models that saw none of them.

Here: the recursion and its two regressions, the factorised ridge of policies/ridge.py and gradient boosting. Not here:
estimators (sequential.py). n rows, k actions, N trajectories, T steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingRegressor

from campaignrl.actions import Catalog
from campaignrl.evaluate.reward_model import blocks, folds_of
from campaignrl.evaluate.states import states
from campaignrl.evaluate.trajectories import ENDED, Trajectories, next_rows
from campaignrl.policies.contrasts import refitted
from campaignrl.policies.ridge import RidgeModel, RidgeStatistics, fit_ridge, with_intercept
from campaignrl.policies.threads import one_blas_thread
from campaignrl.tables.decisions import DecisionLog

Float = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Int = npt.NDArray[np.integer[Any]]

Kind = Literal["ridge", "boosting"]
APART = 300  # rows of each action at each step; from there on every step can have a model of its own
REFRESH = 10  # steps to go after which the ridge penalty is chosen anew; fits in between keep it


class Behaviour(NamedTuple):
    """What the valued policy does on the rows: it follows pi_e a `share` of the time, else what was logged.

    probabilities: (n, k) float32 pi_e, None for the logged policy itself, whose value at a row is the model's Q of
    what it did there: unbiased, and no more need be known of it.
    """

    probabilities: Float32 | None
    share: float = 1.0

    def value(self, q: Float32, action: Int, rows: Int) -> Float:
        """(m,) V at `rows` from q (m, k); action: (m,) logged there."""
        logged = q[np.arange(len(q)), action].astype(np.float64)
        if self.probabilities is None:
            return logged
        wanted = np.einsum("ij,ij->i", self.probabilities[rows], q, dtype=np.float64)
        return np.asarray(self.share * wanted + (1.0 - self.share) * logged)


class FittedQ(NamedTuple):
    """(N, T) each: Q_t of the logged action and V_t of the policy, out of fold, 0 after the end."""

    predicted: Float
    expected: Float


class Regression(Protocol):
    """Q as a function of context and action, fitted anew for every number of steps to go."""

    def fit(self, rows: Int, target: Float, steps_to_go: int) -> Callable[[Int], Float32]:
        """From rows (m,) and targets (m,); the answer gives (p, k) for any rows (p,)."""


def fitted_q(
    log: DecisionLog,
    paths: Trajectories,
    behaviour: Behaviour,
    *,
    discount: float = 1.0,
    kind: Kind = "ridge",
    folds: int = 3,
    seed: int = 0,
    apart: bool | None = None,
) -> FittedQ:
    """Q and V of the policy along the trajectories.

    apart: each step has a model of its own, fitted on that step's rows; otherwise all rows of the log serve every
    number of steps to go, which leans on a context that tells what a step's rewards and changes depend on. None:
    apart where every step has rows enough for it.
    """
    X = states(log)
    fold = folds_of(log.customers, folds, seed)[log.customer]
    following, T = next_rows(log), paths.steps
    each_step = _rows_for_each_step(log, paths) if apart is None else apart
    predicted, expected = np.zeros(paths.row.shape), np.zeros(paths.row.shape)
    span = (min(float(log.reward.min()), 0.0), max(float(log.reward.max()), 0.0))
    with one_blas_thread():
        for f in range(folds):
            learn, held = np.flatnonzero(fold != f), np.flatnonzero(fold[paths.row[:, 0]] == f)
            regression = _REGRESSIONS[kind](X, log.action, log.catalog)
            value, room = np.zeros(len(log)), 0.0  # V with one step fewer to go, of every row
            for t in range(T - 1, -1, -1):
                to_go, room = T - t, 1.0 + discount * room
                rows = _usable(learn, log, following, t if each_step else None, to_go)
                follows = following[rows]
                target = log.reward[rows] + discount * np.where(follows == ENDED, 0.0, value[follows])
                model = regression.fit(rows, target, to_go)
                at = paths.row[held, t]
                here, at = held[at != ENDED], at[at != ENDED]
                q = _bounded(model(at), span, room)
                predicted[here, t] = q[np.arange(len(q)), log.action[at]]
                expected[here, t] = behaviour.value(q, log.action[at], at)
                needed = learn[log.step[learn] == t] if each_step else learn  # what the regression before will ask for
                for part in blocks(len(needed)):
                    some = needed[part]
                    value[some] = behaviour.value(_bounded(model(some), span, room), log.action[some], some)
    return FittedQ(predicted, expected)


def _rows_for_each_step(log: DecisionLog, paths: Trajectories) -> bool:
    return int(paths.going_on.sum(axis=0).min()) >= APART * len(log.catalog)


def _usable(learn: Int, log: DecisionLog, following: Int, at_step: int | None, to_go: int) -> Int:
    """Rows to fit on. With several steps to go a pooled row needs a next one, unless its episode was a shorter one."""
    rows = learn[log.matured[learn]]
    if at_step is not None:
        return np.asarray(rows[log.step[rows] == at_step])
    if to_go == 1:
        return np.asarray(rows)
    cut = (following[rows] == ENDED) & (log.step[rows] == log.step.max())  # the log stops there, not the customer
    return np.asarray(rows[~cut])


def _bounded(q: Float32, span: tuple[float, float], room: float) -> Float32:
    """No more than every step still to go could earn."""
    return np.clip(q, np.float32(room * span[0]), np.float32(room * span[1]), out=q)


class _Ridge:
    """The factorised Bayesian ridge; what depends on the rows alone is summed and factorised once."""

    def __init__(self, X: Float32, action: Int, catalog: Catalog) -> None:
        self._X, self._action, self._catalog = X, action, catalog
        self._rows: Int | None = None
        self._model: RidgeModel | None = None
        self._stats = RidgeStatistics.zeros(catalog, X.shape[1])

    def fit(self, rows: Int, target: Float, steps_to_go: int) -> Callable[[Int], Float32]:
        if self._rows is None or not np.array_equal(rows, self._rows):
            self._take_rows(rows, target)
        else:
            self._take(target)
        if self._model is None or steps_to_go % REFRESH == 0:
            self._model = fit_ridge(self._stats, self._catalog, None)
            coefficients = self._model.coefficients
        else:
            coefficients = refitted(self._model, self._stats.moment)
        return lambda at: np.asarray(with_intercept(self._X[at]) @ coefficients)

    def _take_rows(self, rows: Int, target: Float) -> None:
        self._rows, self._model = rows, None
        self._stats = RidgeStatistics.zeros(self._catalog, self._X.shape[1])
        self._stats.add(self._X[rows], self._action[rows], target)
        self._order = np.argsort(self._action[rows], kind="stable")
        self._phi = with_intercept(self._X[rows[self._order]])
        self._ends = np.cumsum(np.bincount(self._action[rows], minlength=len(self._catalog)))

    def _take(self, target: Float) -> None:
        """New targets of the same rows: moments and squares only."""
        y = target[self._order]
        starts = self._ends - np.diff(self._ends, prepend=0)
        for a, (start, end) in enumerate(zip(starts, self._ends, strict=True)):
            self._stats.moment[a] = y[start:end].astype(np.float32) @ self._phi[start:end]
            self._stats.square[a] = y[start:end] @ y[start:end]


class _Boosting:
    """Gradient boosted trees (scikit-learn), the action being one categorical column."""

    def __init__(self, X: Float32, action: Int, catalog: Catalog) -> None:
        self._X, self._action, self._k = X, action, len(catalog)

    def fit(self, rows: Int, target: Float, steps_to_go: int) -> Callable[[Int], Float32]:
        width = self._X.shape[1]
        model = HistGradientBoostingRegressor(
            max_iter=60, max_leaf_nodes=15, min_samples_leaf=50, categorical_features=[width], random_state=0
        )
        model.fit(np.column_stack([self._X[rows], self._action[rows]]), target)

        def predict(at: Int) -> Float32:
            columns = [model.predict(np.column_stack([self._X[at], np.full(len(at), a)])) for a in range(self._k)]
            return np.stack(columns, axis=1).astype(np.float32)

        return predict


_REGRESSIONS: dict[Kind, Callable[[Float32, Int, Catalog], Regression]] = {"ridge": _Ridge, "boosting": _Boosting}
