"""What orders are worth, lognormal: between customers, and between the orders of one.

For shops with long tails, where a gamma (gamma_gamma.py) is too short. Variance components of the logs by analysis of
variance, unequal numbers of orders allowed (Searle, Casella & McCulloch 1992, "Variance Components", 3.6). Not here:
the world's tables (draft.py).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Float, Int64
from campaignrl.errors import DataError, Problem

FEWEST = 8  # orders, and customers with two of them
LEAST = 1e-3  # of a coefficient of variation


class Basket(NamedTuple):
    """Order values of one segment, in a world's terms."""

    mean: float  # currency, over customers
    spread: float  # coefficient of variation of customers' means
    within: float  # coefficient of variation of one customer's orders
    mean_se: float
    customers: int


def lognormal_basket(customer: Int64, value: Float) -> Basket:
    """customer: (m,) a code an order; value: (m,) above 0."""
    _, place = np.unique(customer, return_inverse=True)
    counts = np.bincount(place) if len(place) else np.zeros(0, dtype=np.int64)
    if not (value > 0).all() or (counts > 1).sum() < FEWEST:
        allowed = f"orders above 0, with at least {FEWEST} customers who ordered twice"
        raise DataError(Problem("baskets", "values", len(value), allowed))
    log = np.log(value)
    means = np.bincount(place, log) / counts
    groups, n = len(counts), len(log)
    within = float(((log - means[place]) ** 2).sum()) / (n - groups)
    between = float((counts * (means - log.mean()) ** 2).sum()) / (groups - 1)
    usual = (n - float((counts**2).sum()) / n) / (groups - 1)  # orders a customer, as they count here
    apart = max(between - within, 0.0) / usual
    weight = 1.0 / (apart + within / counts)  # every customer counts, the better known ones a little more
    centre = float(np.average(means, weights=weight))
    mean = float(np.exp(centre + (apart + within) / 2.0))
    spread, inner = (max(float(np.sqrt(np.expm1(v))), LEAST) for v in (apart, within))
    return Basket(mean, spread, inner, mean * float(weight.sum() ** -0.5), groups)
