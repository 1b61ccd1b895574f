"""What actions do beyond what would have come anyway: regression on rewards less a cross-fitted baseline.

Orders come mostly by themselves, so most of a reward says who the customer is and not what the action did. First a
baseline V(x) = E[reward | x] is fitted on products of features, on the other folds of customers; then what is left is
regressed on the factorised features (parameter_sharing.py), held back by the evidence of as many independent rows as
the log is worth. This is the R-learner's recipe (Nie & Wager 2021, Biometrika 108; Robinson 1988) with a baseline that
keeps the logging policy's average effect. Only rows with a choice teach: where nothing but `none` was allowed the
action says nothing. Not here: which rewards (returns.py), what is decided (fitted_q.py and others). n rows, m of them
taught from, k actions, D = 1 + encoded columns, P rewards side by side, K folds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import cho_solve

from campaignrl import rng
from campaignrl.actions import NONE, Catalog
from campaignrl.arrays import Float, Float32, Int
from campaignrl.features import FeatureSchema
from campaignrl.policies.base import ROWS_AT_A_TIME
from campaignrl.policies.blas_threads import one_blas_thread
from campaignrl.policies.choice import allowed_counts
from campaignrl.policies.linear_model import (
    INTERCEPT,
    RidgeModel,
    RidgeStatistics,
    blocks_of,
    fit_ridge,
    with_intercept,
)
from campaignrl.policies.offline.dr_greedy import doubly_robust_scores
from campaignrl.tables.log import DecisionLog

PENALTIES = (1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6)  # pseudo-observations
BASELINE_ROWS = 200_000  # that a baseline is fitted on; it has a few hundred columns
BASELINE_L2 = 10.0  # pseudo-observations
PRODUCTS = 24  # numbers of whose pairs products are taken; of more, the first


class RegressionRows(NamedTuple):
    """The rows that a regression reads, and what it is to predict of them."""

    rows: Int  # (m,) in the log
    fold: Int  # (m,) of each row's customer
    rewards: Float  # (m, P), less a baseline where one was taken off


class Sums(NamedTuple):
    """Sums over rows of one fold for P rewards; the squares of features are the same for all of them."""

    stats: RidgeStatistics  # of the first reward
    moments: Float  # (P, k, D)
    squares: Float  # (P, k)

    def __add__(self, other: Any) -> Sums:
        return Sums(self.stats + other.stats, self.moments + other.moments, self.squares + other.squares)


def rows_with_a_choice(log: DecisionLog) -> Int:
    """Matured rows with at least two allowed actions."""
    open_rows = log.matured if log.eligible is None else log.matured & (allowed_counts(log.eligible) > 1)
    return np.flatnonzero(open_rows)


def folds_of(log: DecisionLog, folds: int, seed: int) -> Int:
    """(n,) fold of each row's customer, from the customer's id and the seed alone."""
    u = rng.uniform(rng.customer_keys(log.customers), seed, 0, rng.Purpose.FOLD)
    return np.asarray((u * folds).astype(np.int64)[log.customer])


def encoded(log: DecisionLog, rows: Int, schema: FeatureSchema) -> Iterator[tuple[slice, Float32]]:
    """Places in `rows` and encoded contexts (b, d), a block at a time."""
    for start in range(0, len(rows), ROWS_AT_A_TIME):
        part = slice(start, min(start + ROWS_AT_A_TIME, len(rows)))
        yield part, log.context.take(rows[part]).encode(schema)


def without_baseline(log: DecisionLog, data: RegressionRows, schema: FeatureSchema, folds: int) -> RegressionRows:
    """The same rows, their rewards less what customers of other folds with the same features bring."""
    models = [_baseline(log, data, schema, f) for f in range(folds)]
    left = np.empty_like(data.rewards)
    with one_blas_thread():
        for part, X in encoded(log, data.rows, schema):
            Z, fold = products(X, schema), data.fold[part]
            expected = np.empty((len(Z), data.rewards.shape[1]))
            for f, model in enumerate(models):
                mine = fold == f
                expected[mine] = Z[mine] @ model
            left[part] = data.rewards[part] - expected
    return data._replace(rewards=left)


def products(X: Float32, schema: FeatureSchema) -> Float32:
    """(b, d) encoded -> (b, q): one, the columns, and the products of all pairs of numbers, squares too."""
    numbers = X[:, schema.encoding.number_at[:PRODUCTS]]
    i, j = np.triu_indices(numbers.shape[1])
    return np.concatenate([np.ones((len(X), 1), dtype=np.float32), X, numbers[:, i] * numbers[:, j]], axis=1)


def _baseline(log: DecisionLog, data: RegressionRows, schema: FeatureSchema, fold: int) -> Float32:
    """(q, P) coefficients, from rows of the other folds, those of some customers where there are too many."""
    others = np.flatnonzero(data.fold != fold)
    keep = rng.uniform(rng.customer_keys(log.customers), 0, 0, rng.Purpose.FOLD, k=1)  # apart from folds
    others = others[keep[log.customer[data.rows[others]]] < BASELINE_ROWS / max(len(others), 1)]
    q = products(np.zeros((0, schema.width), dtype=np.float32), schema).shape[1]
    gram, moment = BASELINE_L2 * np.eye(q), np.zeros((q, data.rewards.shape[1]))
    with one_blas_thread():
        for part, X in encoded(log, data.rows[others], schema):
            Z = products(X, schema)
            gram += Z.T @ Z
            moment += Z.T.astype(np.float64) @ data.rewards[others[part]]
        return np.linalg.solve(gram, moment).astype(np.float32)


def sums_by_fold(
    log: DecisionLog, data: RegressionRows, schema: FeatureSchema, folds: int, share: Float | None = None
) -> list[Sums]:
    """K sums. share: (m,) rows each row counts for; None: one."""
    k, P = len(log.catalog), data.rewards.shape[1]
    D = schema.width + 1
    found = [
        Sums(RidgeStatistics.zeros(log.catalog, schema.width), np.zeros((P, k, D)), np.zeros((P, k)))
        for _ in range(folds)
    ]
    with one_blas_thread():
        for part, X in encoded(log, data.rows, schema):
            action, fold = log.action[data.rows[part]], data.fold[part]
            for f, sums in enumerate(found):
                mine = fold == f
                weight = None if share is None else share[part][mine]
                _add(sums, X[mine], action[mine], data.rewards[part][mine], weight)
    return found


def _add(sums: Sums, X: Float32, action: Int, rewards: Float, weight: Float | None) -> None:
    sums.stats.add(X, action, rewards[:, 0], weight)
    phi = with_intercept(X)
    w = np.ones(len(X)) if weight is None else weight
    for a in np.unique(action):
        rows = action == a
        weighted = rewards[rows] * w[rows, None]
        sums.moments[:, a] += weighted.T @ phi[rows].astype(np.float64)
        sums.squares[:, a] += (weighted * rewards[rows]).sum(axis=0)


def fit_parts(
    sums: Sequence[Sums],
    catalog: Catalog,
    overlap: Sequence[float],
    l2: float | None = None,
    together: float | None = None,
) -> list[RidgeModel]:
    """For each of the P rewards the posterior given all rows, of which overlap[p] count for one.

    Decisions of neighbouring days share the rewards of the days they both count, so their rows say less than as many
    independent ones would: the likelihood is tempered by it. l2: penalty in rows so counted; None: by evidence.
    together: the penalty on what moves all actions alike; None: in proportion to l2, as in parameter_sharing.py.
    """
    whole = sum(sums[1:], sums[0])
    fitted: dict[float, tuple[RidgeStatistics, list[RidgeModel]]] = {}  # parts that overlap alike share their factors
    found = []
    for p, shared in enumerate(overlap):
        if shared not in fitted:
            stats = RidgeStatistics(**{name: value / shared for name, value in whole.stats.tensors().items()})
            models = [_fit_at(stats, catalog, each, together) for each in ([l2] if l2 else PENALTIES)]
            fitted[shared] = stats, models
        stats, models = fitted[shared]
        parts = [_of_part(model, stats, whole.moments[p] / shared, whole.squares[p] / shared) for model in models]
        found.append(max(parts, key=lambda model: model.log_evidence))
    return found


def _fit_at(stats: RidgeStatistics, catalog: Catalog, l2: float, together: float | None) -> RidgeModel:
    if together is None:
        return fit_ridge(stats, catalog, l2)
    blocks = blocks_of(catalog, stats.gram.shape[1])
    penalty = blocks.penalty.copy()
    penalty[0] = together / l2
    return fit_ridge(stats, catalog, l2, blocks._replace(penalty=penalty))


def _of_part(model: RidgeModel, stats: RidgeStatistics, moment: Float, square: Float) -> RidgeModel:
    """The same regression of another reward with sums `moment` (k, D) and `square` (k,)."""
    n = float(stats.count.sum())
    coefficients = refitted(model, moment)
    residual = max(float(square.sum() - np.sum(moment * coefficients.T)), 0.0)
    sigma2 = (residual + 1.0) / (n + 1.0)
    evidence = model.log_evidence + 0.5 * n * (np.log(model.sigma2) - np.log(sigma2))
    return replace(model, coefficients=coefficients, sigma2=sigma2, log_evidence=float(evidence))


def overlap_of(log: DecisionLog) -> float:
    """How many decisions of a customer share a day's reward: the days of an outcome window; 1 where it is not known."""
    return float(max(log.meta.get("outcome_days") or 1, 1))


