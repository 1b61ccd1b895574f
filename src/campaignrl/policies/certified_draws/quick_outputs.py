"""Outputs of a network for whole blocks of rows, by whatever product is fastest, and how far they may be off.

A draw needs no more of an output than which action it leads to, and that nearly always stands clear of rounding. So
outputs are made in plain single precision, thousands of rows at once, turned round as the encoding leaves them, with
the bias as one more input: how they round depends on the machine and on the batch, and the bound says by how much at
most.
Not here: the outputs that probabilities are made of (deep/forward_pass.py, row_products.py). m rows, d inputs, k
outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Bool, Float, Float32, Rows
from campaignrl.features import Context, FeatureSchema
from campaignrl.policies.blas_threads import one_blas_thread
from campaignrl.policies.certified_draws.rounding_bound import Activation, Layer, Rounded, RoundingBound

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
        n, known = len(allowed), self._bound(schema.encoding.longest, schema.encoding.rough)
        if not known.off < furthest:
            return np.zeros(n, dtype=np.int64), np.arange(n)
        action, close = np.empty(n, dtype=np.int64), np.empty(n, dtype=bool)
        parts = _slices(n)
        most = max((rows.stop - rows.start for rows in parts), default=0)
        phi = np.empty((1 + schema.width) * most, dtype=np.float32)
        arrays = [np.empty((1 + len(w)) * most, dtype=np.float32) for w in self._weights]
        with one_blas_thread():
            for rows in parts:
                ones_and_columns = _first(phi, 1 + schema.width, rows.stop - rows.start)
                context.take(rows).encode_columns(schema, ones_and_columns[1:], roughly=True)
                outputs = self.outputs(ones_and_columns, arrays)
                action[rows], close[rows] = draw(outputs, known, allowed[rows], u[rows])
        return action, np.flatnonzero(close)

    def outputs(self, phi: Float32, arrays: Sequence[Float32]) -> Float32:
        """(k, m) of (1 + d, m), whose first row is ours. arrays: for each layer (1 + k) m numbers or more, to use."""
        for weights, array in zip(self._weights, arrays, strict=True):
            phi[0] = 1.0
            ones_and_outputs = _first(array, 1 + len(weights), phi.shape[1])
            np.matmul(weights, phi, out=ones_and_outputs[1:])
            phi = ones_and_outputs
            if weights is not self._weights[-1]:
                self._bend(phi[1:])
        return phi[1:]

    def _bend(self, outputs: Float32) -> None:
        if self._activation == "tanh":
            np.tanh(outputs, out=outputs)
        else:  # against an array, five times as fast as against a number
            np.maximum(outputs, np.zeros(outputs.shape[1:], dtype=np.float32), out=outputs)


def _first(array: Float32, rows: int, m: int) -> Float32:
    """(rows, m) of the first numbers of an array that is used again."""
    return array[: rows * m].reshape(rows, m)


def _slices(n: int) -> list[slice]:
    """Of n rows, about ROWS_AT_ONCE each."""
    parts = max(n // ROWS_AT_ONCE, 1)
    ends = [n * i // parts for i in range(parts + 1)]
    return [slice(start, end) for start, end in pairwise(ends) if end > start]
