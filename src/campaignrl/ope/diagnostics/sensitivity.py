"""How wrong would the log have to be? Bounds of a lift if propensities are off, by the marginal sensitivity model.

Whatever drove the choice and is not in the log makes the stated propensity p of a row wrong. If the odds of the true
one are off by at most a factor of G, 1/p may be anything between 1 + (1/p - 1) / G and 1 + (1/p - 1) G (Tan 2006, JASA
101; Zhao, Small & Bhattacharya 2019, JRSS-B 81). A self-normalised mean of rows with such weights is a ratio of two
sums that are linear in them; its largest value gives the largest weight to all rows above some outcome and the least to
the others, so one sort of the outcomes, with sums up to each, finds it exactly for every G.

A difference of two policies is that of what each does more than the other in a row: their common part is the same in
both, whatever the propensities are. What is left stands in different rows, so that both ends are reached at once.
Here: those bounds, and the factors at which a sign turns and an interval reaches 0. Not here: drawing
(report/figures/). n rows, G gamma.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from campaignrl.arrays import Array, Float
from campaignrl.ope.data import ascending

GAMMAS = (1.0, 1.05, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0, 2.5, 3.0)  # of the curve
MOST = 50.0  # factors above it are not told apart
HALVINGS = 24
MOST_ROWS = 1 << 17  # by which bounds are worked out; of more, every second, third ... row
LOOKED_AT = 1 << 16  # rows from which it is read how much wider the interval gets


class Bound(NamedTuple):
    """Least and largest lift if the odds are off by a factor of at most `gamma`, with the interval around both."""

    gamma: float
    low: float
    high: float
    ci_low: float
    ci_high: float


class Sensitivity(NamedTuple):
    """How far propensities may be off. Factors of odds, 1 or more; infinite above MOST; NaN where there is no lift."""

    sign: float  # from which on the lift might have the other sign
    interval: float  # from which on its interval might hold 0; 1 where it does as it is
    rows: int  # that speak, by which the bounds were worked out
    curve: tuple[Bound, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; a factor is None above `largest_factor` (and without a curve where there is none)."""
        facts = {"sign": _known(self.sign), "interval": _known(self.interval), "largest_factor": MOST}
        return facts | {"rows": self.rows, "curve": [bound._asdict() for bound in self.curve]}

    def sentence(self) -> str:
        """In words, "" where there is nothing to say."""
        if not self.curve:
            return ""
        told = f"to turn the sign of the lift, odds of propensities must be off by a factor of {_factor(self.sign)}"
        near = "holds 0 as it is" if self.interval <= 1.0 else f"might hold 0 from {_factor(self.interval)} on"
        return f"{told} (its interval {near})"


class WeightedRows(NamedTuple):
    """Rows of which one side of a difference is a self-normalised mean; arrays (n,)."""

    weight: Float  # target over stated propensity, 0 or more
    propensity: Float
    outcome: Float

    def weights(self, place: int, gamma: float, upper: bool) -> Float:
        """(n,) the weights where the rows from a place on are as heavy as can be, and those before as light.

        upper: or the other way round.
        """
        weights = 1.0 - self.propensity
        weights[:place] *= 1.0 / gamma if upper else gamma
        weights[place:] *= gamma if upper else 1.0 / gamma
        weights += self.propensity
        weights *= self.weight
        return weights


