"""`dr_greedy`: the best action by a doubly robust regression on a decision log.

Every row gets a score for every allowed action,

    Gamma_i(a) = q(x_i, a) + 1[a = a_i] / p_i (r_i - q(x_i, a_i)),

unbiased where q or the propensity p is right (Dudik, Langford & Li 2011, ICML), with q fitted on the other
folds of customers (Chernozhukov et al. 2018, Econometrics Journal 21; Athey & Wager 2021, Econometrica 89).
The scores are regressed on the factorised features and the policy takes the best action by that regression. Both
regressions are linear, so sums by fold hold all that they need: logs may come in parts, also after loading. Not here:
the value of the policy, for which rows it has not learned from are needed (ope/). n rows, k actions, K folds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

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
from campaignrl.policies.chunks import by_encoded_chunks
from campaignrl.policies.learner_settings import Penalty, encoded_blocks, fixed_penalty, require_catalog
from campaignrl.policies.linear_model import RidgeModel, RidgeStatistics, fit_ridge
from campaignrl.policies.row_products import row_product
from campaignrl.specs import Spec
from campaignrl.tables.log import DecisionLog

REWARDED = ("seen", "twice", "weighted")  # sums in which rewards stand


class DRGreedyConfig(Spec):
    """Settings of `dr_greedy`.

    folds: of customers, for the reward model; l2: penalty in pseudo-observations, or "auto" for the best by
    evidence; max_weight: 1 / propensity is cut there, a little bias against a few rows that decide all; explore:
    floor, as a share of uniform; keep_sums: the bundle holds the sums that the models rest on (32 bytes x folds x
    actions x columns squared; no rows), so that a loaded one learns on; seed: of the folds.
    """

    folds: int = Field(default=3, ge=2, le=20)
    l2: Penalty = "auto"
    max_weight: float = Field(default=100.0, ge=1.0)
    explore: float = Field(default=0.0, ge=0.0, le=1.0)
    keep_sums: bool = True
    seed: int = Field(default=0, ge=0)

    @classmethod
    def with_names_of_today(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Bundles of before there were sums in them hold none."""
        return {"keep_sums": False, **settings}


@dataclass(eq=False)
class ScoreSums:
    """What the scores of the rows of one fold add up to, whatever q turns out to be."""

    seen: RidgeStatistics  # every row, for q
    weighted: RidgeStatistics  # every row counted 1 / p times
    twice: RidgeStatistics  # and 1 / p^2 times, for the squares of scores
    offered: RidgeStatistics  # every row for each action it allows, without reward

    @classmethod
    def zeros(cls, catalog: Catalog, width: int) -> Self:
        """No rows yet, for `width` encoded columns."""
        return cls(*(RidgeStatistics.zeros(catalog, width) for _ in range(4)))

    def add(self, X: Float32, log: DecisionLog, rows: npt.NDArray[np.integer[Any]], max_weight: float) -> None:
        """Take in these rows (m,) of a log, whose encoded contexts are X (m, d)."""
        action, reward, weight = log.action[rows], log.reward[rows], np.minimum(1.0 / log.propensity[rows], max_weight)
        self.seen.add(X, action, reward)
        self.weighted.add(X, action, reward, weight)
        self.twice.add(X, action, reward, weight**2)
        self.offered.add_targets(X, np.zeros((len(X), len(log.catalog))), log.allowed(rows))

    def scored(self, beta: Float) -> RidgeStatistics:
        """Sums of Gamma over all allowed actions, where q = phi . beta_a; beta: (k, D)."""

        def product(gram: Float) -> Float:
            return np.asarray((gram @ beta[:, :, None])[:, :, 0])

        def times(vector: Float) -> Float:
            return np.asarray(np.einsum("kd,kd->k", beta, vector))

        offered, weighted, twice = (product(s.gram) for s in (self.offered, self.weighted, self.twice))
        square = times(offered) + 2.0 * (times(self.weighted.moment) - times(weighted))
        square += self.twice.square - 2.0 * times(self.twice.moment) + times(twice)
        return RidgeStatistics(
            gram=self.offered.gram,
            moment=offered + self.weighted.moment - weighted,
            square=square,
            count=self.offered.count,
        )


