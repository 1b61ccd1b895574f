"""From scores or a chosen action to exact probabilities over what is allowed.

Here: uniform, one certain action, the best ones, an exploration floor; what is wrong with probabilities. Not here:
where scores come from. n rows, k actions; every result (n, k) has rows that sum to 1 and zeros where not allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from campaignrl.actions import NONE
from campaignrl.arrays import Array, Bool, Float, Int
from campaignrl.errors import SHOWN, DataError, Problem

TOLERANCE = 1e-5  # of a row's sum; float32 files of a hundred actions stay inside
ROWS_IN_CACHE = 2_048  # of some tens of actions in double precision


def require_choice(allowed: Bool) -> None:
    """Every row allows something, or a DataError with the row numbers."""
    barred = np.flatnonzero(~allowed[:, NONE])  # usually none is, which saves a look at all the rest
    empty = barred[~allowed[barred].any(axis=1)] if len(barred) else barred
    if len(empty):
        where = f"row{'s' if len(empty) > 1 else ''} {', '.join(str(r) for r in empty[:SHOWN])}"
        where += f" and {len(empty) - SHOWN} more" if len(empty) > SHOWN else ""
        fix = "Allow `none`, or leave the rows out."
        raise DataError(Problem(where, "allowed actions", 0, "at least one", fix))


def allowed_counts(allowed: Bool) -> Int:
    """(n,) how many actions each row of (n, k) allows."""
    short = np.min_scalar_type(allowed.shape[1])  # in which they are added up where they lie, in a fifth of the time
    return np.asarray(np.einsum("ij->i", allowed.view(np.uint8).astype(short, copy=False)), dtype=np.intp)


def are_sound(p: Array, allowed: Bool | None) -> bool:
    """Whether nothing is wrong with (n, k) probabilities, in few passes; what is not a number fails both bounds."""
    within, sums = p.min(initial=0.0) >= 0.0, _sums(p)
    within &= sums.min(initial=1.0) >= 1.0 - TOLERANCE and sums.max(initial=1.0) <= 1.0 + TOLERANCE
    return bool(within and (allowed is None or not ((p > 0.0) & ~allowed).any()))


def unsound_rows(p: Array, allowed: Bool, where: Callable[[Int], str]) -> list[Problem]:
    """What is wrong with (n, k) probabilities. where: names rows by their numbers."""
    sums = _sums(p)
    good = (sums >= 1.0 - TOLERANCE) & (sums <= 1.0 + TOLERANCE) & (p.min(axis=1, initial=0.0) >= 0.0)
    off, problems = np.flatnonzero(~good), []
    if len(off):
        fix = "Every row must be a probability for each action, adding up to 1."
        problems.append(Problem(where(off), "sum", float(sums[off[0]]), "1, with no part below 0", fix))
    outside = np.flatnonzero(((p > 0.0) & ~allowed).any(axis=1))
    if len(outside):
        row = outside[0]
        action = int(np.argmax(np.where(allowed[row], 0.0, p[row])))
        fix = f"Action {action} was not eligible there; give it probability 0."
        problems.append(Problem(where(outside), "mass", float(p[row, action]), "within the eligible", fix))
    return problems


def _sums(p: Array) -> Array:
    return np.asarray(p @ np.ones(p.shape[1], dtype=p.dtype))


def uniform_over(allowed: Bool) -> Float:
    """The same chance for every allowed action; a row with none allowed is a DataError."""
    require_choice(allowed)
    return _even(allowed)


def certainly(action: npt.NDArray[np.integer[Any]], allowed: Bool) -> Float:
    """All on `action` (n,) where allowed, else on `none`; where that is barred too, uniform."""
    n, k = allowed.shape
    rows = np.arange(n)
    taken = np.where(allowed[rows, action], action, NONE)
    p = np.zeros((n, k))
    p[rows, taken] = 1.0
    barred = ~allowed[rows, taken]
    if barred.any():
        require_choice(allowed)
        p[barred] = uniform_over(allowed[barred])
    return p


def best_of(scores: npt.NDArray[np.floating[Any]], allowed: Bool) -> Float:
    """All on the allowed action of the highest score, shared equally among ties."""
    require_choice(allowed)
    may = _columns(allowed)
    masked = np.where(may, _columns(scores), -np.inf)
    best = masked == masked.max(axis=0)
    best &= may
    count = _count(best)
    p = _columns(best).astype(np.float64)
    if count.max(initial=0) > 1:
        p /= count[:, None]
    return p


def with_floor(shares: Float, allowed: Bool, explore: float, sums: Callable[[Float], Float] | None = None) -> Float:
    """(1 - explore) of `shares` and `explore` of uniform, in rows that sum to 1; in memory as `shares` are.

    sums: (n, k) -> (n, 1) how a row is added up; None: as it lies in memory.
    """
    require_choice(allowed)
    p = np.empty_like(shares, dtype=np.float64)
    for rows in in_cache(len(shares)):
        part, added = shares[rows], sums or _added
        if explore != 0.0:
            part = (1.0 - explore) * part
            part += _even(allowed[rows], explore, part.flags.f_contiguous)
        np.divide(part, added(part), out=p[rows])
    return p


def in_cache(n: int) -> list[slice]:
    """Slices of n rows of which all numbers of some actions stay in the second-level cache; none is a single row."""
    parts = max(n // ROWS_IN_CACHE, 1)
    ends = [n * i // parts for i in range(parts + 1)]
    return [slice(start, end) for start, end in pairwise(ends)]


def _added(p: Float) -> Float:
    return np.asarray(p.sum(axis=1, keepdims=True))


def _even(allowed: Bool, share: float = 1.0, turned: bool = False) -> Float:
    """(n, k) `share` split evenly among the allowed actions; turned: as columns in memory."""
    columns = _columns(allowed)
    each = share * (1.0 / _count(columns))
    return (columns * each).T if turned else np.asarray(allowed * each[:, None])


def _count(columns: Bool) -> npt.NDArray[np.int64]:
    short = np.min_scalar_type(len(columns))  # in which they are added up in an eighth of the time
    return np.asarray(np.add.reduce(columns.view(np.uint8), axis=0, dtype=short), dtype=np.int64)


def _columns(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(n, k) turned round in memory: a step over long columns costs a fraction of one over short rows."""
    return np.ascontiguousarray(rows.T)
