"""Do a log's actions come as often as its propensities say, and among whom not?

If propensities are right, the sum of 1/p over the rows in which an action was taken is what the rows in which it was
eligible number, give or take chance; and so among the rows of any part of the contexts, wave or stretch of days.
The same holds with the valued policy's probabilities on top (its weights against its own mass), which tells what
is wrong where it matters. The mean weight alone sees one number of all these: two waves of 10 % and 90 % pooled as 50 %
have a mean weight of 1. More than propensities allow proves a fault, as an action may be impossible in some rows
but never more than certain; less than that is a fault only where the policy wants the action and the log does not
say itself that it had hardly a chance there (hardly_tried.py). Tests by betting (evidence.py) over sums of customers;
together, of all actions and cells, they alarm once in a thousand sound logs.

Here: the tests and their words. Not here: cells and their names (cells.py), which rows are looked at
(data/log_sample.py). m rows, k actions, J cells of all columns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Array, Bool, Float, Float32
from campaignrl.ope.data import LogSample
from campaignrl.ope.diagnostics.cells import Cells, CellSums, cells_of
from campaignrl.ope.diagnostics.evidence import log_wealth, wealthy
from campaignrl.ope.diagnostics.hardly_tried import beyond, left_over
from campaignrl.ope.diagnostics.verdict import MEAN_WEIGHT_REFUSE, P_ALARM, Finding, Level
from campaignrl.ope.estimators import CERTAIN
from campaignrl.ope.intervals import numbered
from campaignrl.policies import allowed_counts

SAID = 3  # findings at most of one kind; the rest are counted
EVERYWHERE = "everywhere"
CAUSE = "the propensities belong to another rule, or rows are missing"


class Imbalance(NamedTuple):
    """An action, or all (-1), that came more or less often than it should, in a cell or everywhere."""

    action: int
    where: str
    ratio: float  # of what came to what should have
    misplaced: float  # share of all decisions, or of the policy's, by which it is off
    evidence: float  # log wealth
    column: str = ""


class Chances(NamedTuple):
    """The rows in which there was a choice, as the tests need them."""

    customer: Array  # (m,) numbers that differ where customers do
    action: Array
    inverse: Float  # 1 / p
    eligible: Array | None
    wanted: Float32 | None  # (m, k) the valued policy's mass that the log can speak of
    weight: Float | None  # (m,)
    left: Float  # (m,) chance that was left to what was not done
    columns: list[Cells]  # the first is all rows
    sums: CellSums
    k: int

    def expected(self, action: int) -> Float:
        """(m,) 1 where the action was eligible."""
        return np.ones(len(self.action)) if self.eligible is None else self.eligible[:, action].astype(np.float64)


def balance(sample: LogSample, names: Sequence[str]) -> tuple[Finding, ...]:
    """What is wrong with how often the actions were taken; nothing where chance explains it. names: (k,)."""
    chances = _chances(sample, len(names))
    if len(chances.action) < 2:
        return ()
    pool = _taken_too_often(chances) + _wanted_and_missing(chances)
    return (*_of_actions(pool, names), *_of_cells(_off_weights(chances), chances, names))


def _chances(sample: LogSample, k: int) -> Chances:
    free = sample.propensity < CERTAIN
    if sample.eligible is not None:
        free &= allowed_counts(sample.eligible) > 1
    rows = slice(None) if free.all() else np.flatnonzero(free)
    action, inverse = sample.action[rows], 1.0 / sample.propensity[rows]
    wanted, weight = None, None
    if sample.wanted is not None:
        wanted = sample.wanted[rows]
        weight = sample.as_done()[rows] * inverse
        untried = np.bincount(action, minlength=k) == 0
        if untried.any():  # nothing speaks of these: said as "never tried"
            wanted = np.where(untried, np.float32(0.0), wanted)
    everybody = Cells("", np.zeros(len(action), dtype=np.int8), (EVERYWHERE,))
    columns = [everybody, *(c._replace(cell=c.cell[rows]) for c in cells_of(sample))]
    eligible = None if sample.eligible is None else sample.eligible[rows]
    sums = CellSums(columns, action, k)
    customer, left = sample.customer[rows], left_over(inverse)
    return Chances(customer, action, inverse, eligible, wanted, weight, left, columns, sums, k)


def _taken_too_often(c: Chances) -> list[Imbalance]:
    """Actions whose sum of 1/p exceeds the rows in which they were eligible, in any cell."""
    came, squares, due = c.sums.by_action(c.inverse), c.sums.by_action(c.inverse * (c.inverse - 2.0)), _eligible_rows(c)
    bar = math.log(due.size / (P_ALARM / 3))
    found = []
    for j, action in wealthy(bar, came - due, squares + due).tolist():
        column, cell = c.sums.cells[j]
        gap = (c.action == action) * c.inverse - c.expected(action)
        evidence = _by_customers(c, gap, column.cell == cell, 1.0, +1.0)
        if evidence > bar:
            ratio = float(came[j, action] / due[j, action])
            taken = int(((c.action == action) & (column.cell == cell)).sum())
            off = taken * (1.0 - 1.0 / ratio) / len(gap)
            found.append(Imbalance(action, column.called[cell], ratio, off, evidence, column.name))
    return found


def _eligible_rows(c: Chances) -> Float:
    """(J, k) rows of each cell in which each action was eligible."""
    if c.eligible is None:
        return np.repeat(c.sums.by_action().sum(axis=1, keepdims=True), c.k, axis=1)
    eligible = c.eligible.astype(np.float32)
    found: list[Float32] = []
    for column in c.columns:
        member = np.zeros((len(column.called), len(column.cell)), dtype=np.float32)
        member[column.cell, np.arange(len(column.cell))] = 1.0
        found.append(member @ eligible)
    return np.concatenate(found, dtype=np.float64)


def _wanted_and_missing(c: Chances) -> list[Imbalance]:
    """Actions of which the policy's weights add up to more or to less than what it would do of them."""
    if c.wanted is None or c.weight is None:
        return []
    chosen = c.weight / c.inverse
    due = c.wanted.sum(axis=0, dtype=np.float64)
    total = np.bincount(c.action, c.weight, c.k) - due
    squares = np.einsum("ij,ij->j", c.wanted, c.wanted).astype(np.float64)
    squares += np.bincount(c.action, c.weight * (c.weight - 2.0 * chosen), c.k)
    heaviest = np.zeros(c.k)
    np.maximum.at(heaviest, c.action, c.inverse)
    heaviest *= c.wanted.max(axis=0)
    bar, found = math.log(2 * c.k / (P_ALARM / 3)), []
    for sign, most in ((1.0, np.ones(c.k)), (-1.0, np.maximum(heaviest, 1.0))):
        for (action,) in wealthy(bar, sign * total, squares, most).tolist():
            gap, mass = (c.action == action) * c.weight - c.wanted[:, action], c.wanted[:, action]
            if sign < 0.0:
                gap += np.where((mass > most[action] * c.left) & (c.action != action), mass, 0.0)
            evidence = _by_customers(c, gap, slice(None), float(most[action]), sign)
            if evidence > bar:
                ratio, off = 1.0 + gap.sum() / due[action], abs(gap.sum()) / len(gap)
                found.append(Imbalance(action, "", float(ratio), float(off), evidence))
    return found


