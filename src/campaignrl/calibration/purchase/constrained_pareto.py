"""The Pareto/NBD of a world whose orders another model foretells best: moved until both foretell as many.

A world's customers order by a Poisson process until an exponential lifetime ends, whatever model was chosen for them
(forecast.py). Of all Pareto/NBDs that foretell the chosen model's total, this is the one nearest to the likeliest, in
standard errors: what the histories know least gives way first, mostly how long customers stay. Not here: the choice,
the numbers of a world (base_rates.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from campaignrl.arrays import Float
from campaignrl.calibration.purchase.histories import Histories, histories
from campaignrl.calibration.purchase.pareto_nbd import NAMES, ParetoNbd

ROUNDS = 25  # of Gauss-Newton steps, at most
NEAR = 1e-4  # of the log of the total
NUDGE = 1e-4  # of a log parameter, for slopes
STRIDE = 0.5  # of log parameters, the longest step
FARTHEST = 30.0  # a log parameter; the numbers of a world are ratios of parameters, which may run off together
FLATTEST = 25.0  # variance of a log parameter; beyond, the likelihood is flat and any value as good


def foretelling(
    fit: ParetoNbd, total: float, days: float, columns: Mapping[str, Float], covariance: Float
) -> ParetoNbd:
    """`fit`, moved until the customers of `columns` (x, t_x, T) are expected to order `total` times within `days`.

    covariance: (4, 4) of the logs of its parameters. Where no such model is found it stays where it came nearest.
    """
    given = histories(columns["x"], columns["t_x"], columns["T"])
    within, logs = _bounded(covariance), np.log([getattr(fit, name) for name in NAMES])
    wanted = np.log(max(total, 1e-9))
    best, nearest = fit, abs(_log_total(fit, days, given) - wanted)
    start = logs
    for _ in range(ROUNDS):
        if nearest < NEAR:
            break
        slope = _slope(fit, logs, days, given)
        gap = wanted - _log_total(_at(fit, logs), days, given) + float(slope @ (logs - start))
        steepness = float(slope @ within @ slope)
        if steepness < 1e-12:
            break
        goal = start + within @ slope * (gap / steepness)
        logs = logs + (goal - logs) * min(1.0, STRIDE / max(float(np.abs(goal - logs).max()), 1e-12))
        moved = _at(fit, logs)
        off = abs(_log_total(moved, days, given) - wanted)
        if off < nearest:
            best, nearest = moved, off
    return best


def _bounded(covariance: Float) -> Float:
    """The covariance with no direction of negative or endless variance."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2.0)
    safe = np.where(values > 0.0, np.minimum(values, FLATTEST), FLATTEST)
    result: Float = (vectors * safe) @ vectors.T
    return result


def _at(fit: ParetoNbd, logs: Float) -> ParetoNbd:
    return replace(fit, **dict(zip(NAMES, np.exp(np.clip(logs, -FARTHEST, FARTHEST)).tolist(), strict=True)))


def _log_total(fit: ParetoNbd, days: float, given: Histories) -> float:
    expected = fit.expected_purchases(days, given.x, given.t_x, given.T)
    return float(np.log(max(float(given.weight @ expected), 1e-9)))


def _slope(fit: ParetoNbd, logs: Float, days: float, given: Histories) -> Float:
    """(4,) of the log of the total by the logs of the parameters."""
    sides = [
        [_log_total(_at(fit, logs + sign * NUDGE * unit), days, given) for sign in (1.0, -1.0)] for unit in np.eye(4)
    ]
    return np.array([(ahead - behind) / (2.0 * NUDGE) for ahead, behind in sides])
