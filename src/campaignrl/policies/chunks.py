"""Deciding from encoded contexts: encoded in blocks, scored in chunks of one shape.

`by_chunks` of base.py encodes every chunk by itself. A linear model decides so fast that fetching 512 rows of each
column from memory would cost a fifth of it; here columns are fetched and encoded a few thousand rows at once, and stay
turned round, as the products read them. Not here: what is done with them (linear_base.py). n rows, d encoded columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Bool, Float32
from campaignrl.features import Context, FeatureSchema, Rows
from campaignrl.policies.base import CHUNK

NUMBERS_AT_ONCE = 1 << 17  # encoded at once, 512 kB: they stay in the second-level cache until they are scored
CHUNKS_AT_ONCE = 8


def by_encoded_chunks(
    function: Callable[[Float32, Bool], npt.NDArray[Any]], context: Context, schema: FeatureSchema, allowed: Bool
) -> npt.NDArray[Any]:
    """Row-wise `function` of phi = (1, x), (m, 1 + d), and masks (m, k) over chunks of exactly CHUNK rows.

    The last chunk is padded with its first row. phi is a turned (1 + d, m) array, so phi.T has contiguous rows.
    """
    n = len(allowed)
    if not n:
        return function(_turned(context, schema).T, allowed)
    block = CHUNK * max(1, min(CHUNKS_AT_ONCE, NUMBERS_AT_ONCE // (CHUNK * max(schema.width, 1))))
    whole = n - n % CHUNK
    result: npt.NDArray[Any] | None = None
    for start in [*range(0, whole, block), *([whole] if whole < n else [])]:
        stop = min(start + block, whole) if start < whole else n
        rows: Rows = slice(start, stop)
        if stop - start < CHUNK:
            rows = np.arange(start, start + CHUNK)
            rows[stop - start :] = start
        turned, mask = _turned(context.take(rows), schema), allowed[rows]
        for at in range(0, stop - start, CHUNK):
            part = function(turned[:, at : at + CHUNK].T, mask[at : at + CHUNK])
            if result is None:
                result = np.empty((n, *part.shape[1:]), dtype=part.dtype)
            to = result[start + at : min(start + at + CHUNK, stop)]
            to[:] = part[: len(to)]
    assert result is not None
    return result


def _turned(context: Context, schema: FeatureSchema) -> Float32:
    """(1 + d, m) float32: ones, then the encoded columns."""
    turned = np.empty((1 + schema.width, len(context)), dtype=np.float32)
    turned[0] = 1.0
    context.encode_columns(schema, turned[1:])
    return turned
