"""Classes of policies fitted to doubly robust scores: segment means, linear, with products of columns, a tree.

All but the tree are linear in some columns, held back by the evidence of the scores themselves
(linear_model/parameter_sharing.py). Products are of the columns by which the linear fit tells actions apart most, so
that a few of them say what all would. Not here: which one is taken (judgement.py, dr_select.py). n rows, k actions,
d encoded columns, Q products.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from campaignrl.actions import NONE, Catalog
from campaignrl.arrays import Bool, Float, Float32, Int64
from campaignrl.features import FeatureSchema
from campaignrl.policies.linear_model import RidgeStatistics, with_intercept
from campaignrl.policies.offline import Sums, fit_parts
from campaignrl.policies.row_products import row_product
from campaignrl.policies.selection.policy_tree import Tree, grown

MULTIPLIED = 8  # columns of whose pairs products are taken
PAIRS = MULTIPLIED * (MULTIPLIED + 1) // 2
SHRINK = 100.0  # rows of no gain in each leaf of a tree


class Scored(NamedTuple):
    """Rows and what each action would gain there over `none`."""

    X: Float32  # (n, d) encoded
    gains: Float  # (n, k) doubly robust; where `none` is not allowed, not differences
    allowed: Bool  # (n, k)

    def take(self, rows: Bool | Int64) -> Scored:
        """Some rows."""
        return Scored(self.X[rows], self.gains[rows], self.allowed[rows])


class Linear(NamedTuple):
    """Scores linear in one, the columns, and products of pairs of them."""

    coefficients: Float32  # (1 + d + PAIRS, k)
    pairs: Int64  # (PAIRS, 2) columns; a pair that is not used has coefficients of 0

    def scores(self, X: Float32) -> Float32:
        """(n, k) for encoded rows X (n, d)."""
        return row_product(expanded(X, self.pairs), self.coefficients)


class Treed(NamedTuple):
    """Scores by leaf."""

    tree: Tree

    def scores(self, X: Float32) -> Float32:
        """(n, k) for encoded rows X (n, d)."""
        return self.tree.scores[self.tree.leaf(X)]


Candidate = Linear | Treed


def expanded(X: Float32, pairs: Int64) -> Float32:
    """(n, d) -> (n, 1 + d + Q): an intercept, the columns, and their products by pairs (Q, 2)."""
    if not X.shape[1]:  # nothing is known of anybody
        return np.concatenate([with_intercept(X), np.zeros((len(X), len(pairs)), dtype=np.float32)], axis=1)
    return np.concatenate([with_intercept(X), X[:, pairs[:, 0]] * X[:, pairs[:, 1]]], axis=1)


def segment_means(data: Scored, catalog: Catalog, columns: Int64, overlap: float) -> Linear:
    """One mean an action and level of some categories, whose encoded columns these are."""
    k, d = len(catalog), data.X.shape[1]
    found = np.zeros((1 + d + PAIRS, k), dtype=np.float32)
    found[np.concatenate([[0], 1 + columns])] = _regressed(data, data.X[:, columns], catalog, overlap)
    return Linear(found, np.zeros((PAIRS, 2), dtype=np.int64))


def linear(data: Scored, catalog: Catalog, overlap: float) -> Linear:
    """All columns."""
    k, d = len(catalog), data.X.shape[1]
    found = np.zeros((1 + d + PAIRS, k), dtype=np.float32)
    found[: 1 + d] = _regressed(data, data.X, catalog, overlap)
    return Linear(found, np.zeros((PAIRS, 2), dtype=np.int64))


def with_products(data: Scored, catalog: Catalog, overlap: float, plain: Linear) -> Linear:
    """All columns, and products of those that `plain`, fitted to the same rows, tells actions apart by most."""
    d, k = data.X.shape[1], len(catalog)
    telling = plain.coefficients[1 : 1 + d].std(axis=1) * data.X.std(axis=0)
    top = np.sort(np.argsort(-telling, kind="stable")[:MULTIPLIED])
    i, j = np.triu_indices(len(top))
    used, pairs = len(i), np.zeros((PAIRS, 2), dtype=np.int64)
    pairs[:used] = np.stack([top[i], top[j]], axis=1)
    found = np.zeros((1 + d + PAIRS, k), dtype=np.float32)
    columns = expanded(data.X, pairs[:used])[:, 1:]
    found[: 1 + d + used] = _regressed(data, columns, catalog, overlap)
    return Linear(found, pairs)


def tree(data: Scored, depth: int) -> Treed:
    """A tree on the gains; an action that is not allowed gains nothing."""
    gains = np.where(data.allowed, data.gains, 0.0)
    gains[:, NONE] = 0.0
    return Treed(grown(data.X, gains, depth, shrink=SHRINK))


def columns_of(schema: FeatureSchema, names: Sequence[str] | None) -> Int64:
    """Encoded columns of these categories; None: of the schema's first, if it has one."""
    if names is None:
        names = [feature.name for feature in schema.features if feature.levels][:1]
    at = [(feature.name, column) for feature in schema.features for column in feature.encoded]
    return np.array([i for i, (name, _) in enumerate(at) if name in names], dtype=np.int64)


def _regressed(data: Scored, X: Float32, catalog: Catalog, overlap: float) -> Float32:
    """(1 + columns, k) of gains on these columns of the allowed actions, by evidence; overlap as in `fit_parts`."""
    stats = RidgeStatistics.zeros(catalog, X.shape[1])
    stats.add_targets(X, data.gains, data.allowed)
    return fit_parts([Sums(stats, stats.moment[None], stats.square[None])], catalog, [overlap])[0].coefficients
