"""What it does to the figures that propensities were estimated: their own error is counted in every interval.

Each value is asked how it moves with the coefficients of the propensity model (nuisance/propensity_error.py), and its
interval and standard error are widened by as much, as independent errors add up. Not here: fitting the model. n rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy import special

from campaignrl.arrays import Float
from campaignrl.ope.intervals import REGRESSION_T, Estimate
from campaignrl.ope.methods import ESTIMATORS, Evidence, with_own_weights
from campaignrl.ope.nuisance import EstimatedPropensities, PropensityError, propensities_unknown
from campaignrl.tables.log import DecisionLog

COUNTED = ", error of the propensities added"
SELF_NORMALISED = ("snips", "sndr")


def with_propensity_error(
    log: DecisionLog,
    estimated: EstimatedPropensities | None,
    figures: tuple[dict[str, Estimate], Estimate],
    views: Mapping[str, Evidence],
    settings: Mapping[str, float | None],
    pair: tuple[Evidence, Evidence],
    alpha: float,
) -> tuple[dict[str, Estimate], Estimate]:
    """Estimates and lift with the error of estimated propensities in them; as they are where propensities are known.

    pair: what the rows say of the policy and of its reference; a logged one is worth the rows' mean, whatever the
    propensities are, and so does the direct method lean on none.
    """
    estimates, lift = figures
    if estimated is None or not propensities_unknown(log):
        return figures
    error, (a, b) = PropensityError(log, estimated), pair
    moved = (a.weight - (0.0 if b.logged else b.weight)) * (a.reward - a.predicted) / len(a.reward)
    found = {
        name: wider(made, error.variance(pull(name, views[name], settings.get(name))), alpha, views[name])
        for name, made in estimates.items()
    }
    return found, wider(lift, error.variance(moved), alpha, None)


def pull(name: str, evidence: Evidence, setting: float | None) -> Float:
    """(n,) by how much an estimate falls as the log propensity of each row grows."""
    estimator, rows = ESTIMATORS[name], with_own_weights(name, evidence)
    n = len(rows.reward)
    if not estimator.weights:
        return np.zeros(n)
    weight, residual = rows.weight, rows.reward - (rows.predicted if estimator.model else 0.0)
    if estimator.held is not None:
        weight = estimator.held.weight(weight, estimator.held.usual if setting is None else setting)
    if name in SELF_NORMALISED:
        total = max(float(weight.sum()), 1e-300)
        return np.asarray(weight * (residual - float(weight @ residual) / total) / total)
    return np.asarray(weight * residual / n)


def wider(made: Estimate, variance: float, alpha: float, evidence: Evidence | None) -> Estimate:
    """The estimate with a variance added on both sides. evidence: whose reward range bounds it; None: nothing does."""
    if not (math.isfinite(made.value) and math.isfinite(made.std_error) and variance > 0.0):
        return made
    z = -float(special.ndtri(alpha / 2))
    below, above = made.value - made.ci_low, made.ci_high - made.value
    # Weights that were fitted average 1 by their fit: reading a regression off at 1 brings in error instead of taking
    # it out, and what an interval gains from knowing that is not to be had.
    if made.interval == REGRESSION_T and _inside(made, evidence):
        below = above = (below + above) / 2.0
    below, above = (max(half, z * made.std_error) for half in (below, above))
    low, high = (made.value + sign * math.sqrt(h**2 + z**2 * variance) for sign, h in ((-1, below), (1, above)))
    if evidence is not None:
        least, largest = evidence.reward_range
        low, high = max(low, min(least, made.ci_low)), min(high, max(largest, made.ci_high))
    error = math.sqrt(made.std_error**2 + variance)
    return Estimate(made.value, error, low, high, made.interval + COUNTED)


def _inside(made: Estimate, evidence: Evidence | None) -> bool:
    """Whether neither end is where it is because rewards end there."""
    return evidence is None or evidence.reward_range[0] < made.ci_low <= made.ci_high < evidence.reward_range[1]
