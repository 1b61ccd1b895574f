"""Estimates, errors and intervals from sums over customers alone; the same figures as registry.py has from rows.

Every estimator's influence is a combination of columns (sums.py), so its error is a form in their products.
Not here: the sums, and what is done with the figures (evaluate.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Float, Int
from campaignrl.ope.data import LogSample
from campaignrl.ope.estimators import RowTerms, bandit
from campaignrl.ope.intervals import (
    NOT_TO_BE_HAD,
    Estimate,
    PairSums,
    f_tail,
    mean_weight_statistic,
    p_value_of_gap,
    t_quantile,
)
from campaignrl.ope.methods import (
    ESTIMATORS,
    LikelihoodInputs,
    Range,
    Seen,
    around,
    difference_ends,
    difference_within,
    likelihood_ends,
    value_ends,
    within,
)
from campaignrl.ope.streaming.sums import AT, COLUMNS, EXTREMES, WEIGHTS, CustomerSums, ends_of

FASTEST = 8  # columns at least: BLAS is faster for eight than for seven


class PieceRows(NamedTuple):
    """Rows of a part of a log, as `DecisionRows`; arrays (n,)."""

    weight: Float
    reward: Float
    predicted: Float
    expected: Float
    batch: Int | None = None


NO_ROWS = PieceRows(*(np.zeros(0),) * 4)


class Bounds(NamedTuple):
    """What a row can be at most; weights are the policy's own, mixed where it is a mixture."""

    reward: Range
    predicted: Range
    weight: Range
    lift_weight: Range
    all_ones: bool  # every weight is 1
    all_ones_lift: bool


class Shape(NamedTuple):
    """Rows from which the shape of a spread is read, and how many effective ones the log has."""

    sample: LogSample
    speaking: float


class ColumnTerms(NamedTuple):
    """An estimator's `RowTerms` as combinations of columns, by name."""

    above: Mapping[str, float]
    below: Mapping[str, float] | None = None
    base: Mapping[str, float] = MappingProxyType({})


# Formulas whose terms are sums of the columns that are always there; others bring columns of their own.
SHARED: Mapping[Callable[..., RowTerms], ColumnTerms] = MappingProxyType(
    {
        bandit.dm: ColumnTerms({"expected": 1.0}),
        bandit.ips: ColumnTerms({"earned": 1.0}),
        bandit.snips: ColumnTerms({"earned": 1.0}, {"weight": 1.0}),
        bandit.dr: ColumnTerms({"dr": 1.0}),
        bandit.sndr: ColumnTerms({"dr": 1.0, "expected": -1.0}, {"weight": 1.0}, {"expected": 1.0}),
    }
)


class Combination(NamedTuple):
    """A value, and its influence as a combination of columns (d,)."""

    value: float
    influence: Float


def terms_of(name: str) -> ColumnTerms:
    """Which columns an estimator's value is made of."""
    estimator = ESTIMATORS[name]
    if estimator.held is None and estimator.formula in SHARED:
        return SHARED[estimator.formula]
    own = own_columns(name)
    below, base = ([column for column in own if column == f"{name}.{part}"] for part in ("below", "base"))
    return ColumnTerms({f"{name}.above": 1.0}, dict.fromkeys(below, 1.0) or None, dict.fromkeys(base, 1.0))


def own_columns(name: str) -> dict[str, str]:
    """The columns that an estimator brings, and of which part of its `RowTerms` each is; none if it shares them."""
    estimator = ESTIMATORS[name]
    if estimator.held is None and estimator.formula in SHARED:
        return {}
    parts = estimator.terms(NO_ROWS)._asdict()  # which parts it has does not depend on the rows
    return {f"{name}.{part}": part for part, values in parts.items() if values is not None}


def columns_of(names: Sequence[str]) -> tuple[str, ...]:
    """The columns that estimators need."""
    own = dict.fromkeys(column for name in names for column in own_columns(name))
    unused = ("unused",) * (FASTEST - len(COLUMNS) - len(own))
    return (*COLUMNS, *own, *unused)


