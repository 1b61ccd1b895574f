"""Sampling from probabilities, exact probabilities from choices, and chunked calls."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from campaignrl.errors import DataError
from campaignrl.policies.base import sample
from campaignrl.policies.choice import best_of, certainly, uniform_over, with_floor
from campaignrl.policies.chunks import CHUNK, by_chunks, in_chunks

masks = hnp.arrays(bool, st.tuples(st.integers(1, 20), st.integers(1, 8))).map(lambda m: m | ~m.any(axis=1)[:, None])
units = st.floats(0, 1, exclude_max=True)


@given(masks, st.data())
def test_sample_takes_only_what_has_a_chance(mask, data):
    p = np.where(mask, data.draw(hnp.arrays(float, mask.shape, elements=st.floats(1e-12, 1))), 0.0)
    p /= p.sum(axis=1, keepdims=True)
    u = data.draw(hnp.arrays(float, len(mask), elements=units))
    taken = sample(p, u)
    assert (p[np.arange(len(p)), taken] > 0).all()


@given(hnp.arrays(float, (5, 4), elements=st.floats(0.01, 1)), units, units)
def test_sample_is_monotone_in_u(p, u, v):
    low, high = sample(p, np.full(5, min(u, v))), sample(p, np.full(5, max(u, v)))
    assert (low <= high).all()


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_row_is_sampled_alike_alone_and_among_many(order):
    chance = np.random.default_rng(4)
    p = np.where(chance.random((300, 33)) < 0.5, 0.0, chance.random((300, 33)))
    p[:, 0] += 1e-3
    p = np.asarray(p / p.sum(axis=1, keepdims=True), order=order)
    u = np.where(chance.random(300) < 0.3, 1 - 2**-53, chance.random(300))  # the last of them, whatever the rounding
    alone = [sample(p[i : i + size], u[i : i + size]) for size in (1, 7, 64) for i in range(0, 300, size)]
    assert np.concatenate(alone).tolist() == sample(p, u).tolist() * 3


def test_sample_hits_each_action_as_often_as_its_probability():
    p = np.tile([0.1, 0.0, 0.6, 0.3], (100_000, 1))
    u = (np.arange(100_000) + 0.5) / 100_000  # a grid, so the shares are exact
    np.testing.assert_allclose(np.bincount(sample(p, u), minlength=4) / 100_000, p[0], atol=1e-5)


def test_sample_by_hand():
    p = np.array([[0.25, 0.75], [0.25, 0.75], [0.0, 1.0], [1.0, 0.0]])
    assert sample(p, np.array([0.2499, 0.25, 0.0, 1 - 2**-53])).tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize("k", [1, 7, 255, 256, 700])
@pytest.mark.parametrize("order", ["C", "F"])
def test_sample_inverts_the_cumulative_sums_of_each_row(k, order):
    """Many rows, several at a time; every third u lies where only rounding could decide, and zeros are at the ends."""
    chance, n = np.random.default_rng(k), 3000
    p = np.where(chance.random((n, k)) < 0.5, chance.random((n, k)) ** 8, 0.0)
    p[np.arange(n), chance.integers(0, k, n)] = 0.5
    p, u = np.asarray(p / p.sum(axis=1, keepdims=True), order=order), chance.random(n)
    u[::3] = 1 - 2**-53
    taken = sample(p, u)
    for row, at, action in zip(p, u, taken, strict=True):
        cumulative = np.cumsum(row)
        reached = np.flatnonzero(cumulative > at * cumulative[-1])
        assert action == (reached[0] if len(reached) else np.flatnonzero(row)[-1])


@given(masks)
def test_uniform_is_equal_and_sums_to_one(mask):
    p = uniform_over(mask)
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    assert (p[~mask] == 0).all()
    assert all(len(set(row[m])) == 1 for row, m in zip(p, mask, strict=True))


@given(masks, st.floats(0, 1))
def test_the_floor_is_kept(mask, explore):
    p = with_floor(certainly(np.zeros(len(mask), dtype=int), mask), mask, explore)
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    assert (p[~mask] == 0).all()
    assert (p[mask] >= explore / mask.shape[1] * (1 - 1e-9)).all()


def test_choices_by_hand():
    mask = np.array([[True, True, False], [True, False, True], [False, True, True]])
    np.testing.assert_array_equal(certainly(np.array([1, 1, 0]), mask), [[0, 1, 0], [1, 0, 0], [0, 0.5, 0.5]])
    scores = np.array([[1.0, 2.0, 9.0], [3.0, 9.0, 3.0], [0.0, -1.0, -2.0]])
    np.testing.assert_array_equal(best_of(scores, mask), [[0, 1, 0], [0.5, 0, 0.5], [0, 1, 0]])


def test_a_row_with_nothing_allowed_is_named():
    mask = np.ones((4, 3), dtype=bool)
    mask[2] = False
    with pytest.raises(DataError, match=r"row 2: allowed actions = 0 is not at least one"):
        uniform_over(mask)
    mask[[0, 2], 2] = True  # `none` is barred in both rows, but something is left
    mask[0, :2] = False
    np.testing.assert_array_equal(uniform_over(mask)[[0, 2]], [[0, 0, 1], [0, 0, 1]])


@pytest.mark.parametrize("n", [1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_chunks_have_one_size_and_give_every_row_back(n, shop):
    seen = []

    def double(x):
        seen.append(len(x))
        return 2 * x

    np.testing.assert_array_equal(in_chunks(double, np.arange(n)), 2 * np.arange(n))
    assert set(seen) == {CHUNK}

    context, allowed = shop.context(n), shop.allowed(n)
    orders = by_chunks(lambda c, a: c.columns["orders"] + a[:, 1], context, allowed)
    np.testing.assert_array_equal(orders, context.columns["orders"] + allowed[:, 1])
