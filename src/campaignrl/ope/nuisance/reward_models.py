"""Reward models by name: ridge, logistic, boosting, and each of them calibrated.

All are cross-fitted by customer like the ridge of cross_fitting.py, and predict every action of a row. Ridge reads all
rows, as sums; the others are fitted on the rows of at most about MAX_ROWS / rows of the customers, and say on how many.
Not here: the ridge itself (cross_fitting.py), estimators (bandit.py). n rows, k actions, d encoded columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from scipy.special import expit
from threadpoolctl import ThreadpoolController

from campaignrl.actions import Catalog
from campaignrl.arrays import Array, Float, Float32, Int
from campaignrl.errors import Problem, UsageError, unknown
from campaignrl.ope.nuisance.cross_fitting import CrossFitted, RewardModel, capped, folds_of
from campaignrl.policies import one_blas_thread
from campaignrl.policies.linear_model import RidgeStatistics, fit_ridge
from campaignrl.rng import Purpose, customer_keys, uniform
from campaignrl.tables.log import DecisionLog

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.isotonic import IsotonicRegression

Range = tuple[float, float]

MAX_ROWS = 200_000  # fitted on, unless the caller says otherwise; a fit is then some ten seconds
CALIBRATED = "calibrated_"
MAX_LEVELS = 255  # of a category, in scikit-learn's histograms
L2_GRID = (1.0, 10.0, 100.0)  # of log-odds: standard deviation 1, 0.3, 0.1 of an effect shared by actions
CHOICE_ROWS = 20_000
NEWTON_STEPS = 12
# Small trees that stop early: scikit-learn's own settings fit the noise of rare conversions (on 3,000 rows of a step
# twice as far off as a straight line). A tenth is left out to tell when, which asks for some of either outcome.
TREES: Mapping[str, Any] = MappingProxyType({"random_state": 0, "max_leaf_nodes": 6, "min_samples_leaf": 50})
STOPPING = 50


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def _one_thread() -> AbstractContextManager[object]:
    """scikit-learn's OpenMP threads wait by spinning: on a busy machine a fit takes a hundred times as long."""
    limited: AbstractContextManager[object] = _controller().limit(limits=1)
    return limited


class Fitted(Protocol):
    """A fitted model of rewards scaled to [0, 1]."""

    def predict(self, X: Float32) -> Array:
        """(m, d) -> (m, k)."""


# (catalog, X (m, d), action (m,), reward (m,) in [0, 1], weight (m,)) -> model
Fitter = Callable[[Catalog, Float32, Int, Float, Float], Fitted]


class Boosting:
    """Histogram gradient boosting on the context, the action, and each of its dimensions (scikit-learn)."""

    def __init__(self, catalog: Catalog, X: Float32, action: Int, reward: Float, weight: Float) -> None:
        from sklearn.ensemble import (  # slow to import, and few verbs need it
            HistGradientBoostingClassifier,
            HistGradientBoostingRegressor,
        )

        parts = [of + 1 for _, of in catalog.dimensions.values()]
        codes = np.stack([np.arange(len(catalog)), *parts], axis=1)
        self._codes = codes.astype(np.float32)
        self._constant = float(np.average(reward, weights=weight)) if len(reward) and weight.sum() > 0 else 0.0
        self._model: HistGradientBoostingClassifier | HistGradientBoostingRegressor | None = None
        if len(np.unique(reward)) < 2:
            return
        binary = bool(((reward == 0.0) | (reward == 1.0)).all())
        kind = HistGradientBoostingClassifier if binary else HistGradientBoostingRegressor
        categories = [X.shape[1] + j for j in range(codes.shape[1]) if codes[:, j].max() < MAX_LEVELS]
        stop = not binary or min(reward.sum(), (1.0 - reward).sum()) >= STOPPING
        model = kind(**TREES, early_stopping=stop, max_iter=300 if stop else 30, categorical_features=categories)
        with _one_thread():
            self._model = model.fit(np.concatenate([X, self._codes[action]], axis=1), reward, sample_weight=weight)

    def predict(self, X: Float32) -> Array:
        """(m, d) -> (m, k)."""
        from sklearn.ensemble import HistGradientBoostingClassifier  # slow to import, and few verbs need it

        q = np.full((len(X), len(self._codes)), self._constant, dtype=np.float32)
        if self._model is None or not len(X):
            return q
        binary = isinstance(self._model, HistGradientBoostingClassifier)
        with _one_thread():
            for a, code in enumerate(self._codes):
                rows = np.concatenate([X, np.broadcast_to(code, (len(X), 3))], axis=1)
                q[:, a] = self._model.predict_proba(rows)[:, 1] if binary else self._model.predict(rows)
        return q


