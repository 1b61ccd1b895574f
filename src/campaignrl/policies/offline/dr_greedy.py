"""`dr_greedy`: the best action by a doubly robust regression on a decision log.

Every row gets a score for every allowed action,

    Gamma_i(a) = q(x_i, a) + 1[a = a_i] / p_i (r_i - q(x_i, a_i)),

unbiased where q or the propensity p is right (Dudik, Langford & Li 2011, ICML), with q fitted on the other
folds of customers (Chernozhukov et al. 2018, Econometrics Journal 21; Athey & Wager 2021, Econometrica 89).
The scores are regressed on the factorised features and the policy takes the best action by that regression.
Not here: the value of the policy, for which rows it has not learned from are needed (ope/).
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from campaignrl import rng
from campaignrl.actions import Catalog
from campaignrl.arrays import Bool, Float, Float32
from campaignrl.errors import UsageError
from campaignrl.features import Context, FeatureSchema
from campaignrl.policies.base import Shapes, Shown, Tensors
from campaignrl.policies.blas_threads import one_blas_thread
from campaignrl.policies.choice import best_of, require_choice, with_floor
from campaignrl.policies.chunks import by_chunks
from campaignrl.policies.learner_settings import Penalty, encoded_blocks, fixed_penalty, require_catalog
from campaignrl.policies.linear_model import RidgeModel, RidgeStatistics, fit_ridge, with_intercept
from campaignrl.policies.row_products import row_product
from campaignrl.specs import Spec
from campaignrl.tables.log import DecisionLog


class DRGreedyConfig(Spec):
    """Settings of `dr_greedy`.

    folds: of customers, for the reward model; l2: penalty in pseudo-observations, or "auto" for the best by
    evidence; max_weight: 1 / propensity is cut there, a little bias against a few rows that decide all; explore:
    floor, as a share of uniform; seed: of the folds.
    """

    folds: int = Field(default=3, ge=2, le=20)
    l2: Penalty = "auto"
    max_weight: float = Field(default=100.0, ge=1.0)
    explore: float = Field(default=0.0, ge=0.0, le=1.0)
    seed: int = Field(default=0, ge=0)


class DRGreedy(Shown):
    """Greedy on cross-fitted doubly robust scores."""

    kind: ClassVar[str] = "dr_greedy"
    score_unit: ClassVar[str] = "reward"
    Config: ClassVar[type[Spec]] = DRGreedyConfig

    def __init__(self, catalog: Catalog, schema: FeatureSchema, config: DRGreedyConfig, name: str) -> None:
        self.catalog, self.schema, self.config, self.name = catalog, schema, config, name
        self._coefficients = np.zeros((schema.width + 1, len(catalog)), dtype=np.float32)
        self._rows = 0  # learned from
        self._logs: list[DecisionLog] = []

    def probabilities(self, context: Context, allowed: Bool) -> Float:
        """(n, k): all on the best allowed action (ties share), over the floor."""
        require_choice(allowed)
        with one_blas_thread():
            return by_chunks(self._greedy, context, allowed)

    def scores(self, context: Context) -> Float32:
        """(n, k) expected reward of every action."""
        everything = np.ones((len(context), len(self.catalog)), dtype=bool)
        with one_blas_thread():
            return by_chunks(lambda part, _: self._means(part), context, everything)

    def update(self, log: DecisionLog) -> None:
        """Learn anew from the matured rows of all logs given so far; folds need them together."""
        require_catalog(log, self.catalog, self.name)
        if self._rows and not self._logs:
            raise UsageError(f"{self.name} was loaded from a bundle, which holds no log. Train a new one instead.")
        self._logs.append(log)
        self._rows = sum(int(each.matured.sum()) for each in self._logs)
        self._coefficients = self._regress(self._reward_models()).coefficients

    @property
    def is_trained(self) -> bool:
        """Has seen at least one row."""
        return self._rows > 0

    def settings(self) -> dict[str, Any]:
        """The settings as plain JSON types."""
        return self.config.model_dump(mode="json")

    @classmethod
    def shapes(cls, catalog: Catalog, schema: FeatureSchema, config: DRGreedyConfig) -> Shapes:
        """What `tensors` holds."""
        return {"coefficients": ("F32", (schema.width + 1, len(catalog))), "rows": ("F64", (1,))}

    def tensors(self) -> Tensors:
        """The coefficients, and how many rows they stand on."""
        return {"coefficients": self._coefficients, "rows": np.array([self._rows], dtype=np.float64)}

    def restore(self, tensors: Tensors) -> None:
        """Take back what `tensors` gave."""
        self._coefficients, self._rows = tensors["coefficients"], int(tensors["rows"][0])

    def _means(self, context: Context) -> Float32:
        return row_product(with_intercept(context.encode(self.schema)), self._coefficients)

    def _greedy(self, context: Context, allowed: Bool) -> Float:
        return with_floor(best_of(self._means(context), allowed), allowed, self.config.explore)

    def _fit(self, stats: RidgeStatistics) -> RidgeModel:
        return fit_ridge(stats, self.catalog, fixed_penalty(self.config.l2))

    def _folds(self, log: DecisionLog) -> npt.NDArray[np.int64]:
        u = rng.uniform(rng.customer_keys(log.customers), self.config.seed, 0, rng.Purpose.FOLD)
        return np.asarray((u * self.config.folds).astype(np.int64)[log.customer])

    def _reward_models(self) -> list[RidgeModel]:
        """For each fold, q fitted on the rows of all others."""
        parts = [RidgeStatistics.zeros(self.catalog, self.schema.width) for _ in range(self.config.folds)]
        for log in self._logs:
            fold = self._folds(log)
            for rows, X in encoded_blocks(log, self.schema):
                for f, part in enumerate(parts):
                    mine = fold[rows] == f
                    part.add(X[mine], log.action[rows[mine]], log.reward[rows[mine]])
        whole = sum(parts[1:], parts[0])
        return [self._fit(whole - part) for part in parts]

    def _regress(self, models: list[RidgeModel]) -> RidgeModel:
        """Doubly robust scores of all rows, regressed on the features of every allowed action."""
        stats = RidgeStatistics.zeros(self.catalog, self.schema.width)
        for log in self._logs:
            fold = self._folds(log)
            for rows, X in encoded_blocks(log, self.schema):
                for f, model in enumerate(models):
                    mine = rows[fold[rows] == f]
                    q = model.predict(X[fold[rows] == f]).astype(np.float64)
                    weight = np.minimum(1.0 / log.propensity[mine], self.config.max_weight)
                    gamma = doubly_robust_scores(q, log.action[mine], log.reward[mine], weight)
                    stats.add_targets(X[fold[rows] == f], gamma, log.allowed(mine))
        return self._fit(stats)


def doubly_robust_scores(q: Float, action: npt.NDArray[np.integer[Any]], reward: Float, weight: Float) -> Float:
    """Gamma (n, k) from q (n, k), action (n,), reward (n,) and weight (n,) = 1 / propensity."""
    gamma, rows = q.copy(), np.arange(len(q))
    gamma[rows, action] += weight * (reward - q[rows, action])
    return gamma
