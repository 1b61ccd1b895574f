"""Contexts encoded in blocks and handed on in chunks of one shape."""

import numpy as np
import pytest

from campaignrl.features import Context, Feature, FeatureSchema
from campaignrl.policies.chunks import CHUNK, CHUNKS_AT_ONCE, NUMBERS_AT_ONCE, by_encoded_chunks
from campaignrl.policies.linear_model.ridge import with_intercept

BLOCK = CHUNKS_AT_ONCE * CHUNK
SIZES = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, BLOCK, BLOCK + 1, 2 * BLOCK + CHUNK + 3)


def asked(context, schema, allowed):
    """What by_encoded_chunks hands on and gives back, for a function that gives back all it was given."""
    shapes = []

    def both(phi, mask):
        shapes.append(phi.shape)
        return np.concatenate([phi, mask], axis=1)

    return by_encoded_chunks(both, context, schema, allowed), shapes


@pytest.mark.parametrize("n", SIZES)
def test_every_row_comes_back_encoded_with_its_mask(shop, n):
    context, allowed = shop.context(n), shop.allowed(n)
    answer, shapes = asked(context, shop.schema, allowed)
    expected = np.concatenate([with_intercept(context.encode(shop.schema)), allowed], axis=1)
    np.testing.assert_array_equal(answer, expected)
    chunks = -(-n // CHUNK)
    assert shapes == ([(CHUNK, 1 + shop.schema.width)] * chunks or [(0, 1 + shop.schema.width)])


def test_a_schema_wider_than_a_block_is_encoded_chunk_by_chunk():
    d, n = NUMBERS_AT_ONCE // CHUNK + 1, 2 * CHUNK + 5
    schema = FeatureSchema(tuple(Feature(name=f"x{j}") for j in range(d)))
    X = np.random.default_rng(0).random((n, d), dtype=np.float32)
    context = Context(schema, {f"x{j}": X[:, j] for j in range(d)})
    answer, shapes = asked(context, schema, np.ones((n, 2), dtype=bool))
    np.testing.assert_array_equal(answer[:, 1:-2], X)
    assert shapes == [(CHUNK, 1 + d)] * 3
