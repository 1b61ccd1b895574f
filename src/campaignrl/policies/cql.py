"""`cql`: fitted returns that think little of what the log hardly shows.

The squared error of Q on returns, as in fitted_q.py, plus alpha times logsumexp over the allowed actions of Q less Q of
the logged one (CQL(H): Kumar, Zhou, Tucker & Levine 2020, NeurIPS), so that an action rises above the others only as
far as rows with it bear it up. The baseline is the same for all actions of a row and drops out of that term. Steps
stop where the squared error on held-out customers stops falling. n rows, k actions, D = 1 + encoded columns.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from campaignrl import rng
from campaignrl.policies.base import Bool, Float, Tensors
from campaignrl.policies.contrasts import encoded
from campaignrl.policies.counterfactual import softmax
from campaignrl.policies.descent import descend
from campaignrl.policies.fitted_q import FittedQConfig
from campaignrl.policies.offline import FromLogs
from campaignrl.policies.returns import later_rows, return_parts, widths_of
from campaignrl.policies.ridge import Float32, with_intercept
from campaignrl.specs.toml import Spec
from campaignrl.tables.decisions import DecisionLog

Int = npt.NDArray[np.integer[Any]]


class CQLConfig(FittedQConfig):
    """Settings of `cql`.

    alpha: weight of the conservative term against the squared error, both in units of the returns' spread; hold: how
    strongly coefficients are held to those of `fitted_q`; rows: learned from, at most; steps: of L-BFGS, at most. The
    rest as in fitted_q.py.
    """

    alpha: float = Field(default=0.003, ge=0.0)
    hold: float = Field(default=1e-4, ge=0.0)
    rows: int = Field(default=60_000, ge=100)
    steps: int = Field(default=40, ge=1)


class CQL(FromLogs):
    """Greedy on conservative returns."""

    kind: ClassVar[str] = "cql"
    Config: ClassVar[type[Spec]] = CQLConfig
    config: CQLConfig

    def _learn(self, log: DecisionLog) -> Tensors:
        config = self.config
        taught = self._taught(log, return_parts(log, later_rows(log), config.windows))
        models = self._models(log, self._sums(log, taught), widths_of(taught.rewards.shape[1]))
        start = np.asarray(sum(model.coefficients for model in models), dtype=np.float64)
        drawn = rng.uniform(rng.customer_keys(log.customers), config.seed, 0, rng.Purpose.FOLD, k=2)
        some = np.flatnonzero(drawn[log.customer[taught.rows]] < config.rows / len(taught.rows))
        some = some if len(some) > 1 else np.arange(len(taught.rows))
        phi = np.concatenate([with_intercept(X) for _, X in encoded(log, taught.rows[some], self.schema)])
        allowed, action = log.allowed(taught.rows[some]), log.action[taught.rows[some]]
        target, held = taught.rewards[some].sum(axis=1), taught.fold[some] == 0
        scale = float(target.std()) or 1.0

        def loss(which: Bool, alpha: float) -> Any:
            parts = phi[which], allowed[which], action[which], target[which] / scale
            return lambda beta: conservative_loss(beta, *parts, alpha)

        check = loss(held, config.alpha)
        beta = descend(
            self.catalog,
            start / scale,
            loss(~held, config.alpha),
            lambda b: check(b)[0],
            l2=config.hold,
            steps=config.steps,
        )
        return {"coefficients": (beta * scale).astype(np.float32)}


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
