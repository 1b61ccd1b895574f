"""Percentile bootstrap over customers: the estimate again and again, from customers drawn with replacement.

Everybody's first interval, and misleading where conversions are rare: what was never seen is never drawn (see
experiments/coverage.py). Here for the estimators and quantities that have no other interval, and to compare with.
Not here: refitting the reward model in every draw, which asks the whole evaluation again (refit_bootstrap.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from campaignrl.arrays import Rows
from campaignrl.ope.intervals.clustered import Clusters

RESAMPLES = 1_000  # of customers; the ends of a 95 % interval then rest on 25 draws each


def resampled_rows(clusters: Clusters, resamples: int, chance: np.random.Generator) -> Iterator[Rows]:
    """Row numbers of each resample: C customers drawn with replacement, each with all its rows."""
    owner = clusters.of_rows()
    order = np.argsort(owner, kind="stable")
    for _ in range(resamples):
        times = np.bincount(chance.integers(0, len(clusters), len(clusters)), minlength=len(clusters))
        yield np.repeat(order, times[owner[order]])


def percentile_interval(
    value: Callable[[Rows], float], clusters: Clusters, alpha: float, chance: np.random.Generator, resamples: int
) -> tuple[float, float]:
    """The alpha / 2 and 1 - alpha / 2 quantiles of `value(rows)` over resamples; draws that give none are left out."""
    drawn = np.array([value(rows) for rows in resampled_rows(clusters, resamples, chance)])
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return float("nan"), float("nan")
    low, high = np.quantile(drawn, [alpha / 2, 1.0 - alpha / 2])
    return float(low), float(high)
