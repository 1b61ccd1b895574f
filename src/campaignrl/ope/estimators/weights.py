"""Importance weights, and what they tell before any reward is looked at.

weight: (n,) w = pi_e(a|x) / p, how much more often the valued policy would do what was logged. If propensities
and masks are right and everything the policy would do was tried, its mean is 1. Not here: thresholds and words
(verdict.py).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Array, Float
from campaignrl.ope.intervals import Clusters, PairSums, f_tail, mean_weight_statistic

CERTAIN = 1.0 - 1e-12  # a propensity above this left the other actions none
TOGETHER = 32  # rows of probabilities
MIXES = (0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01)  # shares of the valued policy offered for a closer question


def effective_sample_size(weight: Float) -> float:
    """(sum w)^2 / sum w^2 (Kish 1965): rows of equal weight that would say as much. 0 if no row speaks."""
    square = float(weight @ weight)
    return float(weight.sum()) ** 2 / square if square > 0.0 else 0.0


def max_weight_share(weight: Float) -> float:
    """The largest weight as a share of all weight, in [0, 1]; 1 if no row speaks."""
    total = float(weight.sum())
    return float(weight.max()) / total if total > 0.0 else 1.0


def mean_weight_p_value(weight: Float, clusters: Clusters, weight_range: tuple[float, float]) -> float:
    """How likely a mean weight this far from 1 is if propensities, masks and support are right.

    An empirical-likelihood test on customers' sums: unlike a z test it grants one heavy row that chance may
    have left out, so rare actions raise no false alarm.
    """
    total = clusters.scaled(weight)
    distance = mean_weight_statistic(PairSums.of(total, total), *customer_range(total, clusters, weight_range))
    return f_tail(distance, len(clusters))


def customer_range(total: Float, clusters: Clusters, weight_range: tuple[float, float]) -> tuple[float, float]:
    """The least and the largest weight (`Clusters.scaled`, total: (C,)) that a customer may be granted to have.

    That of a customer with one row at the bound of a row and the others at their mean of 1, or what was seen.
    """
    row = len(clusters) / clusters.rows
    least, largest = (row * bound + 1.0 - row for bound in weight_range)
    return min(least, float(total.min())), max(largest, float(total.max()))


def most_wanted(probabilities: Array) -> Array:
    """(k,) the largest probability of each action, of (m, k): `max(axis=0)`, in a tenth of its time."""
    m, k = probabilities.shape
    rows = m - m % TOGETHER
    if not rows or not probabilities.flags.c_contiguous:
        return np.asarray(probabilities.max(axis=0))
    # Short rows cost more to step over than to compare: so they are compared by so many at once.
    most = probabilities[:rows].reshape(-1, TOGETHER * k).max(axis=0).reshape(TOGETHER, k)
    return np.asarray(np.concatenate([most, probabilities[rows:]]).max(axis=0))


def weight_bound(most_wanted: Float, action: Array, propensity: Float, floor: float | None) -> float:
    """The largest weight possible: the policy's largest probability over the smallest logged propensity.

    most_wanted: (k,) largest pi_e of each action; floor: the least propensity the logging policy gives
    anything, where known. Otherwise the least seen on an action that the valued policy takes at all.
    """
    if floor is None:
        wanted = propensity[most_wanted[action] > 0.0]
        floor = float(wanted.min()) if len(wanted) else float(propensity.min())
    return max(float(most_wanted.max()) / floor, 1.0)


def off_support(probabilities: Array, chosen: Float, untried: npt.NDArray[np.bool_], propensity: Float) -> Float:
    """(m,) mass of pi_e on what the log cannot speak of.

    chosen: (m,) pi_e of the logged action. Where the logged action was certain, that is all the rest;
    elsewhere the actions that no row of the log took (untried, (k,)).
    """
    unseen = probabilities[:, untried].sum(axis=1, dtype=np.float64) if untried.any() else np.zeros(len(chosen))
    return np.where(propensity >= CERTAIN, np.maximum(1.0 - chosen, 0.0), unseen)


def mixed(weight: Float, share: float) -> Float:
    """Weights of the policy that follows the valued one with probability `share`, else the logged one."""
    return (1.0 - share) + share * weight


def closest_mix(weight: Float, enough: float) -> tuple[float, float] | None:
    """The largest of MIXES whose effective sample size is at least `enough`, with that size; None if none is."""
    sizes = ((share, effective_sample_size(mixed(weight, share))) for share in MIXES)
    return next(((share, size) for share, size in sizes if size >= enough), None)


def rounded_to_half_precision(propensity: Float) -> bool:
    """Whether propensities look as if they had passed through 16-bit floats: many values, each exact in 16 bits."""
    values = propensity[: 1 << 16]
    if not all(_exact_in_half_precision(some) for some in (values[:64], values)):  # most logs are told by a few
        return False
    return len(np.unique(values)) >= 20


def _exact_in_half_precision(values: Float) -> bool:
    return bool((values == values.astype(np.float16).astype(np.float64)).all())
