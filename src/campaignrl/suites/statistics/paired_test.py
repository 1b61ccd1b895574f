"""How sure a difference over seeds is, and what it says about a regression. Pure functions of arrays; n seeds.

Each seed is one independent repetition (new customers, new training), and both policies live through it on the same
customers with the same luck. So the difference per seed is what is averaged, and Student's t gives its interval. Not
here: how many seeds it takes (sample_size.py), figures that a single odd seed moves less (robust.py).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Float
from campaignrl.suites.statistics.robust import interquartile_mean, probability_of_improvement
from campaignrl.suites.statistics.sample_size import detectable_difference, student

ROUNDING = 1e-12  # relative; smaller differences are arithmetic, not policy

REGRESSION = "REGRESSION"
IMPROVEMENT = "improvement"
EQUAL = "equal within the margin"
INCONCLUSIVE = "inconclusive"
NO_EVIDENCE = "not enough evidence"  # nothing could be set against each other
NEW = "new"


class Paired(NamedTuple):
    """Candidate minus base; everything from `difference` on but the probability is a share of the base's mean."""

    seeds: int
    base: float
    candidate: float
    difference: float
    ci_low: float
    ci_high: float
    detectable: float  # smallest true difference told from none with a chance of POWER
    spread: float  # standard deviation of the difference between seeds
    interquartile_mean: float
    probability_higher: float  # that the candidate's figure is the higher one on a seed


def relative_differences(base: Float, candidate: Float) -> Float:
    """(n,) candidate - base as shares of |mean(base)|, the divisor taken as known; rounding errors are 0."""
    relative: Float = (candidate - base) / abs(float(base.mean()))
    return np.where(np.abs(relative) <= ROUNDING, 0.0, relative)


def paired_difference(base: Float, candidate: Float, alpha: float = 0.05) -> Paired:
    """Interval of mean(candidate - base) / |mean(base)|. base, candidate: (n,), n >= 2.

    mean +- t(1 - alpha/2, n - 1) x s / sqrt(n), s the standard deviation of the n differences.
    """
    n, relative = len(base), relative_differences(base, candidate)
    mean, spread = float(relative.mean()), float(relative.std(ddof=1))
    half = student(alpha / 2, n - 1) * spread / math.sqrt(n)
    return Paired(
        n,
        float(base.mean()),
        float(candidate.mean()),
        mean,
        mean - half,
        mean + half,
        detectable_difference(spread, n, alpha),
        spread,
        float(interquartile_mean(relative)),
        probability_of_improvement(relative),
    )


def verdict(ci_low: float, ci_high: float, margin: float) -> str:
    """What an interval says when a loss of `margin` is allowed; more is better.

    A regression is shown if the whole interval lies below -margin, an improvement if it lies above 0; no part below
    -margin excludes a loss that matters. Whatever is left is inconclusive: such a loss is neither shown nor excluded.
    """
    if ci_high < -margin:
        return REGRESSION
    if ci_low > 0.0:
        return IMPROVEMENT
    return EQUAL if ci_low >= -margin else INCONCLUSIVE