class Logistic:
    """Log-odds linear in the context, with the blocks that actions share.

    The ridge of policies/linear_model/ridge.py, reweighted.

    Newton's method as iterated ridge regressions (McCullagh & Nelder 1989, 2.5). The prior is the one of L2_GRID
    under which a fifth of the rows, left out, is likeliest; of many rows, CHOICE_ROWS to twice as many are asked.
    """

    def __init__(self, catalog: Catalog, X: Float32, action: Int, reward: Float, weight: Float) -> None:
        if not ((reward == 0.0) | (reward == 1.0)).all():
            fix = "Use the model ridge or boosting."
            raise UsageError(Problem("evaluate", "model", "logistic", "made for rewards of two values only", fix))
        some = np.arange(0, len(X), max(len(X) // CHOICE_ROWS, 1))  # enough to tell three priors apart
        out = np.arange(len(some)) % 5 == 4
        seen, left_out = (_by_action(catalog, X[m], action[m], reward[m], weight[m]) for m in (some[~out], some[out]))
        fits, start = {}, None
        for l2 in sorted(L2_GRID, reverse=True):  # each from the last one, which is near
            start = fits[l2] = _logistic(catalog, seen, l2, start)
        l2 = min(fits, key=lambda l2: _log_loss(fits[l2], left_out))
        self._coefficients = _logistic(catalog, _by_action(catalog, X, action, reward, weight), l2, fits[l2])

    def predict(self, X: Float32) -> Array:
        """(m, d) -> (m, k)."""
        with one_blas_thread():
            return np.asarray(expit(_log_odds(X, self._coefficients)))


class Linear:
    """The ridge of policies/linear_model/ridge.py on a sample; for calibration only, the plain one needs no sample."""

    def __init__(self, catalog: Catalog, X: Float32, action: Int, reward: Float, weight: Float) -> None:
        stats = RidgeStatistics.zeros(catalog, X.shape[1])
        stats.add(X, action, reward, weight)
        self._model = fit_ridge(stats, catalog, l2=None)

    def predict(self, X: Float32) -> Array:
        """(m, d) -> (m, k)."""
        return self._model.predict(X)


class Calibrated:
    """Another model, fitted on four fifths of the customers, then straightened on the last fifth (isotonic)."""

    def __init__(
        self, fitter: Fitter, catalog: Catalog, X: Float32, action: Int, reward: Float, weight: Float, late: Array
    ) -> None:
        from sklearn.isotonic import IsotonicRegression  # slow to import, and few verbs need it

        self._model = fitter(catalog, X[~late], action[~late], reward[~late], weight[~late])
        self._line: IsotonicRegression | None = None
        if late.any() and weight[late].sum() > 0:
            predicted = self._model.predict(X[late])[np.arange(int(late.sum())), action[late]]
            line = IsotonicRegression(out_of_bounds="clip")
            self._line = line.fit(predicted.astype(np.float64), reward[late], sample_weight=weight[late])

    def predict(self, X: Float32) -> Array:
        """(m, d) -> (m, k)."""
        q = self._model.predict(X)
        if self._line is None or not len(X):
            return q
        return np.asarray(self._line.predict(q.astype(np.float64).ravel())).reshape(q.shape)


FITTERS: Mapping[str, Fitter] = MappingProxyType({"ridge": Linear, "logistic": Logistic, "boosting": Boosting})
MODELS = (*FITTERS, *(CALIBRATED + name for name in FITTERS))


class CrossFittedSample:
    """One model per fold, each for the customers it has not seen, fitted on a sample of the others."""

    def __init__(
        self, log: DecisionLog, reward_range: Range, folds: int, seed: int, name: str, weight: Float | None, rows: int
    ) -> None:
        self._log, self._range = log, reward_range
        self.fold = folds_of(log.customers, folds, seed)[log.customer]
        chosen = capped(log, rows, seed)
        self.rows_used = len(chosen)
        X, fold = log.context.take(chosen).encode(), self.fold[chosen]
        low, high = reward_range
        reward = (log.reward[chosen] - low) / ((high - low) or 1.0)
        counts = np.ones(len(chosen)) if weight is None else weight[chosen]
        fifth = uniform(customer_keys(log.customers), seed, 0, Purpose.FOLD, k=2) < 0.2  # apart from folds and sample
        late = fifth[log.customer[chosen]]
        self._models = [
            _fit(name, log.catalog, X[m], log.action[chosen][m], reward[m], counts[m], late[m])
            for m in (fold != f for f in range(folds))
        ]

    def predict(self, rows: slice) -> Float32:
        """(m, k) float32, in the reward range; each row by the model of the folds it is not in."""
        X, fold, (low, high) = self._log.context.take(rows).encode(), self.fold[rows], self._range
        q = np.empty((len(X), len(self._log.catalog)), dtype=np.float32)
        for f, model in enumerate(self._models):
            mine = np.flatnonzero(fold == f)
            if len(mine):
                q[mine] = np.clip(model.predict(X[mine]), 0.0, 1.0) * (high - low) + low
        return q


def reward_model(
    name: str,
    log: DecisionLog,
    reward_range: Range,
    folds: int,
    seed: int,
    weight: Float | None = None,
    rows: int = MAX_ROWS,
) -> RewardModel:
    """The cross-fitted model of that name; `rows_used` of it says how many rows it was fitted on.

    weight: (n,) how many rows each row counts for; None: one. Rewards of two values at the ends of the range are
    conversions to `boosting`, and needed by `logistic`.
    """
    if name not in MODELS:
        raise unknown("reward model", name, MODELS)
    if name == "ridge":
        return CrossFitted(log, reward_range, folds, seed, weight)
    return CrossFittedSample(log, reward_range, folds, seed, name, weight, rows)


def _fit(name: str, catalog: Catalog, X: Float32, action: Int, reward: Float, weight: Float, late: Array) -> Fitted:
    fitter = FITTERS[name.removeprefix(CALIBRATED)]
    if name.startswith(CALIBRATED) and len(X):
        return Calibrated(fitter, catalog, X, action, reward, weight, late)
    return fitter(catalog, X, action, reward, weight)


class _Rows(NamedTuple):
    """Rows sorted by action, so that a step is one small matrix product an action. D = d + 1, intercept first."""

    phi: Float  # (n, D)
    reward: Float  # (n,)
    weight: Float  # (n,)
    parts: list[slice]  # of each action

    def log_odds(self, coefficients: Float) -> Float:
        """(D, k) -> (n,) of each row's own action."""
        each = [self.phi[part] @ coefficients[:, a] for a, part in enumerate(self.parts)]
        return np.concatenate(each) if each else np.zeros(0)

    def statistics(self, target: Float, weight: Float) -> RidgeStatistics:
        """Of a weighted ridge regression of target on phi; both (n,)."""
        heavy = self.phi * weight[:, None]
        pairs = [(heavy[part], part) for part in self.parts]
        return RidgeStatistics(
            gram=np.array([rows.T @ self.phi[part] for rows, part in pairs]),
            moment=np.array([rows.T @ target[part] for rows, part in pairs]),
            square=np.array([weight[part] @ target[part] ** 2 for part in self.parts]),
            count=np.array([weight[part].sum() for part in self.parts]),
        )


def _by_action(catalog: Catalog, X: Float32, action: Int, reward: Float, weight: Float) -> _Rows:
    order = np.argsort(action, kind="stable")
    ends = np.cumsum(np.bincount(action, minlength=len(catalog)))
    parts = [slice(int(start), int(end)) for start, end in zip(np.r_[0, ends[:-1]], ends, strict=True)]
    phi = np.empty((len(X), X.shape[1] + 1))
    phi[:, 0], phi[:, 1:] = 1.0, X[order]
    return _Rows(phi, reward[order], weight[order], parts)


def _logistic(catalog: Catalog, rows: _Rows, l2: float, start: Float | None) -> Float:
    """(d + 1, k) coefficients of log-odds, intercept first: the posterior mode."""
    if start is None:
        rate = (float(rows.weight @ rows.reward) + 0.5) / (float(rows.weight.sum()) + 1.0)
        start = np.zeros((rows.phi.shape[1], len(catalog)))
        start[0] = np.log(rate / (1.0 - rate))
    coefficients = start
    with one_blas_thread():
        for _ in range(NEWTON_STEPS):
            odds = rows.log_odds(coefficients)
            p = expit(odds)
            curve = np.maximum(p * (1.0 - p), 1e-6)
            stats = rows.statistics(odds + (rows.reward - p) / curve, rows.weight * curve)
            fresh = fit_ridge(stats, catalog, l2).coefficients.astype(np.float64)
            step = float(np.abs(fresh - coefficients).max())
            coefficients = fresh
            if step < 1e-4:
                break
    return coefficients


def _log_odds(X: Float32, coefficients: Float) -> Float:
    return np.asarray(X @ coefficients[1:] + coefficients[0])


def _log_loss(coefficients: Float, rows: _Rows) -> float:
    odds = rows.log_odds(coefficients)
    return float(rows.weight @ (np.logaddexp(0.0, odds) - rows.reward * odds))