def _off_weights(c: Chances) -> list[Imbalance]:
    """Cells in which the policy's mean weight is not what it should be."""
    if c.wanted is None or c.weight is None:
        return []
    mass = np.einsum("ij->i", c.wanted).astype(np.float64)
    gap, heaviest, found = c.weight - mass, float(c.weight.max(initial=1.0)), []
    spared: Float | None = None
    total, squares = c.sums.of(gap), c.sums.of(gap * gap)
    bar = math.log(2 * len(total) / (P_ALARM / 3))
    for sign, most in ((1.0, 1.0), (-1.0, max(heaviest, 1.0))):
        for (j,) in (wealthy(bar, sign * total[1:], squares[1:], most) + 1).tolist():
            column, cell = c.sums.cells[j]
            here = column.cell == cell
            if sign < 0.0 and spared is None:
                spared = beyond(c.wanted, c.action, most * c.left).sum(axis=1, dtype=np.float64)
            claimed = gap if spared is None or sign > 0.0 else gap + spared
            evidence = _by_customers(c, claimed, here, most, sign)
            if evidence > bar:
                off = float(claimed[here].sum())
                off, ratio = abs(off) / len(gap), 1.0 + off / float(mass[here].sum())
                found.append(Imbalance(-1, column.called[cell], ratio, off, evidence, column.name))
    return found


