"""Asymptotic confidence sequences: a normal interval made wide enough to hold at every look, for means without a range.

mean +- SE x sqrt(2 (n r + 1) / (n r) x log(sqrt(n r + 1) / alpha)), r the tuning: Robbins' normal mixture (Waudby-
Smith, Arbour, Sinha, Kennedy & Ramdas 2024, Annals of Statistics 52:2613, theorem 2.2). The error at all looks
together tends to alpha where looking starts once a central limit theorem holds; it is narrowest near the n it is
tuned for. Not here: bounds that hold exactly, for outcomes of a known range (confidence_sequences.py).
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from scipy import stats

from campaignrl import rng
from campaignrl.arrays import Float

PATHS, STEPS = (
    8_000,
    50,
)  # of the Brownian motions that say how much larger a test of many looks is; more looks find more


def mixture_tuning(alpha: float, tuned_for: float) -> float:
    """R for which the interval is narrowest at n = tuned_for (ibid., appendix B.2)."""
    reach = -2.0 * math.log(alpha)
    return (reach + math.log(reach) + 1.0) / tuned_for


def anytime_multiple(n: Float | float, alpha: float, tuned_for: float) -> Float:
    """Standard errors that the interval reaches to each side after n observations; of the shape of n."""
    inner = np.asarray(n, dtype=np.float64) * mixture_tuning(alpha, tuned_for)
    found: Float = np.sqrt(2.0 * (inner + 1.0) / inner * np.log(np.sqrt(inner + 1.0) / alpha))
    return found


@cache
def anytime_inflation(alpha: float, power: float, first: float = 0.05) -> float:
    """How many times the customers of a test with one look a test with any number of looks may need, for equal power.

    first: share of them at the first look. By Brownian motions with drift, tuned for the last look.
    """
    time = np.linspace(first, 1.0, STEPS)
    chance = rng.generator(0, rng.Purpose.RESAMPLE, 1)
    steps = chance.standard_normal((PATHS, STEPS)) * np.sqrt(np.diff(time, prepend=0.0))
    noise, edge = np.cumsum(steps, axis=1), anytime_multiple(time, alpha, 1.0) * np.sqrt(time)
    low, high = 0.0, 20.0
    for _ in range(40):
        drift = (low + high) / 2
        crossed = float((np.abs(noise + drift * time) >= edge).any(axis=1).mean())
        low, high = (drift, high) if crossed < power else (low, drift)
    once = stats.norm.isf(alpha / 2) + stats.norm.ppf(power)
    return float((high / once) ** 2)
