"""Quantiles and tail chances of t, F and normal distributions, to the bit as scipy.stats has them, and a binomial test.

scipy.stats takes a second to be imported, and looks at shapes and supports of arrays before it asks the function that
is asked here: of one number that is sixty microseconds for one. Not here: what is tested or covered by them.
"""

from __future__ import annotations

import math
from bisect import bisect_left

from scipy import special

ALIKE = 1.0 + 1e-7  # chances within this factor are equal but for rounding


def t_quantile(tail: float, freedom: float) -> float:
    """What a Student t of `freedom` degrees exceeds with chance `tail`, in (0, 1)."""
    return -float(special.stdtrit(freedom, tail))


def f_quantile(tail: float, freedom: float) -> float:
    """What an F of 1 and `freedom` degrees exceeds with chance `tail`, in (0, 1)."""
    return float(special.fdtri(1.0, freedom, 1.0 - tail))


def f_tail(value: float, freedom: float) -> float:
    """Chance of an F of 1 and `freedom` degrees to exceed a value >= 0, which may be infinite."""
    if not 0.0 < value < math.inf:
        return math.nan if math.isnan(value) else float(value <= 0.0)
    return float(special.fdtrc(1.0, freedom, value))


def normal_tail(value: float) -> float:
    """Chance of a standard normal to exceed a value."""
    return float(special.ndtr(-value))


def binomial_p(hits: int, tries: int, share: float) -> float:
    """Two-sided p value of `hits` of `tries` where a share of them was meant: the chance of all that is no likelier.

    The exact test (Conover 1999, Practical Nonparametric Statistics, 3.1); a share of 0 or 1 leaves one count alone.
    """
    mean, middle = tries * share, math.ceil(tries * share)
    if hits == mean or not 0.0 < share < 1.0:
        return float(hits == mean)
    limit = _log_chance(hits, tries, share) + math.log(ALIKE)
    if hits < mean:
        far = bisect_left(range(middle, tries + 1), True, key=lambda x: _log_chance(x, tries, share) <= limit) + middle
        return min(1.0, _at_most(hits, tries, share) + _more_than(far - 1, tries, share))
    near = bisect_left(range(math.floor(mean) + 1), True, key=lambda x: _log_chance(x, tries, share) > limit)
    return min(1.0, _at_most(near - 1, tries, share) + _more_than(hits - 1, tries, share))


def _log_chance(hits: int, tries: int, share: float) -> float:
    ways = special.gammaln(tries + 1) - special.gammaln(hits + 1) - special.gammaln(tries - hits + 1)
    return float(ways + hits * math.log(share) + (tries - hits) * math.log1p(-share))


def _at_most(hits: int, tries: int, share: float) -> float:
    return 0.0 if hits < 0 else 1.0 if hits >= tries else float(special.betaincc(hits + 1, tries - hits, share))


def _more_than(hits: int, tries: int, share: float) -> float:
    return 1.0 if hits < 0 else 0.0 if hits >= tries else float(special.betainc(hits + 1, tries - hits, share))
