"""How wrong would the log have to be? Bounds of a lift if propensities are off, by the marginal sensitivity model.

Whatever drove the choice and is not in the log makes the stated propensity p of a row wrong. If the odds of the true
one are off by at most a factor of G, 1/p may be anything between 1 + (1/p - 1) / G and 1 + (1/p - 1) G (Tan 2006, JASA
101; Zhao, Small & Bhattacharya 2019, JRSS-B 81). What a self-normalised mean of rows with such weights can be at most
is found exactly (worst_weights.py).

A difference of two policies is that of what each does more than the other in a row: their common part is the same in
both, whatever the propensities are. What is left stands in different rows, so that both ends are reached at once.
Here: those bounds, and the factors at which a sign turns and an interval reaches 0. Not here: drawing
(report/figures/). n rows, G gamma.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from campaignrl.arrays import Float
from campaignrl.ope.data import ascending
from campaignrl.ope.diagnostics.worst_weights import Extremes, WeightedRows
from campaignrl.policies import on_one_blas_thread

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
    curve: Sequence[Bound] = ()

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


@dataclass(frozen=True, eq=False)
class Side:
    """One policy's part of a lift: `share` times a self-normalised mean; rows are sorted once an end is asked for."""

    share: float
    given: WeightedRows

    @classmethod
    def of(cls, share: float, weight: Float, propensity: Float, outcome: Float) -> Side:
        """The rows that have a weight."""
        speak = np.flatnonzero(weight > 0.0)
        if len(speak) < len(weight):
            weight, propensity, outcome = weight[speak], propensity[speak], outcome[speak]
        return cls(share, WeightedRows(weight, propensity, outcome))

    @cached_property
    def rows(self) -> WeightedRows:
        """By ascending outcome."""
        order = ascending(self.given.outcome)
        return WeightedRows(*(column[order] for column in self.given))

    def beyond(self, by: float) -> Callable[[float], float]:
        """At any gamma, above 0 where an end has moved by more: the upper end, or the lower one where `by` is below 0.

        The largest mean is above a number where the largest sum of weight x (outcome - it) is above 0, and of one
        number that takes no sort.
        """
        weight, propensity, outcome = self.given
        outcome = outcome if by > 0.0 else -outcome
        gap = outcome - (float(weight @ outcome) / float(weight.sum()) + abs(by) / self.share)
        open_ = weight * (1.0 - propensity) * gap
        sure, heavy = float(weight * propensity @ gap), float(np.maximum(open_, 0.0).sum())
        light = float(np.minimum(open_, 0.0).sum())
        return lambda gamma: sure + gamma * heavy + light / gamma

    @cached_property
    def _top(self) -> Extremes:
        return Extremes(self.rows)

    @cached_property
    def _bottom(self) -> Extremes:
        weight, propensity, outcome = self.rows
        return Extremes(WeightedRows(weight[::-1], propensity[::-1], -outcome[::-1]))

    def end(self, gamma: float, upper: bool) -> float:
        """The largest or the least contribution."""
        return self.share * (self._top.largest(gamma) if upper else -self._bottom.largest(gamma))

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


class _Ends:
    """The ends of a lift and of its interval at any gamma."""

    def __init__(self, lift: float, interval: tuple[float, float], sides: Sides, looked_at: Sides) -> None:
        """See `sensitivity`."""
        self._lift, self._interval, self._sides, self._looked_at = lift, interval, sides, looked_at
        self._as_stated: dict[bool, float] = {}  # spread at a gamma of 1, by `upper`

    def moved(self, gamma: float, upper: bool) -> float:
        """Where the lift's end is."""
        begin = self._sides.end(1.0, upper)
        return self._lift + self._sides.end(gamma, upper) - begin

    def with_margin(self, gamma: float, upper: bool) -> float:
        """Where the interval's end is."""
        if upper not in self._as_stated:
            self._as_stated[upper] = max(self._looked_at.spread(1.0, upper), 1e-300)
        wider = math.sqrt(self._looked_at.spread(gamma, upper) / self._as_stated[upper])
        return self.moved(gamma, upper) + (self._interval[upper] - self._lift) * max(wider, 1.0)


class Curve(Sequence[Bound]):
    """Bounds at `GAMMAS`: of what a reader of words never sees, worked out when it is asked for. Copies are tuples."""

    def __init__(self, ends: _Ends) -> None:
        """ends: of the lift that the bounds are of."""
        self._ends = ends

    @cached_property
    @on_one_blas_thread
    def _bounds(self) -> tuple[Bound, ...]:
        ways = (self._ends.moved, self._ends.with_margin)
        return tuple(Bound(g, *(end(g, upper) for end in ways for upper in (False, True))) for g in GAMMAS)

    def __len__(self) -> int:
        return len(GAMMAS)

    def __getitem__(self, at: Any) -> Any:
        return self._bounds[at]

    def __iter__(self) -> Iterator[Bound]:
        return iter(self._bounds)

    def __eq__(self, other: object) -> bool:
        return self._bounds == (tuple(other) if isinstance(other, Curve) else other)

    def __hash__(self) -> int:
        return hash(self._bounds)

    def __repr__(self) -> str:
        return repr(self._bounds)

    def __reduce__(self) -> tuple[type, tuple[tuple[Bound, ...]]]:
        return tuple, (self._bounds,)


def sensitivity(lift: float, interval: tuple[float, float], sides: Sides, looked_at: Sides) -> Sensitivity:
    """The curve of bounds around a lift, and the factors at which its sign turns and its interval reaches 0.

    lift, interval: as printed; the bounds are moved so that they begin there. sides: of all rows; looked_at: of those
    from which it is read how much wider the interval gets (Zhao et al. draw it anew; here the error at the worst
    weights is used, by the envelope theorem).
    """
    rows = sum(len(side.given.weight) for side in sides if side is not None)
    if not (math.isfinite(lift) and math.isfinite(interval[0]) and rows and (lift or interval[1] > interval[0])):
        return Sensitivity(math.nan, math.nan, rows)

    ends = _Ends(lift, interval, sides, looked_at)
    gains = lift > 0.0  # the end that comes to 0 is the lower one of a gain
    turned = _turned(lift, sides, ends) if lift else 1.0
    parted = 1.0 if interval[0] <= 0.0 <= interval[1] else _crossing(lambda g: ends.with_margin(g, not gains), gains)
    return Sensitivity(turned, parted, rows, Curve(ends))


def _turned(lift: float, sides: Sides, ends: _Ends) -> float:
    """The least gamma at which an end of a lift, which is not 0, has come to 0."""
    gains, (more, less) = lift > 0.0, sides
    if more is not None and less is not None:
        return _crossing(lambda g: ends.moved(g, not gains), gains)
    side, by = (less, lift) if more is None else (more, -lift)
    assert side is not None
    beyond, sign = side.beyond(by), -1.0 if gains else 1.0
    return _crossing(lambda g: sign * beyond(g), gains)


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
