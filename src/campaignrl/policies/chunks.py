"""Calling in chunks of one shape: of arrays, of contexts, of contexts encoded in blocks.

`by_chunks` encodes every chunk by itself. A linear model decides so fast that fetching 512 rows of each column from
memory would cost a fifth of it; `by_encoded_chunks` fetches and encodes columns a few thousand rows at once, and leaves
them turned round, as the products read them. Not here: what is done with them (linear_base.py). n rows, d encoded
columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Bool, Float32
from campaignrl.features import Context, FeatureSchema, Rows
from campaignrl.policies.row_products import TILE, even_in_tiles

# Rows of one scoring call; shorter ones are padded, so a row's answer never depends on its batch. 512 rows of
# 41 actions stay in the second-level cache, and a single decision costs 2 ms rather than 17 at 4096.
CHUNK = 512
NUMBERS_AT_ONCE = 1 << 17  # encoded at once, 512 kB: they stay in the second-level cache until they are scored
CHUNKS_AT_ONCE = 8
LEAST = 4  # rows of a batch of any shape: a single row may be added up in another order
CALMER = 24  # times as many numbers at once where one call takes them all, and its own work outweighs fetching them


def in_chunks(function: Callable[..., npt.NDArray[Any]], *arrays: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Row-wise `function` over chunks of exactly CHUNK rows, the last one padded with its first row.

    Matrix products may round a row differently in a batch of another shape; with one shape they never do.
    """
    n = len(arrays[0])
    parts = []
    for start in range(0, n, CHUNK):
        pieces = [a[start : start + CHUNK] for a in arrays]
        m = len(pieces[0])
        if m < CHUNK:
            pieces = [np.concatenate([p, np.repeat(p[:1], CHUNK - m, axis=0)]) for p in pieces]
        parts.append(function(*pieces)[:m])
    return np.concatenate(parts) if parts else function(*arrays)


def by_chunks(
    function: Callable[[Context, npt.NDArray[Any]], npt.NDArray[Any]], context: Context, rest: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """`in_chunks` for a function of contexts and masks, or other arrays: encoding, too, then happens at one shape."""
    n = len(rest)
    if not n:
        return function(context, rest)
    result: npt.NDArray[Any] | None = None
    for start in range(0, n, CHUNK):
        stop = min(start + CHUNK, n)
        rows: Rows = slice(start, stop)
        if stop - start < CHUNK:
            rows = np.arange(start, start + CHUNK)
            rows[stop - start :] = start
        part = function(context.take(rows), rest[rows])
        if result is None:
            result = np.empty((n, *part.shape[1:]), dtype=part.dtype)
        result[start:stop] = part[: stop - start]
    assert result is not None
    return result


def chunk_of(n: int) -> int:
    """Rows of one scoring call for n rows: CHUNK, or fewer where a row's answer depends on nothing but its tile."""
    return -(-n // TILE) * TILE if 0 < n < CHUNK and even_in_tiles() else CHUNK


def by_encoded_chunks(
    function: Callable[[Float32, Bool], npt.NDArray[Any]],
    context: Context,
    schema: FeatureSchema,
    allowed: Bool,
    *,
    any_shape: bool = False,
    chunk: int = CHUNK,
) -> npt.NDArray[Any]:
    """Row-wise `function` of phi = (1, x), (m, 1 + d), and masks (m, k) over chunks of exactly `chunk` rows.

    The last chunk is padded with its first row. phi is a turned (1 + d, m) array, so phi.T has contiguous rows.
    any_shape: the function treats rows alike in every batch, so it gets all rows of a block, at least LEAST.
    """
    n = len(allowed)
    if not n:
        return function(turned(context, schema).T, allowed)
    more = CALMER if any_shape else 1
    fitting = more * NUMBERS_AT_ONCE // (chunk * max(schema.width, 1))
    block = chunk * max(1, min(more * CHUNKS_AT_ONCE, fitting))
    whole = n if any_shape else n - n % chunk
    least = LEAST if any_shape else chunk
    result: npt.NDArray[Any] | None = None
    for start in [*range(0, whole, block), *([whole] if whole < n else [])]:
        stop = min(start + block, whole) if start < whole else n
        rows: Rows = slice(start, stop)
        x, mask = turned(context if stop - start == n else context.take(rows), schema), allowed[rows]
        if stop - start < least:
            again = np.arange(least)
            again[stop - start :] = 0
            x, mask = x.take(again, axis=1), mask[again]
        step = len(mask) if any_shape else chunk
        for at in range(0, stop - start, step):
            part = function(x[:, at : at + step].T, mask[at : at + step])
            if result is None:
                result = np.empty((n, *part.shape[1:]), dtype=part.dtype)
            to = result[start + at : min(start + at + step, stop)]
            to[:] = part[: len(to)]
    assert result is not None
    return result


def turned(context: Context, schema: FeatureSchema) -> Float32:
    """(1 + d, m) float32: ones, then the encoded columns; of a context that keeps them not to be written on."""
    return context.once(schema, _turned)


def _turned(context: Context, schema: FeatureSchema) -> Float32:
    found = np.empty((1 + schema.width, len(context)), dtype=np.float32)
    found[0] = 1.0
    context.encode_columns(schema, found[1:])
    return found
