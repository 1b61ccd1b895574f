"""What a policy would do on a log's rows, asked for more of them at once than are looked at.

Rows with the same eligible actions are scored together, and the more rows a policy is asked for, the more of them are
alike; what is made of the probabilities is best made of few rows at a time, which stay in the cache. Only what it says
of rows with a choice is kept, and only until it has been looked at. m rows, k actions.
"""

from __future__ import annotations

import numpy as np

from campaignrl.arrays import Array, Bool, Rows
from campaignrl.policies import Policy, allowed_counts
from campaignrl.tables.log import DecisionLog

AHEAD = 1 << 18  # rows
KEPT = 1 << 21  # probabilities, 16 MB


class AskedAhead:
    """A policy's answers to slices of a log's rows that follow each other; to any others, too, one by one."""

    def __init__(self, policy: Policy, log: DecisionLog) -> None:
        self._policy, self._log, self._next = policy, log, 0
        self._forget()

    def __call__(self, rows: slice) -> Array:
        """(m, k) what it would do; where a single action is eligible it is certain, and nobody has to be asked."""
        start, stop, _ = rows.indices(len(self._log))
        if start < self._from or stop > self._to:
            self._ask(start, stop)
        begin, end = (int(place) for place in np.searchsorted(self._free, [start, stop]))
        free, asked = self._free[begin:end] - start, self._answers[begin:end]
        if stop >= self._to:
            self._forget()
        self._next = stop
        allowed = self._log.allowed(slice(start, stop))
        if len(free) == len(allowed) or asked.shape != (len(free), allowed.shape[1]):
            return np.array(asked, order="K", copy=None if asked.flags.forc else True)  # in memory as it would be alone
        return _with_certain(asked, free, allowed)

    def _ask(self, start: int, stop: int) -> None:
        """About the rows with a choice, and, in a sequence, about those of more rows than were asked for."""
        size = stop - start
        ahead = min(start + max(AHEAD // max(size, 1), 1) * size, len(self._log)) if start == self._next else stop
        free = start + self._choices(start, ahead)
        if len(free) > KEPT // len(self._log.catalog):
            blocks = (int(free[KEPT // len(self._log.catalog)]) - start) // size
            ahead = start + max(blocks, 1) * size  # whole blocks of as many rows, so that none is asked twice
            free = free[: np.searchsorted(free, ahead)]
        answers = self._probabilities(start, ahead, free)
        if len(answers) != len(free) and ahead > stop:  # then of these alone, so that its shape is told of them
            free, ahead = free[free < stop], stop
            answers = self._probabilities(start, ahead, free)
        self._from, self._to, self._free, self._answers = start, ahead, free, answers

    def _choices(self, start: int, stop: int) -> Rows:
        """Which of the rows have more than one eligible action."""
        if self._log.eligible is None and len(self._log.catalog) > 1:
            return np.arange(stop - start)
        return np.flatnonzero(allowed_counts(self._log.allowed(slice(start, stop))) != 1)

    def _probabilities(self, start: int, stop: int, free: Rows) -> Array:
        rows: slice | Rows = slice(start, stop) if len(free) == stop - start else free
        return np.asarray(self._policy.probabilities(self._log.context.take(rows), self._log.allowed(rows)))

    def _forget(self) -> None:
        self._from = self._to = -1
        self._free, self._answers = np.zeros(0, dtype=np.intp), np.zeros((0, 0))


def _with_certain(asked: Array, free: Rows, allowed: Bool) -> Array:
    """(m, k) answers of the rows that are `free`, in memory as they are, and of the others what is allowed."""
    turned = len(asked) > 1 and asked.strides[0] < asked.strides[1]
    p = allowed.astype(asked.dtype, order="F" if turned else "C")
    if not turned:
        p[free] = asked
        return p
    for column, answers in zip(p.T, asked.T, strict=True):  # a column at a time: rows of it lie far apart
        column[free] = answers
    return p
