"""`crm`: a softmax policy learned directly from a log by counterfactual risk minimisation.

What is maximised is an estimate of the policy's own value, doubly robust or self-normalised, with weights 1/p cut at
`max_weight` and less `variance_penalty` standard errors, so that a policy is not liked for being hard to value
(Swaminathan & Joachims 2015, ICML "Counterfactual risk minimization", NIPS "The self-normalized estimator"). It starts
from a softmax of the regression that the doubly robust scores use and stops where the estimate on held-out customers
stops rising. Not here: how the steps are taken (lbfgs.py). n rows, k actions, D = 1 + encoded columns.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

from campaignrl import rng
from campaignrl.actions import Catalog
from campaignrl.arrays import Bool, Float, Float32, Int
from campaignrl.features import FeatureSchema
from campaignrl.policies.base import Shapes, Tensors
from campaignrl.policies.linear_model import with_intercept
from campaignrl.policies.offline.advantage_regression import RegressionRows, encoded, out_of_fold, overlap_of
from campaignrl.policies.offline.lbfgs import minimise
from campaignrl.policies.offline.replay_learner import ReplayConfig, ReplayLearner
from campaignrl.tables.log import DecisionLog


class CRMConfig(ReplayConfig):
    """Settings of `crm`.

    estimator: of the policy's value; max_weight: 1 / propensity is cut there; variance_penalty: standard errors taken
    off the estimate; hold: how strongly coefficients are held to the start; rows: learned from, at most, the rest of
    the log serving the reward model alone; steps: of L-BFGS, at most. The rest as in replay_learner.py.
    """

    estimator: Literal["dr", "snips"] = "dr"
    max_weight: float = Field(default=100.0, ge=1.0)
    variance_penalty: float = Field(default=1.0, ge=0.0)
    hold: float = Field(default=0.1, ge=0.0)
    rows: int = Field(default=60_000, ge=100)
    steps: int = Field(default=60, ge=1)


class Scored(NamedTuple):
    """Rows with what an estimate needs."""

    phi: Float32  # (n, D)
    allowed: Bool  # (n, k)
    action: Int  # (n,)
    weight: Float  # (n,) 1 / propensity, cut
    reward: Float  # (n,) less the baseline
    q: Float  # (n, k) regression, out of fold; zeros for an estimator without a model

    def take(self, rows: Int) -> Scored:
        """Some rows."""
        return Scored._make(part[rows] for part in self)


class CRM(ReplayLearner):
    """A softmax over linear scores, fitted to its own estimated value."""

    kind: ClassVar[str] = "crm"
    score_unit: ClassVar[str] = "weight in a softmax"
    Config: ClassVar[type[ReplayConfig]] = CRMConfig
    config: CRMConfig

    @classmethod
    def fitted_shapes(cls, catalog: Catalog, schema: FeatureSchema, config: Any) -> Shapes:
        """Scores in the unit of rewards, and what they are divided by in the softmax."""
        return {**ReplayLearner.fitted_shapes(catalog, schema, config), "temperature": ("F32", (1,))}

    def _learn(self, log: DecisionLog) -> Tensors:
        config, data = self.config, self._regression_rows(log)
        sums = self._sums(log, data)
        model = self._models(log, sums)[0]
        scored, held = self._scored(log, data, out_of_fold(sums, self.catalog, overlap_of(log), model.l2))
        scale = float(scored.reward.std()) or 1.0
        temperature = _temperature(scored.phi @ model.coefficients, scored.allowed)
        start = model.coefficients.astype(np.float64) / temperature
        learn, check = scored.take(np.flatnonzero(~held)), scored.take(np.flatnonzero(held))
        coefficients = minimise(
            self.catalog,
            start,
            lambda beta: risk(beta, learn, config.estimator, config.variance_penalty, scale),
            lambda beta: risk(beta, check, config.estimator, 0.0, scale)[0],
            l2=config.hold,
            steps=config.steps,
        )
        scores = (coefficients * temperature).astype(np.float32)
        return {"coefficients": scores, "temperature": np.array([temperature], dtype=np.float32)}

    def _shares(self, phi: Float32, allowed: Bool) -> Float:
        return softmax(self._means(phi) / (self._fitted["temperature"][0] or np.float32(1.0)), allowed)

    def _scored(self, log: DecisionLog, data: RegressionRows, q_of: Float32) -> tuple[Scored, Bool]:
        """Rows of some customers, drawn by id, and which of them are held out. q_of: (K, D, k)."""
        keys = rng.customer_keys(log.customers)
        drawn = rng.uniform(keys, self.config.seed, 0, rng.Purpose.FOLD, k=2)[log.customer[data.rows]]
        some = np.flatnonzero(drawn < self.config.rows / len(drawn))
        some = some if len(some) > 1 else np.arange(len(drawn))
        parts = [with_intercept(X) for _, X in encoded(log, data.rows[some], self.schema)]
        phi, rows, fold = np.concatenate(parts), data.rows[some], data.fold[some]
        q = np.zeros((len(some), len(self.catalog)))
        if self.config.estimator == "dr":
            for f, coefficients in enumerate(q_of):
                q[fold == f] = phi[fold == f] @ coefficients
        weight = np.minimum(1.0 / log.propensity[rows], self.config.max_weight)
        scored = Scored(phi, log.allowed(rows), log.action[rows], weight, data.rewards[some, 0], q)
        return scored, fold == 0


def softmax(logits: npt.NDArray[np.floating[Any]], allowed: Bool) -> Float:
    """(n, k) shares over what is allowed."""
    masked = np.where(allowed, logits.astype(np.float64), -np.inf)
    masked -= masked.max(axis=1, keepdims=True)
    shares = np.exp(masked)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _temperature(scores: Float32, allowed: Bool) -> float:
    """A tenth of the usual lead of the best allowed action over the average one: a start that decides, yet moves."""
    masked = np.where(allowed, scores, np.nan)
    lead = float(np.mean(np.nanmax(masked, axis=1) - np.nanmean(masked, axis=1)))
    return lead / 10.0 or 1.0


def risk(beta: Float, rows: Scored, estimator: str, variance_penalty: float, scale: float) -> tuple[float, Float]:
    """Minus the estimated value less its standard errors, in units of `scale`, and its gradient (D, k)."""
    if not len(rows.phi):
        return 0.0, np.zeros_like(beta)
    shares = softmax(rows.phi @ beta.astype(np.float32), rows.allowed)
    n, at = len(shares), np.arange(len(shares))
    logged = rows.weight * shares[at, rows.action]
    norm = max(float(logged.mean()), 1e-9) if estimator == "snips" else 1.0
    mean = float((logged * rows.reward).mean()) / norm if estimator == "snips" else 0.0
    gains = rows.q.copy() if estimator == "dr" else np.zeros_like(rows.q)
    gains[at, rows.action] += rows.weight * (rows.reward - rows.q[at, rows.action] - mean) / norm
    z = np.einsum("nk,nk->n", shares, gains)  # less the mean, for snips
    spread = max(float(z.std(ddof=1)), 1e-12) if n > 1 else 1e-12
    value = float(z.mean()) + mean - variance_penalty * spread / np.sqrt(n)
    each = (1.0 - variance_penalty * (z - z.mean()) / (spread * np.sqrt(n))) / n
    by_logit = each[:, None] * shares * (gains - z[:, None])
    return -value / scale, -(rows.phi.T.astype(np.float64) @ by_logit) / scale
