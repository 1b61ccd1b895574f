"""Bandits that read no context but one category: `epsilon_greedy`, `ucb1`, `beta_ts`, `gaussian_ts`.

Each level of the category `by` (and "missing") is a group with a mean reward per action of its own; without `by`
everybody is one group. A group's mean is drawn towards the action's mean over all groups by `prior` pseudo-rows, and
that one towards the mean of all rows. Not here: contexts of many features (linear.py). G groups, k actions, S draws.

epsilon_greedy  the best mean, and a share of the time anything
ucb1            the best mean plus alpha s sqrt(2 ln N / n), s the pooled deviation of rewards (Auer, Cesa-Bianchi &
                Fischer 2002, Machine Learning 47, for rewards whose range is not known)
beta_ts         Thompson sampling, rewards above `success_above` against the rest, Beta(1, 1) prior (Thompson 1933)
gaussian_ts     Thompson sampling, normal means with the pooled deviation
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np
from pydantic import Field

from campaignrl import rng
from campaignrl.actions import Catalog
from campaignrl.arrays import Bool, Float, Float32, Int64
from campaignrl.errors import Problem, SpecError
from campaignrl.features import UNKNOWN, Context, FeatureSchema
from campaignrl.policies.bandits.draw_votes import vote_shares
from campaignrl.policies.bandits.forgetting import DriftingSums, with_recent
from campaignrl.policies.bandits.vote_scores import FastDraws
from campaignrl.policies.base import Shapes, Shown, Tensors
from campaignrl.policies.blas_threads import one_blas_thread
from campaignrl.policies.choice import best_of, require_choice, with_floor
from campaignrl.policies.chunks import by_chunks
from campaignrl.policies.learner_settings import LearningConfig, require_catalog, training_rows
from campaignrl.specs import Spec
from campaignrl.tables.log import DecisionLog

UNTRIED = 1e30  # bound of an action without rows; finite, because 0 x infinity is not a number


class CountsConfig(LearningConfig):
    """by: the category whose levels learn apart (else all as one); prior: pseudo-rows.

    The rest as in learner_settings.py.
    """

    by: str | None = None
    prior: float = Field(default=1.0, gt=0.0)


class EpsilonGreedyConfig(CountsConfig):
    """explore: the epsilon, higher than elsewhere because nothing else explores; the rest as above."""

    explore: float = Field(default=0.1, ge=0.0, le=1.0)


class UCB1Config(CountsConfig):
    """alpha: of the bound; the rest as above."""

    alpha: float = Field(default=1.0, ge=0.0)


class GaussianTSConfig(CountsConfig):
    """draws: posterior draws, so probabilities come in steps of 1 / draws; the rest as above."""

    draws: int = Field(default=64, ge=1, le=255)


class BetaTSConfig(GaussianTSConfig):
    """success_above: a larger reward is a success; the rest as above."""

    success_above: float = 0.0


class Means(NamedTuple):
    """What the sums say, (G, k) each but for the last."""

    mean: Float  # of the reward, drawn in
    rows: Float
    deviation: float  # pooled, of one reward around its cell's mean


class Counts(Shown):
    """Sums per group and action; a kind adds `_fit`."""

    kind: ClassVar[str]
    score_unit: ClassVar[str] = "reward"
    Config: ClassVar[type[Spec]]

    def __init__(self, catalog: Catalog, schema: FeatureSchema, config: Any, name: str) -> None:
        self.catalog, self.config, self.name = catalog, config, name
        self.schema = _seen(schema, config)
        zeros = {part: np.zeros((groups(self.schema), len(catalog))) for part in ("count", "total", "square")}
        self._sums = DriftingSums(zeros, config.forget, config.window)
        self._adopt(self._fit())

    def probabilities(self, context: Context, allowed: Bool) -> Float:
        """(n, k) exact chance of every action, over the floor."""
        require_choice(allowed)
        with one_blas_thread():
            return by_chunks(self._decide, context, allowed)

    def scores(self, context: Context) -> Float32:
        """(n, k) mean reward of every action in the group of each row."""
        return self._fitted["means"][self._group(context)]

    def update(self, log: DecisionLog) -> None:
        """Learn from the rows of `log` whose outcomes are known."""
        require_catalog(log, self.catalog, self.name)
        part = {name: np.zeros_like(a) for name, a in self._sums.total.items()}
        for block in training_rows(log, self.schema, self.config):
            at = (self._group(log.context.take(block.rows)), block.action)
            weight = np.ones(len(block.rows)) if block.weight is None else block.weight
            reward = self._reward(block.reward)
            for name, values in (("count", weight), ("total", weight * reward), ("square", weight * reward**2)):
                np.add.at(part[name], at, values)
        if part["count"].any():
            self._sums.take_in(part)
            self._adopt(self._fit())

    @property
    def is_trained(self) -> bool:
        """Has seen at least one row."""
        return bool(self._sums.total["count"].any())

    def settings(self) -> dict[str, Any]:
        """The settings as plain JSON types."""
        settings: dict[str, Any] = self.config.model_dump(mode="json")
        return settings

    @classmethod
    def shapes(cls, catalog: Catalog, schema: FeatureSchema, config: Any) -> Shapes:
        """What `tensors` holds."""
        G, k = groups(_seen(schema, config)), len(catalog)
        sums: Shapes = dict.fromkeys(("count", "total", "square"), ("F64", (G, k)))
        return with_recent(sums, config.window) | cls.fitted_shapes(config, G, k)

    @classmethod
    def fitted_shapes(cls, config: Any, G: int, k: int) -> Shapes:
        """Means, and what is compared: one score an action, or draws."""
        return {"means": ("F32", (G, k)), "compared": ("F32", (getattr(config, "draws", 1), k, G))}

    def tensors(self) -> Tensors:
        """Sums to learn on from, and what the choice reads."""
        return {**self._sums.tensors(), **self._fitted}

    def restore(self, tensors: Tensors) -> None:
        """Take back what `tensors` gave."""
        self._sums.restore(tensors)
        self._adopt({name: tensors[name] for name in self._fitted})

    def _reward(self, reward: Float) -> Float:
        return reward

    def _compared(self, means: Means) -> Float:
        """(S, G, k) scores; an action's share is that of the S in which it is the best."""
        raise NotImplementedError

    def _fit(self) -> Tensors:
        means = drawn_in(self._sums.total, self.config.prior)
        compared = np.ascontiguousarray(self._compared(means).transpose(0, 2, 1), dtype=np.float32)
        return {"means": means.mean.astype(np.float32), "compared": compared}

    def _adopt(self, fitted: Tensors) -> None:
        self._fitted, self._fast = fitted, FastDraws.of(fitted["compared"])

    def _group(self, context: Context) -> Int64:
        if not self.schema.features:
            return np.zeros(len(context), dtype=np.int64)
        codes = context.to_schema(self.schema).columns[self.schema.names[0]]
        return np.where(codes == UNKNOWN, groups(self.schema) - 1, codes).astype(np.int64)

    def _decide(self, context: Context, allowed: Bool) -> Float:
        group = self._group(context) if self.schema.features else np.zeros(len(allowed), dtype=np.int64)
        if len(self._fitted["compared"]) == 1:
            shares = best_of(self._fitted["compared"][0].T[group], allowed)
        else:
            phi = np.eye(groups(self.schema), dtype=np.float32)[group]
            shares = vote_shares(self._fitted["compared"], phi, allowed, self._fast)
        return with_floor(shares, allowed, self.config.explore)


