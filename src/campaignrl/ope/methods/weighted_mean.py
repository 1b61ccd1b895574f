"""How sure a mean of weighted rows is: sharp where enough happened, wide where what was not seen may decide.

Answers from customers' sums. A regression on the weights (regression_t.py) is as short as can be, and right
where many rows tell; empirical likelihood (empirical_likelihood.py) grants the worst row that the log's bounds allow;
and the regression with an error as if residuals were alike whatever their weights grants rare events to heavy rows
that had none, and goes farther on the side where few events lie. Here: which one when. The rule looks at two facts of a
log, how many rows speak and how much happened; of few events the narrower of the last two stands, each of which grants
what was not seen in its own way. Not here: estimators (registry.py). n rows, C customers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Array, Float, Rows
from campaignrl.ope.estimators import customer_range
from campaignrl.ope.intervals import (
    EMPIRICAL_LIKELIHOOD,
    NO_OUTLIERS,
    REGRESSION_T,
    SKEWED_T,
    Clusters,
    Estimate,
    Extreme,
    Outliers,
    PairSums,
    balanced_interval,
    cressie_read,
    degrees_of_stakes,
    error_of_like_residuals,
    events_of,
    freedom_of_stakes,
    independent_rows,
    numbered,
    one_sided,
    regression_interval,
    side_of_events,
    skewed_interval,
    skewness_of_sum,
)
from campaignrl.ope.methods.likelihood_of_rows import farthest
from campaignrl.ope.methods.weighted_rows import Range

# Effective rows, of both policies where there are two, from which on a figure is told by what was seen; below that, an
# event that was not seen may decide it, and the wider empirical likelihood stands, unless events are so common that
# fewer rows must have had theirs. One-sided events below that number are too few to tell a value: where an action that
# converts six times as often was tried in 60 rows, the regression holds it in 80 of 100 logs.
SPEAKING, EVENTS = 100.0, 30.0
# From this skewness of a sum on its interval leans to one side: 1/3 would cost differences 1 % of their coverage.
SKEWED = 0.5


class Weighted(NamedTuple):
    """A mean of `base + (weight - offset) residual` over rows, with what bounds it; arrays (n,)."""

    base: Float
    weight: Float
    weight_range: Range
    residual: Float
    residual_range: Range
    offset: float = 0.0


def interval_of_value(
    part: Weighted, clusters: Clusters, alpha: float, speaking: float, at: Rows | None
) -> tuple[Range, str]:
    """Sharp where enough rows speak and enough happened in them; and how it is called.

    speaking: effective rows.
    """
    found = seen(part, clusters, at) if speaking >= EVENTS else None
    return value_ends(found, speaking, alpha, lambda: likelihood_interval(part, clusters, alpha))


def interval_of_difference(
    part: Weighted, clusters: Clusters, alpha: float, speaking: float, at: Rows | None
) -> tuple[Range, str]:
    """The same."""
    found = seen(part, clusters, at) if speaking >= EVENTS else None
    return difference_ends(found, speaking, alpha, lambda: likelihood_interval(part, clusters, alpha))


def value_ends(found: Seen | None, speaking: float, alpha: float, likely: Callable[[], Range]) -> tuple[Range, str]:
    """The interval of a value from what is seen, if anything, and how it is called. likely: empirical likelihood."""
    if found is None or not found.speaks(speaking):
        return likely(), EMPIRICAL_LIKELIHOOD
    if not found.tells_value(speaking):
        return narrower(likely(), found.skewed(alpha), SKEWED_T)
    sharp = found.interval(alpha)
    return (likely(), EMPIRICAL_LIKELIHOOD) if sharp is None else (sharp, REGRESSION_T)


def difference_ends(
    found: Seen | None, speaking: float, alpha: float, likely: Callable[[], Range]
) -> tuple[Range, str]:
    """The same of a difference, whose stakes have both signs."""
    sharp = found.balanced(alpha) if found is not None and found.speaks(speaking) else None
    if found is not None and sharp is not None and found.tells_value(speaking):
        return sharp, REGRESSION_T
    return narrower(likely(), sharp, REGRESSION_T)


def narrower(likely: Range, sharp: Range | None, called: str) -> tuple[Range, str]:
    """Which of two intervals, and how it is called. called: how the second is."""
    if sharp is None or likely[1] - likely[0] <= sharp[1] - sharp[0]:
        return likely, EMPIRICAL_LIKELIHOOD
    return sharp, called


class Seen(NamedTuple):
    """What a regression on the weights asks for: sums over all customers, and those of a part of the rows."""

    sums: PairSums
    weight: Float  # (m,) of customers of the part, scaled
    outcome: Float
    residual: Float  # (r,) of rows of the part
    least_error: float
    rows: float  # of the log, as many as count by themselves
    skewness: float = 0.0  # of a sum of stakes x residuals
    degrees: float = 0.0  # of freedom, of the stakes
    freedom: float = 0.0  # the same of a difference, where they are balanced

    @classmethod
    def of(cls, sums: PairSums, whose: Array, sides: tuple[Float, Float, Float], offset: float, rows: float) -> Seen:
        """whose: (r,) numbers of the customers of rows; sides: (r,) each, weights, terms and residuals of the rows."""
        weight, terms, residual = sides
        number = numbered(whose)
        w, y = sums_of_part(number, weight, terms, sums.n / rows)
        stake = weight - offset
        apart = independent_rows(stake, residual, rows, number)
        freedom = freedom_of_stakes(stake, residual, apart) if offset else 0.0
        like = error_of_like_residuals(stake, residual, apart)
        skewness, degrees = skewness_of_sum(stake, residual, apart), degrees_of_stakes(stake, apart)
        return cls(sums, w, y, residual, like, apart, skewness, degrees, freedom)

    @property
    def events(self) -> float:
        """As how many equal ones what happened away from what was expected counts."""
        return events_of(self.residual, self.rows)

    def speaks(self, speaking: float) -> bool:
        """Whether so many effective rows are enough, for any event or for as common ones as these."""
        return speaking >= SPEAKING or self._had_theirs(speaking)

    def tells_value(self, speaking: float) -> bool:
        """Whether there are events enough, besides, for a sum of them to be like a normal one."""
        if not self.speaks(speaking):
            return False
        return self.events >= EVENTS or self._had_theirs(speaking) or not one_sided(self.residual)

    def _had_theirs(self, speaking: float) -> bool:
        return min(speaking, self.rows) * self.events >= EVENTS * self.rows

    def interval(self, alpha: float) -> Range | None:
        """The regression's, or None where the spread cannot be told."""
        lean = self._lean or side_of_events(self.residual)
        return regression_interval(self.sums, self.weight, self.outcome, alpha, self.least_error, lean, self.degrees)

    def balanced(self, alpha: float) -> Range | None:
        """The regression's, of stakes of both signs."""
        spread = self.least_error, self.freedom, 0 if self.freedom else self._lean, self.degrees
        return balanced_interval(self.sums, self.weight, self.outcome, alpha, *spread)

    @property
    def _lean(self) -> int:
        """The side to which a sum of stakes x residuals is skewed, if it is."""
        return (self.skewness >= SKEWED) - (self.skewness <= -SKEWED)

    def skewed(self, alpha: float) -> Range | None:
        """The regression's, farther on the side where few events lie."""
        return skewed_interval(self.sums, self.weight, self.outcome, alpha, self.least_error, self.skewness)


