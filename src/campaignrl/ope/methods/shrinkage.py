"""How strongly to hold back heavy weights: SLOPE++ and estimated mean squared error.

ips_clip, switch_dr and dros trade variance for bias by one number. Here: choosing it from the log. Not here: what the
number does (bandit.py), which estimators have one (registry.py). m candidates, n rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy import special

from campaignrl.arrays import Float
from campaignrl.ope.intervals import Clusters, Point, std_error

FIXED, SLOPE, MSE = "fixed", "slope", "mse"
METHODS = (FIXED, SLOPE, MSE)
GRID = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, math.inf)
LEVEL = 0.1  # of the one-sided widths of SLOPE, and of the bound on the bias


def slope(values: Float, widths: Float) -> int:
    """Index of the candidate that SLOPE++ picks (Su, Srinath & Krishnamurthy 2020; Tucker & Lee 2021).

    values: (m,) estimates; widths: (m,) of their intervals. From the widest on, as long as each agrees with all
    before it; the last that does. It presumes that bias grows as the width shrinks.
    """
    order = np.argsort(widths, kind="stable")[::-1]
    kept = [int(order[0])]
    for i in order[1:].tolist():
        room = widths[i] + (math.sqrt(6) - 1) * widths[kept]
        if not (np.abs(values[i] - values[kept]) <= room).all():
            break
        kept.append(i)
    return kept[-1]


def width(point: Point, clusters: Clusters) -> float:
    """One-sided t width of an estimate, from customers' sums; NaN for one customer."""
    return -float(special.stdtrit(max(len(clusters) - 1, 1), LEVEL)) * std_error(point.influence, clusters)


def estimated_mse(point: Point, clusters: Clusters, lost: Float, weight: Float) -> float:
    """Variance plus squared bias, the latter as its upper bound of level LEVEL (Su et al. 2020, app. E).

    lost: (n,) what holding back takes from each row, (w - w') (r - q); weight: (n,) w, not held back.
    """
    n, room = len(weight), math.log(2.0 / LEVEL)
    noise = math.sqrt(2.0 * float(weight @ weight) / n * room / n) + 2.0 * float(weight.max()) * room / (3.0 * n)
    return std_error(point.influence, clusters) ** 2 + (abs(float(lost.mean())) + noise) ** 2


def choose(
    method: str,
    grid: Sequence[float],
    point: Callable[[float], Point],
    lost: Callable[[float], Float],
    weight: Float,
    clusters: Clusters,
) -> float:
    """The member of `grid` that `method` picks; the mildest where nothing can be told from one customer."""
    if len(clusters) < 2:
        return grid[-1]
    points = [point(setting) for setting in grid]
    if method == SLOPE:
        widths = np.array([width(p, clusters) for p in points])
        return grid[slope(np.array([p.value for p in points]), widths)]
    errors = [estimated_mse(p, clusters, lost(s), weight) for s, p in zip(grid, points, strict=True)]
    return grid[int(np.argmin(errors))]
