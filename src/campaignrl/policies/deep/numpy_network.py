"""`network`: a small neural network run in numpy, whose answer is an exact probability for every action.

Here: the forward pass of a multilayer perceptron, how its outputs become probabilities, the policy that a trained
network is exported to. Serving one needs no torch. Not here: what trains it (trainer.py), the learners' settings
(configs.py). n rows, d encoded columns, k actions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from campaignrl.actions import NONE, Catalog
from campaignrl.arrays import Bool, Float, Float32, Int
from campaignrl.errors import ArtifactError, Problem
from campaignrl.features import Context, FeatureSchema
from campaignrl.policies.base import Shapes, Shown, Tensors, sample
from campaignrl.policies.blas_threads import one_blas_thread
from campaignrl.policies.certified_draws import (
    FURTHEST,
    Actions,
    Activation,
    Layer,
    QuickNetwork,
    Rounded,
    softmax_weights,
)
from campaignrl.policies.certified_draws.greedy_draws import greedy_draws
from campaignrl.policies.certified_draws.softmax_draws import softmax_draws
from campaignrl.policies.choice import best_of, require_choice, uniform_over, with_floor
from campaignrl.policies.chunks import by_encoded_chunks, chunk_of
from campaignrl.policies.deep.forward_pass import ForwardPass
from campaignrl.policies.row_products import row_product
from campaignrl.specs import Spec

Answer = Literal["softmax", "refused_to_none", "greedy"]
PAIRWISE = 128  # numbers of a row that are added up in one go
MAX_OUTPUT = 1e30  # far from what single precision can hold, farther from any trained network
Width = Annotated[int, Field(ge=1, le=4096)]


class NetworkConfig(Spec):
    """Settings of `network`, which every learner that ends as a network shares.

    hidden: widths of the hidden layers; activation: after each of them, and none after the last. answer: `softmax` of
    the outputs over the allowed actions; `refused_to_none`, the softmax over all actions, where what falls on a
    refused one goes to `none`; `greedy`, all on the highest output. temperature: the outputs are divided by it before
    a softmax. explore: floor, as a share of uniform over the allowed actions.
    """

    hidden: Annotated[tuple[Width, ...], Field(max_length=8)] = (64, 64)
    activation: Activation = "relu"
    answer: Answer = "softmax"
    temperature: float = Field(default=1.0, ge=1e-6, le=1e6)
    explore: float = Field(default=0.01, ge=0.0, le=1.0)


class NetworkPolicy(Shown):
    """A network that decides; one whose weights are all zero has learned nothing yet."""

    kind: ClassVar[str] = "network"
    score_unit: ClassVar[str] = "output of a network"
    Config: ClassVar[type[Spec]] = NetworkConfig

    def __init__(self, catalog: Catalog, schema: FeatureSchema, config: NetworkConfig, name: str) -> None:
        self.catalog, self.schema, self.config, self.name = catalog, schema, config, name
        sizes = layer_sizes(self.inputs(schema, config), config.hidden, len(catalog))
        self._layers = tuple(Layer(np.zeros(s, dtype=np.float32), np.zeros(s[1], dtype=np.float32)) for s in sizes)
        self._quick: QuickNetwork | None = None  # of these layers, once somebody draws

    def probabilities(self, context: Context, allowed: Bool) -> Float:
        """(n, k): what the answer makes of the outputs, over the floor."""
        require_choice(allowed)
        with one_blas_thread():
            p = self._of_outputs(lambda outputs, mask: answered(outputs, mask, self.config), context, allowed)
        return np.asarray(p)

    def drawn_action(self, context: Context, allowed: Bool, u: Float) -> Int | None:
        """(n,) the actions that `sample` takes of the probabilities; None: it needs them."""
        if self.config.answer == "refused_to_none":
            return None
        require_choice(allowed)
        if self._quick is None or self._quick.layers is not self._layers:
            self._quick = QuickNetwork(self._layers, self.config.activation)
        furthest = self.config.temperature * FURTHEST if self.config.answer == "softmax" else np.inf
        action, close = self._quick.drawn(self._draw, furthest, context, self.schema, allowed, u)
        if len(close):
            action[close] = sample(self.probabilities(context.take(close), allowed[close]), u[close])
        return action

    def _draw(self, outputs: Float32, known: Rounded, allowed: Bool, u: Float) -> tuple[Actions, Bool]:
        if self.config.answer == "greedy":
            return greedy_draws(outputs, known, allowed, u, self.config.explore)
        return softmax_draws(outputs, known, allowed, u, self.config.temperature, self.config.explore)

    def scores(self, context: Context) -> Float32:
        """(n, k) the outputs: logits of a policy network, values of a value network."""
        everything = np.ones((len(context), len(self.catalog)), dtype=bool)
        with one_blas_thread():
            return np.asarray(self._of_outputs(lambda outputs, _: outputs, context, everything))

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The weights in use."""
        return self._layers

    @property
    def is_trained(self) -> bool:
        """Has weights that are not all zero."""
        return any(layer.weight.any() or layer.bias.any() for layer in self._layers)

    def settings(self) -> dict[str, Any]:
        """The settings as plain JSON types."""
        return self.config.model_dump(mode="json")

    @classmethod
    def inputs(cls, schema: FeatureSchema, config: NetworkConfig) -> int:
        """Numbers that the first layer reads."""
        return schema.width

    @classmethod
    def shapes(cls, catalog: Catalog, schema: FeatureSchema, config: NetworkConfig) -> Shapes:
        """What `tensors` holds."""
        shapes: Shapes = {}
        for i, size in enumerate(layer_sizes(cls.inputs(schema, config), config.hidden, len(catalog))):
            shapes |= {f"weight_{i}": ("F32", size), f"bias_{i}": ("F32", size[1:])}
        return shapes

    def tensors(self) -> Tensors:
        """Weights and biases by layer."""
        named: Tensors = {}
        for i, layer in enumerate(self._layers):
            named |= {f"weight_{i}": layer.weight, f"bias_{i}": layer.bias}
        return named

    def restore(self, tensors: Tensors) -> None:
        """Take back what `tensors` gave."""
        layers = tuple(Layer(tensors[f"weight_{i}"], tensors[f"bias_{i}"]) for i in range(len(self._layers)))
        bound = output_bound(layers)
        if not bound < MAX_OUTPUT:
            raise ArtifactError(
                Problem(f"policy {self.name}", "outputs", f"up to {bound:.1e}", f"below {MAX_OUTPUT:.0e}")
            )
        self._layers = layers

    def _of_outputs(self, use: Callable[[Float32, Bool], Any], context: Context, allowed: Bool) -> Any:
        """`use` of outputs and masks, chunk by chunk."""
        chunk = chunk_of(len(allowed))
        outputs = ForwardPass(self._layers, self.config.activation, chunk)

        def of_chunk(phi: Float32, mask: Bool) -> Any:
            if not len(phi):
                return use(np.empty(mask.shape, dtype=np.float32), mask)
            return use(outputs(phi[:, 1:]), mask)

        return by_encoded_chunks(of_chunk, context, self.schema, allowed, chunk=chunk)


