"""The textbook intervals and one-sided bounds, to compare ours with; each from weighted rewards x = w r of n rows.

None of them minds that rows of one customer move together, and those that need no range shut around what happened to be
seen. Not here: the intervals that evaluations use (empirical_likelihood.py).
"""

from __future__ import annotations

import math

from scipy import stats
from scipy.optimize import brentq

from campaignrl.arrays import Float
from campaignrl.ope.intervals import Extreme


def hoeffding_lower(x: Float, span: float, alpha: float) -> float:
    """Lower bound of the mean; span: largest less least possible x (Hoeffding 1963)."""
    return float(x.mean() - span * math.sqrt(math.log(1.0 / alpha) / (2 * len(x))))


def bernstein_lower(x: Float, span: float, alpha: float) -> float:
    """Lower bound of the mean from its spread and the span (Maurer & Pontil 2009, theorem 4)."""
    n, room = len(x), math.log(2.0 / alpha)
    return float(x.mean() - 7 * span * room / (3 * (n - 1)) - math.sqrt(2 * room * x.var() / (n - 1)))


def t_lower(x: Float, alpha: float) -> float:
    """Lower end of the one-sided t interval."""
    n = len(x)
    return float(x.mean() - stats.t.isf(alpha, n - 1) * math.sqrt(x.var() / (n - 1)))


def gaussian(x: Float, alpha: float) -> tuple[float, float]:
    """Mean +- normal quantile x standard error."""
    half = float(stats.norm.isf(alpha / 2) * x.std(ddof=1) / math.sqrt(len(x)))
    return float(x.mean()) - half, float(x.mean()) + half


def clopper_pearson(weight: Float, reward: Float, alpha: float) -> tuple[float, float]:
    """As if sum(w r) / max(w) of n / max(w) trials had succeeded (Vowpal Wabbit's estimators); rewards in [0, 1]."""
    largest = float(weight.max())
    n, won = len(weight) / largest, float(weight @ reward) / largest
    low = float(stats.beta.ppf(alpha / 2, won, n - won + 1)) if won > 0.0 else 0.0
    high = float(stats.beta.isf(alpha / 2, won + 1, n - won)) if won < n else 1.0
    return low, high


def maximum_likelihood_point(weight: Float, reward: Float, least: float, largest: float) -> float:
    """The likeliest value given that the mean weight is 1 (Karampatziakis, Langford & Mineiro 2020, section 3).

    least, largest: the weights that are possible, around 1 and around all seen. What the sample's weights fall
    short of 1 by earns the mean reward. Row i has likelihood 1 / (n + beta (w_i - 1)).
    """
    n, excess = len(weight), weight - 1.0
    up, down = excess[excess > 0.0], excess[excess < 0.0]
    lowest = max(0.0 if math.isinf(largest) else n / (1.0 - largest), float((-(n - 1) / up).max(initial=-math.inf)))
    highest = min(n / (1.0 - least), float((-(n - 1) / down).min(initial=math.inf)))

    def gradient(beta: float) -> float:
        return float((excess / (beta * excess + n)).sum())

    at_low, at_high = gradient(lowest), gradient(highest)
    beta = lowest if at_low < 0.0 else highest
    if at_low * at_high < 0.0:
        beta = float(brentq(gradient, lowest, highest))
    share = 1.0 / (beta * excess + n)
    missing = max(0.0, 1.0 - float(share @ weight))
    return float(share @ (weight * reward)) + missing * float(reward.mean())


def reward_extremes(weights: tuple[float, float], reward: float) -> list[Extreme]:
    """The least and the largest weight, each with an outcome of weight x reward."""
    return [Extreme(w, 0.0 if math.isinf(w) else w * reward, reward) for w in weights]
