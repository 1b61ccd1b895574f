"""Evidence against a mean of 0, by betting: a test that holds at any sample size, however rare what is looked for.

A gambler who bets the share s on numbers x >= -1 that are 0 on average does not get rich: their wealth,
the product of 1 + s x, exceeds 1 / alpha with a chance of at most alpha (Ville 1939; Waudby-Smith & Ramdas 2024). As

    log(1 + s x) >= s x - (-log(1 - s) - s) x^2        for x >= -1 and 0 <= s < 1      (Fan, Grama & Liu 2015)

the sum of the numbers and the sum of their squares are enough, and both add up over parts of a log. Here: that
wealth. Not here: what is bet on (balance.py).
"""

from __future__ import annotations

import numpy as np

from campaignrl.arrays import Array, Float

STAKES = 0.5 ** np.arange(1, 15)  # of which one is near the best, whatever the spread; the wealth is their mean
COSTS = -np.log1p(-STAKES) - STAKES


def log_wealth(total: Float, squares: Float, most: Float | float = 1.0) -> Float:
    """Log wealth won by betting that numbers x >= -most have a mean above 0; at most log(1 / alpha) by chance.

    total, squares: sums of x and of x^2, any shape. Chance exceeds log(1 / alpha) with at most alpha.
    """
    s, v = np.asarray(total / most)[..., None], np.asarray(squares / np.square(most))[..., None]
    log_of_each = STAKES * s - COSTS * v
    best = log_of_each.max(axis=-1)
    return np.asarray(best + np.log(np.exp(log_of_each - best[..., None]).mean(axis=-1)))


def wealthy(bar: float, total: Float, squares: Float, most: Float | float = 1.0) -> Array:
    """(found, dimensions) places where `log_wealth` is above `bar`; worked out where that of the best stake is."""
    s, v = np.asarray(total / most), np.asarray(squares / np.square(most))
    if bar > 0.0 and not ((s > 0.0) & (s * s > 2.0 * bar * v)).any():  # a stake costs half its square at least
        return np.zeros((0, s.ndim), dtype=np.intp)
    near = np.nonzero((np.multiply.outer(STAKES, s) - np.multiply.outer(COSTS, v)).max(axis=0) > bar)
    found = [np.broadcast_to(x, np.shape(total))[near] for x in (total, squares, most)]
    return np.stack(near, axis=1)[log_wealth(*found) > bar]
