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

SINGULAR = 1e-10  # of the largest eigenvalue: what covariates say together below it is rounding
FEWEST = 4  # customers a covariate, below which a regression would explain chance: covariates are left alone then


class Difference(NamedTuple):
    """Challenger less champion, per customer."""

    value: float
    std_error: float
    champion: float  # mean of the adjusted outcome
    challenger: float
    customers: int
    variance_saved: float  # share of the variance of the plain difference; 0 without covariates


def adjusted(outcome: Float, covariates: Float, challenger: Bool) -> Float:
    """Outcomes (n,) or (n, m) less their regression on covariates (n, p); NaN counts as the mean.

    Slopes are pooled within the arms.
    """
    return _regressed(outcome, covariates, challenger)[0]


def _regressed(outcome: Float, covariates: Float, challenger: Bool) -> tuple[Float, int]:
    """The same, and how many slopes that took."""
    missing = ~np.isfinite(covariates)
    x = np.where(missing, 0.0, covariates)
    x -= np.where(missing, 0.0, x.sum(axis=0) / np.maximum((~missing).sum(axis=0), 1))
    spread = x.std(axis=0)
    x = x[:, spread > 0.0] / spread[spread > 0.0]
    gram, cross = x.T @ x, x.T @ outcome
    for arm in (arm for arm in (challenger, ~challenger) if arm.any()):
        part = arm.astype(np.float64)
        gram -= np.outer(part @ x, part @ x) / part.sum()
        cross -= np.multiply.outer(part @ x, part @ outcome) / part.sum()
    slopes, _, rank, _ = np.linalg.lstsq(gram, cross, rcond=SINGULAR)
    return outcome - (x - x.mean(axis=0)) @ slopes, int(rank)


def difference(outcome: Float, challenger: Bool, covariates: Float | None = None) -> Difference:
    """Difference of means and its standard error. outcome: (n,); challenger: (n,) who is in its arm."""
    return differences(outcome[:, None], challenger, covariates)[0]


def differences(outcomes: Float, challenger: Bool, covariates: Float | None = None) -> list[Difference]:
    """The same of several outcomes (n, m)."""
    less, slopes = outcomes, 0
    if covariates is not None and 0 < covariates.shape[1] * FEWEST <= len(outcomes):
        less, slopes = _regressed(outcomes, covariates, challenger)
    return [_difference(plain, y, challenger, slopes) for plain, y in zip(outcomes.T, less.T, strict=True)]


def _difference(outcome: Float, y: Float, challenger: Bool, slopes: int) -> Difference:
    plain, free = _error(outcome, challenger), len(y) - 2
    error = _error(y, challenger) * free / (free - slopes)  # slopes that chance gave: in what is left, and in the arms
    ours, theirs = float(y[challenger].mean()), float(y[~challenger].mean())
    saved = 1.0 - (error / plain) ** 2 if plain > 0.0 else 0.0
    return Difference(ours - theirs, error, theirs, ours, len(y), saved)


def _error(y: Float, challenger: Bool) -> float:
    """Of the difference: by each arm's own variance, and no less than by a common one.

    An arm that few have bought in yet, or nobody left, looks as if its customers were all alike.
    """
    many = [int(arm.sum()) for arm in (challenger, ~challenger)]
    own = [float(y[arm].var(ddof=1)) for arm in (challenger, ~challenger)]
    common = sum((n - 1) * v for n, v in zip(many, own, strict=True)) / (sum(many) - 2)
    return math.sqrt(max(sum(v / n for n, v in zip(many, own, strict=True)), common * sum(1.0 / n for n in many)))
