"""`uplift` and `dr_uplift`: send what changes a customer's contribution most, and nothing where nothing does.

`uplift`: two models for each action, one of the customers who got it and one of those who got nothing, and their
difference (T-learner: Kunzel et al. 2019, PNAS 116). `dr_uplift`: the difference itself is regressed, on doubly robust
scores that are right if the reward model or the propensities are (DR-learner: Kennedy 2023, EJS 17). Both look at one
outcome window. Not here: greed for whoever buys anyway (propensity_greedy.py). n rows, k actions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from campaignrl.actions import NONE, Catalog
from campaignrl.arrays import Float
from campaignrl.errors import UsageError
from campaignrl.features import FeatureSchema
from campaignrl.policies.base import Shapes, Tensors
from campaignrl.policies.blas_threads import one_blas_thread
from campaignrl.policies.learner_settings import fixed_penalty, require_catalog
from campaignrl.policies.linear_model import RidgeStatistics
from campaignrl.policies.offline.advantage_regression import out_of_fold, overlap_of, rows_with_a_choice
from campaignrl.policies.offline.base import OfflineConfig, OfflineLearner
from campaignrl.policies.offline.replay_learner import ReplayConfig, ReplayLearner
from campaignrl.specs import Spec
from campaignrl.tables.log import DecisionLog

PENALTIES = (1.0, 1e1, 1e2, 1e3, 1e4)  # pseudo-observations of each model's own


class UpliftConfig(OfflineConfig):
    """The settings of base.py.

    keep_sums: the bundle holds the sums that the models rest on (8 bytes x folds x actions x columns squared; no rows),
    so that a loaded one learns on.
    """

    keep_sums: bool = True

    @classmethod
    def with_names_of_today(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Bundles of before there were sums in them hold none."""
        return {"keep_sums": False, **settings}


class Uplift(OfflineLearner):
    """Greedy on differences of separate models."""

    kind: ClassVar[str] = "uplift"
    Config: ClassVar[type[Spec]] = UpliftConfig
    config: UpliftConfig

    def __init__(self, catalog: Catalog, schema: FeatureSchema, config: UpliftConfig, name: str) -> None:
        super().__init__(catalog, schema, config, name)
        self._parts = [RidgeStatistics.zeros(catalog, schema.width) for _ in range(config.folds)]  # by fold

    def update(self, log: DecisionLog) -> None:
        """Take in the matured rows: sums by fold are all it needs, so halves teach what the whole does."""
        require_catalog(log, self.catalog, self.name)
        if self._rows and not any(part.count.any() for part in self._parts):
            raise UsageError(f"{self.name} was loaded from a bundle without sums. Train a new one instead.")
        if len(rows_with_a_choice(log)):
            with one_blas_thread():
                found = self._sums(log, self._regression_rows(log, baseline=False))
                self._parts = [part + each.stats for part, each in zip(self._parts, found, strict=True)]
                self._rows, self._fitted = self._rows + int(log.matured.sum()), self._gains(self._parts)

    @classmethod
    def shapes(cls, catalog: Catalog, schema: FeatureSchema, config: Any) -> Shapes:
        """What `tensors` holds."""
        K, k, D = config.folds, len(catalog), schema.width + 1
        sums: Shapes = {"gram": ("F64", (K, k, D, D)), "moment": ("F64", (K, k, D))}
        sums |= {"square": ("F64", (K, k)), "count": ("F64", (K, k))}
        return {**super().shapes(catalog, schema, config), **(sums if config.keep_sums else {})}

    def tensors(self) -> Tensors:
        """What the choice reads, and the sums by fold that it rests on."""
        if not self.config.keep_sums:
            return super().tensors()
        sums = {name: np.stack([part.tensors()[name] for part in self._parts]) for name in self._parts[0].tensors()}
        return {**super().tensors(), **sums}

    def restore(self, tensors: Tensors) -> None:
        """Take back what `tensors` gave."""
        super().restore(tensors)
        if self.config.keep_sums:
            names = self._parts[0].tensors()
            self._parts = [
                RidgeStatistics.from_tensors({name: tensors[name][f] for name in names})
                for f in range(self.config.folds)
            ]

    def _gains(self, parts: list[RidgeStatistics]) -> Tensors:
        """Differences of separate models of these sums by fold."""
        whole = sum(parts[1:], parts[0])
        l2 = fixed_penalty(self.config.l2)
        if l2 is None:
            l2 = min(PENALTIES, key=lambda each: sum(_error(separate_ridge(whole - p, each), p) for p in parts))
        means = separate_ridge(whole, l2)
        gains = means - means[NONE]
        if whole.count[NONE]:
            gains[whole.count == 0.0] = -np.abs(gains).max()  # what nobody got is not recommended
        return {"coefficients": np.ascontiguousarray(gains.T, dtype=np.float32)}


def separate_ridge(stats: RidgeStatistics, l2: float) -> Float:
    """(k, D) coefficients of a ridge regression for each action by itself; the intercept is not held back."""
    D = stats.moment.shape[1]
    penalty = np.diag(np.where(np.arange(D) == 0, 1e-3, l2))
    with one_blas_thread():
        return np.asarray(np.linalg.solve(stats.gram + penalty, stats.moment[:, :, None])[:, :, 0])


def _error(beta: Float, held: RidgeStatistics) -> float:
    fit = np.einsum("kd,kde,ke->", beta, held.gram, beta)
    return float(held.square.sum() - 2.0 * np.sum(beta * held.moment) + fit)


class DRUpliftConfig(ReplayConfig):
    """max_weight: 1 / propensity is cut there; the rest as in replay_learner.py."""

    max_weight: float = Field(default=100.0, ge=1.0)


class DRUplift(ReplayLearner):
    """Greedy on a regression of doubly robust differences."""

    kind: ClassVar[str] = "dr_uplift"
    Config: ClassVar[type[ReplayConfig]] = DRUpliftConfig
    config: DRUpliftConfig
    SUMS: ClassVar[tuple[str, ...]] = ("rewards", "scored")

    def _learn(self, log: DecisionLog) -> Tensors:
        data = self._regression_rows(log)
        sums = self._sums(log, data)
        q = out_of_fold(sums, self.catalog, overlap_of(log), self._models(log, sums)[0].l2)
        scored = self._scored_sums(log, data, q, self.config.max_weight)
        return {"coefficients": self._models(log, scored)[0].coefficients}
