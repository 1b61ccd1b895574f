"""The regressions behind fitted-Q evaluation: Q of a context and an action, anew for every number of steps to go.

`JointRidge` (the usual one) is the factorised Bayesian ridge of policies/linear_model/ridge.py. `ContrastRidge` takes Q
apart: what would have come anyway, V of the logging policy, by a ridge on products of features; and what each action
adds to it, by the factorised ridge on what is left, as the R-learner does (Nie & Wager 2021, Biometrika 108) and as
policies/offline/advantage_regression.py does for learners. In one regression both share a penalty: V of the next state
is so well told by the state that the evidence asks for hardly any, and what actions add is then noisy, and added up
over every step to go; apart, it is held back, and a small effect of every send is missed. `Boosting` is trees. Not
here: the recursion (fqe.py). n rows, k actions, d columns, q products.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from campaignrl.arrays import Float, Float32, Int
from campaignrl.ope.data.blocks import blocks
from campaignrl.policies import allowed_counts
from campaignrl.policies.linear_model import L2_GRID, RidgeModel, RidgeStatistics, fit_ridge, with_intercept
from campaignrl.policies.offline import BASELINE_L2, PENALTIES, products, refitted
from campaignrl.tables.log import DecisionLog

Predict = Callable[[Int], Float32]

REFRESH = 10  # steps to go after which the penalty is chosen anew; fits in between keep it
HELD = 400_000_000  # bytes of products kept at hand; those of longer logs are made anew at every step


class Regression(Protocol):
    """Q as a function of context and action."""

    def fit(self, rows: Int, target: Float, steps_to_go: int) -> Predict:
        """From rows (m,) and targets (m,); the answer gives (p, k) for any rows (p,)."""


class _Ridges:
    """The factorised ridge of some rows at every penalty; what depends on the rows alone is made once."""

    def __init__(self, X: Float32, log: DecisionLog, rows: Int, penalties: Iterable[float]) -> None:
        action = log.action[rows]
        self._order = np.argsort(action, kind="stable")
        self._ends = np.cumsum(np.bincount(action, minlength=len(log.catalog)))
        self._phi = with_intercept(X[rows[self._order]])
        self._stats = RidgeStatistics.zeros(log.catalog, X.shape[1])
        self._stats.add(X[rows], action, np.zeros(len(rows)))
        self._models = [fit_ridge(self._stats, log.catalog, l2) for l2 in penalties]
        self._chosen: RidgeModel | None = None

    def coefficients(self, target: Float, choose: bool) -> Float32:
        """(D, k) for targets (m,) of the rows; choose: the penalty anew, else that of the time before."""
        y = target[self._order]
        starts = self._ends - np.diff(self._ends, prepend=0)
        for a, (start, end) in enumerate(zip(starts, self._ends, strict=True)):
            self._stats.moment[a] = y[start:end].astype(np.float32) @ self._phi[start:end]
            self._stats.square[a] = y[start:end] @ y[start:end]
        if choose or self._chosen is None:
            self._chosen = max(self._models, key=self._evidence)
        return refitted(self._chosen, self._stats.moment)

    def _evidence(self, model: RidgeModel) -> float:
        """Log marginal likelihood of the targets of now under a model factorised for others."""
        n, square = float(self._stats.count.sum()), float(self._stats.square.sum())
        told = float(np.sum(self._stats.moment * refitted(model, self._stats.moment).T))
        sigma2 = (max(square - told, 0.0) + 1.0) / (n + 1.0)
        return model.log_evidence + 0.5 * n * float(np.log(model.sigma2) - np.log(sigma2))


class JointRidge:
    """One regression for what comes anyway and what actions add."""

    def __init__(self, X: Float32, log: DecisionLog) -> None:
        self._X, self._log = X, log
        self._rows: Int | None = None

    def fit(self, rows: Int, target: Float, steps_to_go: int) -> Predict:
        """See `Regression`."""
        if self._rows is None or not np.array_equal(rows, self._rows):
            self._rows, self._ridges = rows, _Ridges(self._X, self._log, rows, L2_GRID)
        coefficients = self._ridges.coefficients(target, steps_to_go % REFRESH == 0)
        return lambda at: np.asarray(with_intercept(self._X[at]) @ coefficients)


class ContrastRidge:
    """A baseline of every row, and contrasts of actions where there was a choice; elsewhere the baseline alone."""

    def __init__(self, X: Float32, log: DecisionLog) -> None:
        self._X, self._log = X, log
        self._choice = np.ones(len(log), dtype=bool) if log.eligible is None else allowed_counts(log.eligible) > 1
        self._width = self._products(slice(0, 1)).shape[1]
        self._held = self._all_products() if 4 * self._width * len(log) <= HELD else None
        self._rows: Int | None = None

    def fit(self, rows: Int, target: Float, steps_to_go: int) -> Predict:
        """See `Regression`."""
        if self._rows is None or not np.array_equal(rows, self._rows):
            self._take_rows(rows)
        baseline = self._baseline(rows, target)
        left = np.concatenate([target[part] - self._wide(rows[part]) @ baseline for part in blocks(len(rows))])
        effects = self._ridges.coefficients(left[self._choice[rows]], steps_to_go % REFRESH == 0)

        def predict(at: Int) -> Float32:
            added = with_intercept(self._X[at]) @ effects
            added *= self._choice[at, None]
            added += (self._wide(at) @ baseline)[:, None]
            return np.asarray(added)

        return predict

    def _take_rows(self, rows: Int) -> None:
        self._rows = rows
        gram = BASELINE_L2 * np.eye(self._width)
        for part in blocks(len(rows)):
            Z = self._wide(rows[part])
            gram += Z.T @ Z
        self._gram = cho_factor(gram)
        self._ridges = _Ridges(self._X, self._log, rows[self._choice[rows]], PENALTIES)

    def _baseline(self, rows: Int, target: Float) -> Float32:
        """(q,) coefficients of what comes anyway."""
        moment = np.zeros(self._width)
        for part in blocks(len(rows)):
            moment += self._wide(rows[part]).T @ target[part].astype(np.float32)
        return np.asarray(cho_solve(self._gram, moment), dtype=np.float32)

    def _wide(self, rows: Int) -> Float32:
        return self._products(rows) if self._held is None else self._held[rows]

    def _all_products(self) -> Float32:
        held = np.empty((len(self._log), self._width), dtype=np.float32)
        for part in blocks(len(self._log)):
            held[part] = self._products(part)
        return held

    def _products(self, rows: Int | slice) -> Float32:
        """(m, q): products of the context's numbers, then traces, then whether there was a choice."""
        schema, X = self._log.context.schema, self._X[rows]
        choice = self._choice[rows].astype(np.float32)
        return np.concatenate([products(X[:, : schema.width], schema), X[:, schema.width :], choice[:, None]], axis=1)


class Boosting:
    """Gradient boosted trees (scikit-learn), the action being one categorical column."""

    def __init__(self, X: Float32, log: DecisionLog) -> None:
        self._X, self._action, self._k = X, log.action, len(log.catalog)

    def fit(self, rows: Int, target: Float, steps_to_go: int) -> Predict:
        """See `Regression`."""
        from sklearn.ensemble import HistGradientBoostingRegressor  # slow to import, and few verbs need it

        width = self._X.shape[1]
        model = HistGradientBoostingRegressor(
            max_iter=60, max_leaf_nodes=15, min_samples_leaf=50, categorical_features=[width], random_state=0
        )
        model.fit(np.column_stack([self._X[rows], self._action[rows]]), target)

        def predict(at: Int) -> Float32:
            columns = [model.predict(np.column_stack([self._X[at], np.full(len(at), a)])) for a in range(self._k)]
            return np.stack(columns, axis=1).astype(np.float32)

        return predict