def seen(part: Weighted, clusters: Clusters, at: Rows | None) -> Seen:
    """What is seen of a mean. at: rows from which the shape of the spread is read; None: all."""
    terms = part.base + (part.weight - part.offset) * part.residual
    sums = PairSums.of(clusters.scaled(part.weight), clusters.scaled(terms))
    rows = slice(None) if at is None or len(at) == clusters.rows else at
    sides = (part.weight[rows], terms[rows], part.residual[rows])
    return Seen.of(sums, clusters.of_rows(rows), sides, part.offset, clusters.rows)


def within(ends: Range, possible: Range) -> Range:
    """The part of an interval that is possible."""
    low, high = np.clip(ends, *possible).tolist()
    return low, high


def around(value: float, ends: Range) -> Range:
    """The interval, stretched to its value: where the mean weight is far from 1, the two disagree.

    A value may lie outside what is possible (ips of heavy weights); it is printed, so its interval shows it.
    """
    return min(ends[0], value), max(ends[1], value)


def difference_within(value: float, error: float, ends: Range, span: float, made_by: str) -> Estimate:
    """The estimate, its interval within what is possible and around its own value."""
    low, high = around(value, within(ends, (-span, span)))
    return Estimate(value, error, low, high, made_by)


def sums_of_part(number: Array, weight: Float, terms: Float, row: float) -> tuple[Float, Float]:
    """Scaled sums of the customers of some rows. number: (m,) of whose they are, from 0; row: what a row counts for."""
    if len(number) and number[-1] == len(number) - 1 and (number[1:] > number[:-1]).all():  # a row each
        return row * weight, row * terms
    w, y = (np.asarray(np.bincount(number, x), dtype=np.float64) for x in (weight, terms))
    return row * w, row * y


