"""The largest self-normalised mean of rows whose weights may be off: one sort of the outcomes, any factor.

Where the odds of each propensity p may be off by a factor of G, a row's weight w may be anything between
w (p + (1 - p) / G) and w (p + (1 - p) G). The mean is a ratio of two sums that are linear in the weights; its largest
value gives the largest weight to all rows above some outcome and the least to the others, so one sort of the outcomes,
with sums up to each, finds it exactly for every G (Zhao, Small & Bhattacharya 2019, section 4.3).

Here: that mean, and the weights behind it. Not here: what it says of a lift (sensitivity.py). n rows, G gamma.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Float


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
        self._beyond = _beyond(self._outcome)
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


def _beyond(ordered: Float) -> Callable[[int], int]:
    """Of ascending numbers, by place, the place after the last one that is equal."""
    differs = ordered[1:] != ordered[:-1]
    if differs.all():
        return range(1, len(ordered) + 1).__getitem__
    last = np.append(np.flatnonzero(differs), len(ordered) - 1) + 1
    return np.repeat(last, np.diff(last, prepend=0)).item
