"""What a policy will earn over another in the days to come: the lift by day, carried on.

One figure for all days of a log is that of a day in their middle; where what an action does fades, it is no forecast.
So the doubly robust terms of the lift are regressed on the day and read off at the days after the log (Thomas,
Theocharous, Ghavamzadeh, Durugkar & Brunskill 2017, IAAI; the least squares of Chandak et al. 2020, ICML, "Optimizing
for the Future in Non-Stationary MDPs"). The rows of a customer move together, so the error is that of sums over
customers. What is carried on is a line: its error grows with the days ahead, and it knows of no bend. Not here: whether
the lift has changed at all (diagnostics/over_time.py). n rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from campaignrl.arrays import Float
from campaignrl.errors import Problem, UsageError
from campaignrl.ope.comparison.policies import ABSENT, Rows
from campaignrl.ope.data import LOGGED, PolicyLike
from campaignrl.ope.intervals import Clusters, Estimate, std_error, t_quantile
from campaignrl.tables.log import DecisionLog

TREND = "trend over the days, customer t"
FEWEST_DAYS = 4  # below, a line says nothing of its own error


def lift_ahead(
    log: DecisionLog, a: PolicyLike, b: PolicyLike = LOGGED, *, days: int = 28, alpha: float = 0.05, **words: Any
) -> Estimate:
    """The lift of `a` over `b` per decision, over so many days after the last one of the log.

    Worth its wider interval where `evaluate` says that an effect falls or rises over the days, and not where nothing
    changes (docs/evaluation.md has by how much). words: as `compare_many_on_log` takes them.

    Example:
        >>> import campaignrl as crl
        >>> from campaignrl.ope import lift_ahead
        >>> log = crl.simulate("coupon_trap", "uniform", customers=300, seed=7)
        >>> ahead = lift_ahead(log, "always:content@email", "none", days=14)
        >>> ahead.ci_low < ahead.value < ahead.ci_high
        True
    """
    if days < 1:
        raise UsageError(Problem("lift ahead", "days", days, "at least 1"))
    rows = Rows.of(log, [a, b], **words)
    day = np.asarray(rows.log.day, dtype=np.float64)
    there = np.unique(day)
    if len(there) < FEWEST_DAYS:
        fix = "A log of one day says nothing of the next ones."
        raise UsageError(Problem("lift ahead", "days of the log", len(there), f"at least {FEWEST_DAYS}", fix))
    if rows.silent():
        return ABSENT._replace(interval=TREND)
    first, second = rows.evidence
    apart = first.weight - second.weight
    terms = first.expected - second.expected + apart * (first.reward - first.predicted)
    return carried_on(terms, day, float(there[-1]) + (days + 1) / 2, first.clusters, alpha)


def carried_on(terms: Float, day: Float, at: float, clusters: Clusters, alpha: float) -> Estimate:
    """The mean of `terms` (n,) on a day `at`, by a line through them over their days (n,)."""
    far = day - day.mean()
    spread, middle = float(far @ far), float(terms.mean())
    slope, ahead = float(far @ terms) / spread, at - float(day.mean())
    left = terms - middle - slope * far
    value = middle + slope * ahead
    error = std_error((1.0 + len(terms) * ahead * far / spread) * left, clusters)
    half = t_quantile(alpha / 2, max(len(clusters) - 2, 1)) * error
    return Estimate(value, error, value - half, value + half, TREND)
