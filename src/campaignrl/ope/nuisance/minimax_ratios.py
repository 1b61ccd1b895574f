"""How much more often a policy is in a state than the log: density ratios that balance what states' models can see.

rho_t is linear in the state's columns and makes the log's mean of rho_t f that of the states of step t as they were
reached, each by rho_t-1 w_t-1, for every f that is linear in them: the minimax weights of Uehara, Huang & Jiang (2020,
ICML, "Minimax weight and Q-function learning", section 4) for that class, in closed form. Where states are few f may
be anything, and rho_t is a ratio of two counts. They need only be right where Q errs (`drl` in sequential.py), and cost
one small system of equations a step, where density_ratios.py trains a classifier. Cross-fitted by customer.
N trajectories, T steps, d columns.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from campaignrl.arrays import Float, Int
from campaignrl.ope.data import Trajectories
from campaignrl.ope.data.states import states
from campaignrl.ope.nuisance.cross_fitting import folds_of
from campaignrl.ope.nuisance.density_ratios import LARGEST
from campaignrl.policies import one_blas_thread
from campaignrl.policies.linear_model import with_intercept
from campaignrl.tables.log import DecisionLog

PENALTY = 1.0  # rows of which a column says nothing; encoded columns lie in [0, 1]


def minimax_ratios(
    log: DecisionLog, paths: Trajectories, weight: Float, state: Int | None, folds: int = 3, seed: int = 0
) -> Float:
    """Ratios (N, T) at the states of the trajectories; 1 at the first step, and after the end what it last was.

    weight: (N, T) of single decisions, 1 after the end; state: (n,) number of each row's state where they are few.
    """
    X = with_intercept(states(log)) if state is None else None
    fold = folds_of(log.customers, folds, seed)[paths.customer]
    going, ratio = paths.going_on, np.ones(paths.row.shape)
    with one_blas_thread():
        for t in range(1, paths.steps):
            carried = ratio[:, t - 1] * weight[:, t - 1]
            ratio[:, t] = carried  # of the episodes that are over
            here = np.flatnonzero(going[:, t])
            rows, mass, of = paths.row[here, t], carried[here], fold[here]
            found = np.ones(len(here))
            for f in range(folds):
                learn, held = of != f, of == f
                if X is not None:
                    found[held] = _linear(X[rows[learn]], mass[learn], X[rows[held]])
                elif state is not None:
                    found[held] = _counted(state[rows[learn]], mass[learn], state[rows[held]])
            ratio[here, t] = found * (mass.sum() / found.sum()) if found.sum() > 0.0 else found
    return ratio


def _linear(Z: Float, mass: Float, at: Float) -> Float:
    """Least squares of mass (m,) on Z (m, d), read off at other rows (h, d) and held to what a ratio can be."""
    Z = np.asarray(Z, dtype=np.float64)
    penalty = np.full(Z.shape[1], PENALTY)
    penalty[0] = 1e-6  # the mean itself is not held back
    balanced = cho_solve(cho_factor(Z.T @ Z + np.diag(penalty)), Z.T @ mass)
    return np.asarray(np.clip(at @ balanced, 0.0, LARGEST))


def _counted(state: Int, mass: Float, at: Int) -> Float:
    """Mean mass of each state, read off at the states of other rows; 0 of a state that nobody was in."""
    states_ = int(max(state.max(initial=-1), at.max(initial=-1))) + 1
    total, count = np.bincount(state, mass, states_), np.bincount(state, minlength=states_)
    return np.clip((total / np.maximum(count, 1))[at], 0.0, LARGEST)
