"""From scores or a chosen action to exact probabilities over what is allowed.

Here: uniform, one certain action, the best ones, an exploration floor. Not here: where scores come from.
n rows, k actions; every result (n, k) has rows that sum to 1 and zeros where not allowed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from campaignrl.actions import NONE
from campaignrl.errors import SHOWN, DataError, Problem

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float64]


def require_choice(allowed: Bool) -> None:
    """Every row allows something, or a DataError with the row numbers."""
    empty = np.flatnonzero(~allowed.any(axis=1))
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
    masked = np.where(allowed, scores, -np.inf)
    highest = masked[np.arange(len(masked)), masked.argmax(axis=1)]
    return _even((masked == highest[:, None]) & allowed)


def with_floor(shares: Float, allowed: Bool, explore: float) -> Float:
    """(1 - explore) of `shares` and `explore` of uniform, in rows that sum to 1."""
    require_choice(allowed)
    p = (1.0 - explore) * shares
    if explore > 0.0:
        p += explore * _even(allowed)
    p /= p.sum(axis=1, keepdims=True)
    return p


def _even(allowed: Bool) -> Float:
    # Turned round, because a sum over short rows costs several times one over long columns.
    count = np.add.reduce(np.ascontiguousarray(allowed.T).view(np.uint8), axis=0, dtype=np.int64)
    return np.asarray(allowed / count[:, None], dtype=np.float64)
