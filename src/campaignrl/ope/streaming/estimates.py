"""Estimates, errors and intervals from sums over customers alone; the same figures as registry.py has from rows.

Every estimator's influence is a combination of columns (sums.py), so its error is a form in their products.
Not here: the sums, and what is done with the figures (evaluate.py).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import stats

from campaignrl.arrays import Float
from campaignrl.ope.intervals import (
    CLUSTERED_T,
    EMPIRICAL_LIKELIHOOD,
    MODEL_T,
    NOT_TO_BE_HAD,
    Estimate,
    PairSums,
    mean_weight_statistic,
    p_value_of_gap,
)
from campaignrl.ope.methods import ESTIMATORS, Range, Seen, ends_given
from campaignrl.ope.streaming.sums import AT, COLUMNS, EXTREMES, WEIGHTS, CustomerSums, ends_of

STREAMED = ("dm", "ips", "ips_clip", "snips", "dr", "sndr", "dros", "switch_dr")


class Bounds(NamedTuple):
    """What a row can be at most; weights are the policy's own, mixed where it is a mixture."""

    reward: Range
    predicted: Range
    weight: Range
    lift_weight: Range
    all_ones: bool  # every weight is 1
    all_ones_lift: bool


class Combination(NamedTuple):
    """A value, and its influence as a combination of columns (d,)."""

    value: float
    influence: Float


def combination(name: str, sums: CustomerSums) -> Combination:
    """One estimator as sums have it; NaN where no row speaks."""
    mean = sums.totals / sums.totals[AT["one"]]
    if name in ("snips", "sndr"):
        above = _of(earned=1.0) if name == "snips" else _of(dr=1.0, expected=-1.0)
        base = _of() if name == "snips" else _of(expected=1.0)
        if mean[AT["weight"]] <= 0.0:
            return Combination(NOT_TO_BE_HAD, np.full(len(COLUMNS), np.nan))
        ratio = float(above @ mean) / mean[AT["weight"]]
        model = float(base @ mean)
        influence = (above - ratio * _of(weight=1.0)) / mean[AT["weight"]] + base - model * _of(one=1.0)
        return Combination(ratio + model, influence)
    terms = _of(**{{"dm": "expected", "ips": "earned", "ips_clip": "clip"}.get(name, name): 1.0})
    value = float(terms @ mean)
    return Combination(value, terms - value * _of(one=1.0))


def error(influence: Float, sums: CustomerSums) -> float:
    """`intervals.std_error`; rounding may not make it less than nothing."""
    if sums.customers < 2:
        return NOT_TO_BE_HAD
    square = max(float(influence @ sums.products @ influence), 0.0)
    return math.sqrt(sums.customers / (sums.customers - 1) * square) / float(sums.totals[AT["one"]])


def estimate(name: str, sums: CustomerSums, bounds: Bounds, alpha: float) -> Estimate:
    """`estimators.estimate`."""
    found = combination(name, sums)
    spread = error(found.influence, sums)
    if not ESTIMATORS[name].likelihood:
        half = stats.t.isf(alpha / 2, max(sums.customers - 1, 1)) * spread
        how = CLUSTERED_T if ESTIMATORS[name].weights else MODEL_T
        return Estimate(found.value, spread, float(found.value - half), float(found.value + half), how)
    model = ESTIMATORS[name].model
    terms, middle = (_of(dr=1.0), _mean(sums, "expected")) if model else (_of(earned=1.0), 0.0)
    residual = _residual(bounds) if model else bounds.reward
    weights = (1.0, 1.0) if bounds.all_ones else bounds.weight
    ends = _likelihood(sums, 1 if model else 0, terms, middle, weights, residual, 0.0, alpha)
    low, high = np.clip(ends, *bounds.reward).tolist()
    return Estimate(found.value, spread, low, high, EMPIRICAL_LIKELIHOOD)


def lift(sums: CustomerSums, reference_expected: float, bounds: Bounds, alpha: float) -> Estimate:
    """`estimators.difference` over the reference, whose model expects `reference_expected` per row."""
    found = combination("lift", sums)
    middle = _mean(sums, "expected") - reference_expected
    weights = (1.0, 1.0) if bounds.all_ones_lift else bounds.lift_weight
    ends = _likelihood(sums, 2, _of(lift=1.0), middle, weights, _residual(bounds), 1.0, alpha)
    span = bounds.reward[1] - bounds.reward[0]
    low, high = np.clip(ends, -span, span).tolist()
    return Estimate(found.value, error(found.influence, sums), low, high, EMPIRICAL_LIKELIHOOD)


def mean_weight_p_value(sums: CustomerSums, bounds: Range) -> float:
    """`weights.mean_weight_p_value`."""
    pair = _pair(sums, _of(weight=1.0), _of(weight=1.0))
    distance = mean_weight_statistic(pair, *_granted(sums, 0, bounds))
    return float(stats.f.sf(distance, 1, sums.customers))


def disagreement_p_value(sums: CustomerSums) -> float:
    """How likely snips and dr are this far apart by chance."""
    snips, dr = combination("snips", sums), combination("dr", sums)
    apart = error(snips.influence - dr.influence, sums)
    return p_value_of_gap(snips.value, dr.value, apart)


def _likelihood(
    sums: CustomerSums,
    which: int,
    terms: Float,
    middle: float,
    bounds: Range,
    residual: Range,
    offset: float,
    alpha: float,
) -> tuple[float, float]:
    by = WEIGHTS.index(EXTREMES[which][0])
    weight, centred = _of(**{WEIGHTS[by]: 1.0}), terms - middle * _of(one=1.0)
    rows = float(sums.totals[AT["one"]])
    row = sums.customers / rows
    above, below = ends_of(sums.extremes[which], middle, 1.0 / row)
    high, low = (row * np.stack([w, y - middle * size]) for size, w, y in sums.outliers[which])
    seen = Seen(
        sums=_pair(sums, weight, centred),
        row=row,
        usual=float(centred @ sums.totals) / max(float(weight @ sums.totals), 1e-12 * rows),
        totals=_granted(sums, by, bounds),
        above=[row * value for value in above],
        below=[row * value for value in below],
        outliers=(high, low),
    )
    lower, upper = ends_given(seen, bounds, residual, offset, alpha)
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


def _of(**factors: float) -> Float:
    """(d,) combination of the named columns."""
    out = np.zeros(len(COLUMNS))
    for name, factor in factors.items():
        out[AT[name]] = factor
    return out
