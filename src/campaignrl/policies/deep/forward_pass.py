"""The layers of a network over batch after batch of one size, in arrays that are used again.

Here: affine layers with an activation between them, to the last bit what single batches give. A layer of a small
network is so little work that making its arrays, and adding a bias row by row, would take half of its time.
Not here: what the outputs mean (numpy_network.py). m rows a batch, d inputs, k outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from campaignrl.arrays import Array, Float32
from campaignrl.policies.certified_draws import Activation, Layer
from campaignrl.policies.row_products import TILE, as_tiles, even_dtype, even_in_tiles


class ForwardPass:
    """Layers with the activation between them, for batches of m rows; not for several threads at once."""

    def __init__(self, layers: Sequence[Layer], activation: Activation, m: int) -> None:
        self._layers = [_BatchLayer(layer, m) for layer in layers]
        widest = max(layer.weight.shape[1] for layer in layers)
        self._zeros = np.zeros((m, widest), dtype=np.float32) if activation == "relu" else None

    def __call__(self, X: Float32) -> Float32:
        """(m, d) -> (m, k), in an array that the next call writes on. X: as it lies, or the turn of a (d, m) array."""
        for layer in self._layers[:-1]:
            X = layer(X)
            self._bend(X)
        return self._layers[-1](X)

    def _bend(self, X: Float32) -> None:
        if self._zeros is None:
            np.tanh(X, out=X)
        else:  # against an array, twice as fast as against a number
            np.maximum(X, self._zeros.reshape(-1)[: X.size].reshape(X.shape), out=X)


class _BatchLayer:
    """One layer, with the arrays that its product needs in the way that treats rows alike (row_products.py)."""

    def __init__(self, layer: Layer, m: int) -> None:
        tiled = even_in_tiles() and m % TILE == 0
        dtype: Any = np.float32 if tiled else even_dtype()
        d, k = layer.weight.shape
        self._weight = np.ascontiguousarray(layer.weight, dtype=dtype)
        self._bias = np.tile(layer.bias, (m, 1))
        self._result = np.empty((m, k), dtype=np.float32)
        # Whole batches are read from an array of their own, as rows one after another; tiles are read as they lie.
        self._input: Array | None = None if tiled else np.empty((m, d), dtype)
        product: Array = self._result if dtype is np.float32 else np.empty((m, k), dtype)
        self._product = product.reshape(-1, TILE, k) if tiled else product

    def __call__(self, X: Float32) -> Float32:
        if self._input is None:
            np.matmul(as_tiles(X), self._weight, out=self._product)
        else:
            own = X.dtype == self._input.dtype and X.flags.c_contiguous
            if not own:
                self._input[:] = X
            np.matmul(X if own else self._input, self._weight, out=self._product)
            if self._product is not self._result:
                self._result[:] = self._product
        self._result += self._bias
        return self._result
