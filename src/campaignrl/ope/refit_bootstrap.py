"""Bootstrap over customers in which every draw is evaluated anew: reward model, propensities and settings included.

So the interval counts what fitting them adds. Not here: the bootstrap with the model as it is (bootstrap.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from campaignrl.ope.data import PolicyLike, policy_of_rows
from campaignrl.ope.evaluate import evaluate
from campaignrl.ope.intervals import Clusters, Estimate, resampled_rows
from campaignrl.rng import Purpose, generator
from campaignrl.tables.log import DecisionLog

REFITTED = "bootstrap over customers, refitted"


def refit_bootstrap(
    log: DecisionLog, policy: PolicyLike, *, resamples: int = 200, alpha: float = 0.05, seed: int = 0, **words: Any
) -> dict[str, Estimate]:
    """Every estimate of `evaluate(log, policy, **words)`, with percentile intervals and the spread of the draws.

    A customer drawn twice stays one customer, so no fold predicts whom it has seen.
    """
    whole = evaluate(log, policy, alpha=alpha, seed=seed, **words).estimates
    drawn: dict[str, list[float]] = {name: [] for name in whole}
    for rows in resampled_rows(Clusters(log.customer), resamples, generator(seed, Purpose.RESAMPLE)):
        found = evaluate(log.take(rows), policy_of_rows(policy, log, rows), seed=seed, **words)
        for name, estimate in found.estimates.items():
            drawn[name].append(estimate.value)
    return {name: _spread(made, np.array(drawn[name]), alpha) for name, made in whole.items()}


def _spread(made: Estimate, drawn: np.ndarray[Any, np.dtype[np.float64]], alpha: float) -> Estimate:
    low, high = np.nanquantile(drawn, [alpha / 2, 1.0 - alpha / 2]) if np.isfinite(drawn).any() else (np.nan, np.nan)
    error = float(np.nanstd(drawn, ddof=1)) if np.isfinite(drawn).sum() > 1 else float("nan")
    return Estimate(made.value, error, float(low), float(high), REFITTED)
