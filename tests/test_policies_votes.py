"""Votes of posterior draws: fast scores where they cannot be wrong, and the even ones wherever it is close."""

import numpy as np
import pytest

from campaignrl.policies.bandits.draw_votes import (
    ROWS_AT_ONCE,
    _batches,
    _even_votes,
    scoring_layout,
    winning_draws,
)
from campaignrl.policies.chunks import CHUNK


def even(coefficients, phi, allowed):
    """(n, k) votes by the slow scores alone, every row in a batch of one shape."""
    votes = np.zeros((len(phi), coefficients.shape[1]), dtype=np.uint8)
    for i in range(len(phi)):
        rows = np.full(CHUNK, i)
        votes[i] = _even_votes(coefficients, phi[rows], allowed[rows])[:, 0]
    return votes


def case(seed, n=60, S=16, k=9, D=7):
    chance = np.random.default_rng(seed)
    phi = chance.random((n, D), dtype=np.float32)
    phi[:, 3:5] = phi[:, 3:5] > 0.5
    draws = chance.normal(size=(S, D, k)).astype(np.float32)
    allowed = chance.random((n, k)) < 0.6
    allowed[:, 0] = True
    return scoring_layout(draws), phi, allowed


@pytest.mark.parametrize("n", [1, 60, 90])  # few rows, and more than are scored as one batch
@pytest.mark.parametrize("apart", [0.0, 1e-9, 1e-7, 1e-6, 1e-5, 1.0])
def test_votes_are_those_of_even_scores_however_close_the_actions_are(apart, n):
    """Actions that differ by less than single precision can tell, or not at all, are where fast scores would slip."""
    coefficients, phi, allowed = case(1, n=n)
    chance = np.random.default_rng(2)
    close = np.repeat(coefficients[:, :1], coefficients.shape[1], axis=1)
    close = (close * (1.0 + apart * chance.normal(size=close.shape))).astype(np.float32)
    np.testing.assert_array_equal(winning_draws(close, phi, allowed), even(close, phi, allowed))


@pytest.mark.parametrize("seed", range(4))
def test_a_rows_votes_do_not_depend_on_the_batch(seed):
    coefficients, phi, allowed = case(seed, n=300)
    whole = winning_draws(coefficients, phi, allowed)
    order = np.random.default_rng(seed).permutation(300)
    np.testing.assert_array_equal(winning_draws(coefficients, phi[order], allowed[order]), whole[order])
    parts = [winning_draws(coefficients, phi[i : i + 7], allowed[i : i + 7]) for i in range(0, 300, 7)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("runs", [[1], [500], [3, 200, 5, 64, 63, 63, 63, 1, 129, 128], [7] * 60, [60, 60, 60]])
def test_batches_hold_each_row_once_and_a_mask_that_many_have_alone(runs):
    masks = np.array([[n & 1, n & 2, n & 4, n & 8, n & 16, n & 32] for n in range(64)], dtype=bool)
    may = np.repeat(masks[: len(runs)], runs, axis=0).T
    batches = _batches(may, ROWS_AT_ONCE)
    rows = np.concatenate([np.arange(may.shape[1])[batch] for batch in batches])
    assert rows.tolist() == list(range(may.shape[1]))
    assert max(batch.stop - batch.start for batch in batches) <= ROWS_AT_ONCE
    ends = np.cumsum(runs)
    for start, end in zip(ends - runs, ends, strict=True):
        if end - start >= ROWS_AT_ONCE // 2:
            assert all(b.stop <= start or b.start >= end or (start <= b.start and b.stop <= end) for b in batches)
    assert len(batches) <= sum(-(-run // ROWS_AT_ONCE) for run in runs) + 1


def test_votes_of_masks_that_many_rows_share_are_those_of_even_scores():
    coefficients, phi, allowed = case(8, n=400)
    allowed[:] = allowed[np.random.default_rng(3).choice(5, 400, p=[0.5, 0.3, 0.1, 0.06, 0.04])]
    np.testing.assert_array_equal(winning_draws(coefficients, phi, allowed), even(coefficients, phi, allowed))


@pytest.mark.parametrize("n", [60, 90])
def test_a_row_with_nothing_allowed_has_no_votes(n):
    coefficients, phi, allowed = case(5, n=n)
    allowed[3] = False
    votes = winning_draws(coefficients, phi, allowed)
    assert not votes[3].any()
    assert (np.delete(votes, 3, axis=0).sum(axis=1, dtype=int) == 16).all()


@pytest.mark.parametrize("size", [1e-20, 1e30])
@pytest.mark.parametrize("n", [60, 90])
def test_huge_and_tiny_scores_are_told_apart_alike(size, n):
    coefficients, phi, allowed = case(6, n=n)
    coefficients = coefficients * np.float32(size)
    np.testing.assert_array_equal(winning_draws(coefficients, phi, allowed), even(coefficients, phi, allowed))
