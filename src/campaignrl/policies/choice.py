"""From scores or a chosen action to exact probabilities over what is allowed.

Here: uniform, one certain action, the best ones, an exploration floor. Not here: where scores come from.
n rows, k actions; every result (n, k) has rows that sum to 1 and zeros where not allowed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from campaignrl.actions import NONE
from campaignrl.arrays import Bool, Float
from campaignrl.errors import SHOWN, DataError, Problem


def require_choice(allowed: Bool) -> None:
    """Every row allows something, or a DataError with the row numbers."""
    barred = np.flatnonzero(~allowed[:, NONE])  # usually none is, which saves a look at all the rest
    empty = barred[~allowed[barred].any(axis=1)] if len(barred) else barred
    if len(empty):
        where = f"row{'s' if len(empty) > 1 else ''} {', '.join(str(r) for r in empty[:SHOWN])}"
        where += f" and {len(empty) - SHOWN} more" if len(empty) > SHOWN else ""
        fix = "Allow `none`, or leave the rows out."
        raise DataError(Problem(where, "allowed actions", 0, "at least one", fix))


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


def with_floor(shares: Float, allowed: Bool, explore: float) -> Float:
    """(1 - explore) of `shares` and `explore` of uniform, in rows that sum to 1; in memory as `shares` are."""
    require_choice(allowed)
    if explore == 0.0:
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))
    p = (1.0 - explore) * shares
    p += explore * _even(allowed)
    p /= p.sum(axis=1, keepdims=True)
    return p


def _even(allowed: Bool) -> Float:
    return np.asarray(allowed / _count(_columns(allowed))[:, None], dtype=np.float64)


def _count(columns: Bool) -> npt.NDArray[np.int64]:
    return np.asarray(np.add.reduce(columns.view(np.uint8), axis=0, dtype=np.int64))


def _columns(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(n, k) turned round in memory: a step over long columns costs a fraction of one over short rows."""
    return np.ascontiguousarray(rows.T)