class EpsilonGreedy(Counts):
    """The best mean, and now and then anything."""

    kind: ClassVar[str] = "epsilon_greedy"
    Config: ClassVar[type[Spec]] = EpsilonGreedyConfig

    def _compared(self, means: Means) -> Float:
        return means.mean[None]


class UCB1(Counts):
    """The best mean plus a bonus for what was rarely tried."""

    kind: ClassVar[str] = "ucb1"
    Config: ClassVar[type[Spec]] = UCB1Config

    def _compared(self, means: Means) -> Float:
        in_group = np.maximum(means.rows.sum(axis=1, keepdims=True), 1.0)
        bonus = means.deviation * np.sqrt(2.0 * np.log(in_group) / np.maximum(means.rows, 1e-9))
        bound: Float = np.where(means.rows > 0.0, means.mean + self.config.alpha * bonus, UNTRIED)
        return bound[None]


class GaussianTS(Counts):
    """Thompson sampling with normal means."""

    kind: ClassVar[str] = "gaussian_ts"
    Config: ClassVar[type[Spec]] = GaussianTSConfig

    def _compared(self, means: Means) -> Float:
        z = _generator(self.config).standard_normal((self.config.draws, *means.mean.shape))
        draws: Float = means.mean + z * means.deviation / np.sqrt(means.rows + self.config.prior)
        return draws


class BetaTS(Counts):
    """Thompson sampling of success rates."""

    kind: ClassVar[str] = "beta_ts"
    score_unit: ClassVar[str] = "chance of a success"
    Config: ClassVar[type[Spec]] = BetaTSConfig

    def _reward(self, reward: Float) -> Float:
        success: Float = (reward > self.config.success_above).astype(np.float64)
        return success

    def _compared(self, means: Means) -> Float:
        successes, count = self._sums.total["total"], self._sums.total["count"]
        shape = (self.config.draws, *count.shape)
        rates: Float = _generator(self.config).beta(1.0 + successes, 1.0 + np.maximum(count - successes, 0.0), shape)
        return rates


def groups(schema: FeatureSchema) -> int:
    """How many groups the one category of `schema` makes: its levels, and missing; one without a category."""
    return len(schema.features[0].levels) + 1 if schema.features else 1


def drawn_in(sums: Tensors, prior: float) -> Means:
    """Means per group and action with `prior` pseudo-rows at the action's mean, that one's at the mean of all rows."""
    count, total = sums["count"], sums["total"]
    rows = max(count.sum(), 1e-12)
    overall = total.sum() / rows
    of_action = (total.sum(axis=0) + prior * overall) / (count.sum(axis=0) + prior)
    around = (sums["square"] - total**2 / np.maximum(count, 1e-12))[count > 0.0].sum()
    # One pseudo-row of unit variance: with no rows, or rewards that are all equal, draws still differ.
    deviation = np.sqrt((max(around, 0.0) + 1.0) / (rows + 1.0))
    return Means((total + prior * of_action) / (count + prior), count, float(deviation))


def _seen(schema: FeatureSchema, config: CountsConfig) -> FeatureSchema:
    """The one feature that is read, or none."""
    if config.by is None:
        return FeatureSchema(())
    categories = {f.name: f for f in schema.features if f.levels}
    if config.by not in categories:
        known = ", ".join(categories) or "none here"
        raise SpecError(Problem("policy", "by", config.by, f"a category of the features ({known})"))
    return FeatureSchema((categories[config.by],))


def _generator(config: CountsConfig) -> np.random.Generator:
    return rng.generator(config.seed, rng.Purpose.POSTERIOR)
