"""Votes of posterior draws: fast scores where they cannot be wrong, and the even ones wherever it is close."""

import numpy as np
import pytest

from campaignrl.policies.bandits.draw_votes import _even_votes, scoring_layout, winning_draws
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


@pytest.mark.parametrize("apart", [0.0, 1e-9, 1e-7, 1e-6, 1e-5, 1.0])
def test_votes_are_those_of_even_scores_however_close_the_actions_are(apart):
    """Actions that differ by less than single precision can tell, or not at all, are where fast scores would slip."""
    coefficients, phi, allowed = case(1)
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


def test_a_row_with_nothing_allowed_has_no_votes():
    coefficients, phi, allowed = case(5)
    allowed[3] = False
    votes = winning_draws(coefficients, phi, allowed)
    assert not votes[3].any()
    assert (np.delete(votes, 3, axis=0).sum(axis=1, dtype=int) == 16).all()


@pytest.mark.parametrize("size", [1e-20, 1e30])
def test_huge_and_tiny_scores_are_told_apart_alike(size):
    coefficients, phi, allowed = case(6)
    coefficients = coefficients * np.float32(size)
    np.testing.assert_array_equal(winning_draws(coefficients, phi, allowed), even(coefficients, phi, allowed))
