"""Actions drawn of a policy that takes the best, without its probabilities, which only a log needs.

Where the best score leads by more than rounding can turn, it is the best of the reference, too, and no tie. And where
`explore` is split evenly among the allowed actions and the best has the rest, whatever their number and its place among
them, its share of the whole holds every uniform number from `explore` to 1 - `explore`. Here: which rows are so.
Not here: scores (quick_outputs.py), probabilities (policies/choice.py). m rows, k actions.
"""

from __future__ import annotations

import numpy as np

from campaignrl.arrays import Bool, Float, Float32
from campaignrl.policies.base import sample
from campaignrl.policies.certified_draws.quick_outputs import Actions
from campaignrl.policies.certified_draws.rounding_bound import UNIT, Rounded
from campaignrl.policies.choice import with_floor

SPARE = 1e-9  # of a share, for the rounding of probabilities and their sums in double precision


def greedy_draws(scores: Float32, known: Rounded, allowed: Bool, u: Float, explore: float) -> tuple[Actions, Bool]:
    """(m,) actions by inversion of u (m,), and in which rows the best is not clear.

    scores: (k, m), written on; allowed: (m, k); explore: share of uniform over what is allowed.
    """
    best, clear = _clear_best(scores, known, allowed)
    sure = (u >= explore + SPARE) & (u < 1.0 - explore - SPARE) if explore else np.ones(len(u), dtype=bool)
    rows = np.flatnonzero(clear & ~sure)
    if len(rows):
        shares = np.zeros((len(rows), len(scores)))
        shares[np.arange(len(rows)), best[rows]] = 1.0
        best[rows] = sample(with_floor(shares, allowed[rows], explore), u[rows])
    return best, ~clear


def _clear_best(scores: Float32, known: Rounded, allowed: Bool) -> tuple[Actions, Bool]:
    """(m,) allowed actions of the highest score, and where no other is as near as rounding may have moved them.

    Scores are lifted above 0, so that what is barred can be 0: that rounds, as does the end below the best, by a few
    units of three times their size.
    """
    k = len(scores)
    scores += np.float32(2.0 * known.size)
    scores *= np.ascontiguousarray(allowed.T)
    end = np.maximum.reduce(scores, axis=0)
    end -= np.float32(2.0 * known.off + 16.0 * UNIT * known.size)
    near = (scores >= end).view(np.uint8)
    count = np.min_scalar_type(k)
    clear = np.add.reduce(near, axis=0, dtype=count) == 1
    places = np.arange(k, dtype=count)[:, None]
    return np.add.reduce(near * places, axis=0, dtype=count).astype(np.int64), clear
