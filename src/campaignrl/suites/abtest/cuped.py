"""Differences between two arms, with what was known before the test taken out of the noise.

CUPED (Deng, Xu, Kohavi & Walker 2013, WSDM): the outcome less its regression on covariates from before the test; a
random split makes their means equal, so the difference stays right and its variance falls by what they explain. Not
here: how wide an interval to make of it (reading.py).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Bool, Float


class Difference(NamedTuple):
    """Challenger less champion, per customer."""

    value: float
    std_error: float
    champion: float  # mean of the adjusted outcome
    challenger: float
    customers: int
    variance_saved: float  # share of the variance of the plain difference; 0 without covariates


def adjusted(outcome: Float, covariates: Float, challenger: Bool) -> Float:
    """(n,) outcome less its regression on covariates (n, p), slopes pooled within the arms; NaN counts as the mean."""
    known = np.where(np.isfinite(covariates), covariates, np.nan)
    column = np.nan_to_num(np.nanmean(known, axis=0)) if len(known) else np.zeros(covariates.shape[1])
    x = np.where(np.isnan(known), column, known) - column
    x = x[:, x.std(axis=0) > 0.0]
    within_x, within_y = x.copy(), outcome.copy()
    for arm in (arm for arm in (challenger, ~challenger) if arm.any()):
        within_x[arm] -= within_x[arm].mean(axis=0)
        within_y[arm] -= within_y[arm].mean()
    slopes, *_ = np.linalg.lstsq(within_x, within_y, rcond=None)
    result: Float = outcome - (x - x.mean(axis=0)) @ slopes
    return result


def difference(outcome: Float, challenger: Bool, covariates: Float | None = None) -> Difference:
    """Difference of means, standard error of unequal variances. outcome: (n,); challenger: (n,) who is in its arm."""
    plain = _error(outcome, challenger)
    use = covariates is not None and covariates.shape[1] > 0
    y = adjusted(outcome, covariates, challenger) if use and covariates is not None else outcome
    error, ours, theirs = _error(y, challenger), float(y[challenger].mean()), float(y[~challenger].mean())
    saved = 1.0 - (error / plain) ** 2 if plain > 0.0 else 0.0
    return Difference(ours - theirs, error, theirs, ours, len(y), saved)


def _error(y: Float, challenger: Bool) -> float:
    return math.sqrt(sum(float(y[arm].var(ddof=1)) / int(arm.sum()) for arm in (challenger, ~challenger)))
