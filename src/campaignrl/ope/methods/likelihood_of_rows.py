"""The customers whose outcomes lie farthest out, to whom empirical likelihood might give a chance below 0.

Here: finding them in arrays of any length, and in parts that are joined. Not here: what is done with them
(empirical_likelihood.py). d columns, C customers, f of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from campaignrl.arrays import Array, Float

# A chance of 0 takes 1 off a budget that is a quantile of F(1, C), 3.8 at 95 % and 10.8 at 99.9 %, so that only few
# customers can have one; where more would, the interval is a wider one that lets some of them go below 0.
KEPT = 8
FOLDED = 512  # largest values that long arrays are first reduced to


def farthest(columns: Float) -> tuple[Float, Float]:
    """Of (d, C) columns, the last an outcome: (d, f) of the largest and of the smallest, the farthest first."""
    outcome = columns[-1]
    return columns[:, largest(outcome)], columns[:, smallest(outcome)]


def joined(parts: Sequence[tuple[Float, Float]]) -> tuple[Float, Float]:
    """`farthest` of several parts' customers together."""
    above, below = (np.concatenate(pair, axis=1) for pair in zip(*parts, strict=True))
    return above[:, largest(above[-1])], below[:, smallest(below[-1])]


def largest(values: Float) -> Array:
    """Where the KEPT largest values are, descending, of equal ones the first."""
    return _farthest(values, 1.0)


def smallest(values: Float) -> Array:
    """Where the KEPT smallest values are, ascending, of equal ones the first."""
    return _farthest(values, -1.0)


def _farthest(values: Float, sign: float) -> Array:
    """Where sign x value is largest."""
    whole = len(values) - len(values) % FOLDED
    if whole <= FOLDED:
        return np.argsort(-sign * values, kind="stable")[:KEPT]
    table = values[:whole].reshape(-1, FOLDED)
    folded = table.max(axis=0) if sign > 0.0 else -table.min(axis=0)
    bound = np.partition(folded, -KEPT)[-KEPT]  # so many values at least are not below it
    column = np.flatnonzero(folded >= bound)
    if len(column) > 2 * KEPT:  # most are alike, as rewards of 0 are: of those at the bound a glance finds enough
        return _farthest_of_alike(values, table, folded, sign * bound, sign)
    row, which = np.nonzero(sign * table.take(column, axis=1) >= bound)
    at = np.append(row * FOLDED + column[which], whole + np.flatnonzero(sign * values[whole:] >= bound))
    return at[np.argsort(-sign * values[at], kind="stable")][:KEPT]


def _farthest_of_alike(values: Float, table: Float, folded: Float, value: float, sign: float) -> Array:
    """The same where many columns of the table reach `value`, which at least KEPT values do."""
    column, whole = np.flatnonzero(folded > sign * value), table.size
    row, which = np.nonzero(sign * table[:, column] > sign * value)
    at = np.append(row * FOLDED + column[which], whole + np.flatnonzero(sign * values[whole:] > sign * value))
    if len(at) < KEPT:
        at = np.sort(np.append(at, _first(values, value, KEPT - len(at))))
    return at[np.argsort(-sign * values[at], kind="stable")][:KEPT]


def _first(values: Float, value: float, wanted: int) -> Array:
    """Where `value` first stands, so many times; mostly a glance finds them."""
    for part in (values[:FOLDED], values):
        at = np.flatnonzero(part == value)
        if len(at) >= wanted:
            break
    return at[:wanted]
