"""Scores of recency, frequency and money by edges: one arithmetic for the RFM tags and for RFM segments.

A score is 1 to 5 among those who ever ordered, 5 the best fifth; customers with equal values have equal scores. The
edges are values that customers have, so that they can be kept and give a later customer the same score. Not here: the
tags (history_statistics.py), the names of groups of scores (segments/rfm.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from campaignrl.arrays import Bool, Float, Int64

QUINTILES = (0.2, 0.4, 0.6, 0.8)
PARTS = len(QUINTILES) + 1


def quintile_edges(values: Float, ordered: Bool, *, less_is_better: bool = False) -> tuple[float, ...]:
    """The four inner edges of the values of those who ordered; ascending, and zeros where nobody has a value.

    A value's fifth is that of its mean rank; an edge is the largest value of its fifth or a lower one, or lies just
    below all values where these fifths are empty.

    >>> quintile_edges(np.array([10.0, 20, 30, 40, 50, 0]), np.array([1, 1, 1, 1, 1, 0], dtype=bool))
    (10.0, 20.0, 30.0, 40.0)
    """
    given = pd.Series(values[ordered & ~np.isnan(values)])
    if not len(given):
        return (0.0,) * len(QUINTILES)
    rank = given.rank(method="average", pct=True, ascending=not less_is_better).to_numpy()
    fifth = np.clip(np.ceil(PARTS * rank - 1e-9), 1.0, PARTS)
    fifth = PARTS + 1 - fifth if less_is_better else fifth  # counted from the least value in either case
    below = float(np.nextafter(given.min(), -np.inf))
    return tuple(float(given[fifth <= k].max()) if (fifth <= k).any() else below for k in range(1, PARTS))


def edge_scores(values: Float, edges: Sequence[float], *, less_is_better: bool = False) -> Int64:
    """(n,) 1 + the number of edges below each value, turned round where less is better; 0 where it is missing.

    >>> edge_scores(np.array([5.0, 20, 21, np.nan]), (10.0, 20.0, 30.0, 40.0))
    array([1, 2, 3, 0])
    """
    scores: Int64 = np.searchsorted(np.asarray(edges), values, side="left") + 1
    scores = len(edges) + 2 - scores if less_is_better else scores
    return np.where(np.isnan(values), 0, scores)