def combination(name: str, sums: CustomerSums) -> Combination:
    """One estimator as sums have it; NaN where no row speaks."""
    return _combined(terms_of(name), sums)


def _combined(terms: ColumnTerms, sums: CustomerSums) -> Combination:
    """`RowTerms.point`."""
    mean = sums.totals / sums.totals[AT["one"]]
    above, one = _of(sums, terms.above), _of(sums, {"one": 1.0})
    if terms.below is None:
        value = float(above @ mean)
        combined = Combination(value, above - value * one)
    else:
        below = _of(sums, terms.below)
        size = float(below @ mean)
        if size <= 0.0:
            return Combination(NOT_TO_BE_HAD, np.full(len(mean), np.nan))
        ratio = float(above @ mean) / size
        combined = Combination(ratio, (above - ratio * below) / size)
    if not terms.base:
        return combined
    base = _of(sums, terms.base)
    value = float(base @ mean)
    return Combination(combined.value + value, combined.influence + base - value * one)


def error(influence: Float, sums: CustomerSums) -> float:
    """`std_error`; rounding may not make it less than nothing."""
    if sums.customers < 2:
        return NOT_TO_BE_HAD
    square = max(float(influence @ sums.products @ influence), 0.0)
    return math.sqrt(sums.customers / (sums.customers - 1) * square) / float(sums.totals[AT["one"]])


def estimate(
    name: str,
    sums: CustomerSums,
    bounds: Bounds,
    alpha: float,
    shape: Shape | None = None,
    likely: dict[str, Range] | None = None,
) -> Estimate:
    """`methods.estimate`. shape: None where there is no sample, and the wide interval stands.

    likely: intervals by empirical likelihood that other estimators have brought, by terms; of the same sums.
    """
    found = combination(name, sums)
    spread = error(found.influence, sums)
    if not ESTIMATORS[name].likelihood:
        half = t_quantile(alpha / 2, max(sums.customers - 1, 1)) * spread
        return Estimate(found.value, spread, found.value - half, found.value + half, ESTIMATORS[name].t_interval)
    model = ESTIMATORS[name].model
    terms, middle = ("dr", _mean(sums, "expected")) if model else ("earned", 0.0)
    residual = _residual(bounds) if model else bounds.reward
    weights = (1.0, 1.0) if bounds.all_ones else bounds.weight
    told = seen(sums, shape.sample, "value") if model and shape is not None else None
    known = {} if likely is None else likely

    def wide() -> Range:
        if terms not in known:
            known[terms] = _likelihood(sums, int(model), terms, middle, weights, residual, 0.0, alpha)
        return known[terms]

    ends, made_by = value_ends(told, 0.0 if shape is None else shape.speaking, alpha, wide)
    low, high = around(found.value, within(ends, bounds.reward))
    return Estimate(found.value, spread, low, high, made_by)


def lift(sums: CustomerSums, reference_expected: float, bounds: Bounds, alpha: float, shape: Shape | None) -> Estimate:
    """`methods.difference` over the reference, whose model expects `reference_expected` per row.

    shape: None where there is no sample, and the wide interval stands.
    """
    found = _combined(ColumnTerms({"lift": 1.0}), sums)
    told = None if shape is None else seen(sums, shape.sample, "lift")
    speaking = 0.0 if shape is None else shape.speaking  # effective rows, of the policy that has fewer
    middle = _mean(sums, "expected") - reference_expected
    weights = (1.0, 1.0) if bounds.all_ones_lift else bounds.lift_weight
    ends, made_by = difference_ends(
        told, speaking, alpha, lambda: _likelihood(sums, 2, "lift", middle, weights, _residual(bounds), 1.0, alpha)
    )
    span = bounds.reward[1] - bounds.reward[0]
    return difference_within(found.value, error(found.influence, sums), ends, span, made_by)


