"""`logit_ts`: Thompson sampling on a logistic model with coefficients shared by offer and channel.

P(success) = 1 / (1 + exp(-phi . beta_a)); its posterior is approximated by a Gaussian at the mode with the curvature
there (Laplace; Chapelle & Li 2011, NeurIPS), which is the prior of the next update. A success is a reward of 1 on a
scale from `low` to `high`; in between, a reward counts as that share of a success. The Gaussian has the form of the
ridge's sums, with every row weighted by p (1 - p) and the working response as its reward, so blocks, draws and shares
are those of `lin_ts`. Halves of a log taught one after the other come near the whole, not exactly. Not here: the
posterior of sums (ridge.py).
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator
from scipy.special import expit

from campaignrl import rng
from campaignrl.arrays import Bool, Float, Float32
from campaignrl.errors import Problem, SpecError
from campaignrl.policies.bandits.draw_votes import scoring_layout, vote_shares
from campaignrl.policies.bandits.linear_base import Factorised
from campaignrl.policies.bandits.vote_scores import fast_draws
from campaignrl.policies.base import Shapes, Tensors
from campaignrl.policies.blas_threads import one_blas_thread
from campaignrl.policies.learner_settings import LearningConfig, TrainingRows, require_catalog, training_rows
from campaignrl.policies.linear_model import RidgeModel, RidgeStatistics, fit_ridge, with_intercept
from campaignrl.specs import Spec
from campaignrl.tables.log import DecisionLog

STEPS, ENOUGH = 30, 1e-4  # at most so many Newton steps; until no coefficient moves further than this
LEAST_CURVATURE = 0.05  # of a row while climbing: more than the true one far out, so that no step is too long


class LogitTSConfig(LearningConfig):
    """Settings of `logit_ts`.

    draws: posterior draws, so probabilities come in steps of 1 / draws; l2: precision of the prior in units of
    (log-odds)^-2; low, high: the rewards that count as failure and as success, those outside are cut; the rest as
    in learner_settings.py.
    """

    draws: int = Field(default=64, ge=1, le=255)
    l2: float = Field(default=0.3, gt=0.0)
    low: float = 0.0
    high: float = 1.0

    @model_validator(mode="after")
    def _low_below_high(self) -> Self:
        if self.low >= self.high:
            raise SpecError(Problem("", "high", self.high, f"above low = {self.low}"))
        return self


class LogitTS(Factorised):
    """Thompson sampling on a logistic model."""

    kind: ClassVar[str] = "logit_ts"
    score_unit: ClassVar[str] = "log-odds"
    Config: ClassVar[type[Spec]] = LogitTSConfig

    @classmethod
    def fitted_shapes(cls, config: Any, D: int, k: int) -> Shapes:
        """Mode and draws, log-odds."""
        return {"coefficients": ("F32", (D, k)), "draws": ("F32", (config.draws, D, k))}

    def update(self, log: DecisionLog) -> None:
        """Learn from the rows of `log` whose outcomes are known."""
        require_catalog(log, self.catalog, self.name)
        rows = list(training_rows(log, self.schema, self.config))
        if not rows:
            return
        before = RidgeStatistics.from_tensors(self._sums.aged())
        found = self._climb(before, rows)
        self._sums.take_in(self._curved(rows, found, 0.0).tensors())
        self._adopt(self._fit(self._posterior()))

    def _climb(self, before: RidgeStatistics, rows: list[TrainingRows]) -> Float:
        """(D, k) mode of the posterior of all rows so far."""
        found = self._model(before).posterior.mean().T
        for _ in range(STEPS):
            last, found = found, self._model(before + self._curved(rows, found, LEAST_CURVATURE)).posterior.mean().T
            if np.abs(found - last).max() < ENOUGH:
                break
        return found

    def _curved(self, rows: list[TrainingRows], at: Float, least: float) -> RidgeStatistics:
        """The log-likelihood of rows around coefficients `at` (D, k): its curvature, and moments with its gradient."""
        stats = RidgeStatistics.zeros(self.catalog, self.schema.width)
        low, high = self.config.low, self.config.high
        for block in rows:
            odds = np.einsum("nd,nd->n", with_intercept(block.X), at.T[block.action])
            p, success = expit(odds), np.clip((block.reward - low) / (high - low), 0.0, 1.0)
            curvature = np.maximum(p * (1.0 - p), max(least, 1e-6))
            weight = curvature if block.weight is None else curvature * block.weight
            stats.add(block.X, block.action, odds + (success - p) / curvature, weight)
        return stats

    def _model(self, stats: RidgeStatistics) -> RidgeModel:
        return fit_ridge(stats, self.catalog, self.config.l2)

    def _posterior(self) -> RidgeModel:
        return self._model(RidgeStatistics.from_tensors(self._sums.total))

    def _fit(self, model: RidgeModel) -> Tensors:
        generator = rng.generator(self.config.seed, rng.Purpose.POSTERIOR)
        with one_blas_thread():
            draws = model.posterior.draw(1.0, self.config.draws, generator).transpose(2, 1, 0)
        return {"coefficients": model.coefficients, "draws": np.ascontiguousarray(draws, dtype=np.float32)}

    def _adopt(self, fitted: Tensors) -> None:
        super()._adopt(fitted)
        self._by_action = scoring_layout(fitted["draws"])
        self._fast = fast_draws(self._by_action)

    def _stated(self, product: Float32) -> Float32:
        """Expected reward at the mode."""
        low, high = self.config.low, self.config.high
        return np.asarray(low + (high - low) * expit(product), dtype=np.float32)

    @property
    def any_shape(self) -> bool:
        """Votes do not depend on the batch."""
        return True

    def _shares(self, phi: Float32, allowed: Bool) -> Float:
        return vote_shares(self._by_action, phi, allowed, self._fast)
