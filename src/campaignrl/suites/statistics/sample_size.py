"""How many seeds it takes: the difference that a number of seeds can detect, and the seeds that would decide.

A paired t over n seeds, whose differences have the standard deviation `spread` (a share of the base). The power is
that of the noncentral t (Johnson & Welch 1940, Biometrika 31), so small n are right too. Not here: the interval and the
verdict (paired_test.py).
"""

from __future__ import annotations

import math
from functools import cache

from scipy import special

POWER = 0.8  # of the detectable difference
SURE = 0.9  # chance with which the seeds named by `seeds_to_decide` decide
MOST = 10_000_000  # seeds; beyond, nobody will play them


def detectable_difference(spread: float, seeds: int, alpha: float = 0.05, power: float = POWER) -> float:
    """Minimal detectable effect, (t(1 - alpha/2) + t(power)) x spread / sqrt(seeds) (Bloom 1995, Evaluation Review 19).

    With a margin, a loss of margin + this is called a regression with a chance of `power`.
    """
    return (student(alpha / 2, seeds - 1) + student(1 - power, seeds - 1)) * spread / math.sqrt(seeds)


def chance_to_decide(distance: float, spread: float, seeds: int, alpha: float = 0.05) -> float:
    """Chance that the interval of `seeds` seeds leaves out a bound that lies `distance` from the true difference."""
    if spread == 0.0:
        return 1.0 if distance > 0.0 else 0.0
    shift = distance * math.sqrt(seeds) / spread
    critical = student(alpha / 2, seeds - 1)
    if shift > 37.0 + critical:  # beyond, the noncentral t cannot be told from 1
        return 1.0
    from scipy.stats import nct  # slow to import, and few verbs need it

    return float(nct.sf(critical, seeds - 1, shift))


def seeds_to_decide(distance: float, spread: float, alpha: float = 0.05, chance: float = SURE) -> int | None:
    """The least number of seeds whose interval leaves out a bound at `distance`, with this chance; None beyond MOST.

    distance: from the true difference to -margin, a share; spread: of the difference between seeds.
    """
    if distance <= 0.0:
        return None
    normal = ((special.ndtri(alpha / 2) + special.ndtri(1 - chance)) * spread / distance) ** 2
    if normal > MOST:
        return None
    low, high = max(int(normal) - 1, 1), max(int(normal) + 1, 2)  # Student's t needs a little more than the normal
    while chance_to_decide(distance, spread, high, alpha) < chance:
        low, high = high, high + max(high - low, 1) * 2
    while low > 1 and chance_to_decide(distance, spread, low, alpha) >= chance:
        low, high = max(low // 2, 1), low
    while high - low > 1:
        middle = (low + high) // 2
        if chance_to_decide(distance, spread, middle, alpha) < chance:
            low = middle
        else:
            high = middle
    return high


@cache
def student(tail: float, freedom: int) -> float:
    """Quantile of Student's t that leaves `tail` above it."""
    return -float(special.stdtrit(freedom, tail))
