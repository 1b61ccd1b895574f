"""`recurrent_ppo`: a network that reads, beside today's row, what it remembers of the customer's days before.

Here: its settings and its forward pass in numpy: a long short-term memory (Hochreiter & Schmidhuber 1997, Neural
Computation 9; with the forget gate of Gers et al. 2000), then the layers of numpy_network.py, which read its output and
today's row: what today's row says need not pass through the memory to be used. A state is the memory's output
and its cell side by side. Not here: who keeps states between days (recurrent_state.py), training (trainer.py). n rows,
d encoded columns, H numbers remembered, k actions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import numpy as np

from campaignrl.actions import Catalog
from campaignrl.arrays import Bool, Float, Float32
from campaignrl.errors import ArtifactError, Problem
from campaignrl.features import Context, FeatureSchema
from campaignrl.policies.base import Shapes, Tensors
from campaignrl.policies.blas_threads import one_blas_thread
from campaignrl.policies.certified_draws import Layer
from campaignrl.policies.choice import require_choice
from campaignrl.policies.chunks import by_chunks, in_chunks
from campaignrl.policies.deep.configs import Agent, PPOConfig
from campaignrl.policies.deep.numpy_network import (
    MAX_OUTPUT,
    NetworkConfig,
    Width,
    answered,
    forward,
    output_bound,
)
from campaignrl.policies.row_products import row_product
from campaignrl.specs import Spec

WEIGHT, BIAS = "memory_weight", "memory_bias"  # names of its tensors


class RecurrentPPOConfig(PPOConfig):
    """Settings of `recurrent_ppo`, those of PPO beside.

    lstm_hidden_size: H, numbers remembered of a customer; critic: what judges a state while it learns has a memory of
    its own (`own`), or reads the deciding one without teaching it (`shared`), which takes about half the time.
    """

    lstm_hidden_size: Width = 32
    critic: Literal["own", "shared"] = "own"


class RecurrentPPO(Agent):
    """PPO with a memory (Schulman et al. 2017; in this form: sb3-contrib), whose choice is among what is allowed."""

    kind: ClassVar[str] = "recurrent_ppo"
    Config: ClassVar[type[Spec]] = RecurrentPPOConfig
    config: RecurrentPPOConfig

    def __init__(self, catalog: Catalog, schema: FeatureSchema, config: RecurrentPPOConfig, name: str) -> None:
        super().__init__(catalog, schema, config, name)
        weight, bias = _sizes(schema, config)
        self._gates = Layer(np.zeros(weight, dtype=np.float32), np.zeros(bias, dtype=np.float32))

    @property
    def state_width(self) -> int:
        """2 H."""
        return 2 * self.config.lstm_hidden_size

    def remember(self, context: Context, state: Float32) -> Float32:
        """(n, 2 H) once today has been seen."""
        with one_blas_thread():
            return by_chunks(self._remember, context, state)

    def shares(self, context: Context, state: Float32, allowed: Bool) -> Float:
        """(n, k) exact probabilities."""
        require_choice(allowed)
        outputs = self.outputs(context, state)
        return in_chunks(lambda y, mask: np.ascontiguousarray(answered(y, mask, self.config)), outputs, allowed)

    def outputs(self, context: Context, state: Float32) -> Float32:
        """(n, k) logits of someone of whom this is remembered, today included."""
        with one_blas_thread():
            return by_chunks(self._decided, context, state)

    @classmethod
    def inputs(cls, schema: FeatureSchema, config: NetworkConfig) -> int:
        """What the layers after the memory read: it, and today's row past it."""
        assert isinstance(config, RecurrentPPOConfig)
        return config.lstm_hidden_size + schema.width

    @classmethod
    def shapes(cls, catalog: Catalog, schema: FeatureSchema, config: NetworkConfig) -> Shapes:
        """What `tensors` holds."""
        assert isinstance(config, RecurrentPPOConfig)
        weight, bias = _sizes(schema, config)
        return {**super().shapes(catalog, schema, config), WEIGHT: ("F32", weight), BIAS: ("F32", bias)}

    def tensors(self) -> Tensors:
        """The layers, and the memory's gates: input, forget, cell, output, H columns each."""
        return {**super().tensors(), WEIGHT: self._gates.weight, BIAS: self._gates.bias}

    def restore(self, tensors: Tensors) -> None:
        """Take back what `tensors` gave."""
        gates = Layer(tensors[WEIGHT], tensors[BIAS])
        bound = output_bound([gates])
        if not bound < MAX_OUTPUT:
            where, allowed = f"policy {self.name}", f"below {MAX_OUTPUT:.0e}"
            raise ArtifactError(Problem(where, "the memory's gates", f"up to {bound:.1e}", allowed))
        super().restore(tensors)
        self._gates = gates

    def _remember(self, context: Context, state: Any) -> Float32:
        return remembered(context.encode(self.schema), state, self._gates)

    def _decided(self, context: Context, state: Any) -> Float32:
        read = np.concatenate([state[:, : self.config.lstm_hidden_size], context.encode(self.schema)], axis=1)
        return forward(read, self._layers, self.config.activation)

    def _of_outputs(self, use: Callable[[Float32, Bool], Any], context: Context, allowed: Bool) -> Any:
        return by_chunks(lambda part, mask: use(self._at_first(part), mask), context, allowed)

    def _at_first(self, context: Context) -> Float32:
        nothing = np.zeros((len(context), self.state_width), dtype=np.float32)
        return self._decided(context, self._remember(context, nothing))


def remembered(X: Float32, state: Float32, gates: Layer) -> Float32:
    """(n, d), (n, 2 H) before -> (n, 2 H) after one step of a long short-term memory.

    gates: one affine layer from (d + H) to the 4 H of input, forget, cell and output gate, in torch's order.
    """
    h = state.shape[1] // 2
    raw = row_product(np.concatenate([X, state[:, :h]], axis=1), gates.weight)
    raw += gates.bias
    proposed = np.tanh(raw[:, 2 * h : 3 * h])
    raw *= np.float32(0.5)  # sigmoid(x) = (1 + tanh(x / 2)) / 2, which cannot overflow
    np.tanh(raw, out=raw)
    raw += np.float32(1.0)
    raw *= np.float32(0.5)
    after = np.empty_like(state)
    cell = after[:, h:]
    np.multiply(raw[:, h : 2 * h], state[:, h:], out=cell)
    cell += raw[:, :h] * proposed
    np.multiply(raw[:, 3 * h :], np.tanh(cell), out=after[:, :h])
    return after


def _sizes(schema: FeatureSchema, config: RecurrentPPOConfig) -> tuple[tuple[int, int], tuple[int]]:
    h = config.lstm_hidden_size
    return (schema.width + h, 4 * h), (4 * h,)