def seen(sums: CustomerSums, sample: LogSample, what: str) -> Seen:
    """What is seen of the value or of the lift. sample: rows from which the shape of the spread is read."""
    assert sample.gain is not None
    names, first, offset = (("lift_weight", "lift"), 1, 1.0) if what == "lift" else (("weight", "dr"), 3, 0.0)
    pair = _pair(sums, *(_of(sums, {name: 1.0}) for name in names))
    residual, weight, terms = sample.gain[0], sample.gain[first], sample.gain[first + 1]
    rows = float(sums.totals[AT["one"]])
    return Seen.of(pair, sample.customer, (weight, terms, residual), offset, rows)


def mean_weight_p_value(sums: CustomerSums, bounds: Range) -> float:
    """`weights.mean_weight_p_value`."""
    weight = _of(sums, {"weight": 1.0})
    pair = _pair(sums, weight, weight)
    distance = mean_weight_statistic(pair, *_granted(sums, 0, bounds))
    return f_tail(distance, sums.customers)


def disagreement_p_value(sums: CustomerSums) -> float:
    """How likely snips and dr are this far apart by chance."""
    snips, dr = combination("snips", sums), combination("dr", sums)
    apart = error(snips.influence - dr.influence, sums)
    return p_value_of_gap(snips.value, dr.value, apart)


def _likelihood(
    sums: CustomerSums,
    which: int,
    terms: str,
    middle: float,
    bounds: Range,
    residual: Range,
    offset: float,
    alpha: float,
) -> tuple[float, float]:
    by = WEIGHTS.index(EXTREMES[which][0])
    weight = _of(sums, {WEIGHTS[by]: 1.0})
    centred = _of(sums, {terms: 1.0}) - middle * _of(sums, {"one": 1.0})
    rows = float(sums.totals[AT["one"]])
    row = sums.customers / rows
    above, below = ends_of(sums.extremes[which], middle, 1.0 / row)
    high, low = (row * np.stack([w, y - middle * size]) for size, w, y in sums.outliers[which])
    seen = LikelihoodInputs(
        sums=_pair(sums, weight, centred),
        row=row,
        usual=float(centred @ sums.totals) / max(float(weight @ sums.totals), 1e-12 * rows),
        totals=_granted(sums, by, bounds),
        above=[row * value for value in above],
        below=[row * value for value in below],
        outliers=(high, low),
    )
    lower, upper = likelihood_ends(seen, bounds, residual, offset, alpha)
    return middle + lower, middle + upper


def _pair(sums: CustomerSums, weight: Float, outcome: Float) -> PairSums:
    """Of customers' scaled weights and outcomes, given as combinations of columns."""
    row = sums.customers / float(sums.totals[AT["one"]])
    w, y = row * weight, row * outcome
    squares = (w @ sums.products @ w, w @ sums.products @ y, y @ sums.products @ y)
    ww, wy, yy = (float(x) for x in squares)
    return PairSums(sums.customers, float(w @ sums.totals), ww, float(y @ sums.totals), wy, yy)


def _granted(sums: CustomerSums, by: int, bounds: Range) -> Range:
    """`weights.customer_range`."""
    row = sums.customers / float(sums.totals[AT["one"]])
    least, largest = (row * bound + 1.0 - row for bound in bounds)
    return min(least, row * float(sums.least[by])), max(largest, row * float(sums.largest[by]))


def _residual(bounds: Bounds) -> Range:
    return bounds.reward[0] - bounds.predicted[1], bounds.reward[1] - bounds.predicted[0]


def _mean(sums: CustomerSums, name: str) -> float:
    return float(sums.totals[AT[name]] / sums.totals[AT["one"]])


def _of(sums: CustomerSums, factors: Mapping[str, float]) -> Float:
    """(d,) combination of the named columns."""
    out = np.zeros(len(sums.columns))
    for name, factor in factors.items():
        out[sums.columns.index(name)] = factor
    return out
