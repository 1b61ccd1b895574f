"""Hedged betting interval of a bounded mean: two gamblers bet against each candidate value, one on more, one on less.

A value that would have made either of them rich is ruled out (Waudby-Smith & Ramdas 2024, JRSS-B 86:1, section 4).
It holds at any sample size, given that observations are independent and the range is truly known. Bets depend on
what came before, so the order must not depend on the outcomes: callers sort by a hash. Not here: sequences that may
be looked at while they grow (confidence_sequences.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from campaignrl.arrays import Float

MOST = 0.5  # largest share of the wealth at stake in one bet, so that no single observation ruins a gambler
HALVINGS = 50  # of the unit interval: ends are exact to 1e-15


def betting_interval(x: Float, alpha: float, least: float = 0.0, largest: float = 1.0) -> tuple[float, float]:
    """Interval of the mean of x, (n,) independent observations known to lie in [least, largest]."""
    if not largest > least:
        return least, largest
    unit = (x - least) / (largest - least)
    bets = _bets(unit, alpha)
    low = _where_poor(lambda m: _log_wealth(unit, bets, m), alpha)
    high = 1.0 - _where_poor(lambda m: _log_wealth(1.0 - unit, bets, m), alpha)
    return least + low * (largest - least), least + high * (largest - least)


def _bets(unit: Float, alpha: float) -> Float:
    """(n,) stakes before each observation: the best ones for the mean and variance seen so far, started at 1/2, 1/4."""
    n = len(unit)
    count = np.arange(2, n + 2)
    mean = (0.5 + np.cumsum(unit)) / count
    variance = (0.25 + np.cumsum((unit - mean) ** 2)) / count
    before = np.concatenate([[0.25], variance[:-1]])
    return np.sqrt(2.0 * math.log(2.0 / alpha) / (n * before))


def _log_wealth(unit: Float, bets: Float, mean: float) -> float:
    """Log wealth of the gambler who bets that the mean is above `mean`; falls as `mean` rises."""
    stake = np.minimum(bets, MOST / mean) if mean > 0.0 else bets
    return float(np.log1p(stake * (unit - mean)).sum())


def _where_poor(log_wealth: Callable[[float], float], alpha: float) -> float:
    """Least candidate in [0, 1] at which half the capital has not grown to 1 / alpha."""
    enough = math.log(2.0 / alpha)
    low, high = 0.0, 1.0
    if log_wealth(low) < enough:
        return low
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if log_wealth(middle) >= enough else (low, middle)
    return low
