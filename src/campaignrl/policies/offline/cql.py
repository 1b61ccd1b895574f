"""`cql`: fitted returns that think little of what the log hardly shows.

The squared error of Q on returns, as in fitted_q.py, plus alpha times logsumexp over the allowed actions of Q less Q of
the logged one (CQL(H): Kumar, Zhou, Tucker & Levine 2020, NeurIPS), so that an action rises above the others only as
far as rows with it bear it up. The baseline is the same for all actions of a row and drops out of that term. Steps
start from `fitted_q` and stop where the loss on held-out customers stops falling.

Left to itself alpha is such that an action taken for certain loses one standard error of its mean return: of a table of
Q the term takes alpha / mu off an action of logged share mu, and the standard error of its n mu rows is 1 / sqrt(n mu)
of the returns' spread, so alpha = sqrt(mu / n). n rows, k actions, D = 1 + encoded columns.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from campaignrl import rng
from campaignrl.actions import NONE
from campaignrl.arrays import Bool, Float, Float32, Int
from campaignrl.policies.base import Tensors
from campaignrl.policies.linear_model import with_intercept
from campaignrl.policies.offline.advantage_regression import encoded, overlap_of
from campaignrl.policies.offline.crm import softmax
from campaignrl.policies.offline.fitted_q import FittedQ, FittedQConfig
from campaignrl.policies.offline.lbfgs import minimise
from campaignrl.policies.offline.replay_learner import ReplayConfig
from campaignrl.tables.log import DecisionLog


class CQLConfig(FittedQConfig):
    """Settings of `cql`.

    alpha: weight of the conservative term against the squared error, both in units of the returns' spread, or "auto"
    for one standard error; hold: how strongly coefficients are held to those of `fitted_q`, or "auto" for the penalty
    that the evidence gave the first window; rows: learned from, at most; steps: of L-BFGS, at most. The rest as in
    fitted_q.py.
    """

    alpha: Annotated[float, Field(ge=0.0)] | Literal["auto"] = "auto"
    hold: Annotated[float, Field(ge=0.0)] | Literal["auto"] = "auto"
    rows: int = Field(default=60_000, ge=100)
    steps: int = Field(default=40, ge=1)


class CQL(FittedQ):
    """Greedy on conservative returns."""

    kind: ClassVar[str] = "cql"
    score_unit: ClassVar[str] = "reward less what is not vouched for"
    Config: ClassVar[type[ReplayConfig]] = CQLConfig
    config: CQLConfig

    def _learn(self, log: DecisionLog) -> Tensors:
        config, (data, near, coefficients) = self.config, self._returns(log)
        start = coefficients.astype(np.float64)
        share = np.bincount(log.action[data.rows], minlength=len(self.catalog)) / len(data.rows)
        alpha = standard_error_alpha(share, len(data.rows)) if config.alpha == "auto" else config.alpha
        hold = near.l2 * overlap_of(log) / len(data.rows) if config.hold == "auto" else config.hold
        drawn = rng.uniform(rng.customer_keys(log.customers), config.seed, 0, rng.Purpose.FOLD, k=2)
        some = np.flatnonzero(drawn[log.customer[data.rows]] < config.rows / len(data.rows))
        some = some if len(some) > 1 else np.arange(len(data.rows))
        phi = np.concatenate([with_intercept(X) for _, X in encoded(log, data.rows[some], self.schema)])
        allowed, action = log.allowed(data.rows[some]), log.action[data.rows[some]]
        target, held = data.rewards[some].sum(axis=1), data.fold[some] == 0
        scale = float(target.std()) or 1.0

        def loss(which: Bool, alpha: float) -> Any:
            parts = phi[which], allowed[which], action[which], target[which] / scale
            return lambda beta: conservative_loss(beta, *parts, alpha)

        check = loss(held, alpha)
        beta = minimise(
            self.catalog,
            start / scale,
            loss(~held, alpha),
            lambda b: check(b)[0],
            l2=hold,
            steps=config.steps,
        )
        return {"coefficients": (beta * scale).astype(np.float32)}


def standard_error_alpha(share: Float, rows: int) -> float:
    """Alpha at which a send that is taken for certain loses one standard error, on average over sends.

    share: (k,) of the logged actions.
    """
    sends = np.delete(share, NONE)
    return float(np.sqrt(sends[sends > 0.0] / rows).mean()) if (sends > 0.0).any() else 0.0


def conservative_loss(
    beta: Float, phi: Float32, allowed: Bool, action: Int, target: Float, alpha: float
) -> tuple[float, Float]:
    """Mean (target - Q)^2 / 2 + alpha mean(logsumexp Q - Q of the logged action), and its gradient (D, k)."""
    if not len(phi):
        return 0.0, np.zeros_like(beta)
    q = (phi @ beta.astype(np.float32)).astype(np.float64)
    n, at = len(q), np.arange(len(q))
    masked = np.where(allowed, q, -np.inf)
    top = masked.max(axis=1)
    log_sum = top + np.log(np.exp(masked - top[:, None]).sum(axis=1))
    error = q[at, action] - target
    value = float(0.5 * np.mean(error**2) + alpha * np.mean(log_sum - q[at, action]))
    by_q = alpha * softmax(q, allowed)
    by_q[at, action] += error - alpha
    return value, phi.T.astype(np.float64) @ by_q / n
