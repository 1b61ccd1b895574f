"""What learners from finished logs have in common: settings, regressions by fold, deciding by the highest linear score.

Not here: what they keep of the logs they were given (replay_learner.py), how the scores come about, which is all that a
kind adds in `_learn` (fitted_q.py, pessimistic.py, uplift.py ...). n rows, k actions, D = 1 + encoded columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from campaignrl.actions import Catalog
from campaignrl.arrays import Bool, Float, Float32, Int
from campaignrl.features import Context, FeatureSchema
from campaignrl.policies.base import Shapes, Shown, Tensors, sample
from campaignrl.policies.blas_threads import one_blas_thread
from campaignrl.policies.certified_draws import Layer, QuickNetwork
from campaignrl.policies.certified_draws.greedy_draws import greedy_draws
from campaignrl.policies.choice import best_of, require_choice, with_floor
from campaignrl.policies.chunks import by_encoded_chunks, chunk_of
from campaignrl.policies.learner_settings import Penalty, fixed_penalty
from campaignrl.policies.linear_model import RidgeModel, with_intercept
from campaignrl.policies.offline.advantage_regression import (
    RegressionRows,
    Sums,
    fit_parts,
    folds_of,
    overlap_of,
    rows_with_a_choice,
    sums_by_fold,
    without_baseline,
)
from campaignrl.policies.row_products import row_product
from campaignrl.specs import Spec
from campaignrl.tables.log import DecisionLog


class OfflineConfig(Spec):
    """Settings of every learner from logs.

    folds: of customers, for what must not be judged by itself; l2: penalty in pseudo-observations, or "auto" for the
    best by the evidence of the log; explore: floor, as a share of uniform; seed: of the folds.
    """

    folds: int = Field(default=3, ge=2, le=20)
    l2: Penalty = "auto"
    explore: float = Field(default=0.0, ge=0.0, le=1.0)
    seed: int = Field(default=0, ge=0)


class OfflineLearner(Shown):
    """A learner from logs with linear scores; a kind adds `_learn` and, if it decides otherwise, `_shares`."""

    kind: ClassVar[str]
    score_unit: ClassVar[str] = "reward"
    Config: ClassVar[type[Spec]] = OfflineConfig

    def __init__(self, catalog: Catalog, schema: FeatureSchema, config: Any, name: str) -> None:
        self.catalog, self.schema, self.config, self.name = catalog, schema, config, name
        self._fitted: Tensors = {
            n: np.zeros(shape, dtype=np.float32)
            for n, (_, shape) in self.fitted_shapes(catalog, schema, config).items()
        }
        self._rows = 0  # learned from
        self._quick: tuple[Float32, QuickNetwork] | None = None  # coefficients, and of them, once somebody draws

    def probabilities(self, context: Context, allowed: Bool) -> Float:
        """(n, k) exact chance of every action, over the floor."""
        require_choice(allowed)
        with one_blas_thread():
            return by_encoded_chunks(self._decide, context, self.schema, allowed, chunk=chunk_of(len(allowed)))

    def drawn_action(self, context: Context, allowed: Bool, u: Float) -> Int | None:
        """(n,) the actions that `sample` takes of the probabilities; None: it needs them."""
        if not self._takes_the_best():
            return None
        require_choice(allowed)
        means = self._fitted["coefficients"]
        if self._quick is None or self._quick[0] is not means:
            self._quick = means, QuickNetwork([Layer(means[1:], means[0])])
        explore = self.config.explore
        action, close = self._quick[1].drawn(
            lambda scores, known, may, v: greedy_draws(scores, known, may, v, explore),
            np.inf,
            context,
            self.schema,
            allowed,
            u,
        )
        if len(close):
            action[close] = sample(self.probabilities(context.take(close), allowed[close]), u[close])
        return action

    def scores(self, context: Context) -> Float32:
        """(n, k) what each action is thought to bring; only differences within a row mean something."""
        everything = np.ones((len(context), len(self.catalog)), dtype=bool)
        with one_blas_thread():
            return by_encoded_chunks(lambda phi, _: self._means(phi), context, self.schema, everything)

    @property
    def is_trained(self) -> bool:
        """Has seen at least one row."""
        return self._rows > 0

    def settings(self) -> dict[str, Any]:
        """The settings as plain JSON types."""
        settings: dict[str, Any] = self.config.model_dump(mode="json")
        return settings

    @classmethod
    def shapes(cls, catalog: Catalog, schema: FeatureSchema, config: Any) -> Shapes:
        """What `tensors` holds."""
        return {**cls.fitted_shapes(catalog, schema, config), "rows": ("F64", (1,))}

    @classmethod
    def fitted_shapes(cls, catalog: Catalog, schema: FeatureSchema, config: Any) -> Shapes:
        """What the choice reads, all of it F32."""
        return {"coefficients": ("F32", (schema.width + 1, len(catalog)))}

    def tensors(self) -> Tensors:
        """What the choice reads, and how many rows it stands on."""
        return {**self._fitted, "rows": np.array([self._rows], dtype=np.float64)}

    def restore(self, tensors: Tensors) -> None:
        """Take back what `tensors` gave."""
        self._fitted = {name: tensors[name] for name in self._fitted}
        self._rows = int(tensors["rows"][0])

    def _learn(self, log: DecisionLog) -> Tensors:
        """What the choice reads, from all logs as one, which has rows with a choice."""
        raise NotImplementedError

    def _regression_rows(self, log: DecisionLog, rewards: Float | None = None, baseline: bool = True) -> RegressionRows:
        """The rows with a choice and what they brought: `rewards` (n, P), by default the log's own, less a baseline."""
        rows, folds = rows_with_a_choice(log), self.config.folds
        found = log.reward[:, None] if rewards is None else rewards
        data = RegressionRows(rows, folds_of(log, folds, self.config.seed)[rows], found[rows].astype(np.float64))
        return without_baseline(log, data, self.schema, folds) if baseline else data

    def _sums(self, log: DecisionLog, data: RegressionRows) -> list[Sums]:
        return sums_by_fold(log, data, self.schema, self.config.folds)

    def _models(self, log: DecisionLog, sums: list[Sums], windows: Sequence[int] = (1,)) -> list[RidgeModel]:
        """One for each reward, which counts so many outcome windows."""
        overlap = [overlap_of(log) * width for width in windows]
        return fit_parts(sums, self.catalog, overlap, fixed_penalty(self.config.l2))

    def _takes_the_best(self) -> bool:
        """Whether it decides as this class says, by the highest of its linear scores."""
        kind, own = type(self), OfflineLearner
        return kind._decide is own._decide and kind._shares is own._shares and kind._means is own._means

    def _shares(self, phi: Float32, allowed: Bool) -> Float:
        """(n, k) chance of every action before the floor."""
        return best_of(self._means(phi), allowed)

    def _phi(self, context: Context) -> Float32:
        return with_intercept(context.encode(self.schema))

    def _means(self, phi: Float32) -> Float32:
        return row_product(phi, self._fitted["coefficients"])

    def _decide(self, phi: Float32, allowed: Bool) -> Float:
        return with_floor(self._shares(phi, allowed), allowed, self.config.explore)
