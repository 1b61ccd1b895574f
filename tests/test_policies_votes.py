"""Votes of posterior draws: fast scores where they cannot be wrong, and the even ones wherever it is close."""

import numpy as np
import pytest

from campaignrl.policies.bandits import vote_scores
from campaignrl.policies.bandits.draw_votes import _even_votes, scoring_layout, winning_draws
from campaignrl.policies.bandits.vote_scores import ROWS_AT_ONCE, FastDraws, _batches, _slack, clear_votes
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


def alike_in_places(seed, n, S=16, k=9):
    """Rows as they are met: categories, flags and numbers, few masks, and draws that have much in common."""
    chance = np.random.default_rng(seed)
    levels = [np.eye(size, dtype=np.float32)[chance.integers(size, size=n)] for size in (3, 5)]
    flags = (chance.random((n, 3)) < [0.02, 0.5, 0.98]).astype(np.float32)
    numbers = chance.random((n, 3), dtype=np.float32) * (chance.random((n, 3)) < [0.05, 0.5, 1.0])
    phi = np.concatenate([np.ones((n, 1)), *levels, flags, numbers], axis=1, dtype=np.float32)
    shared = 30.0 * chance.normal(size=(S, phi.shape[1], 1))
    draws = (shared + chance.normal(size=(S, phi.shape[1], k))).astype(np.float32)
    allowed = (chance.random((6, k)) < 0.6)[chance.choice(6, n, p=[0.4, 0.3, 0.1, 0.1, 0.06, 0.04])]
    allowed[:, 0] = True
    return scoring_layout(draws), phi, allowed


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n", [40, 65, 700])
def test_votes_where_columns_are_alike_in_a_batch_are_those_of_even_scores(seed, n):
    coefficients, phi, allowed = alike_in_places(seed, n)
    np.testing.assert_array_equal(winning_draws(coefficients, phi, allowed), even(coefficients, phi, allowed))
    phi[:, 9:12] = [0.0, 1.0, 0.25]
    ready = FastDraws.of(coefficients)
    np.testing.assert_array_equal(winning_draws(coefficients, phi, allowed, ready), even(coefficients, phi, allowed))


@pytest.mark.parametrize("n", [60, 150])
@pytest.mark.parametrize("wrong", [np.inf, -np.inf, np.nan])
def test_a_feature_that_is_no_number_spoils_no_row_but_its_own(wrong, n):
    coefficients, phi, allowed = alike_in_places(4, n)
    phi[7, 10], phi[9, 1] = wrong, wrong
    with np.errstate(invalid="ignore"):
        votes = winning_draws(coefficients, phi, allowed)
        np.testing.assert_array_equal(votes, even(coefficients, phi, allowed))
        assert not clear_votes(FastDraws.of(coefficients), phi, allowed)[1][[7, 9]].any()


@pytest.mark.parametrize("n", [60, 150])
def test_actions_that_are_the_same_tie_in_every_draw(n):
    coefficients, phi, allowed = alike_in_places(5, n)
    coefficients[:, 4] = coefficients[:, 2]
    coefficients[:, 2::2] += np.float32(5.0)
    votes = winning_draws(coefficients, phi, allowed)
    np.testing.assert_array_equal(votes, even(coefficients, phi, allowed))
    both = allowed[:, 2] & allowed[:, 4]
    np.testing.assert_array_equal(votes[both, 2], votes[both, 4])
    assert votes[both, 2].any()


@pytest.mark.parametrize("n", [60, 150])
@pytest.mark.parametrize("size", [1e-44, 1e-38, 1e-36, 3e37])
def test_draws_at_the_ends_of_single_precision_are_told_apart_alike(size, n):
    coefficients, phi, allowed = alike_in_places(6, n)
    coefficients = (coefficients / np.abs(coefficients).max() * size).astype(np.float32)
    np.testing.assert_array_equal(winning_draws(coefficients, phi, allowed), even(coefficients, phi, allowed))


def worst_rounding(D=40):
    """Two actions whose fast scores are rounded the other way at every step, of one draw, and 70 rows of ones.

    A sum begins at 1 and every further number is just above, or below, half of what it can show: so all are rounded
    alike, by nearly half a unit each.
    """
    half = np.float32(2.0**-24)
    draws = np.zeros((1, D, 2), dtype=np.float32)
    draws[0, 0] = 1.0, -1.0
    draws[0, 1:, 0], draws[0, 1:, 1] = half * 1.001, half * -1.001
    return scoring_layout(draws), np.ones((70, D), dtype=np.float32)


def test_the_bound_of_rounding_holds_and_is_reached_within_a_small_factor():
    """Were it made four times as small, sums rounded one way at every step would break it."""
    coefficients, phi = worst_rounding()
    exact = coefficients[0].astype(np.float64) @ phi[0].astype(np.float64)
    found = coefficients[0].T.cumsum(axis=0, dtype=np.float32)[-1].astype(np.float64)  # one after the other
    off = abs((found[0] - found[1]) - (exact[0] - exact[1]))
    slack = float(_slack(FastDraws.of(coefficients).size[:-1], phi[:1].T)[0])
    assert slack / 4.0 < off < slack


@pytest.mark.parametrize("n", [60, 300])
def test_votes_would_be_wrong_without_the_bound(monkeypatch, n):
    """Actions of the same coefficients in another order, in rows that are the same in all columns: nearly ties."""
    coefficients, phi, allowed = case(1, n=n, S=2)
    phi[:] = phi[:, :1]
    chance = np.random.default_rng(2)
    close = chance.permuted(np.repeat(coefficients[:, :1], coefficients.shape[1], axis=1), axis=2)
    close = (close * (1.0 + 1e-7 * chance.normal(size=close.shape))).astype(np.float32)
    expected = even(close, phi, allowed)
    np.testing.assert_array_equal(winning_draws(close, phi, allowed), expected)
    monkeypatch.setattr(vote_scores, "_slack", lambda size, x: _slack(size, x) * x.dtype.type(1e-9))
    assert (winning_draws(close, phi, allowed) != expected).any()