class Extremes:
    """The largest self-normalised mean at any gamma; NaN where there are no rows."""

    def __init__(self, rows: WeightedRows) -> None:
        """rows: by ascending outcome."""
        weight, p, self._outcome = rows
        sure, open_ = weight * p, weight * (1.0 - p)
        self._sure, self._sure_sum = float(sure.sum()), float(sure @ self._outcome)
        mass = np.concatenate([[0.0], np.cumsum(open_)])  # (n + 1,) of the rows below each place
        total = np.concatenate([[0.0], np.cumsum(open_ * self._outcome)])
        # Asked for hundreds of times, one number each: as functions of the place they cost a fifth.
        self._mass, self._sum, self._at = mass.item, total.item, self._outcome.item
        self._beyond = _beyond(self._outcome).item
        self._all_mass, self._all = float(mass[-1]), float(total[-1])
        self._means: dict[float, float] = {}
        self._asked: list[float] = []  # gammas, ascending, and the place of each
        self._places: list[int] = []

    def largest(self, gamma: float) -> float:
        """The largest mean if odds are off by a factor of at most gamma.

        The best place to cut is where the mean passes the outcomes: rows above the mean pull it up.
        """
        if not len(self._outcome):
            return math.nan
        if gamma not in self._means:
            at = bisect_left(self._asked, gamma)
            place = self._place(gamma, *self._between(at, gamma))
            self._asked.insert(at, gamma)
            self._places.insert(at, place)
            self._means[gamma] = self._mean(place, gamma)
        return self._means[gamma]

    def _between(self, at: int, gamma: float) -> tuple[int, int]:
        """Places between which that of gamma lies, by those of the gammas beside it: it rises with gamma."""
        n = len(self._outcome)
        low = self._places[at - 1] if at else 0
        high = self._places[at] if at < len(self._places) else n
        sure = (not low or self._above(low - 1, gamma)) and (high == n or not self._above(high, gamma))
        return (low, high) if sure else (0, n)

    def _place(self, gamma: float, low: int, high: int) -> int:
        """The number of rows that lie below the largest mean."""
        while low < high:
            middle = (low + high) // 2
            if self._above(middle, gamma):
                low = middle + 1
            else:
                high = middle
        return low

    def _above(self, place: int, gamma: float) -> bool:
        """Whether the largest mean is above the outcome there: the largest sum of weight x (outcome - it) above 0."""
        total, mass = self._parts(self._beyond(place), gamma)
        return total - self._at(place) * mass > 0.0

    def _mean(self, k: int, gamma: float) -> float:
        total, mass = self._parts(k, gamma)
        return total / mass

    def _parts(self, k: int, gamma: float) -> tuple[float, float]:
        """Weighted sum and sum of weights where the lowest k rows are light and the others heavy."""
        light, below, mass = 1.0 / gamma, self._sum(k), self._mass(k)
        total = self._sure_sum + light * below + gamma * (self._all - below)
        return total, self._sure + light * mass + gamma * (self._all_mass - mass)


def _beyond(ordered: Float) -> Array:
    """(n,) of ascending numbers the place after the last one that is equal."""
    last = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1) + 1
    return np.repeat(last, np.diff(last, prepend=0))


def ratio_bounds(weight: Float, propensity: Float, outcome: Float, gamma: float) -> tuple[float, float]:
    """Least and largest self-normalised mean of outcomes if the odds of propensities are off by at most gamma.

    Args:
        weight: (n,) target over stated propensity.
        propensity: (n,) stated, in (0, 1].
        outcome: (n,) in any unit.
        gamma: factor of odds, at least 1.

    Returns:
        tuple: exact, as a linear-fractional program has them; NaN where no row has a weight.

    Source:
        Zhao, Small and Bhattacharya 2019, section 4.3.

    Example:
        >>> import numpy as np
        >>> low, high = ratio_bounds(np.array([2.0, 2.0]), np.array([0.5, 0.5]), np.array([0.0, 1.0]), 3.0)
        >>> round(low, 3), round(high, 3)  # weights of 4/3 and 4, or 4 and 4/3
        (0.25, 0.75)
    """
    side = Side.of(1.0, weight, propensity, outcome)
    return side.end(gamma, upper=False), side.end(gamma, upper=True)


class Side(NamedTuple):
    """One policy's part of a lift: `share` times a self-normalised mean, and the sums for both ends."""

    share: float
    rows: WeightedRows
    top: Extremes
    bottom: Extremes

    @classmethod
    def of(cls, share: float, weight: Float, propensity: Float, outcome: Float) -> Side:
        """One sort of the rows that have a weight."""
        speak = np.flatnonzero(weight > 0.0)
        order = speak[ascending(outcome[speak])] if len(speak) < len(weight) else ascending(outcome)
        rows = WeightedRows(weight[order], propensity[order], outcome[order])
        turned = WeightedRows(rows.weight[::-1], rows.propensity[::-1], -rows.outcome[::-1])
        return cls(share, rows, Extremes(rows), Extremes(turned))

    def end(self, gamma: float, upper: bool) -> float:
        """The largest or the least contribution."""
        return self.share * (self.top.largest(gamma) if upper else -self.bottom.largest(gamma))

    def spread(self, gamma: float, upper: bool) -> float:
        """Sum of squares of what single rows do to that end, in units of the share."""
        mean = self.end(gamma, upper) / self.share
        above = int(np.searchsorted(self.rows.outcome, mean, side="right"))
        weights = self.rows.weights(above, gamma, upper)
        terms = self.rows.outcome - mean
        terms *= weights
        terms /= weights.sum()
        return float(self.share**2 * (terms @ terms))


