"""What a value would be if few rows could not decide it: a second figure beside the estimate, winsorised and LogSumExp.

Both trade the error of rare large terms for a bias towards the usual ones, which no interval shows; where they lie far
from `dr`, a few rows carry it. Not here: naming those rows (influence.py). n rows.
"""

from __future__ import annotations

import math

import numpy as np

from campaignrl.arrays import Float
from campaignrl.ope.intervals import Clusters, Estimate, Point, clustered_t

WINSORISED, LOG_SUM_EXP = "winsorised", "logsumexp"
TAIL = 0.005  # of the rewards other than 0, at either end
LEAST = 5  # rows at least that are cut
MADE_BY = "customer t, bias not counted"


def robust_figures(weight: Float, reward: Float, clusters: Clusters, alpha: float) -> dict[str, Estimate]:
    """Both figures of a policy. weight, reward: (n,). No model is in them: it has learned from the same few rows."""
    usual = weight * np.clip(reward, *caps(reward))
    mean, value = float(weight.mean()), float(usual.mean())
    ratio = value / mean if mean > 0.0 else math.nan
    points = {
        WINSORISED: Point(ratio, (usual - ratio * weight) / mean if mean > 0.0 else np.full(len(usual), math.nan)),
        LOG_SUM_EXP: log_sum_exp(weight * reward, usual),
    }
    return {name: clustered_t(point, clusters, alpha, MADE_BY) for name, point in points.items()}


def caps(reward: Float) -> tuple[float, float]:
    """Least and largest reward after winsorising (Dixon 1960): the outermost TAIL of those other than 0 are cut."""
    there = np.sort(reward[reward != 0.0])
    cut = max(LEAST, math.ceil(TAIL * len(there)))
    if len(there) <= 2 * cut:
        return (float(reward.min()), float(reward.max())) if len(reward) else (0.0, 0.0)
    return min(0.0, float(there[cut])), max(0.0, float(there[-1 - cut]))


def log_sum_exp(terms: Float, usual: Float) -> Point:
    """Mean of terms by log-sum-exp with a negative parameter, which bounds what a large one can do.

    Args:
        terms: (n,) weight times reward; positive and negative ones are taken apart.
        usual: (n,) the same without the largest, whose spread s sets the parameter, -1 / (sqrt(n) s): the bias is
            then about half a standard error of the usual terms.

    Returns:
        Point: log(mean(exp(l x))) / l, and every row's influence on it.

    Source:
        Behnamnia, Aminian, Aghaei, Shi, Tan and Rabiee 2025, "Log-Sum-Exponential Estimator for Off-Policy Evaluation
        and Learning" (ICML).

    Example:
        >>> import numpy as np
        >>> x = np.array([1.0, 2.0, 3.0, 2.0, 1000.0])
        >>> round(log_sum_exp(x, np.minimum(x, 3.0)).value, 2)  # the mean is 201.6
        2.43
    """
    spread = float(usual.std())
    if not spread > 0.0:
        value = float(terms.mean())
        return Point(value, terms - value)
    parameter = -1.0 / (math.sqrt(len(terms)) * spread)
    above, below = (_one_sided(np.maximum(sign * terms, 0.0), parameter) for sign in (1.0, -1.0))
    return Point(above.value - below.value, above.influence - below.influence)


def _one_sided(terms: Float, parameter: float) -> Point:
    """Of terms of at least 0."""
    scaled = parameter * terms
    largest = float(scaled.max())  # taken out, or all powers of large terms of little spread would be 0
    powers = np.exp(scaled - largest)
    mean = float(powers.mean())
    return Point((largest + math.log(mean)) / parameter, (powers / mean - 1.0) / parameter)
