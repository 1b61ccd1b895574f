"""`neural_linear`: Thompson sampling on a linear model of features that a network has learned.

Riquelme, Tucker & Snoek (2018, ICLR): a network is fitted to rewards, its last hidden layer is taken as the features,
and a Bayesian ridge regression on them gives exact draws. Only fitting the network needs torch (neural_features.py,
loaded then); deciding is numpy. Not here: the posterior (ridge.py), the votes (linear.py). n rows, k actions, S draws.
"""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from campaignrl import rng
from campaignrl.actions import Catalog
from campaignrl.arrays import Bool, Float, Float32
from campaignrl.errors import Problem, SpecError
from campaignrl.features import Context, FeatureSchema
from campaignrl.policies.bandits.draw_votes import scoring_layout, vote_shares
from campaignrl.policies.bandits.vote_scores import FastDraws
from campaignrl.policies.base import Shapes, Shown, Tensors
from campaignrl.policies.blas_threads import one_blas_thread
from campaignrl.policies.choice import require_choice, with_floor
from campaignrl.policies.chunks import by_chunks
from campaignrl.policies.deep import Activation, Layer, Width, hidden_outputs, layer_sizes
from campaignrl.policies.learner_settings import Penalty, encoded_blocks, fixed_penalty, require_catalog
from campaignrl.policies.linear_model import RidgeStatistics, fit_ridge, with_intercept
from campaignrl.policies.row_products import row_product
from campaignrl.specs import Spec
from campaignrl.tables.log import DecisionLog


class NeuralLinearConfig(Spec):
    """Settings of `neural_linear`.

    hidden: widths of the hidden layers, the last one being the features; activation: after each. rows: at most so
    many, evenly spread, to fit the network to; epochs, batch, learning_rate, weight_decay: of that fit. draws:
    posterior draws; l2: penalty in pseudo-observations, or "auto" for the best by evidence; explore: floor, as a share
    of uniform; seed: of weights, minibatches and posterior draws.
    """

    hidden: Annotated[tuple[Width, ...], Field(min_length=1, max_length=8)] = (64, 32)
    activation: Activation = "relu"
    rows: int = Field(default=300_000, ge=1)
    epochs: int = Field(default=4, ge=1)
    batch: int = Field(default=2048, ge=2)
    learning_rate: float = Field(default=2e-3, gt=0.0)
    weight_decay: float = Field(default=1e-4, ge=0.0)
    draws: int = Field(default=64, ge=1, le=255)
    l2: Penalty = "auto"
    explore: float = Field(default=0.01, ge=0.0, le=1.0)
    seed: int = Field(default=0, ge=0)


