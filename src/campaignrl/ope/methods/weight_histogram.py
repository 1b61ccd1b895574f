"""How the weight of a log is spread: over rows, and over actions. What the pictures of a report are made of.

Not here: what is read off it for the verdict (weights.py, verdict.py), drawing (report/figures/evidence.py).
n rows, k actions, B bins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Array, Float
from campaignrl.ope.methods.weighted_rows import Evidence
from campaignrl.tables.log import DecisionLog

LEAST, MOST = -10, 40  # log2 of the weights that have bins; what is smaller or larger is counted in the last of them
PER_DOUBLING = 2  # bins
BINS = PER_DOUBLING * (MOST - LEAST)
COUNTED = ("rows of bin", "weight of bin", "rows of action", "weight of action", "square of action")


class ActionOverlap(NamedTuple):
    """One action: how often it was logged, how often the policy would take it, and by how many rows that is told."""

    name: str
    logged: float  # share of rows
    wanted: float  # share of the policy's decisions, as far as rows speak of it: mean weight there
    ess: float


class WeightHistogram(NamedTuple):
    """The weights' histogram and the overlap by action."""

    edges: Float  # (B + 1,) of weight, ascending
    rows: Float  # (B,) share of all rows
    weight: Float  # (B,) share of all weight
    silent: float  # share of rows of weight 0
    overlap: tuple[ActionOverlap, ...]


def weight_histogram_of(log: DecisionLog, evidence: Evidence) -> WeightHistogram:
    """How a policy's weights are spread over the rows of a log."""
    return weight_histogram_from(log.catalog.names, histogram_sums(evidence.weight, log.action, len(log.catalog)))


def histogram_sums(weight: Float, action: Array, k: int) -> dict[str, Array]:
    """Of some rows, (n,) weights and actions: sums by bin (BINS,) and by action (k,), which add up over parts."""
    speaks = weight > 0.0
    w = weight if speaks.all() else weight[speaks]
    bins = np.clip(np.floor(PER_DOUBLING * (np.log2(w) - LEAST)), 0, BINS - 1).astype(np.intp)
    by_bin: list[Array] = [np.bincount(bins, part, minlength=BINS) for part in (None, w)]
    by_action: list[Array] = [np.bincount(action, part, minlength=k) for part in (None, weight, weight * weight)]
    return dict(zip(COUNTED, (*by_bin, *by_action), strict=True))


def weight_histogram_from(names: Sequence[str], sums: Mapping[str, Array]) -> WeightHistogram:
    """The histogram from `histogram_sums`; bins beyond the least and the largest weight are left out."""
    rows, weight, tried, wanted, square = (sums[name] for name in COUNTED)
    n, there = int(tried.sum()), np.flatnonzero(rows)
    first, last = (int(there[0]), int(there[-1])) if len(there) else (-PER_DOUBLING * LEAST,) * 2
    shown = slice(first, last + 1)
    ess = np.divide(wanted**2, square, out=np.zeros(len(names)), where=square > 0.0)
    overlap = zip(names, tried / n, wanted / n, ess, strict=True)
    return WeightHistogram(
        edges=2.0 ** (LEAST + np.arange(first, last + 2) / PER_DOUBLING),
        rows=rows[shown] / n,
        weight=weight[shown] / max(float(weight.sum()), np.finfo(np.float64).tiny),
        silent=float(1.0 - rows.sum() / n),
        overlap=tuple(ActionOverlap(name, float(a), float(b), float(c)) for name, a, b, c in overlap),
    )
