"""Where the states of a log are few: which they are, and a model of action values that is exact in each of them.

A ridge over actions' coefficients holds back what a state and an action do together, and fitted backwards over many
steps the rests add up. Where every state has been seen with every action often enough its mean says all there is, so
the regression hardly speaks there. Not here: the regressions (q_models.py), the recursion (fqe.py). n rows, k actions,
N trajectories, T steps.
"""

from __future__ import annotations

import numpy as np

from campaignrl.arrays import Float, Float32, Int
from campaignrl.ope.data import Trajectories
from campaignrl.ope.data.blocks import blocks
from campaignrl.ope.nuisance.q_models import Predict, Regression
from campaignrl.tables.log import DecisionLog

ROWS_A_PAIR = 10  # of a state and an action, at every step, from which on means are told well enough
A_ROW = 0.2  # of a row is what the regression says of a pair: it speaks alone where nobody was
GLANCE = 4_096  # rows looked at first: contexts of numbers differ in nearly all of them


def few_states(log: DecisionLog, paths: Trajectories) -> Int | None:
    """(n,) number of each row's state, equal contexts being one; None where some step has too few rows for its pairs.

    What a context does not tell of the past is left to the regression, as it was.
    """
    glance = log.context.take(slice(0, GLANCE)).encode()
    if (_numbered(glance).max(initial=-1) + 1) * ROWS_A_PAIR > len(glance):
        return None
    encoded = np.concatenate([log.context.take(rows).encode() for rows in blocks(len(log))])
    state = _numbered(encoded)
    pair, going = state * len(log.catalog) + log.action, paths.going_on
    for t in range(paths.steps):
        rows = paths.row[going[:, t], t]
        if len(rows) < ROWS_A_PAIR * len(np.unique(pair[rows])):
            return None
    return state


def _numbered(X: Float32) -> Int:
    """(m,) number of each row, equal rows having the same."""
    whole = np.ascontiguousarray(X).view(np.dtype((np.void, X.dtype.itemsize * X.shape[1]))).ravel()
    return np.asarray(np.unique(whole, return_inverse=True)[1], dtype=np.int64)


class Saturated:
    """A regression, and on top the mean of what it leaves of every state and action; it counts as A_ROW of each."""

    def __init__(self, base: Regression, log: DecisionLog, state: Int) -> None:
        self._base, self._action, self._k = base, log.action, len(log.catalog)
        self._state, self._states = state, int(state.max(initial=-1)) + 1

    def fit(self, rows: Int, target: Float, steps_to_go: int) -> Predict:
        """See `Regression`."""
        model, action = self._base.fit(rows, target, steps_to_go), self._action[rows]
        left = target - model(rows)[np.arange(len(rows)), action]
        pair, pairs = self._state[rows] * self._k + action, self._states * self._k
        total, count = np.bincount(pair, left, pairs), np.bincount(pair, minlength=pairs)
        mean = (total / (count + A_ROW)).reshape(self._states, self._k).astype(np.float32)
        return lambda at: np.asarray(model(at) + mean[self._state[at]])
