"""Products of rows with a matrix in which a row's result never depends on its place in the batch.

A BLAS may sum in another order at some places of a tile: OpenBLAS's single-precision kernel for processors with AVX2
but not AVX-512 does, and a customer's probabilities would then change in the last digit with the order of the table.
Where the kernel at hand does so, rows are multiplied in batches of eight, at which it does not: half as fast as all
at once, two to four times as fast as double precision. Where not even that is so, products are made in double
precision and rounded once. Not here: batches of one shape, without which no kernel is even (chunks.py). n rows,
d inputs, k outputs.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from campaignrl.arrays import Float, Float32
from campaignrl.policies.blas_threads import one_blas_thread

WIDTHS = (8, 17, 40, 64)  # inputs and outputs with which a kernel is tried; below 8 none of its tiles is whole
NARROW = (1, 2, 4, 5)  # outputs that other kernels may make
ROWS = (32, 256, 512)
TILE = 8  # rows


@cache
def even_dtype() -> type[np.float32] | type[np.float64]:
    """The narrowest precision in which this machine's BLAS treats all rows alike."""
    with one_blas_thread():
        return np.float32 if all(_is_even(n, d, k) for n in ROWS for d in WIDTHS for k in WIDTHS) else np.float64


@cache
def even_in_tiles() -> bool:
    """Whether rows are multiplied in batches of TILE: its single precision is even in those, and not in larger ones."""
    if even_dtype() is np.float32:
        return False
    with one_blas_thread():
        return all(_is_even(TILE, d, k) for d in WIDTHS for k in WIDTHS + NARROW)


def row_product(X: Float32, W: Float32) -> Float32:
    """X @ W: (n, d), (d, k) -> (n, k) float32; equal rows of X give equal bytes. Its own arrays may be written on."""
    dtype = even_dtype()
    if dtype is np.float32:
        return np.asarray(X @ W)
    if even_in_tiles():
        return _product_in_tiles(X, W)
    product: Float = X.astype(dtype) @ W.astype(dtype)
    return product.astype(np.float32)


def as_tiles(X: Float32) -> Float32:
    """(n, d), n a multiple of TILE -> (n / TILE, TILE, d), without a copy also where X is turned round."""
    n, d = X.shape
    if X.strides[0] == X.itemsize < X.strides[1]:
        return X.T.reshape(d, n // TILE, TILE).transpose(1, 2, 0)
    return X.reshape(n // TILE, TILE, d)


def _product_in_tiles(X: Float32, W: Float32) -> Float32:
    n, d = X.shape
    missing = -n % TILE
    if missing:
        X = np.concatenate([X, np.zeros((missing, d), dtype=np.float32)])
    product: Float32 = np.matmul(as_tiles(X), np.ascontiguousarray(W))
    return product.reshape(n + missing, W.shape[1])[:n]


def settled_product(X: Float32, W: Float32) -> Float32 | None:
    """What `row_product` gives in every shape, from the shape at hand; None where rounding might tell them apart.

    Tiles have one shape. Otherwise: a sum of d products in any order is within d u / (1 - d u) of the sum of their
    sizes (as in draw_votes.py), so two orders are within twice that; where both ends of it round to the same number, so
    does every order.
    """
    if even_dtype() is not np.float64:
        return None
    if even_in_tiles():
        return _product_in_tiles(X, W)
    x, w = X.astype(np.float64), W.astype(np.float64)
    product, d, unit = x @ w, float(len(W) + 1), float(np.finfo(np.float64).eps) / 2.0
    off = np.abs(x) @ np.abs(w) * (2.02 * d * unit / (1.0 - d * unit))
    low, high = (product - off).astype(np.float32), (product + off).astype(np.float32)
    return low if bool((low == high).all()) else None


def _is_even(n: int, d: int, k: int) -> bool:
    """Whether n equal rows have n equal products, from the left and from the right."""
    row: Any = np.sqrt(np.arange(1, d + 1, dtype=np.float32))
    W = np.cos(np.arange(d * k, dtype=np.float32)).reshape(d, k)
    X = np.tile(row, (n, 1))
    left, right = X @ W, W.T @ X.T
    return bool((left == left[0]).all() and (right == right[:, :1]).all())