class Sides(NamedTuple):
    """What the policy does more than its reference, and the reverse; None where there is nothing."""

    more: Side | None
    less: Side | None

    @classmethod
    def of(cls, weight: Float, other: Float | None, propensity: Float, outcome: Float, mix: float = 1.0) -> Sides:
        """Both sides of a lift.

        weight: (n,) of the policy, followed with the chance `mix`, else the logged one; other: (n,) of the reference,
        None: the logged policy, whose value is the rows' mean, whatever the propensities are; outcome: (n,) rewards
        less what the model expects.
        """
        if other is None:
            return cls(_side(mix, weight, propensity, outcome), None)
        more, less = np.maximum(mix * weight - other, 0.0), np.maximum(other - mix * weight, 0.0)
        off = (float(more.mean() - less.mean()) - (mix - 1.0)) / 2.0  # they differ by mix - 1, give or take chance
        shares = (float(more.mean()) - off, float(less.mean()) + off)
        return cls(*(_side(share, w, propensity, outcome) for share, w in zip(shares, (more, less), strict=True)))

    def end(self, gamma: float, upper: bool) -> float:
        """The largest or the least difference."""
        more, less = self
        return (0.0 if more is None else more.end(gamma, upper)) - (0.0 if less is None else less.end(gamma, not upper))

    def spread(self, gamma: float, upper: bool) -> float:
        """Sum of squares of what single rows do to that end."""
        more, less = self
        first = 0.0 if more is None else more.spread(gamma, upper)
        return first + (0.0 if less is None else less.spread(gamma, not upper))


def _side(share: float, weight: Float, propensity: Float, outcome: Float) -> Side | None:
    return Side.of(share, weight, propensity, outcome) if share > 0.0 and weight.any() else None


def sensitivity(lift: float, interval: tuple[float, float], sides: Sides, looked_at: Sides) -> Sensitivity:
    """The curve of bounds around a lift, and the factors at which its sign turns and its interval reaches 0.

    lift, interval: as printed; the bounds are moved so that they begin there. sides: of all rows; looked_at: of those
    from which it is read how much wider the interval gets (Zhao et al. draw it anew; here the error at the worst
    weights is used, by the envelope theorem).
    """
    rows = sum(len(side.rows.weight) for side in sides if side is not None)
    if not (math.isfinite(lift) and math.isfinite(interval[0]) and rows and (lift or interval[1] > interval[0])):
        return Sensitivity(math.nan, math.nan, rows)

    begins = [sides.end(1.0, upper) for upper in (False, True)]
    spreads = [max(looked_at.spread(1.0, upper), 1e-300) for upper in (False, True)]

    def moved(gamma: float, upper: bool) -> float:
        return lift + sides.end(gamma, upper) - begins[upper]

    def with_margin(gamma: float, upper: bool) -> float:
        wider = math.sqrt(looked_at.spread(gamma, upper) / spreads[upper])
        margin = interval[1] - lift if upper else interval[0] - lift
        return moved(gamma, upper) + margin * max(wider, 1.0)

    gains = lift > 0.0  # the end that comes to 0: the lower one of a gain
    turned = _crossing(lambda g: moved(g, not gains), gains)
    parted = 1.0 if interval[0] <= 0.0 <= interval[1] else _crossing(lambda g: with_margin(g, not gains), gains)
    ends = [(g, *(end(g, upper) for end in (moved, with_margin) for upper in (False, True))) for g in GAMMAS]
    return Sensitivity(turned, parted, rows, tuple(Bound(*each) for each in ends))


def _crossing(end: Callable[[float], float], gains: bool) -> float:
    """The least gamma at which an end that comes nearer to 0 has reached it; infinite above MOST."""

    def reached(gamma: float) -> bool:
        return end(gamma) <= 0.0 if gains else end(gamma) >= 0.0

    if reached(1.0):
        return 1.0
    if not reached(MOST):
        return math.inf
    low, high = 0.0, math.log(MOST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        low, high = (low, middle) if reached(math.exp(middle)) else (middle, high)
    return math.exp(high)


def _known(gamma: float) -> float | None:
    return gamma if math.isfinite(gamma) else None


def _factor(gamma: float) -> str:
    return f"more than {MOST:g}" if math.isinf(gamma) else f"{gamma:.3g}"
