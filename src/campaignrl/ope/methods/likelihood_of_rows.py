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
    return columns[:, largest(outcome)], columns[:, largest(-outcome)]


def joined(parts: Sequence[tuple[Float, Float]]) -> tuple[Float, Float]:
    """`farthest` of several parts' customers together."""
    above, below = (np.concatenate(pair, axis=1) for pair in zip(*parts, strict=True))
    return above[:, largest(above[-1])], below[:, largest(-below[-1])]


def largest(values: Float) -> Array:
    """Where the KEPT largest values are, descending, of equal ones the first."""
    whole = len(values) - len(values) % FOLDED
    if whole <= FOLDED:
        return np.argsort(-values, kind="stable")[:KEPT]
    table = values[:whole].reshape(-1, FOLDED)
    folded = table.max(axis=0)
    bound = np.partition(folded, -KEPT)[-KEPT]  # so many values at least are not below it
    column = np.flatnonzero(folded > bound)
    row, which = np.nonzero(table[:, column] > bound)
    at = np.append(row * FOLDED + column[which], whole + np.flatnonzero(values[whole:] > bound))
    if len(at) < KEPT:
        at = np.sort(np.append(at, _first(values, bound, KEPT - len(at))))
    return at[np.argsort(-values[at], kind="stable")][:KEPT]


def _first(values: Float, value: float, wanted: int) -> Array:
    """Where `value` first stands, so many times; where most are alike, as rewards of 0 are, a glance finds them."""
    for part in (values[:FOLDED], values):
        at = np.flatnonzero(part == value)
        if len(at) >= wanted:
            break
    return at[:wanted]