class DRGreedy(Shown):
    """Greedy on cross-fitted doubly robust scores."""

    kind: ClassVar[str] = "dr_greedy"
    score_unit: ClassVar[str] = "reward"
    Config: ClassVar[type[Spec]] = DRGreedyConfig

    def __init__(self, catalog: Catalog, schema: FeatureSchema, config: DRGreedyConfig, name: str) -> None:
        self.catalog, self.schema, self.config, self.name = catalog, schema, config, name
        self._coefficients = np.zeros((schema.width + 1, len(catalog)), dtype=np.float32)
        self._rows = 0  # learned from
        self._parts = [ScoreSums.zeros(catalog, schema.width) for _ in range(config.folds)]

    def probabilities(self, context: Context, allowed: Bool) -> Float:
        """(n, k): all on the best allowed action (ties share), over the floor."""
        require_choice(allowed)
        with one_blas_thread():
            return by_encoded_chunks(self._greedy, context, self.schema, allowed)

    def scores(self, context: Context) -> Float32:
        """(n, k) expected reward of every action."""
        everything = np.ones((len(context), len(self.catalog)), dtype=bool)
        with one_blas_thread():
            return by_encoded_chunks(lambda phi, _: self._means(phi), context, self.schema, everything)

    def update(self, log: DecisionLog) -> None:
        """Take in the matured rows: sums by fold are all it needs, so halves teach what the whole does."""
        require_catalog(log, self.catalog, self.name)
        if self._rows and not any(part.seen.count.any() for part in self._parts):
            raise UsageError(f"{self.name} was loaded from a bundle without sums. Train a new one instead.")
        fold = self._folds(log)
        for rows, X in encoded_blocks(log, self.schema):
            for f, part in enumerate(self._parts):
                mine = fold[rows] == f
                part.add(X[mine], log, rows[mine], self.config.max_weight)
        self._rows += int(log.matured.sum())
        self._coefficients = self._regressed().coefficients

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
        K, k, D = config.folds, len(catalog), schema.width + 1
        shapes: Shapes = {"coefficients": ("F32", (D, k)), "rows": ("F64", (1,))}
        if config.keep_sums:
            shapes |= {"offered_gram": ("F64", (K, k, D, D)), "offered_count": ("F64", (K, k))}
            for part in REWARDED:
                shapes |= {f"{part}_gram": ("F64", (K, k, D, D)), f"{part}_moment": ("F64", (K, k, D))}
                shapes |= {f"{part}_square": ("F64", (K, k)), f"{part}_count": ("F64", (K, k))}
        return shapes

    def tensors(self) -> Tensors:
        """The coefficients, how many rows they stand on, and the sums by fold that they rest on."""
        found: Tensors = {"coefficients": self._coefficients, "rows": np.array([self._rows], dtype=np.float64)}
        for name in sorted(self.shapes(self.catalog, self.schema, self.config).keys() - found.keys()):
            of, what = name.split("_")
            found[name] = np.stack([getattr(getattr(part, of), what) for part in self._parts])
        return found

    def restore(self, tensors: Tensors) -> None:
        """Take back what `tensors` gave."""
        self._coefficients, self._rows = tensors["coefficients"], int(tensors["rows"][0])
        for name in tensors.keys() - {"coefficients", "rows"}:
            of, what = name.split("_")
            for part, values in zip(self._parts, tensors[name], strict=True):
                setattr(getattr(part, of), what, values.copy())

    def _means(self, phi: Float32) -> Float32:
        return row_product(phi, self._coefficients)

    def _greedy(self, phi: Float32, allowed: Bool) -> Float:
        return with_floor(best_of(self._means(phi), allowed), allowed, self.config.explore)

    def _fit(self, stats: RidgeStatistics) -> RidgeModel:
        return fit_ridge(stats, self.catalog, fixed_penalty(self.config.l2))

    def _folds(self, log: DecisionLog) -> npt.NDArray[np.int64]:
        u = rng.uniform(rng.customer_keys(log.customers), self.config.seed, 0, rng.Purpose.FOLD)
        return np.asarray((u * self.config.folds).astype(np.int64)[log.customer])

    def _regressed(self) -> RidgeModel:
        """Doubly robust scores of all rows, with q of the other folds, regressed on the features of allowed actions."""
        seen = [part.seen for part in self._parts]
        whole = sum(seen[1:], seen[0])
        scored = [part.scored(self._fit(whole - part.seen).coefficients.T.astype(np.float64)) for part in self._parts]
        return self._fit(sum(scored[1:], scored[0]))


def doubly_robust_scores(q: Float, action: npt.NDArray[np.integer[Any]], reward: Float, weight: Float) -> Float:
    """Gamma (n, k) from q (n, k), action (n,), reward (n,) and weight (n,) = 1 / propensity."""
    gamma, rows = q.copy(), np.arange(len(q))
    gamma[rows, action] += weight * (reward - q[rows, action])
    return gamma
