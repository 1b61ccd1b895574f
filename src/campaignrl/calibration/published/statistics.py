"""Measured figures with their intervals: means and ratios over customers, and the jackknife for anything else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

from campaignrl.arrays import Array, Float
from campaignrl.true_value import Value, ratio_value

GROUPS = 20
FEWEST = 10  # customers who count below the line; with fewer, the error says nothing
UNKNOWN = Value(*[float("nan")] * 4)


def share(part: Array, whole: Array) -> Value:
    """Ratio of two totals over the same customers (n,), e.g. opens over deliveries; NaN where too few are below."""
    if np.count_nonzero(whole) < FEWEST:
        return UNKNOWN
    return ratio_value(np.asarray(part, np.float64), np.asarray(whole, np.float64))


def jackknife(statistic: Callable[[Float], float], values: Float) -> Value:
    """A statistic of values (n,) in a random order, its error by leaving out one of 20 groups at a time.

    Source: Efron & Stein 1981, "The Jackknife Estimate of Variance", Annals of Statistics 9(3).
    """
    if len(values) < 2 * GROUPS:
        return UNKNOWN
    group = np.arange(len(values)) % GROUPS
    without = np.array([statistic(values[group != g]) for g in range(GROUPS)])
    whole = statistic(values)
    error = float(np.sqrt((GROUPS - 1) / GROUPS * ((without - without.mean()) ** 2).sum()))
    half = -float(special.stdtrit(GROUPS - 1, 0.025)) * error
    return Value(whole, error, whole - half, whole + half)


def relative_spread(values: Float) -> float:
    """Standard deviation over mean; NaN for a mean of 0."""
    mean = values.mean()
    return float(values.std() / mean) if mean else float("nan")


def top_tenth(values: Float) -> float:
    """Share of the total that the tenth with the most holds; NaN for a total of 0."""
    total = values.sum()
    most = np.sort(values)[::-1][: max(len(values) // 10, 1)]
    return float(most.sum() / total) if total else float("nan")
