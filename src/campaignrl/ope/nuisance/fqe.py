"""Fitted-Q evaluation: what an episode would still earn, fitted backwards from the last step.

    Q_j(s, a) = E[r + g V_j-1(s')],   V_j(s) = sum over a of pi_e(a|s) Q_j(s, a),   V_0 = 0,

with j the steps to go and s' always the NEXT decision's context (Le, Voloshin & Yue 2019, arXiv 1903.08738). What is
not eligible at s' has no probability there, so it never enters V, however high the model thinks of it. Where an
episode ends V is 0. Cross-fitted: the episodes of a customer are predicted by models that saw none of them.

Here: the recursion. Not here: the regressions it calls (q_models.py), estimators (sequential.py). n rows, k
actions, N trajectories, T steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

import numpy as np

from campaignrl.arrays import Float, Float32, Int
from campaignrl.ope.data import ENDED, Trajectories, next_rows
from campaignrl.ope.data.blocks import blocks
from campaignrl.ope.data.states import states
from campaignrl.ope.nuisance.cross_fitting import folds_of
from campaignrl.ope.nuisance.few_states import Saturated
from campaignrl.ope.nuisance.q_models import Boosting, ContrastRidge, JointRidge, Regression
from campaignrl.policies import one_blas_thread
from campaignrl.tables.log import DecisionLog

Kind = Literal["ridge", "contrasts", "boosting"]
KINDS: tuple[Kind, ...] = get_args(Kind)
APART = 300  # rows of each action at each step; from there on every step can have a model of its own


class Behaviour(NamedTuple):
    """What the valued policy does on the rows: it follows pi_e a `share` of the time, else what was logged.

    probabilities: (n, k) float32 pi_e, None for the logged policy itself, whose value at a row is the model's Q of
    what it did there: unbiased, and no more need be known of it.
    """

    probabilities: Float32 | None
    share: float = 1.0

    def value(self, q: Float32, action: Int, rows: Int) -> Float:
        """(m,) V at `rows` from q (m, k); action: (m,) logged there."""
        logged = q[np.arange(len(q)), action].astype(np.float64)
        if self.probabilities is None:
            return logged
        wanted = np.einsum("ij,ij->i", self.probabilities[rows], q, dtype=np.float64)
        return np.asarray(self.share * wanted + (1.0 - self.share) * logged)


class FittedQ(NamedTuple):
    """(N, T) each: Q_t of the logged action and V_t of the policy, out of fold, 0 after the end."""

    predicted: Float
    expected: Float


def fitted_q(
    log: DecisionLog,
    paths: Trajectories,
    behaviour: Behaviour,
    *,
    discount: float = 1.0,
    kind: Kind = "ridge",
    folds: int = 3,
    seed: int = 0,
    apart: bool | None = None,
    state: Int | None = None,
) -> FittedQ:
    """Q and V of the policy along the trajectories.

    apart: each step has a model of its own, fitted on that step's rows; otherwise all rows of the log serve every
    number of steps to go, which leans on a context that tells what a step's rewards and changes depend on. None:
    apart where every step has rows enough for it. state: (n,) number of each row's state where they are few
    (few_states.py); every step then has a model of its own, exact in each of them.
    """
    X = states(log)
    fold = folds_of(log.customers, folds, seed)[log.customer]
    following, T = next_rows(log), paths.steps
    each_step = state is not None or (_rows_for_each_step(log, paths) if apart is None else apart)
    predicted, expected = np.zeros(paths.row.shape), np.zeros(paths.row.shape)
    span = (min(float(log.reward.min()), 0.0), max(float(log.reward.max()), 0.0))
    with one_blas_thread():
        for f in range(folds):
            learn, held = np.flatnonzero(fold != f), np.flatnonzero(fold[paths.row[:, 0]] == f)
            regression = _REGRESSIONS[kind](X, log)
            regression = regression if state is None else Saturated(regression, log, state)
            value, room = np.zeros(len(log)), 0.0  # V with one step fewer to go, of every row
            for t in range(T - 1, -1, -1):
                to_go, room = T - t, 1.0 + discount * room
                rows = _usable(learn, log, following, t if each_step else None, to_go)
                follows = following[rows]
                target = log.reward[rows] + discount * np.where(follows == ENDED, 0.0, value[follows])
                model = regression.fit(rows, target, to_go)
                at = paths.row[held, t]
                here, at = held[at != ENDED], at[at != ENDED]
                q = _bounded(model(at), span, room)
                predicted[here, t] = q[np.arange(len(q)), log.action[at]]
                expected[here, t] = behaviour.value(q, log.action[at], at)
                needed = learn[log.step[learn] == t] if each_step else learn  # what the regression before will ask for
                for part in blocks(len(needed)):
                    some = needed[part]
                    value[some] = behaviour.value(_bounded(model(some), span, room), log.action[some], some)
    return FittedQ(predicted, expected)


def _rows_for_each_step(log: DecisionLog, paths: Trajectories) -> bool:
    return int(paths.going_on.sum(axis=0).min()) >= APART * len(log.catalog)


def _usable(learn: Int, log: DecisionLog, following: Int, at_step: int | None, to_go: int) -> Int:
    """Rows to fit on. With several steps to go a pooled row needs a next one, unless its episode was a shorter one."""
    rows = learn[log.matured[learn]]
    if at_step is not None:
        return np.asarray(rows[log.step[rows] == at_step])
    if to_go == 1:
        return np.asarray(rows)
    cut = (following[rows] == ENDED) & (log.step[rows] == log.step.max())  # the log stops there, not the customer
    return np.asarray(rows[~cut])


def _bounded(q: Float32, span: tuple[float, float], room: float) -> Float32:
    """No more than every step still to go could earn."""
    return np.clip(q, np.float32(room * span[0]), np.float32(room * span[1]), out=q)


_REGRESSIONS: dict[Kind, Callable[[Float32, DecisionLog], Regression]] = {
    "ridge": JointRidge,
    "contrasts": ContrastRidge,
    "boosting": Boosting,
}
