"""How sure a difference over seeds is, and what it says about a regression. Pure functions of arrays; n seeds.

Each seed is one independent repetition (new customers, new training), and both policies live through it on the same
customers with the same luck. So the difference per seed is what is averaged, and Student's t gives its interval.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy import stats

from campaignrl.arrays import Float

POWER = 0.8
ROUNDING = 1e-12  # relative; smaller differences are arithmetic, not policy

REGRESSION = "REGRESSION"
WORSE = "worse, no regression shown"
SAME = "no difference"
IMPROVED = "improved"
NO_EVIDENCE = "not enough evidence"
NEW = "new"


class Paired(NamedTuple):
    """Candidate minus base; the difference, its ends and `detectable` are shares of the base's mean value."""

    seeds: int
    base: float
    candidate: float
    difference: float
    ci_low: float
    ci_high: float
    detectable: float  # smallest true difference told from none with a chance of POWER


def paired_difference(base: Float, candidate: Float, alpha: float = 0.05) -> Paired:
    """Interval of mean(candidate - base) / |mean(base)|, the divisor taken as known. base, candidate: (n,), n >= 2.

    mean +- t(1 - alpha/2, n - 1) x s / sqrt(n), s the standard deviation of the n differences.
    """
    n, scale = len(base), abs(float(base.mean()))
    relative = (candidate - base) / scale
    relative = np.where(np.abs(relative) <= ROUNDING, 0.0, relative)
    mean, error = float(relative.mean()), float(relative.std(ddof=1) / math.sqrt(n))
    half = _t(alpha / 2, n - 1) * error
    least = detectable_difference(error, n, alpha)
    return Paired(n, float(base.mean()), float(candidate.mean()), mean, mean - half, mean + half, least)


def detectable_difference(error: float, n: int, alpha: float = 0.05, power: float = POWER) -> float:
    """Minimal detectable effect, (t(1 - alpha/2) + t(power)) x standard error (Bloom 1995, Evaluation Review 19)."""
    return (_t(alpha / 2, n - 1) + _t(1 - power, n - 1)) * error


def verdict(ci_low: float, ci_high: float, margin: float) -> str:
    """What an interval says when a loss of `margin` is allowed.

    REGRESSION only if the whole interval lies below -margin: the loss is shown to be larger than what is allowed.
    """
    if ci_high < -margin:
        return REGRESSION
    if ci_high < 0.0:
        return WORSE
    return IMPROVED if ci_low > 0.0 else SAME


def seeds_needed(seeds: int, detectable: float, margin: float) -> int:
    """About how many seeds would tell a loss of `margin` from none, the spread staying as it is."""
    return math.ceil(seeds * (detectable / margin) ** 2)


@cache
def _t(tail: float, freedom: int) -> float:
    return float(stats.t.isf(tail, freedom))
