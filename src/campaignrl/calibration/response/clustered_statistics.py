"""Figures of a campaign's rows with standard errors by customer: rates, and lifts over doing nothing.

A row counts for 1 / propensity, so that each action's rows stand for all rows on which it was allowed; weights are
stabilised by the action's share and clipped. Every figure stands on a scale without bounds (log-odds, logs), where
errors are nearly normal. Not here: segments drawn together (shrinkage.py),
regressions (funnel_regression.py), which figures a world needs (moments.py). n rows.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from scipy import special

from campaignrl.arrays import Bool, Float, Int
from campaignrl.calibration.response.campaign_rows import Campaign

Scale = Literal["logit", "log", "identity"]

CLIP = 20.0  # most that one row may count for
FEWEST = 5.0  # events, and non-events, below which a figure is not to be had


class Figure(NamedTuple):
    """One figure on its scale; NaN where the rows cannot give it. n: rows, events: how often it happened.

    mean, mean_se, units: of a rate, as it is without a scale, and how many units it is a mean of; it can be pooled
    even where it is 0.
    """

    value: float
    se: float
    n: float = 0.0
    events: float = 0.0
    mean: float = float("nan")
    mean_se: float = float("nan")
    units: float = 0.0


NOTHING = Figure(float("nan"), float("nan"))


def weights(campaign: Campaign) -> Float:
    """(n,) stabilised 1 / propensity: an action's share over its chance, at most CLIP."""
    rows = campaign.rows
    share = np.bincount(rows.action, minlength=len(campaign.catalog)) / max(len(rows), 1)
    return np.minimum(share[rows.action] / rows.propensity, CLIP)


def rate(mine: Bool, outcome: Float, customer: Int, weight: Float, scale: Scale, per: Float | None = None) -> Figure:
    """The weighted mean of an outcome over the rows that are `mine`, per unit of `per` (n,), on its scale."""
    rows = np.flatnonzero(mine & ~np.isnan(outcome))
    y, w = outcome[rows], weight[rows]
    unit = np.ones(len(rows)) if per is None else per[rows]
    events, units, whole = float(y.sum()), float(unit.sum()), float((w * unit).sum())
    if not units:
        return NOTHING
    mean = float((w * y).sum()) / whole
    se = _spread(by_customer(customer[rows], w * (y - mean * unit)) / whole)
    others = units - events if scale == "logit" else FEWEST
    known = events >= FEWEST and others >= FEWEST
    slope = scale_slope(mean, scale) if known else float("nan")
    value = to_scale(mean, scale) if known else float("nan")
    return Figure(value, se * slope, len(rows), events, mean, se, units)


def lift(
    treated: Bool, none: Bool, outcome: Float, customer: Int, weight: Float, per: Float, scale: Scale = "log"
) -> Figure:
    """How much more of an outcome per unit of `per` the treated rows have than those with nothing sent.

    log: of the ratio; identity: the difference. Both arms are of the same customers, so errors are by customer over
    both.
    """
    parts = []
    for arm in (treated, none):
        rows = np.flatnonzero(arm & ~np.isnan(outcome) & ~np.isnan(per))
        w, y = weight[rows], outcome[rows]
        if len(rows) < 2 or (scale == "log" and y.sum() < FEWEST):
            return NOTHING
        total = (w * per[rows]).sum()
        mean = (w * y).sum() / total
        parts.append((mean, customer[rows], w * (y - mean * per[rows]) / total, len(rows), y.sum()))
    (a, who_a, psi_a, n_a, events), (b, who_b, psi_b, n_b, _) = parts
    factor = (1.0 / a, 1.0 / b) if scale == "log" else (1.0, 1.0)
    psi = by_customer(np.concatenate([who_a, who_b]), np.concatenate([factor[0] * psi_a, -factor[1] * psi_b]))
    value = np.log(a / b) if scale == "log" else a - b
    return Figure(float(value), _spread(psi), n_a + n_b, float(events))


def by_customer(customer: Int, values: Float) -> Float:
    """Sums of values (n,) by customer number; 0 for a number that does not occur."""
    total: Float = np.bincount(customer, weights=values).astype(np.float64)
    return total


def from_scale(value: float, scale: Scale) -> float:
    """A figure as a rate again."""
    if scale == "logit":
        return float(special.expit(value))
    return float(np.exp(value)) if scale == "log" else value


def to_scale(value: float, scale: Scale) -> float:
    """A rate on its scale."""
    if scale == "logit":
        return float(special.logit(value))
    return float(np.log(value)) if scale == "log" else value


def _spread(psi: Float) -> float:
    n = max(int(np.count_nonzero(psi)), 2)
    return float(np.sqrt((psi**2).sum() * n / (n - 1)))


def scale_slope(mean: float, scale: Scale) -> float:
    """Of the scale at a rate."""
    if scale == "logit":
        return 1.0 / (mean * (1.0 - mean))
    return 1.0 / mean if scale == "log" else 1.0
