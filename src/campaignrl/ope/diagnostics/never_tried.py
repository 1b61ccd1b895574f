"""Whom an action was never tried on, by context, though they could have got it and the policy wants it there.

A log's propensities of actions that were not taken are unknown, so rows in which one was impossible look like rows in
which it did not happen to come. But where an action never came at a whole end of a column, while it came often in as
many rows just before, that is no accident and no slowly falling propensity either; nor is a level in which it never
came though it should have so often at its usual rate that a tenth of that would have shown. In rows in which what else
was done left it hardly a chance its absence is no news (hardly_tried.py). Here: the largest such part of each action.
Not here: actions that were never tried at all (said by the verdict), cells in which weights are off (balance.py).
m rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Array, Bool, Float, Rows
from campaignrl.ope.data import LogSample, ascending
from campaignrl.ope.diagnostics.hardly_tried import left_over
from campaignrl.ope.diagnostics.verdict import OFF_SUPPORT_REFUSE, Finding, Level

CHANCE = 1e-6  # of such an end by accident, before it is divided among all columns and actions
DUE = 50.0  # times that the action should have come in a level, at its usual rate
FEW = 30  # rows
SHOWN = 5  # parts that are told, the largest first
GLANCE = 1_024  # rows by which it is guessed how far an end goes


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
    # As many rows beside an end have the action so often: each time the chance is a half that it is not at the end; and
    # twice that, as a propensity may fall towards the end.
    parts_looked_at = 2 * k * len(sample.columns)
    beside = 2 * math.ceil(-math.log2(CHANCE / parts_looked_at))
    # Of rows whose other actions left it only so much in all, that it never came is no news.
    due = -math.log(CHANCE / parts_looked_at)
    count = np.bincount(sample.action, minlength=k)
    open_ends = _open_ends(sample, count, due, beside)
    orders = {name: _ordered(sample.columns[name]) for name, actions in open_ends.items() if actions.any()}
    found, closer = [], np.flatnonzero(_may_have_parts(sample, count, open_ends)).tolist()
    left = left_over(1.0 / sample.propensity) if closer else np.zeros(m)
    for action in closer:
        allowed = np.ones(m, dtype=bool) if sample.eligible is None else sample.eligible[:, action]
        ends = {name: orders[name] for name, actions in open_ends.items() if actions[action]}
        parts = _parts(sample, ends, sample.action == action, allowed, beside)
        parts = [(where, here) for where, here in parts if float(left[here].sum()) >= due]
        if parts:
            where, here = max(parts, key=lambda part: int(part[1].sum()))
            wanted = 0.0 if sample.wanted is None else float(sample.wanted[here, action].sum(dtype=np.float64)) / m
            who = len(np.unique(sample.customer[here]))
            found.append(NeverTried(names[action], where, int(here.sum()), who, float(here.mean()), wanted))
    return tuple(sorted(found, key=lambda part: (-part.wanted, -part.rows))[:SHOWN])


def _ordered(column: Array) -> Rows:
    """The rows whose number is known, ascending."""
    known = np.flatnonzero(np.isfinite(column))
    return known[ascending(column[known])]


def _may_have_parts(sample: LogSample, count: Array, open_ends: Mapping[str, Bool]) -> Bool:
    """(k,) actions that left out an end of a column of numbers, or a level: the others need no closer look."""
    k, found = len(count), np.logical_or.reduce([count < 0, *open_ends.values()])
    for feature in sample.schema.features:
        if feature.levels:
            width = len(feature.levels) + 1
            cell = (sample.columns[feature.name] + 1) * np.intp(k) + sample.action
            found |= (np.bincount(cell, minlength=width * k).reshape(-1, k)[1:width] == 0).any(axis=0)
    return np.asarray(found & (count > 0))


def _open_ends(sample: LogSample, count: Array, due: float, beside: int) -> dict[str, Bool]:
    """By column of numbers, (k,) whether an action leaves out so many rows at an end that they may tell: a glance.

    count: (k,) rows of each action; due: rows that an end needs at least, as each leaves at most all to others; beside:
    how often the action came in as many rows, so that these are as many at least.
    """
    m, found = len(sample.action), {}
    wants = _Wants(count, np.flatnonzero(count), due, beside, sample.eligible is not None)
    wide = max(4 * wants.rows, 16 * len(count))  # rows at an end in which most often every action came
    for feature in sample.schema.features:
        if feature.levels:
            continue
        column = np.asarray(sample.columns[feature.name])  # as it is: short numbers are sorted faster
        some = column[:: max(1, m // GLANCE)]
        some = np.sort(some[np.isfinite(some)])
        place = -(-wide * len(some) // m)
        ends = (some[place], some[-1 - place]) if 2 * place < len(some) else (math.inf, -math.inf)
        lower = _left_out(column, ends[0], sample.action, wants)
        found[feature.name] = lower | _left_out(column, ends[1], sample.action, wants, -1)
    return found


class _Wants(NamedTuple):
    """What a lower end must have; see `_open_ends`."""

    times: Array  # rows of each action
    there: Array  # actions that came at all
    due: float
    beside: int
    masked: bool  # rows in which an action was not eligible are not told apart here

    @property
    def rows(self) -> int:
        """Before the first in which the action came."""
        return max(FEW, self.beside)


def _left_out(column: Array, end: float, action: Array, wants: _Wants, sign: int = 1) -> Bool:
    """(k,) whether an end of a column is open to an action, by the rows up to `end` if these tell, else by all.

    sign: 1 of the lower end, -1 of the upper one.
    """
    rows = np.flatnonzero(column <= end if sign > 0 else column >= end)
    low, came = column[rows] if sign > 0 else -column[rows], action[rows]
    known = np.isfinite(low)
    if not known.all():
        low, came = low[known], came[known]
    least, rising, there = np.full(len(wants.times), np.inf, dtype=column.dtype), np.sort(low), wants.there
    np.minimum.at(least, came, low)
    first = least[there]
    upto = rising.searchsorted(first, side="right") - 1  # before the first in which it came, at most
    enough = np.flatnonzero(upto >= wants.rows)
    if math.isfinite(end) and (len(rising) <= wants.rows or (2 * upto[enough] >= len(rising)).any()):
        return _left_out(column, sign * math.inf, action, wants, sign)
    open_ = np.zeros(len(least), dtype=bool)
    for i in enough.tolist():
        if math.isfinite(first[i]) and rising.searchsorted(first[i]) >= wants.due:
            near = rising[min(2 * int(upto[i]), len(rising) - 1)]
            open_[there[i]] = wants.masked or np.count_nonzero(low[came == there[i]] <= near) >= wants.beside
    return open_


def _parts(
    sample: LogSample, orders: Mapping[str, Rows], came: Bool, allowed: Bool, beside: int
) -> list[tuple[str, Bool]]:
    """Ends of columns of numbers, and levels, in which the action never came: in words, and the eligible rows."""
    found, rate = [], float(came.sum() / max(allowed.sum(), 1))
    for feature in sample.schema.features:
        column = sample.columns[feature.name]
        if not feature.levels:
            if feature.name not in orders:  # nothing is open there
                continue
            order = orders[feature.name]
            order = order if sample.eligible is None else order[allowed[order]]
            found += _ends(feature.name, np.asarray(column, dtype=np.float64), order, came, allowed, beside)
            continue
        count = np.bincount(column[came] + 1, minlength=len(feature.levels) + 1)
        for level in np.flatnonzero(count[1:] == 0).tolist():
            here = allowed & (column == level)
            if here.sum() * rate >= DUE:
                found.append((f"`{feature.name}` is {feature.levels[level]}", here))
    return found


def _ends(name: str, column: Float, order: Rows, came: Bool, allowed: Bool, beside: int) -> list[tuple[str, Bool]]:
    """The ends beyond the farthest rows in which the action came, if it came often enough in as many rows before."""
    places = np.flatnonzero(came[order])
    if not len(places):
        return []
    found = []
    for turned, word in ((False, "below"), (True, "above")):
        at = len(order) - 1 - places[::-1] if turned else places
        rows = int(at[0])
        if rows >= FEW and np.searchsorted(at, 2 * rows) >= beside:
            edge = float(column[order[places[-1] if turned else places[0]]])
            outside = column > edge if turned else column < edge
            found.append((f"`{name}` is {word} {edge:.4g}", allowed & outside))
    return found


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
