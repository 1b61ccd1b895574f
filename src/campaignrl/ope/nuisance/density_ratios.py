"""How much more often a policy is in a state than the log: density ratios by classification.

rho_t(s) = d_t^pi_e(s) / d_t^pi_b(s) follows from the step before: the states after step t-1, weighted by
rho_t-1(s_t-1) w_t-1, are distributed as under the valued policy (Xie, Ma & Wang 2019, NeurIPS, "Towards optimal
off-policy evaluation for RL with marginalized importance sampling"). A logistic classifier that tells those weighted
states from the same states unweighted has rho_t as its odds (Sugiyama, Suzuki & Kanamori 2012, "Density ratio
estimation in machine learning", chapter 4). Cross-fitted by customer. So weights do not multiply over the steps, if
the context tells all that matters of the past. Here: the ratios. Not here: the estimator (sequential.py, `msis`).
N trajectories, T steps, d encoded columns.
"""

from __future__ import annotations

import numpy as np

from campaignrl.arrays import Array, Float
from campaignrl.ope.data import Trajectories
from campaignrl.ope.data.states import states
from campaignrl.ope.nuisance.cross_fitting import folds_of
from campaignrl.policies import one_blas_thread
from campaignrl.tables.log import DecisionLog

PENALTY = 1.0  # C of scikit-learn; encoded columns lie in [0, 1]
LARGEST = 100.0  # a ratio is cut there and at its inverse: beyond it the classifier extrapolates


def state_ratios(log: DecisionLog, paths: Trajectories, weight: Float, folds: int = 3, seed: int = 0) -> Float:
    """Ratios (N, T) at the states of the trajectories; 1 at the first step, and after the end what it last was.

    weight: (N, T) of single decisions, 1 after the end.
    """
    X = states(log)
    fold = folds_of(log.customers, folds, seed)[paths.customer]
    going, ratio = paths.going_on, np.ones(paths.row.shape)
    with one_blas_thread():
        for t in range(1, paths.steps):
            carried = ratio[:, t - 1] * weight[:, t - 1]
            ratio[:, t] = carried  # of the episodes that are over
            here = np.flatnonzero(going[:, t])
            ratio[here, t] = _odds(X[paths.row[here, t]], carried[here], fold[here], folds)
    return ratio


def _odds(X: Array, weight: Float, fold: Array, folds: int) -> Float:
    """(m,) density ratio of weighted to unweighted rows of X (m, d), each by a classifier of the other folds."""
    from sklearn.linear_model import LogisticRegression  # slow to import, and few verbs need it

    if not weight.any() or np.ptp(weight) < 1e-12:
        return np.asarray(weight, dtype=np.float64)
    out = np.ones(len(X))
    for f in range(folds):
        learn, held = np.flatnonzero(fold != f), np.flatnonzero(fold == f)
        positive = learn[weight[learn] > 0.0]
        if not len(held) or not len(positive):
            continue
        scaled = weight[positive] * (len(learn) / weight[positive].sum())
        model = LogisticRegression(C=PENALTY, max_iter=200)
        model.fit(
            np.concatenate([X[learn], X[positive]]),
            np.concatenate([np.zeros(len(learn)), np.ones(len(positive))]),
            sample_weight=np.concatenate([np.ones(len(learn)), scaled]),
        )
        out[held] = np.exp(np.clip(model.decision_function(X[held]), -np.log(LARGEST), np.log(LARGEST)))
    return np.asarray(out * (weight.mean() / out.mean()))
