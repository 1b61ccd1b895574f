"""Whom an action was never tried on, by context, though they could have got it and the policy wants it there.

A log's propensities of actions that were not taken are unknown, so rows in which one was impossible look like rows in
which it did not happen to come. But a whole end of a column, or a level, in which it never came while it came elsewhere
is no accident. Here: the largest such part of each action. Not here: actions that were never tried at all (said by the
verdict), cells in which weights are off (balance.py). m rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Array, Bool, Float
from campaignrl.ope.data import LogSample
from campaignrl.ope.diagnostics.verdict import OFF_SUPPORT_REFUSE, Finding, Level

CHANCE = 1e-6  # of such a part by accident, before it is divided among all columns and actions
FEW = 30  # rows
SHOWN = 5  # parts that are told, the largest first


class NeverTried(NamedTuple):
    """A part of the rows in which an action never came."""

    action: str
    where: str
    rows: int  # in which it was eligible
    customers: int
    share: float  # of all rows looked at
    wanted: float  # of what the policy would do in all rows: this action, here


def never_tried(sample: LogSample, names: Sequence[str]) -> tuple[NeverTried, ...]:
    """The largest part of each action, if there is one. names: (k,)."""
    k, m = len(names), len(sample.action)
    if m < FEW or not sample.columns:
        return ()
    tried = np.flatnonzero(np.bincount(sample.action, minlength=k))
    bar = math.log(CHANCE / (2 * k * len(sample.columns)))
    found = []
    for action in tried.tolist():
        allowed = np.ones(m, dtype=bool) if sample.eligible is None else sample.eligible[:, action]
        came = sample.action == action
        rate = float(came.sum() / max(allowed.sum(), 1))
        need = max(FEW, math.ceil(bar / math.log1p(-min(rate, 1.0 - 1e-12))))
        parts = [part for each in _parts(sample, came, allowed) if int((part := each)[1].sum()) >= need]
        if parts:
            where, here = max(parts, key=lambda part: int(part[1].sum()))
            wanted = 0.0 if sample.wanted is None else float(sample.wanted[here, action].sum(dtype=np.float64)) / m
            who = len(np.unique(sample.customer[here]))
            found.append(NeverTried(names[action], where, int(here.sum()), who, float(here.mean()), wanted))
    return tuple(sorted(found, key=lambda part: (-part.wanted, -part.rows))[:SHOWN])


def _parts(sample: LogSample, came: Bool, allowed: Bool) -> list[tuple[str, Bool]]:
    """Ends of columns of numbers, and levels, in which the action never came: in words, and the eligible rows."""
    found = []
    for feature in sample.schema.features:
        column = sample.columns[feature.name]
        if feature.levels:
            count = np.bincount(column[came] + 1, minlength=len(feature.levels) + 1)
            for level in np.flatnonzero(count[1:] == 0).tolist():
                found.append((f"`{feature.name}` is {feature.levels[level]}", allowed & (column == level)))
            continue
        found += _ends(feature.name, np.asarray(column, dtype=np.float64), came, allowed)
    return found


def _ends(name: str, column: Float, came: Array, allowed: Bool) -> list[tuple[str, Bool]]:
    seen = column[came]
    seen = seen[np.isfinite(seen)]
    if not len(seen):
        return []
    low, high = float(seen.min()), float(seen.max())
    return [
        (f"`{name}` is below {low:.4g}", allowed & (column < low)),
        (f"`{name}` is above {high:.4g}", allowed & (column > high)),
    ]


def findings_of_never_tried(parts: Sequence[NeverTried]) -> tuple[Finding, ...]:
    """A caution where the policy wants such an action there; what it does not want, changes nothing."""
    wanted = [part for part in parts if part.wanted > OFF_SUPPORT_REFUSE]
    if not wanted:
        return ()
    one = wanted[0]
    who = f"`{one.action}` was never tried where {one.where} ({one.customers:,} customers, {one.share:.1%} of the rows)"
    text = f"{who}, {one.wanted:.1%} of what this policy would do"
    more = f"; {len(wanted) - 1} more such parts are in `never_tried`" if len(wanted) > 1 else ""
    fix = "What it earns there is a guess: try it on some of them, or keep the policy from it"
    return (Finding(Level.CAUTION, f"{text}{more}. {fix}."),)