def layer_sizes(d: int, hidden: Sequence[int], k: int) -> list[tuple[int, int]]:
    """(inputs, outputs) of every layer from d numbers to k actions."""
    widths = [d, *hidden, k]
    return list(pairwise(widths))


def forward(X: Float32, layers: Sequence[Layer], activation: Activation) -> Float32:
    """(n, d) -> (n, k): affine layers with the activation between them."""
    outputs = row_product(hidden_outputs(X, layers[:-1], activation), layers[-1].weight)
    outputs += layers[-1].bias
    return outputs


def output_bound(layers: Sequence[Layer]) -> float:
    """How far from zero an output can be for inputs from -1 to 1, so that no customer can make it overflow."""
    bound = 1.0
    for layer in layers:
        bound = bound * float(np.abs(layer.weight).sum(axis=0, dtype=np.float64).max()) + float(
            np.abs(layer.bias).max()
        )
    return bound


def hidden_outputs(X: Float32, layers: Sequence[Layer], activation: Activation) -> Float32:
    """(n, d) -> (n, h): affine layers with the activation after each."""
    bend = np.tanh if activation == "tanh" else _relu
    for layer in layers:
        X = row_product(X, layer.weight)
        X += layer.bias
        bend(X, out=X)
    return X


def answered(outputs: Float32, allowed: Bool, config: NetworkConfig) -> Float:
    """(n, k) exact probabilities from outputs (n, k)."""
    if config.answer == "greedy":
        return with_floor(best_of(outputs, allowed), allowed, config.explore)
    if config.answer == "softmax":
        shares = masked_softmax(outputs, allowed, config.temperature)
        return with_floor(shares, allowed, config.explore, sums_of_rows)
    shares = np.ascontiguousarray(masked_softmax(outputs, np.ones_like(allowed), config.temperature))
    return with_floor(refused_to_none(shares, allowed), allowed, config.explore)


def masked_softmax(outputs: Float32, allowed: Bool, temperature: float = 1.0) -> Float:
    """(n, k) softmax of outputs / temperature over the allowed actions; rows sum to 1 in double precision."""
    shares = softmax_weights(outputs, allowed, temperature).astype(np.float64).T
    shares /= sums_of_rows(shares)
    return shares


def refused_to_none(shares: Float, allowed: Bool) -> Float:
    """(n, k) what an environment makes of a choice it refuses: `none`; uniform over the rest where that is barred."""
    kept = np.where(allowed, shares, 0.0)
    left = 1.0 - kept.sum(axis=1)
    kept[:, NONE] += np.where(allowed[:, NONE], left, 0.0)
    barred = ~allowed[:, NONE]
    if barred.any():
        kept[barred] += left[barred, None] * uniform_over(allowed[barred])
    kept = np.maximum(kept, 0.0)
    return np.asarray(kept / kept.sum(axis=1, keepdims=True))


def sums_of_rows(p: Float) -> Float:
    """(n, k) -> (n, 1) the sum of each row, added up in one order however p lies in memory."""
    return _pairwise(p.T)[:, None]


def _pairwise(columns: Float) -> Float:
    """(k, n) -> (n,) sums in the order in which numpy adds up the numbers of a contiguous row: eight at a time."""
    k = len(columns)
    if k > PAIRWISE:
        half = k // 2 - k // 2 % 8
        return _pairwise(columns[:half]) + _pairwise(columns[half:])
    whole = k - k % 8
    if not whole:
        return np.asarray(np.add.reduce(columns, axis=0))
    eight = columns[:8].copy()
    for start in range(8, whole, 8):
        eight += columns[start : start + 8]
    a, b, c, d, e, f, g, h = eight
    total: Float = ((a + b) + (c + d)) + ((e + f) + (g + h))
    for column in columns[whole:]:
        total += column
    return total


def _relu(X: Float32, out: Float32) -> Float32:
    return np.maximum(X, np.float32(0.0), out=out)
