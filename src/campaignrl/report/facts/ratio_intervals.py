"""Rates and means with intervals from the spread between customers, who are independent. n customers.

Not here: which rates (kpi.py).
"""

from __future__ import annotations

import numpy as np
from scipy import special

from campaignrl.arrays import Float
from campaignrl.true_value import Value

UNKNOWN = Value(np.nan, np.nan, np.nan, np.nan)
Z = -float(special.ndtri(0.025))


def ratio(numerator: Float, denominator: Float) -> Value:
    """Sum over sum, (n,) each, with the linearised error of independent customers (Cochran 1977, section 6.3)."""
    total, n = float(denominator.sum()), len(denominator)
    if total == 0.0:
        return UNKNOWN
    value = float(numerator.sum()) / total
    if n < 2:
        return Value(value, np.nan, np.nan, np.nan)
    influence = (numerator - value * denominator) * (n / total)
    error = float(influence.std(ddof=1) / np.sqrt(n))
    return Value(value, error, value - Z * error, value + Z * error)


def share(hits: Float, of: Float) -> Value:
    """Hits over chances, hits <= of, (n,) each: `ratio` with a Wilson interval, which none or all hits do not close.

    The interval is that of as many independent chances as have the linearised error (Korn & Graubard 1998, "Confidence
    intervals for proportions with small expected number of positive counts estimated from survey data"). Where all
    chances end alike their error is unknown, and each customer counts as one chance.
    """
    value, error, *_ = ratio(hits, of)
    if not np.isfinite(error):
        return Value(value, error, np.nan, np.nan)
    value = min(max(value, 0.0), 1.0)  # sums of fractions round
    mixed = value * (1.0 - value) > 1e-12 and error > 0.0
    chances = value * (1.0 - value) / error**2 if mixed else float(np.count_nonzero(of))
    centre = (value + Z**2 / (2 * chances)) / (1 + Z**2 / chances)
    half = Z * np.sqrt(value * (1 - value) / chances + Z**2 / (4 * chances**2)) / (1 + Z**2 / chances)
    # at 0 and 1 centre and half meet exactly; rounding must not leave the value outside
    return Value(value, error, min(value, float(centre - half)), max(value, float(centre + half)))


def per_customer(values: Float) -> Value:
    """Mean over customers."""
    return ratio(values, np.ones(len(values)))
