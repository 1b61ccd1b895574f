"""Outputs of a network for whole blocks of rows, by whatever product is fastest, and how far they may be off.

A draw needs no more of an output than which action it leads to, and that nearly always stands clear of rounding. So
outputs are made in plain single precision, thousands of rows at once, turned round as the encoding leaves them, with the
bias as one more input: how they round depends on the machine and on the batch, and the bound says by how much at most.
Not here: the outputs that probabilities are made of (deep/forward_pass.py, row_products.py). m rows, d inputs, k
outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import sqrt

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Bool, Float, Float32, Rows
from campaignrl.features import Context, FeatureSchema
from campaignrl.policies.blas_threads import one_blas_thread
from campaignrl.policies.certified_draws.rounding_bound import (
    SMALLEST,
    UNIT,
    Activation,
    Layer,
    Rounded,
    RoundingBound,
)

ROWS_AT_ONCE = 4_096  # of some tens of inputs and outputs: they stay in the second-level cache

Actions = npt.NDArray[np.int64]
# (k, m) outputs that may be written on, what is known of them, (m, k) what is allowed, (m,) uniform numbers ->
# (m,) actions, (m,) where they are not certain
Draw = Callable[[Float32, Rounded, Bool, Float], tuple[Actions, Bool]]


class QuickNetwork:
    """Layers laid out for blocks of rows; a linear model is one layer."""

    def __init__(self, layers: Sequence[Layer], activation: Activation = "relu") -> None:
        self.layers, self._activation, self._bound = layers, activation, RoundingBound(layers, activation)
        # (k, 1 + d) each: where a row of ones stands before the inputs, the bias is one more product.
        self._weights = [np.ascontiguousarray(np.vstack([each.bias, each.weight]).T) for each in layers]

    def drawn(
        self, draw: Draw, furthest: float, context: Context, schema: FeatureSchema, allowed: Bool, u: Float
    ) -> tuple[Actions, Rows]:
        """(n,) actions by `draw`, and the rows of which it is not certain: all where outputs are `furthest` off."""
        n = len(allowed)
        action, close = np.zeros(n, dtype=np.int64), np.ones(n, dtype=bool)
        arrays = [np.empty((1 + len(w)) * min(n, 2 * ROWS_AT_ONCE), dtype=np.float32) for w in self._weights]
        with one_blas_thread(), np.errstate(all="ignore"):
            for rows in _slices(n):
                phi = _roughly(context.take(rows), schema)
                known = self.known(phi, schema.encoding.rough)
                if known.off < furthest:
                    outputs = self.outputs(phi, arrays)
                    action[rows], close[rows] = draw(outputs, known, allowed[rows], u[rows])
        return action, np.flatnonzero(close)

    def known(self, phi: Float32, off: float = 0.0) -> Rounded:
        """Of the outputs of these rows, (1 + d, m), which are so far from those the reference reads."""
        longest = float(np.einsum("ij,ij->j", phi[1:], phi[1:]).max(initial=0.0))
        rounded = 2.0 * len(phi) * UNIT
        return self._bound(sqrt(longest * (1.0 + rounded)) + sqrt(len(phi) * SMALLEST), off)

    def outputs(self, phi: Float32, arrays: Sequence[Float32]) -> Float32:
        """(k, m) of ones and encoded rows (1 + d, m); arrays: of (1 + k) m numbers or more for each layer, written on."""
        m = phi.shape[1]
        for weights, array in zip(self._weights, arrays, strict=True):
            ones_and_outputs = array[: (1 + len(weights)) * m].reshape(-1, m)
            outputs = ones_and_outputs[1:]
            np.matmul(weights, phi, out=outputs)
            if weights is not self._weights[-1]:
                ones_and_outputs[0] = 1.0
                self._bend(outputs)
                phi = ones_and_outputs
        return outputs

    def _bend(self, outputs: Float32) -> None:
        if self._activation == "tanh":
            np.tanh(outputs, out=outputs)
        else:  # against an array, five times as fast as against a number
            np.maximum(outputs, np.zeros(outputs.shape[1:], dtype=np.float32), out=outputs)


def _roughly(context: Context, schema: FeatureSchema) -> Float32:
    """(1 + d, m) ones, then the encoded columns, as fast as they can be had."""
    found = np.empty((1 + schema.width, len(context)), dtype=np.float32)
    found[0] = 1.0
    context.encode_columns(schema, found[1:], roughly=True)
    return found


def _slices(n: int) -> list[slice]:
    """Of n rows, about ROWS_AT_ONCE each."""
    parts = max(n // ROWS_AT_ONCE, 1)
    ends = [n * i // parts for i in range(parts + 1)]
    return [slice(start, end) for start, end in pairwise(ends) if end > start]
