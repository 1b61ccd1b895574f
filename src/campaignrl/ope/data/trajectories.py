"""A decision log as trajectories: one customer's decisions in order of their step, aligned in (N, T) arrays.

Here: which row stands where, what makes trajectories impossible, weights carried over the end of an episode. Not
here: estimators (sequential.py), how far the log lasts (support_horizon.py). N trajectories, T steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Bool, Float, Int
from campaignrl.errors import DataError, Problem, UsageError
from campaignrl.tables.files import row_problems
from campaignrl.tables.log import DecisionLog

ENDED = -1  # in place of a row, after the last decision of an episode


@dataclass(frozen=True)
class Trajectories:
    """Where each decision of N customers stands in the log.

    row: (N, T) row of the log, ENDED after the episode's end. An ended episode earns 0 and is weighed by 1 from then
    on, so that its cumulative weight is carried forward and it still counts in every step's mean.
    """

    row: Int
    customer: Int  # (N,) index into the log's customers

    def __len__(self) -> int:
        return len(self.row)

    @property
    def steps(self) -> int:
        """T, the horizon."""
        return int(self.row.shape[1])

    @property
    def going_on(self) -> Bool:
        """(N, T) False where the episode was over before that step."""
        going: Bool = self.row != ENDED
        return going

    def aligned(self, values: npt.NDArray[Any], ended: float) -> Float:
        """(n,) by row of the log -> (N, T), `ended` where there is no row."""
        out = np.full(self.row.shape, ended)
        going = self.going_on
        out[going] = values[self.row[going]]
        return out


def longest(log: DecisionLog) -> int:
    """Steps of the longest episode."""
    return int(log.step.max()) + 1 if len(log) else 0


def trajectories(log: DecisionLog, horizon: int | None = None) -> Trajectories:
    """The first `horizon` steps of every customer (default: of the longest episode).

    Each customer's steps must count 0, 1, 2 ... without a gap: a weight over a missing decision cannot be known.
    """
    steps = longest(log)
    if horizon is not None and not 1 <= horizon <= steps:
        fix = f"The longest episode of this log has {steps} step{'s' * (steps != 1)}."
        raise UsageError(Problem("evaluate", "horizon", horizon, f"from 1 to {steps}", fix))
    order = np.lexsort((log.step, log.customer))
    customer, step = log.customer[order], log.step[order]
    first = np.concatenate([[True], customer[1:] != customer[:-1]])
    starts = np.flatnonzero(first)
    place = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    gaps = np.zeros(len(log), dtype=bool)
    gaps[order] = step != place
    fix = "Steps of a customer count 0, 1, 2 ...; a missing or repeated decision leaves the later ones unweighable."
    problems = row_problems(gaps, "step", log.step, "the customer's next step", fix)
    if problems:
        raise DataError(problems)
    wanted = place < (horizon or steps)
    row = np.full((len(starts), horizon or steps), ENDED, dtype=np.int64)
    row[np.cumsum(first)[wanted] - 1, place[wanted]] = order[wanted]
    return Trajectories(row, customer[starts])


def next_rows(log: DecisionLog) -> Int:
    """(n,) the row of the same customer's next decision, ENDED for the last one."""
    order = np.lexsort((log.step, log.customer))
    following = np.full(len(log), ENDED, dtype=np.int64)
    same = log.customer[order[1:]] == log.customer[order[:-1]]
    following[order[:-1][same]] = order[1:][same]
    return following


def why_not_additive(log: DecisionLog) -> str | None:
    """Why the rewards of a customer's decisions may not be added up, or None if they may.

    A reward counted over a window that reaches past the next decision stands in both: the sum counts it twice.
    """
    window = log.meta.get("outcome_days")
    following = next_rows(log)
    has = following != ENDED
    if not has.any():
        return "every customer has one decision: there is no sequence to follow. Ask for dr or snips."
    if window is None:
        return None
    apart = int((log.day[following[has]] - log.day[has]).min())
    if window <= apart:
        return None
    return (
        f"rewards are counted over {window} days but decisions come {apart} day{'s' * (apart != 1)} apart, so "
        f"outcome windows overlap and rewards do not add up. Log with outcome_days={max(apart, 1)}."
    )


def known_steps(log: DecisionLog) -> int:
    """How many first steps have a known outcome for every customer."""
    unknown = log.step[~log.matured]
    return int(unknown.min()) if len(unknown) else longest(log)
