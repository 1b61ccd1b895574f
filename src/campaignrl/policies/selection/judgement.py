"""What a candidate is worth over the log's own way on customers it has not learned from, and if the log can say so.

The doubly robust score of what the candidate does, less what the log's own action brought, row by row; rows of a
customer are summed, and the interval is Student's t over customers. A figure counts only where rows speak for it: as
many effective rows as the evaluator asks for, and a mean weight near 1, since what a log never tried is answered by
the reward model alone. Not here: candidates (candidates.py), the evaluator itself, with more estimators and a verdict
(ope/). n rows, k actions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from campaignrl.arrays import Bool, Float, Int

LEAST_ROWS = 100.0  # effective ones
MOST_UNTRIED = 0.1  # mean weight may differ so much from 1
SURE = 0.95


class Judged(NamedTuple):
    """One candidate over the log's own way."""

    name: str
    gain: float  # a decision, in the unit of rewards
    low: float
    high: float
    rows: float  # effective ones
    mean_weight: float

    @property
    def can_be_told(self) -> bool:
        """Enough of the log speaks for it."""
        return self.rows >= LEAST_ROWS and abs(self.mean_weight - 1.0) <= MOST_UNTRIED

    @property
    def is_better(self) -> bool:
        """Shown to bring more than the log's own way."""
        return self.can_be_told and self.low > 0.0

    def said(self) -> str:
        """In words."""
        figure = f"{self.gain:+.4g} [{self.low:+.4g}, {self.high:+.4g}] a decision over the log's own way"
        if self.rows < LEAST_ROWS:
            return f"{self.name}: cannot be told, {self.rows:,.0f} rows of the log speak for it"
        if not self.can_be_told:
            return (
                f"{self.name}: cannot be told, the log hardly tried what it does (mean weight {self.mean_weight:.2f})"
            )
        return f"{self.name}: {figure}"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return self._asdict()


class LoggedRows(NamedTuple):
    """What the log says of the rows that candidates are judged on."""

    action: Int  # (n,)
    weight: Float  # (n,) 1 / propensity, cut
    reward: Float  # (n,) less a baseline
    customer: Int  # (n,)
    q: Float  # (n, k) of other customers


def score_of(rows: LoggedRows, choice: Int) -> Float:
    """(n,) the doubly robust score of what would have been done."""
    at = np.arange(len(choice))
    same = choice == rows.action
    return np.asarray(rows.q[at, choice] + np.where(same, rows.weight * (rows.reward - rows.q[at, rows.action]), 0.0))


def judged(name: str, rows: LoggedRows, choice: Int) -> Judged:
    """A candidate by what it would have done, choice (n,)."""
    mean, low, high = interval(score_of(rows, choice) - rows.reward, rows.customer)
    weight = np.where(choice == rows.action, rows.weight, 0.0)
    total = float(weight.sum())
    effective = total**2 / max(float((weight**2).sum()), 1e-300)
    return Judged(name, mean, low, high, effective if total else 0.0, total / max(len(weight), 1))


def interval(values: Float, customer: Int) -> tuple[float, float, float]:
    """Mean over rows (n,) and its interval, customers being independent of one another."""
    mean = float(values.mean())
    sums = np.bincount(customer, values - mean)
    sums = sums[np.bincount(customer) > 0]
    if len(sums) < 2:
        return mean, -np.inf, np.inf
    error = float(np.sqrt(len(sums) / (len(sums) - 1) * np.sum(sums**2))) / len(values)
    half = float(stats.t.ppf(0.5 + SURE / 2, len(sums) - 1)) * error
    return mean, mean - half, mean + half


def further(rows: LoggedRows, choice: Int, other: Int) -> bool:
    """Whether one choice is ahead of another by more than a standard error, so that a simpler one gives way."""
    mean, low, _ = interval(score_of(rows, choice) - score_of(rows, other), rows.customer)
    half = mean - low
    return bool(mean > half / float(stats.norm.ppf(0.5 + SURE / 2)))


def best_allowed(scores: Any, allowed: Bool) -> Int:
    """(n,) the allowed action of the highest score."""
    return np.asarray(np.where(allowed, scores, -np.inf).argmax(axis=1))


def chosen(found: Sequence[Judged], rows: LoggedRows, choices: Sequence[Int]) -> int | None:
    """The place of the candidate that is taken, the simplest first; None: none is shown to be better than the log."""
    best: int | None = None
    for i, one in enumerate(found):
        if one.is_better and (best is None or further(rows, choices[i], choices[best])):
            best = i
    return best
