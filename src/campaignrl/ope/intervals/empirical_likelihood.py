"""Empirical likelihood: the interval of a weighted mean that stays honest when conversions are rare.

Rows of one customer move together, so it works on sums over customers, never on rows (clustered.py).

It is the Cressie-Read(-2) form of Karampatziakis, Langford & Mineiro (2020, "Empirical
Likelihood for Contextual Bandits", NeurIPS). It asks which values are plausible given that the mean weight is
1 and that one more observation, as extreme as the bounds allow, may have been missed. So it stays honest when
conversions are rare, where t and bootstrap intervals shut around what happened to be seen. It needs six
running sums, and the few customers farthest out, to whom those sums alone might give a chance below 0 (the
paper's closed form lets chances go there; a distribution cannot). C customers; weights W and outcomes Y are sums
over a customer's rows times C / n, so their means over customers are means over rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Float
from campaignrl.ope.intervals.quantiles import f_quantile

EMPIRICAL_LIKELIHOOD = "empirical likelihood"


@dataclass(frozen=True)
class PairSums:
    """The running sums over (W, Y) of C customers; sums of two lots of customers add up."""

    n: float
    w: float
    ww: float
    y: float
    wy: float
    yy: float

    @classmethod
    def of(cls, weight: Float, outcome: Float) -> PairSums:
        """weight, outcome: (C,)."""
        w, y = weight, outcome
        return cls(len(w), *(float(x) for x in (w.sum(), w @ w, y.sum(), w @ y, y @ y)))

    def __add__(self, other: PairSums) -> PairSums:
        a, b = self, other
        return PairSums(a.n + b.n, a.w + b.w, a.ww + b.ww, a.y + b.y, a.wy + b.wy, a.yy + b.yy)

    def __sub__(self, other: PairSums) -> PairSums:
        a, b = self, other
        return PairSums(a.n - b.n, a.w - b.w, a.ww - b.ww, a.y - b.y, a.wy - b.wy, a.yy - b.yy)

    def mirrored(self) -> PairSums:
        """The sums of (W, -Y): the upper end of Y is minus the lower end of -Y."""
        return PairSums(self.n, self.w, self.ww, -self.y, -self.wy, self.yy)


Outliers = tuple[Float, Float]  # (2, f) weights and outcomes: of the largest outcomes, and of the smallest
NO_OUTLIERS: Outliers = (np.zeros((2, 0)), np.zeros((2, 0)))


class Extreme(NamedTuple):
    """An observation that may have been missed. An infinite weight is meant with an outcome of slope x weight."""

    weight: float
    outcome: float
    slope: float = 0.0

    def mirrored(self) -> Extreme:
        """The same with its outcome negated."""
        return Extreme(self.weight, -self.outcome, -self.slope)


def cressie_read(
    sums: PairSums, low: list[Extreme], high: list[Extreme], alpha: float, outliers: Outliers | None = None
) -> tuple[float, float]:
    """Interval of mean Y given that mean W = 1; low, high: what may have been missed at each end.

    The weights of `low` (the same in `high`) are the least and the largest possible one. outliers: customers whose
    chances stay at or above 0. (-inf, inf) where no distribution agrees with the bounds.
    """
    weights = [extreme.weight for extreme in low]
    budget = mean_weight_statistic(sums, min(weights), max(weights)) + f_quantile(alpha, sums.n)
    mirror, (above, below) = sums.mirrored(), outliers or NO_OUTLIERS
    lower = [end for extreme in low if (end := _lower_end(sums, extreme, budget, above)) is not None]
    below = below * [[1.0], [-1.0]]
    upper = [end for extreme in high if (end := _lower_end(mirror, extreme.mirrored(), budget, below)) is not None]
    return min(lower, default=-math.inf), -min(upper, default=-math.inf)


def cressie_read_point(sums: PairSums, least: float, largest: float, mean_reward: float) -> float:
    """The value whose distribution is nearest to the sample among those of mean weight 1; Y = weight x reward.

    Where the sample's weights fall short of 1, the missing mass earns `mean_reward`.
    """
    fake, m = (largest if sums.w < sums.n else least), sums.n + 1
    gamma, beta = -m / sums.n, 0.0
    if not math.isinf(fake):
        mean, square = (fake + sums.w) / m, (fake * fake + sums.ww) / m
        if square - mean * mean <= _TINY:  # every weight is the same
            return sums.y / sums.n
        gamma, beta = (square - mean) / (mean * mean - square), (1 - mean) / (mean * mean - square)
    missing = max(0.0, 1 - (-gamma * sums.w - beta * sums.ww) / m)
    return (-gamma * sums.y - beta * sums.wy) / m + missing * mean_reward


_TINY = 1e-12  # a variance of weights below this is rounding
_FLAT = 1e-15  # a residual variance below this share of the outcomes' squares is rounding: all lie on a line
_TRIES = 10  # of sets of customers without a chance; one or two are usual


def mean_weight_statistic(sums: PairSums, least: float, largest: float) -> float:
    """How far the weights are from a mean of 1, as a squared distance that follows F(1, C) when they are not.

    One possible weight that was missed is granted before the distance is taken.
    """
    weight = largest if sums.w < sums.n else least
    return 1 + 1 / sums.n if math.isinf(weight) else _distance(sums, weight)


def _distance(sums: PairSums, weight: float) -> float:
    m = sums.n + 1
    mean = (sums.w + weight) / m
    variance = (sums.ww + weight * weight) / m - mean * mean
    if variance > _TINY * mean * mean:
        return m * (1 - mean) ** 2 / variance
    return 0.0 if abs(mean - 1) < 1e-9 else math.inf


def _lower_end(sums: PairSums, extreme: Extreme, budget: float, above: Float) -> float | None:
    """Least mean Y within `budget` of the sample joined by `extreme`; None where mean W = 1 is out of reach.

    above: (2, f) weights and outcomes of customers whose chances stay at or above 0.
    """
    m = sums.n + 1
    if math.isinf(extreme.weight):  # the limit of the finite case; the missed point then pins the slope
        centre = extreme.slope + (sums.y - extreme.slope * sums.w) / sums.n
        square = sums.yy - 2 * extreme.slope * sums.wy + extreme.slope**2 * sums.ww
        residual = (square - (sums.y - extreme.slope * sums.w) ** 2 / sums.n) / m
        room = budget - m / sums.n
        return centre - math.sqrt(max(residual, 0.0) * room / m) if room >= 0 else None
    w, y = extreme.weight, extreme.outcome
    joined = sums + PairSums(1, w, w * w, y, w * y, y * y)
    return _least_mean(joined, budget, above)


def _least_mean(sums: PairSums, budget: float, above: Float) -> float | None:
    """`_lower_end` of a sample that the extreme has joined already.

    The chances are (1 + d) / m with a sum of d^2 of at most the budget, so the d are a plane over (W, Y); which
    customers it would send below -1 and are held there, each for 1 of the budget, is found by trying: as soon as a
    plane sends below -1 just those that it was made without, it is the best there is (the conditions of Karush, Kuhn
    and Tucker, sufficient in a convex problem). Where none is found they are let below 0: an end farther out.
    """
    free = plane = _plane(sums, sums.n, budget)
    held = np.zeros(above.shape[1], dtype=bool)
    for _ in range(_TRIES):
        if plane is None:
            break
        sent = plane.moved(above) < -1.0
        if (sent == held).all():
            return plane.mean
        held = sent
        plane = _plane(sums - PairSums.of(*above[:, held]), sums.n, budget)
    return None if free is None else free.mean


class _Plane(NamedTuple):
    """How far each chance is moved: even + tilt (W - mean W) - pull (residual of Y), and the mean Y this makes."""

    mean: float
    even: float
    tilt: float
    pull: float
    slope: float
    middle: tuple[float, float]  # of W and Y

    def moved(self, customers: Float) -> Float:
        """(2, f) -> (f,) d."""
        w, y = customers - np.array(self.middle)[:, None]
        return np.asarray(self.even + self.tilt * w - self.pull * (y - self.slope * w))


def _plane(sums: PairSums, m: float, budget: float) -> _Plane | None:
    """The plane of least mean Y when `sums` are those of the customers that have a chance, of m; None: out of reach.

    In words: a regression of Y on W read off at W = 1, less a margin of its residual variance.
    """
    n = sums.n
    mean_w, mean_y = sums.w / n, sums.y / n
    variance, covariance = sums.ww / n - mean_w * mean_w, sums.wy / n - mean_w * mean_y
    varies = variance > _TINY * mean_w * mean_w
    if not varies and not abs(mean_w - 1) < 1e-9:
        return None
    slope, tilt = (covariance / variance, m / n * (1 - mean_w) / variance) if varies else (0.0, 0.0)
    residual = max(sums.yy / n - mean_y * mean_y - slope * covariance, 0.0)
    room = budget - (m - n) * m / n - n * tilt * tilt * variance
    if not room >= 0:
        return None
    margin = math.sqrt(room * residual * n) / m
    pull = math.sqrt(room / (n * max(residual, _FLAT * sums.yy / n, _FLAT**2)))
    return _Plane(mean_y + slope * (1 - mean_w) - margin, (m - n) / n, tilt, pull, slope, (mean_w, mean_y))
