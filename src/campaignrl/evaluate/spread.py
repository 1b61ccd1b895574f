"""How the weight of a log is spread: over rows, and over actions. What the pictures of a report are made of.

Not here: what is read off it for the verdict (weights.py, diagnose.py), drawing (report/evidence_figures.py).
n rows, k actions, B bins.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.evaluate.evidence import Evidence
from campaignrl.tables.decisions import DecisionLog

Float = npt.NDArray[np.float64]

LEAST = -10  # log2 of the smallest weight that has a bin; what is smaller is counted there
PER_DOUBLING = 2  # bins


class ActionOverlap(NamedTuple):
    """One action: how often it was logged, how often the policy would take it, and by how many rows that is told."""

    name: str
    logged: float  # share of rows
    wanted: float  # share of the policy's decisions, as far as rows speak of it: mean weight there
    ess: float


class Spread(NamedTuple):
    """The weights' histogram and the overlap by action."""

    edges: Float  # (B + 1,) of weight, ascending
    rows: Float  # (B,) share of all rows
    weight: Float  # (B,) share of all weight
    silent: float  # share of rows of weight 0
    overlap: tuple[ActionOverlap, ...]


def spread_of(log: DecisionLog, evidence: Evidence) -> Spread:
    """The spread of a policy's weights over the rows of a log."""
    w = evidence.weight
    speaks = w > 0.0
    bins = np.floor(PER_DOUBLING * np.log2(w[speaks])).astype(np.int64)
    bins = np.maximum(bins, PER_DOUBLING * LEAST)
    first, last = (int(bins.min()), int(bins.max())) if len(bins) else (0, 0)
    rows = np.bincount(bins - first, minlength=last - first + 1)
    weight = np.bincount(bins - first, w[speaks], minlength=last - first + 1)
    return Spread(
        edges=2.0 ** (np.arange(first, last + 2) / PER_DOUBLING),
        rows=rows / len(w),
        weight=weight / max(float(weight.sum()), np.finfo(np.float64).tiny),
        silent=float(1.0 - speaks.mean()),
        overlap=_overlap(log, w),
    )


def _overlap(log: DecisionLog, w: Float) -> tuple[ActionOverlap, ...]:
    k = len(log.catalog)
    counts, sums, squares = (np.bincount(log.action, part, minlength=k) for part in (None, w, w * w))
    ess = np.divide(sums**2, squares, out=np.zeros(k), where=squares > 0.0)
    shown = zip(log.catalog.names, counts / len(w), sums / len(w), ess, strict=True)
    return tuple(ActionOverlap(name, float(a), float(b), float(c)) for name, a, b, c in shown)
