"""Scores of recency, frequency and money by edges: one arithmetic for the RFM tags and for RFM segments.

A score is 1 to 5 among those who ever ordered, 5 the best fifth; customers with equal values have equal scores. The
edges are values that customers have (quintiles without interpolation), so that they can be kept and give a later
customer the same score. Not here: the tags (history_statistics.py), the names of groups of scores (segments/rfm.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from campaignrl.arrays import Bool, Float, Int64

QUINTILES = (0.2, 0.4, 0.6, 0.8)


def quintile_edges(values: Float, ordered: Bool) -> tuple[float, ...]:
    """The four inner edges of the values of those who ordered; ascending, and zeros where nobody has a value.

    >>> quintile_edges(np.array([10.0, 20, 30, 40, 50, 0]), np.array([1, 1, 1, 1, 1, 0], dtype=bool))
    (10.0, 20.0, 30.0, 40.0)
    """
    given = values[ordered & ~np.isnan(values)]
    if not len(given):
        return (0.0,) * len(QUINTILES)
    return tuple(np.quantile(given, QUINTILES, method="inverted_cdf").tolist())


def edge_scores(values: Float, edges: Sequence[float], *, less_is_better: bool = False) -> Int64:
    """(n,) 1 + the number of edges below each value, turned round where less is better; 0 where it is missing.

    >>> edge_scores(np.array([5.0, 20, 21, np.nan]), (10.0, 20.0, 30.0, 40.0))
    array([1, 2, 3, 0])
    """
    scores: Int64 = np.searchsorted(np.asarray(edges), values, side="left") + 1
    scores = len(edges) + 2 - scores if less_is_better else scores
    return np.where(np.isnan(values), 0, scores)