class NeuralLinear(Shown):
    """Learned features, Bayesian ridge on top."""

    kind: ClassVar[str] = "neural_linear"
    score_unit: ClassVar[str] = "reward"
    Config: ClassVar[type[Spec]] = NeuralLinearConfig

    def __init__(self, catalog: Catalog, schema: FeatureSchema, config: NeuralLinearConfig, name: str) -> None:
        if not schema.width:
            fix = "Where nothing is known of anybody take lin_ts or gaussian_ts."
            raise SpecError(Problem(f"policy {name}", "features", "none", "at least one, to find features in", fix))
        self.catalog, self.schema, self.config, self.name = catalog, schema, config, name
        sizes = layer_sizes(schema.width, config.hidden[:-1], config.hidden[-1])
        self._layers = tuple(Layer(np.zeros(s, dtype=np.float32), np.zeros(s[1], dtype=np.float32)) for s in sizes)
        self._logs: list[DecisionLog] = []
        self._stats = RidgeStatistics.zeros(catalog, config.hidden[-1])
        self._refit()

    def probabilities(self, context: Context, allowed: Bool) -> Float:
        """(n, k): share of draws each allowed action wins, over the floor."""
        require_choice(allowed)
        with one_blas_thread():
            return by_chunks(self._thompson, context, allowed)

    def scores(self, context: Context) -> Float32:
        """(n, k) expected reward of every action, by the posterior mean."""
        everything = np.ones((len(context), len(self.catalog)), dtype=bool)
        with one_blas_thread():
            return by_chunks(
                lambda part, _: row_product(self._phi(part.encode(self.schema)), self._coefficients),
                context,
                everything,
            )

    def update(self, log: DecisionLog) -> None:
        """Fit the features anew to the matured rows of all logs given so far; those from a bundle stay as they are."""
        require_catalog(log, self.catalog, self.name)
        if not log.matured.any():
            return
        if self.is_trained and not self._logs:  # from a bundle, which holds no rows to fit features to
            self._take_in(log)
        else:
            self._logs.append(log)
            fit = import_module("campaignrl.policies.bandits.neural_features").fitted_features
            self._layers = fit(self._logs, self.schema, len(self.catalog), self.config)
            self._stats = RidgeStatistics.zeros(self.catalog, self.config.hidden[-1])
            for each in self._logs:
                self._take_in(each)
        self._refit()

    @property
    def is_trained(self) -> bool:
        """Has seen at least one row."""
        return bool(self._stats.count.any())

    def settings(self) -> dict[str, Any]:
        """The settings as plain JSON types."""
        return self.config.model_dump(mode="json")

    @classmethod
    def shapes(cls, catalog: Catalog, schema: FeatureSchema, config: NeuralLinearConfig) -> Shapes:
        """What `tensors` holds."""
        k, D = len(catalog), config.hidden[-1] + 1
        sums: Shapes = {"gram": ("F64", (k, D, D)), "moment": ("F64", (k, D)), "square": ("F64", (k,))}
        shapes = sums | {
            "count": ("F64", (k,)),
            "coefficients": ("F32", (D, k)),
            "draws": ("F32", (config.draws, D, k)),
        }
        for i, size in enumerate(layer_sizes(schema.width, config.hidden[:-1], config.hidden[-1])):
            shapes |= {f"weight_{i}": ("F32", size), f"bias_{i}": ("F32", size[1:])}
        return shapes

    def tensors(self) -> Tensors:
        """The network, the sums to learn on from, and what the choice reads."""
        named: Tensors = {**self._stats.tensors(), "coefficients": self._coefficients, "draws": self._draws}
        for i, layer in enumerate(self._layers):
            named |= {f"weight_{i}": layer.weight, f"bias_{i}": layer.bias}
        return named

    def restore(self, tensors: Tensors) -> None:
        """Take back what `tensors` gave."""
        self._layers = tuple(Layer(tensors[f"weight_{i}"], tensors[f"bias_{i}"]) for i in range(len(self._layers)))
        self._stats = RidgeStatistics.from_tensors(tensors)
        self._set(tensors["coefficients"], tensors["draws"])

    def _take_in(self, log: DecisionLog) -> None:
        for rows, X in encoded_blocks(log, self.schema):
            Z = hidden_outputs(X, self._layers, self.config.activation)
            self._stats.add(Z, log.action[rows], log.reward[rows])

    def _refit(self) -> None:
        l2 = fixed_penalty(self.config.l2) if self.is_trained else 1.0
        model = fit_ridge(self._stats, self.catalog, l2)
        self._set(
            model.coefficients, model.draw(self.config.draws, rng.generator(self.config.seed, rng.Purpose.POSTERIOR))
        )

    def _set(self, coefficients: Float32, draws: Float32) -> None:
        self._coefficients, self._draws = coefficients, draws
        self._by_action = scoring_layout(draws)
        self._fast = FastDraws.of(self._by_action)

    def _phi(self, X: Float32) -> Float32:
        return with_intercept(hidden_outputs(X, self._layers, self.config.activation))

    def _thompson(self, context: Context, allowed: Bool) -> Float:
        phi = self._phi(context.encode(self.schema))
        return with_floor(vote_shares(self._by_action, phi, allowed, self._fast), allowed, self.config.explore)
