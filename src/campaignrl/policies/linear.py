"""`lin_ts`: Thompson sampling on a linear model with coefficients shared by offer and channel.

Thompson (1933, Biometrika 25); linear form: Agrawal & Goyal (2013, ICML). At every update S coefficient
vectors are drawn from the posterior and kept. An action's probability is the share of those draws in which it
is the best of the allowed ones, mixed with a floor of uniform: exact, for it is what is sampled from. Not
here: the posterior (ridge.py). n rows, k actions, D = 1 + encoded columns, S draws.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from campaignrl import rng
from campaignrl.actions import Catalog
from campaignrl.features import Context, FeatureSchema
from campaignrl.policies.base import Bool, Float, Shapes, Tensors, by_chunks
from campaignrl.policies.choice import best_of, require_choice, with_floor
from campaignrl.policies.learning import Penalty, encoded_blocks, fixed_penalty, require_catalog
from campaignrl.policies.ridge import Float32, RidgeStatistics, fit_ridge, with_intercept
from campaignrl.policies.threads import one_blas_thread
from campaignrl.specs.toml import Spec
from campaignrl.tables.decisions import DecisionLog


class LinTSConfig(Spec):
    """Settings of `lin_ts`.

    draws: posterior draws, so probabilities come in steps of 1 / draws; l2: penalty in pseudo-observations, or
    "auto" for the best by evidence; explore: floor, as a share of uniform; greedy: the best by posterior mean
    instead of draws; seed: of the posterior draws.
    """

    draws: int = Field(default=64, ge=1, le=255)  # votes are counted in bytes
    l2: Penalty = "auto"
    explore: float = Field(default=0.01, ge=0.0, le=1.0)
    greedy: bool = False
    seed: int = Field(default=0, ge=0)


class LinTS:
    """Thompson sampling on the factorised ridge."""

    kind: ClassVar[str] = "lin_ts"
    Config: ClassVar[type[Spec]] = LinTSConfig

    def __init__(self, catalog: Catalog, schema: FeatureSchema, config: LinTSConfig, name: str) -> None:
        self.catalog, self.schema, self.config, self.name = catalog, schema, config, name
        self._stats = RidgeStatistics.zeros(catalog, schema.width)
        self._refit()

    def probabilities(self, context: Context, allowed: Bool) -> Float:
        """(n, k): share of draws each allowed action wins, over the floor."""
        require_choice(allowed)
        with one_blas_thread():
            return by_chunks(self._greedy if self.config.greedy else self._thompson, context, allowed)

    def scores(self, context: Context) -> Float32:
        """(n, k) expected reward of every action, by the posterior mean."""
        everything = np.ones((len(context), len(self.catalog)), dtype=bool)
        with one_blas_thread():
            return by_chunks(lambda part, _: self._means(part), context, everything)

    def update(self, log: DecisionLog) -> None:
        """Learn from the matured rows of `log`."""
        require_catalog(log, self.catalog, self.name)
        for rows, X in encoded_blocks(log, self.schema):
            self._stats.add(X, log.action[rows], log.reward[rows])
        self._refit()

    @property
    def is_trained(self) -> bool:
        """Has seen at least one row."""
        return bool(self._stats.count.any())

    def settings(self) -> dict[str, Any]:
        """The settings as plain JSON types."""
        return self.config.model_dump(mode="json")

    @classmethod
    def shapes(cls, catalog: Catalog, schema: FeatureSchema, config: LinTSConfig) -> Shapes:
        """What `tensors` holds."""
        k, D, S = len(catalog), schema.width + 1, 0 if config.greedy else config.draws
        sums = {"gram": (k, D, D), "moment": (k, D), "square": (k,), "count": (k,)}
        learned = {"coefficients": (D, k), "draws": (S, D, k)}
        return {n: ("F64", s) for n, s in sums.items()} | {n: ("F32", s) for n, s in learned.items()}

    def tensors(self) -> Tensors:
        """Sums to learn on from, and the coefficients in use."""
        return {**self._stats.tensors(), "coefficients": self._coefficients, "draws": self._draws}

    def restore(self, tensors: Tensors) -> None:
        """Take back what `tensors` gave."""
        self._stats = RidgeStatistics.from_tensors(tensors)
        self._set(tensors["coefficients"], tensors["draws"])

    def _refit(self) -> None:
        config = self.config
        l2 = fixed_penalty(config.l2) if self.is_trained else 1.0  # without rows every penalty is as good
        model = fit_ridge(self._stats, self.catalog, l2)
        generator = rng.generator(config.seed, rng.Purpose.POSTERIOR)
        self._set(model.coefficients, model.draw(0 if config.greedy else config.draws, generator))

    def _set(self, coefficients: Float32, draws: Float32) -> None:
        self._coefficients, self._draws = coefficients, draws
        self._by_action = np.ascontiguousarray(draws.transpose(0, 2, 1))  # (S, k, D), the layout of scoring

    def _means(self, context: Context) -> Float32:
        return np.asarray(with_intercept(context.encode(self.schema)) @ self._coefficients)

    def _greedy(self, context: Context, allowed: Bool) -> Float:
        return with_floor(best_of(self._means(context), allowed), allowed, self.config.explore)

    def _thompson(self, context: Context, allowed: Bool) -> Float:
        votes = winning_draws(self._by_action, with_intercept(context.encode(self.schema)), allowed).astype(np.float64)
        return with_floor(votes / votes.sum(axis=1, keepdims=True), allowed, self.config.explore)


def winning_draws(coefficients: Float32, phi: Float32, allowed: Bool) -> npt.NDArray[np.uint8]:
    """(n, k) draws in which each allowed action has the highest score; a tie counts for each of its actions.

    coefficients: (S, k, D), S <= 255; phi: (n, D). A row with nothing allowed has no votes.
    """
    phi_t = np.ascontiguousarray(phi.T)
    # Actions run down, rows across: every step below is one pass over contiguous memory.
    barred = np.where(allowed.T, np.float32(0.0), np.float32(-np.inf))
    score, best = np.empty_like(barred), np.empty(len(phi), dtype=np.float32)
    wins, votes = np.empty(barred.shape, dtype=bool), np.zeros(barred.shape, dtype=np.uint8)
    for draw in coefficients:
        np.matmul(draw, phi_t, out=score)
        score += barred
        score.max(axis=0, out=best)
        np.equal(score, best, out=wins)
        votes += wins.view(np.uint8)
    return np.where(allowed, votes.T, np.uint8(0))
