"""How tags hang together: a tree of tables between categories (Chow & Liu 1968), rank correlations between numbers.

Pure functions of arrays; nothing here knows of tags or files. n customers, m categories, p numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Float, Int64

FEWEST_PAIRS = 8  # complete pairs below which a correlation is taken as unknown
FLATTEST = 1e-4  # smallest eigenvalue of a correlation matrix that is drawn from


def ranks(values: Float) -> Float:
    """(n,) ranks in (0, 1), ties at their middle; missing stays NaN."""
    from scipy.stats import rankdata  # slow to import, and few verbs need it

    given = ~np.isnan(values)
    result = np.full(len(values), np.nan)
    result[given] = (rankdata(values[given]) - 0.5) / max(int(given.sum()), 1)
    return result


def rank_correlations(columns: Sequence[Float]) -> Float:
    """(p, p) Spearman's correlations of the rows where both are given; NaN where fewer than FEWEST_PAIRS are."""
    found = np.eye(len(columns))
    ranked = [ranks(column) for column in columns]
    for i, a in enumerate(ranked):
        for j, b in enumerate(ranked[:i]):
            both = ~(np.isnan(a) | np.isnan(b))
            found[i, j] = found[j, i] = _correlation(a[both], b[both])
    return found


def _correlation(a: Float, b: Float) -> float:
    if len(a) < FEWEST_PAIRS:
        return float("nan")
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(np.dot(a, b)) / scale if scale > 0 else 0.0


def nearest_correlation(matrix: Float) -> Float:
    """A symmetric matrix with diagonal near 1 -> a correlation matrix that has a Cholesky root, close to it."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2.0)
    mended = (vectors * np.maximum(values, FLATTEST)) @ vectors.T
    scale = np.sqrt(np.diag(mended))
    correlation: Float = mended / np.outer(scale, scale)
    return correlation


def mutual_information(a: Int64, b: Int64, sizes: tuple[int, int]) -> float:
    """Of two categories, in nats, less what chance alone gives (Miller 1955); at least 0."""
    information, chance = _information(a, b, sizes)
    return max(information - chance, 0.0)


def _information(a: Int64, b: Int64, sizes: tuple[int, int]) -> tuple[float, float]:
    n = len(a)
    joint = np.bincount(a * sizes[1] + b, minlength=sizes[0] * sizes[1]).reshape(sizes) / max(n, 1)
    outer = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    seen = joint > 0
    raw = float((joint[seen] * np.log(joint[seen] / outer[seen])).sum())
    levels = [int((joint.sum(axis=axis) > 0).sum()) - 1 for axis in (1, 0)]
    return raw, levels[0] * levels[1] / (2.0 * max(n, 1))


def dependence_tree(codes: Sequence[Int64], sizes: Sequence[int]) -> tuple[list[int], list[int]]:
    """Order to draw m categories in, and the parent of each (-1: none): the spanning forest of most information.

    codes: m arrays (n,) of codes below their size. Prim's algorithm; ties go to the lower index.
    """
    m = len(codes)
    strength = np.zeros((m, m))
    for i in range(m):
        for j in range(i):
            strength[i, j] = strength[j, i] = mutual_information(codes[i], codes[j], (sizes[i], sizes[j]))
    order, parent = [], [-1] * m
    best, left = np.full(m, -1.0), set(range(m))
    while left:
        here = max(sorted(left), key=lambda j: best[j])
        left.remove(here)
        order.append(here)
        for j in left:
            if strength[here, j] > max(best[j], 0.0):
                best[j], parent[j] = strength[here, j], here
    return order, parent


def second_parents(
    codes: Sequence[Int64], sizes: Sequence[int], order: Sequence[int], parent: Sequence[int]
) -> list[int]:
    """For each category drawn after its parent, the earlier one that says most more about it (-1: none does).

    Most conditional mutual information given the parent, where that is twice what chance alone gives.
    """
    found = [-1] * len(codes)
    for place, j in enumerate(order):
        best = 0.0
        for other in order[:place] if parent[j] >= 0 else ():
            more = 0.0
            for level in range(sizes[parent[j]]) if other != parent[j] else ():
                rows = codes[parent[j]] == level
                more += rows.mean() * _beyond_chance(codes[j][rows], codes[other][rows], (sizes[j], sizes[other]))
            if more > best:
                best, found[j] = more, other
    return found


def _beyond_chance(a: Int64, b: Int64, sizes: tuple[int, int]) -> float:
    """Mutual information less twice what chance gives; may be negative, so that a sum of many stays fair."""
    information, chance = _information(a, b, sizes)
    return information - 2.0 * chance


def conditional_table(
    child: Int64, parent: Int64 | None, sizes: tuple[int, int], else_rows: Float | None = None
) -> Float:
    """(parent levels, child levels) shares of the child's levels, by row cumulated; one row where there is no parent.

    A parent's level that nobody has gets its row of `else_rows`, else the shares of everyone, or equal ones.
    """
    rows = np.zeros(len(child), dtype=np.int64) if parent is None else parent
    counts = np.bincount(rows * sizes[1] + child, minlength=sizes[0] * sizes[1]).reshape(sizes).astype(np.float64)
    everyone = counts.sum(axis=0) if len(child) else np.ones(sizes[1])
    seen = counts.sum(axis=1, keepdims=True) > 0
    cumulated: Float = np.cumsum(np.where(seen, counts, everyone), axis=1)
    cumulated /= cumulated[:, -1:]
    return cumulated if else_rows is None else np.where(seen, cumulated, else_rows)


def regressed(target: Float, codes: Sequence[Int64], sizes: Sequence[int], ridge: float) -> list[Float]:
    """What each level of each category adds to the mean of `target` (n,), of mean about 0; NaN rows are left out.

    Ridge regression on one-hot columns: a level seen r times is drawn towards 0 by r / (r + ridge).
    """
    given = ~np.isnan(target)
    if not codes or not given.any():
        return [np.zeros(size) for size in sizes]
    one_hot = np.column_stack([(c[given][:, None] == np.arange(s)) for c, s in zip(codes, sizes, strict=True)])
    x = one_hot.astype(np.float64)
    weights: npt.NDArray[Any] = np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ target[given])
    return np.split(weights, np.cumsum(sizes)[:-1])