def likelihood_interval(part: Weighted, clusters: Clusters, alpha: float) -> tuple[float, float]:
    """Empirical-likelihood interval of that mean, given that the mean weight is 1.

    What may have been missed is a customer with one row of extreme weight and residual, whose other rows are as
    rows are on average; or as extreme as the customers that were seen.
    """
    middle = float(part.base.mean())
    terms = part.base - middle + (part.weight - part.offset) * part.residual
    weight, outcome = clusters.scaled(part.weight), clusters.scaled(terms)
    # Weights that never vary tell nothing of how outcomes go with weights; one that did would tell all of it.
    bounds = (1.0, 1.0) if np.allclose(part.weight, 1.0, rtol=0.0, atol=1e-9) else part.weight_range
    seen = LikelihoodInputs(
        sums=PairSums.of(weight, outcome),
        row=len(clusters) / clusters.rows,
        usual=float(terms.mean()) / max(float(part.weight.mean()), 1e-12),
        totals=customer_range(weight, clusters, bounds),
        above=_ends_of(outcome[weight > 1.0]),
        below=_ends_of(outcome[weight < 1.0]),
        outliers=farthest(np.stack([weight, outcome])),
    )
    lower, upper = likelihood_ends(seen, bounds, part.residual_range, part.offset, alpha)
    return middle + lower, middle + upper


class LikelihoodInputs(NamedTuple):
    """What customers showed, scaled as in `Clusters.scaled`."""

    sums: PairSums
    row: float  # what one row counts for in a customer's mean
    usual: float  # outcome of a unit of weight
    totals: Range  # the least and the largest weight that a customer is granted
    above: list[float]  # least and largest outcome of customers of a weight above 1; empty: there are none
    below: list[float]
    outliers: Outliers = NO_OUTLIERS


def likelihood_ends(
    seen: LikelihoodInputs, bounds: Range, residual_range: Range, offset: float, alpha: float
) -> tuple[float, float]:
    """The interval of a mean of (weight - offset) residual, rows' weights being within `bounds`."""
    least, largest = seen.totals
    ends = [
        [seen.row * (bound - offset) * r + (total - seen.row * bound) * seen.usual for r in residual_range]
        for bound, total in zip(bounds, seen.totals, strict=True)
    ]
    ends[1] += seen.above
    if offset:  # a weight far below the offset moves the outcome as one above it does
        ends[0] += seen.below
    low = [Extreme(least, min(ends[0])), Extreme(largest, min(ends[1]))]
    high = [Extreme(least, max(ends[0])), Extreme(largest, max(ends[1]))]
    return cressie_read(seen.sums, low, high, alpha, seen.outliers)


def _ends_of(values: Float) -> list[float]:
    return [float(values.min()), float(values.max())] if len(values) else []