def test_what_all_actions_share_costs_no_row_its_clear_votes(monkeypatch):
    """Where decisions are made in double precision; in single precision what is shared rounds their own scores."""
    monkeypatch.setattr(vote_scores, "even_dtype", lambda: np.float64)
    coefficients, phi, allowed = alike_in_places(7, 700)
    shared = coefficients + np.float32(1e4)  # of every action alike
    assert clear_votes(FastDraws.of(shared), phi, allowed)[1].mean() > 0.9


def test_a_column_that_is_alike_in_a_batch_takes_no_part_in_its_product(monkeypatch):
    coefficients, phi, allowed = alike_in_places(8, 600)
    phi[:, 9:12] = [0.0, 1.0, 0.25]
    phi[:, 12] = np.packbits(allowed, axis=1)[:, 0]  # another number for every mask
    widths = []

    def noted(a, b, out=None):
        widths.append(a.shape[1])
        return matmul(a, b, out=out)

    matmul = np.matmul
    monkeypatch.setattr(np, "matmul", noted)
    clear_votes(FastDraws.of(coefficients), phi, allowed)
    assert max(widths) <= phi.shape[1] - 3  # without these and the ones, and with what they add up to
    assert min(widths) <= phi.shape[1] - 4


@pytest.mark.parametrize("n", [60, 150])
def test_products_too_small_for_single_precision_decide_nothing(n):
    coefficients, phi, allowed = case(9, n=n, S=2)
    small = np.float32(1e-22)
    votes = winning_draws(coefficients * small, phi * small, allowed)
    np.testing.assert_array_equal(votes, even(coefficients * small, phi * small, allowed))


def test_where_single_precision_decides_its_own_rounding_of_the_draws_as_given_counts(monkeypatch):
    monkeypatch.setattr(vote_scores, "even_dtype", lambda: np.float32)
    coefficients, _, _ = alike_in_places(3, 1)
    ready = FastDraws.of(coefficients)
    assert (ready.size[:-1] >= np.abs(coefficients).max(axis=(0, 1)) + np.abs(ready.table[:-1]).max(axis=(1, 2))).all()


def test_of_nobody_there_are_no_votes():
    coefficients, phi, allowed = case(1)
    assert winning_draws(coefficients, phi[:0], allowed[:0]).shape == (0, 9)


def test_many_rows_are_sorted_and_vote_as_they_do_in_parts(monkeypatch):
    coefficients, phi, allowed = alike_in_places(11, vote_scores.SORTED + 300)
    whole = winning_draws(coefficients, phi, allowed)
    parts = [winning_draws(coefficients, phi[i : i + 900], allowed[i : i + 900]) for i in range(0, len(phi), 900)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    monkeypatch.setattr(vote_scores, "numbers_of_masks", lambda rows: np.zeros(len(rows), dtype=np.uint16))
    np.testing.assert_array_equal(winning_draws(coefficients, phi, allowed), whole)


def test_of_many_rows_flags_take_part_in_few_products(monkeypatch):
    coefficients, phi, allowed = alike_in_places(12, vote_scores.SORTED)
    widths = []

    def noted(a, b, out=None):
        widths.append(a.shape[1])
        return matmul(a, b, out=out)

    matmul = np.matmul
    monkeypatch.setattr(np, "matmul", noted)
    clear_votes(FastDraws.of(coefficients), phi, allowed)
    as_sorted = np.mean(widths)
    widths.clear()
    monkeypatch.setattr(vote_scores, "SORTED", len(phi) + 1)
    clear_votes(FastDraws.of(coefficients), phi, allowed)
    assert as_sorted < np.mean(widths) - 2  # of 11 flags


def test_the_rarest_flags_come_first():
    phi = np.zeros((1_000, 4), dtype=np.float32)
    phi[:, 0], phi[::2, 1], phi[:5, 2], phi[3:, 3] = 0.5, 1.0, 1.0, 1.0
    numbers = vote_scores._numbers_of_categories(phi)
    assert numbers[:6].tolist() == [0b011 << 13, 0b010 << 13, 0b011 << 13, 0b110 << 13, 0b111 << 13, 0b100 << 13]
    assert (numbers[6:].reshape(-1, 2) == [0b101 << 13, 0b100 << 13]).all()


def test_rows_without_flags_are_left_in_the_order_of_their_masks():
    numbers = vote_scores._numbers_of_categories(np.random.default_rng(1).random((5_000, 3), dtype=np.float32))
    assert set(numbers) == {0}


def test_a_score_beyond_all_numbers_chooses_nothing_where_it_is_barred():
    """Whoever stands in the batch: an action that is open to another row, and one that is open to none."""
    coefficients, phi, allowed = alike_in_places(5, 40)
    coefficients[:, 3] = np.finfo(np.float32).max
    phi[11] = 1.0
    allowed[11], allowed[12:] = [True, True, False, False, *[False] * (allowed.shape[1] - 4)], True
    with np.errstate(invalid="ignore", over="ignore"):
        votes = winning_draws(coefficients, phi, allowed)
        np.testing.assert_array_equal(votes, even(coefficients, phi, allowed))
    assert votes[11, :2].sum() >= coefficients.shape[0]
    assert not votes[11, 2:].any()