def out_of_fold(sums: Sequence[Sums], catalog: Catalog, overlap: float, l2: float) -> Float32:
    """(K, D, k) for each fold the regression of the first reward on the others, at a fixed penalty."""
    found = []
    for f in range(len(sums)):
        others = [each for g, each in enumerate(sums) if g != f]
        found.append(fit_parts(others, catalog, [overlap], l2)[0].coefficients)
    return np.stack(found)


def refitted(model: RidgeModel, moment: Float) -> Float32:
    """Coefficients (D, k) of the same rows and penalties for other rewards: sums moment (k, D).

    The steps of `fit_ridge` after its factorisations, which are most of its work.
    """
    old = model.posterior
    column = np.where(np.arange(moment.shape[1]) == 0, INTERCEPT, 1.0)
    own = model.l2 * np.outer(old.blocks.own_penalty, column)
    solved = old.own_factor.transpose(0, 2, 1) @ (old.own_factor @ moment[:, :, None])
    right = (old.blocks.members.T.astype(np.float64) @ (own * solved[:, :, 0])).ravel()
    shared = cho_solve((old.shared_factor, True), right).reshape(old.shared_mean.shape)
    return np.ascontiguousarray(replace(old, moment=moment, shared_mean=shared).mean().T, dtype=np.float32)


def scored_sums(
    log: DecisionLog, data: RegressionRows, schema: FeatureSchema, q_of: Float32, max_weight: float
) -> list[Sums]:
    """Sums by fold of doubly robust scores of every allowed action, less that of `none`, of the first reward.

    q_of: (K, D, k), for each fold the regression on the others.
    """
    parts = [RidgeStatistics.zeros(log.catalog, schema.width) for _ in q_of]
    for part, X in encoded(log, data.rows, schema):
        rows, fold = data.rows[part], data.fold[part]
        for f, stats in enumerate(parts):
            mine = fold == f
            q = (with_intercept(X[mine]) @ q_of[f]).astype(np.float64)
            weight = np.minimum(1.0 / log.propensity[rows[mine]], max_weight)
            gamma = doubly_robust_scores(q, log.action[rows[mine]], data.rewards[part, 0][mine], weight)
            allowed = log.allowed(rows[mine])
            with_none = allowed[:, NONE]
            gains = np.where(with_none[:, None], gamma - gamma[:, [NONE]], gamma)
            stats.add_targets(X[mine], gains, allowed)
    return [Sums(s, s.moment[None], s.square[None]) for s in parts]
