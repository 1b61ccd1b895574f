"""Blocks of probabilities and predictions, as they pass by: what a policy makes of each row of a piece of a log.

Never are a piece's (n, k) numbers looked at as a whole: a block of them is checked and reduced to row numbers while it
is in the cache. Not here: what is made of the row numbers (rows.py). n rows of a piece, m of a block, k
actions.
"""

from __future__ import annotations

import numpy as np

from campaignrl.arrays import Array, Float, Float32, Rows
from campaignrl.errors import DataError, Problem
from campaignrl.ope.data import Noted, target_policy_of
from campaignrl.ope.estimators import mixed, most_wanted
from campaignrl.ope.methods import Range
from campaignrl.ope.streaming.model import StreamedModel
from campaignrl.policies import Policy
from campaignrl.tables.log import DecisionLog

ASKED_AT_ONCE = 1 << 18  # probabilities that a policy is asked for: 2 MB, whatever the number of actions
GIVEN_AT_ONCE = 1 << 17  # that are there already: looked at several times, they stay in the cache


class View:
    """A piece as one policy sees it; the logging policy is None.

    weight, expected: (n,) what a row counts for, and what the model expects of the policy there, once it is closed;
    mass, wanted: (k,).
    """

    def __init__(
        self, policy: Policy | Array | None, log: DecisionLog, certain: Array, columns: Float, at: Rows | None = None
    ) -> None:
        """policy: of this piece's rows, if it is an array; certain: rows whose action was; columns: (2, n) to fill.

        at: rows, ascending, at which the probabilities are kept in `noted` (m, k).
        """
        k, (weight, expected) = len(log.catalog), columns
        self.log, self.certain, self.weight, self.expected = log, certain, weight, expected
        self.certain_off, self.heaviest = 0.0, 1.0
        self.mass, self.wanted = np.zeros(k), np.zeros(k)  # wanted: 1 where any row has more than 0
        self.most_wanted = 0.0
        self.target = None if policy is None else target_policy_of(policy, log)
        self._noted = None if at is None or policy is None else Noted(at, k)
        self._speaks = np.ones(len(log) if policy is not None and len(certain) else 0)  # empty: every row does
        self._everyone = np.ones(min(len(log), max(1024, ASKED_AT_ONCE // k)))  # of a block
        if policy is not None:
            expected[:] = self._speaks[certain] = 0.0

    def take(self, rows: slice, chosen: Array, q: Array | None) -> None:
        """A block. chosen: (m,) where the logged actions are in it, flat; q: (m, k) predictions, if there are any."""
        if self.target is None:
            return
        p = self.target.probabilities(self.log, rows)
        self.weight[rows] = np.ravel(p).take(chosen)
        if q is not None:
            self.expected[rows] = np.einsum("ij,ij->i", p, q)
        self.mass += (self._speaks[rows] if len(self._speaks) else self._everyone[: len(p)]) @ p
        if self._noted is not None:
            self._noted.take(p, rows)
        self.most_wanted = max(self.most_wanted, float(p.max(initial=0.0)))
        if len(self.certain):
            np.maximum(self.wanted, most_wanted(p) > 0.0, out=self.wanted)

    @property
    def noted(self) -> Float32 | None:
        """(m, k) what the policy would do at the rows that are kept."""
        return None if self._noted is None else self._noted.wanted

    def close(self, predicted: Float, mix: float) -> None:
        """All blocks have passed. predicted: (n,) of the logged actions; mix: how often the policy is followed."""
        if self.target is None:  # it expects what it did
            self.weight, self.expected = np.broadcast_to(1.0, len(predicted)), predicted
            return
        self.certain_off = float(np.maximum(1.0 - self.weight[self.certain], 0.0).sum())
        np.maximum(self.wanted, self.mass > 0.0, out=self.wanted)
        self.weight /= self.log.propensity
        self.heaviest = float(self.weight.max())
        if mix < 1.0:
            self.weight[:] = mixed(self.weight, mix)
            self.expected[:] = predicted + mix * (self.expected - predicted)


def pass_by(
    log: DecisionLog, views: list[View], model: StreamedModel | Array | None, predicted: Float, asked: bool
) -> Range:
    """Show every block to the views and fill `predicted`, (n,) of the logged actions; the range of all predictions.

    model: (n, k), or to be asked, or None; asked: whether it or a policy has to be.
    """
    n, k = len(log), len(log.catalog)
    size = max(1024, (ASKED_AT_ONCE if asked else GIVEN_AT_ONCE) // k)
    first = np.arange(min(size, n)) * k  # where each row of a block begins, flat
    least, largest = [], []
    for start in range(0, n, size):
        rows = slice(start, min(start + size, n))
        chosen = first[: rows.stop - start] + log.action[rows]
        q = model[rows] if isinstance(model, np.ndarray) else None if model is None else model.predict(log.take(rows))
        if q is not None:
            least.append(float(q.min()))
            largest.append(float(q.max()))
            predicted[rows] = np.ravel(q).take(chosen)
        for view in views:
            view.take(rows, chosen, q)
    if not np.isfinite([*least, *largest]).all():
        raise DataError(Problem("reward model", "q", "not a number somewhere", "finite numbers"))
    return min(least, default=0.0), max(largest, default=0.0)
