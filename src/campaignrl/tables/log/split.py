"""Splitting a decision log in two by customer, so that what is learned on one part is judged on the other.

A customer's rows stay together, and which part they fall into depends on their id and the seed alone. Not here:
the folds of cross-fitting, which are drawn apart from this split (ope/nuisance/cross_fitting.py).
"""

from __future__ import annotations

from campaignrl.errors import Problem, UsageError
from campaignrl.rng import Purpose, customer_keys, uniform
from campaignrl.tables.log.decision_log import DecisionLog


def split_by_customer(log: DecisionLog, share: float = 0.5, seed: int = 0) -> tuple[DecisionLog, DecisionLog]:
    """The rows of about `share` of the customers, and those of all others."""
    if not 0.0 < share < 1.0:
        raise UsageError(Problem("split", "share", share, "in (0, 1)"))
    first = uniform(customer_keys(log.customers), seed, 0, Purpose.RESAMPLE) < share
    chosen = first[log.customer]
    return log.take(chosen), log.take(~chosen)
