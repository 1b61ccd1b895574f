"""Asymptotic confidence sequences: a normal interval made wide enough to hold at every look, for means without a range.

mean +- SE x sqrt(2 (n r + 1) / (n r) x log(sqrt(n r + 1) / alpha)), r the tuning: Robbins' normal mixture
(Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2024, Annals of Statistics 52:2613, theorem 2.2). The error at all looks
together tends to alpha where looking starts once a central limit theorem holds; narrowest near the n it is tuned for.
Where nobody looks beyond a horizon, the same curve may be drawn closer until all looks up to there share alpha
(Brownian limit, as in group-sequential tests). `late_multiple` keeps most of alpha for the end, more of it than
O'Brien & Fleming (1979, Biometrics 35:549): its boundary is a straight line that falls, whose chance of being passed is
known in closed form (Anderson 1960, Annals of Mathematical Statistics 31:165). Not here: bounds that hold exactly, for
outcomes of a known range (confidence_sequences.py).
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from scipy import special

from campaignrl import rng
from campaignrl.arrays import Float

FIRST = 0.05  # share of the horizon at the first look
PATHS = 8_000  # of the Brownian motions that stand for a test from its first to its last look
STEPS = 400  # looks of them that share alpha; this fine a grid is nearly continuous
FEW = 16  # every so many of these are the looks of a test whose power is asked: few looks find less
FALL = 1.5  # standard errors by which the late boundary falls: 0 is O'Brien & Fleming's, more is later and finds more
SAFE = 0.8  # share of alpha that is given out; the rest is for early looks, where the limit is not reached yet


def mixture_tuning(alpha: float, tuned_for: float) -> float:
    """R for which the interval is narrowest at n = tuned_for (Waudby-Smith et al. 2024, appendix B.2)."""
    reach = -2.0 * math.log(alpha)
    return (reach + math.log(reach) + 1.0) / tuned_for


def anytime_multiple(n: Float | float, alpha: float, tuned_for: float) -> Float:
    """Standard errors that the interval reaches to each side after n observations, for ever; of the shape of n."""
    inner = np.asarray(n, dtype=np.float64) * mixture_tuning(alpha, tuned_for)
    found: Float = np.sqrt(2.0 * (inner + 1.0) / inner * np.log(np.sqrt(inner + 1.0) / alpha))
    return found


def horizon_multiple(n: Float | float, alpha: float, horizon: float) -> Float:
    """The same where the last look is at `horizon` and the first at FIRST of it; a late last one counts as if there."""
    at = np.minimum(np.asarray(n, dtype=np.float64), horizon)
    return anytime_multiple(at, alpha, horizon) * _drawn_closer(alpha)


def late_multiple(n: Float | float, alpha: float, horizon: float) -> Float:
    """Standard errors at n of `horizon`: wide at first, near those of one look at the end, and never outside of alpha.

    For the Brownian motion behind it the boundary is a line that falls by FALL up to the end.
    """
    part = np.maximum(np.minimum(np.asarray(n, dtype=np.float64) / horizon, 1.0), 1e-12)
    found: Float = (_late_height(alpha) - FALL * part) / np.sqrt(part)
    return found


@cache
def late_inflation(alpha: float, power: float) -> float:
    """As `horizon_inflation`, for `late_multiple`, in the right direction: the chance is known exactly."""
    height = _late_height(alpha)
    low, high = 0.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _passed(height, middle) < power else (low, middle)
    once = special.ndtri(power) - special.ndtri(alpha / 2)
    return float((high / once) ** 2)


@cache
def _late_height(alpha: float) -> float:
    """Where the late boundary begins, so that either of its two lines is passed with half of alpha."""
    low, high = 0.0, 40.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _passed(middle, 0.0) > alpha / 2 else (low, middle)
    return high


def _passed(height: float, drift: float) -> float:
    """Chance that a Brownian motion of such a drift passes the line height - FALL t up to t = 1."""
    rise = drift + FALL
    beyond = 2.0 * height * rise + float(special.log_ndtr(-height - rise))
    return float(special.ndtr(rise - height)) + math.exp(min(beyond, 0.0))


@cache
def horizon_inflation(alpha: float, power: float) -> float:
    """How many times the customers of a test with one look a test with many looks may need at most, for equal power."""
    time, noise = _paths()
    time, noise = time[FEW - 1 :: FEW], noise[:, FEW - 1 :: FEW]
    edge = horizon_multiple(time, alpha, 1.0) * np.sqrt(time)
    low, high = 0.0, 20.0
    for _ in range(40):
        drift = (low + high) / 2
        crossed = float((np.abs(noise + drift * time) >= edge).any(axis=1).mean())
        low, high = (drift, high) if crossed < power else (low, drift)
    once = special.ndtri(power) - special.ndtri(alpha / 2)
    return float((high / once) ** 2)


@cache
def _drawn_closer(alpha: float) -> float:
    """The factor below 1 with which all looks up to the horizon leave out the truth with chance SAFE x alpha."""
    time, noise = _paths()
    furthest = (np.abs(noise) / (anytime_multiple(time, alpha, 1.0) * np.sqrt(time))).max(axis=1)
    part = 1.0 - SAFE * alpha
    return min(float(np.quantile(furthest, part)), 1.0)


@cache
def _paths() -> tuple[Float, Float]:
    """(STEPS,) moments up to 1 and (PATHS, STEPS) Brownian motions there; the same in every process."""
    time = np.linspace(FIRST, 1.0, STEPS)
    chance = rng.generator(0, rng.Purpose.RESAMPLE, 1)
    steps = chance.standard_normal((PATHS, STEPS)) * np.sqrt(np.diff(time, prepend=0.0))
    return time, np.cumsum(steps, axis=1)
