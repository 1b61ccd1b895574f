"""A shallow tree whose leaves decide: grown greedily on scores of every action.

A split is liked for what its two sides gain when each takes the one action that is best in it (Athey & Wager 2021,
Econometrica 89; Zhou, Athey & Wager 2023, Operations Research 71, who search all trees of a small depth; this one looks
one split ahead); or for how well it tells who got what, when it is to copy a log (Gini: Breiman et al. 1984). Trees are
complete, so that they are two arrays; a node that is not worth splitting sends everybody left. Not here: what the
scores are (judgement.py). n rows, k actions, d encoded columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Bool, Float, Float32, Int, Int64

CUTS = 15  # thresholds tried a column, at quantiles
FEWEST = 100  # rows of a leaf
NEVER = np.float32(np.finfo(np.float32).max)  # a threshold that nobody is above
Worth = Callable[[Float, Float], Float]  # (..., k) sums of scores, (...,) rows -> (...,)


class Tree(NamedTuple):
    """Node i has children 2 i + 1 (at most its threshold) and 2 i + 2 (above it)."""

    column: Int64  # (2^depth - 1,)
    threshold: Float32  # (2^depth - 1,)
    scores: Float32  # (2^depth, k) mean of the scores in each leaf

    def leaf(self, X: Float32) -> Int64:
        """(n,) number of the leaf of encoded rows X (n, d)."""
        at, rows = np.zeros(len(X), dtype=np.int64), np.arange(len(X))
        inner = len(self.column)
        if not X.shape[1]:
            return at
        while inner and len(at) and at[0] < inner:  # complete: all rows come to the last level together
            at = 2 * at + 1 + (X[rows, self.column[at]] > self.threshold[at])
        return at - inner

    def deepened(self, depth: int) -> Tree:
        """The same tree with more levels, at which everybody goes left."""
        more = 2**depth - 1 - len(self.column)
        scores = np.zeros((2**depth, self.scores.shape[1]), dtype=np.float32)
        scores[:: 2**depth // len(self.scores)] = self.scores
        column = np.concatenate([self.column, np.zeros(more, dtype=np.int64)])
        return Tree(column, np.concatenate([self.threshold, np.full(more, NEVER)]).astype(np.float32), scores)


def best_action(sums: Float, rows: Float) -> Float:
    """What the action that is best for all together brings them; sums: (..., k), 0 for `none`."""
    return np.asarray(sums.max(axis=-1))


def gini(sums: Float, rows: Float) -> Float:
    """How pure a side is, sums being how often each action came: rows x (1 - Gini impurity)."""
    return np.asarray((sums**2).sum(axis=-1) / np.maximum(rows, 1.0))


def grown(X: Float32, scores: Float, depth: int, worth: Worth = best_action, shrink: float = 0.0) -> Tree:
    """A tree on rows X (n, d) with scores (n, k). shrink: rows of score 0 that are added to each leaf's mean."""
    inner, k = 2**depth - 1, scores.shape[1]
    column, threshold = np.zeros(inner, dtype=np.int64), np.full(inner, NEVER, dtype=np.float32)
    at, cuts = np.zeros(len(X), dtype=np.int64), _cuts(X)
    for node in range(inner):
        if not cuts:
            break
        mine = np.flatnonzero(at == node)
        found = _split(X[mine], scores[mine], cuts, worth)
        if found is not None:
            column[node], threshold[node] = found
        at[mine] = 2 * node + 1 + (X[mine, column[node]] > threshold[node])
    leaf = at - inner if cuts else at
    sums = np.stack([np.bincount(leaf, scores[:, a], minlength=inner + 1) for a in range(k)], axis=1)
    rows = np.bincount(leaf, minlength=inner + 1)[:, None] + shrink
    return Tree(column, threshold, np.asarray(sums / np.maximum(rows, 1.0), dtype=np.float32))


def _cuts(X: Float32) -> list[Float32]:
    """For each column the thresholds that are tried."""
    shares = np.linspace(0.0, 1.0, CUTS + 2)[1:-1]
    return [np.unique(np.quantile(x, shares, method="lower")) for x in X.T] if len(X) else []


def _split(X: Float32, scores: Float, cuts: list[Float32], worth: Worth) -> tuple[int, np.float32] | None:
    """The column and threshold that gain most, None where no split gains anything."""
    whole, n = scores.sum(axis=0), len(X)
    best, found = float(worth(whole, np.array(float(n)))), None
    best += 1e-9 * max(abs(best), 1.0)
    for j, thresholds in enumerate(cuts):
        below, rows = _below(X[:, j], scores, thresholds)
        fits = (rows >= FEWEST) & (n - rows >= FEWEST)
        if not fits.any():
            continue
        gain = worth(below, rows) + worth(whole - below, n - rows)
        gain[~fits] = -np.inf
        top = int(gain.argmax())
        if gain[top] > best:
            best, found = float(gain[top]), (j, thresholds[top])
    return found


def _below(x: Float32, scores: Float, thresholds: Float32) -> tuple[Float, Float]:
    """Sums of scores (cuts, k) and rows (cuts,) at most each threshold."""
    place: Int = np.searchsorted(thresholds, x)  # the first threshold that is not below it
    order = np.argsort(place, kind="stable")
    rows = np.bincount(place, minlength=len(thresholds) + 1)
    starts = np.cumsum(rows) - rows
    sums = np.zeros((len(rows), scores.shape[1]))
    some: Bool = rows > 0
    sums[some] = np.add.reduceat(scores[order], starts[some], axis=0) if some.any() else 0.0
    return np.cumsum(sums, axis=0)[:-1], np.cumsum(rows)[:-1].astype(np.float64)