def _by_customers(c: Chances, gap: Float, here: Bool | slice, most: float, sign: float) -> float:
    """`log_wealth` of gaps (m,) in one cell, of customers' sums: their rows may have been drawn together."""
    x: Array = sign * gap[here]
    customer = numbered(c.customer)
    if int(customer.max(initial=-1)) + 1 < len(customer):  # a customer has several rows
        rows = np.bincount(customer[here])
        there = rows > 0
        x = np.bincount(customer[here], x)[there]
        # One row at its bound and the others at the least they can be, or what was seen.
        most = max(most + float(rows.max()) - 1.0, -float(x.min()))
    return float(log_wealth(np.asarray(x.sum()), np.asarray(x @ x), most))


def _of_actions(pool: list[Imbalance], names: Sequence[str]) -> list[Finding]:
    """One sentence an action, the surest first."""
    by_action: dict[int, list[Imbalance]] = {}
    for one in sorted(pool, key=lambda one: -one.evidence):
        by_action.setdefault(one.action, []).append(one)
    findings = [_about(group, names[action]) for action, group in list(by_action.items())[:SAID]]
    rest = len(by_action) - len(findings)
    if rest > 0:
        more = f"{rest} more action{'s' * (rest != 1)} came more or less often than their propensities say."
        findings.append(Finding(Level.CAUTION, more))
    return findings


def _about(group: list[Imbalance], name: str) -> Finding:
    whole = [one for one in group if one.where in (EVERYWHERE, "")]
    parts = [one for one in group if one not in whole]
    main = max(whole or parts, key=lambda one: (one.where == EVERYWHERE, one.evidence))
    level = Level.REFUSE if max(one.misplaced for one in group) > MEAN_WEIGHT_REFUSE else Level.CAUTION
    side = [one for one in parts if (one.ratio > 1.0) == (main.ratio > 1.0) and abs(one.ratio - 1.0) > _apart(main)]
    where = ""
    if main.where not in (EVERYWHERE, ""):
        where = f" where {main.where}"
    elif side:
        where = f", above all where {side[0].where} (by {abs(side[0].ratio - 1.0):.0%})"
    of = " in what this policy would do" if main.where == "" else ""
    often = "more" if main.ratio > 1.0 else "less"
    text = f"`{name}` was taken {abs(main.ratio - 1.0):.0%} {often} often than its propensities say{of}{where}"
    cause = CAUSE
    if main.where == "":
        seen, untried = "this policy has seen what was done here", "it was hardly ever tried where this policy wants it"
        cause = f"{seen if main.ratio > 1.0 else untried}, or {CAUSE}"
    return Finding(level, f"{text}: {cause}.")


def _apart(main: Imbalance) -> float:
    return 1.2 * abs(main.ratio - 1.0)


def _of_cells(pool: list[Imbalance], c: Chances, names: Sequence[str]) -> list[Finding]:
    """One sentence about the surest cell, and the action that is off there most."""
    if not pool or c.wanted is None or c.weight is None:
        return []
    worst = max(pool, key=lambda one: one.evidence)
    level = Level.REFUSE if worst.misplaced > MEAN_WEIGHT_REFUSE else Level.CAUTION
    column = next(column for column in c.columns if column.name == worst.column)
    here = column.cell == column.called.index(worst.where)
    gap = np.bincount(c.action[here], c.weight[here], c.k) - c.wanted[here].sum(axis=0)
    action = names[int(np.argmax(gap if worst.ratio > 1.0 else -gap))]
    text = f"where {worst.where} the mean weight is {worst.ratio:.3g} where it should be 1, most of it by `{action}`"
    cause = CAUSE
    if worst.ratio < 1.0:
        cause = f"`{action}` was hardly ever tried there, or {CAUSE}"
    return [Finding(level, f"{text}: {cause}.")]
