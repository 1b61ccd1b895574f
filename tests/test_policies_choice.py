"""From scores to probabilities, by hand, at the edges where a shortcut would be wrong."""

import numpy as np
import pytest

from campaignrl.errors import SHOWN, DataError
from campaignrl.policies.choice import (
    ROWS_IN_CACHE,
    TOLERANCE,
    _even,
    allowed_counts,
    are_sound,
    best_of,
    certainly,
    in_cache,
    require_choice,
    uniform_over,
    with_floor,
)

INF = np.inf


def test_an_allowed_action_whose_score_is_minus_infinity_is_taken_and_a_barred_one_is_not():
    allowed = np.array([[True, False, False], [True, True, False], [False, True, True]])
    scores = np.array([[-INF, -INF, 5.0], [-INF, -INF, -INF], [0.0, -INF, -INF]])
    np.testing.assert_array_equal(best_of(scores, allowed), [[1, 0, 0], [0.5, 0.5, 0], [0, 0.5, 0.5]])


def test_ties_share_equally_and_the_others_get_nothing():
    scores = np.array([[2.0, 2.0, 2.0, 1.0], [3.0, 1.0, 3.0, 9.0], [0.0, 0.0, -1.0, 0.0]])
    allowed = np.array([[True] * 4, [True, True, True, False], [True] * 4])
    third = 1 / 3
    np.testing.assert_array_equal(
        best_of(scores, allowed), [[third, third, third, 0], [0.5, 0, 0.5, 0], [third, third, 0, third]]
    )


def test_no_rows_are_no_choice():
    none = np.ones((0, 3), dtype=bool)
    assert best_of(np.ones((0, 3)), none).shape == (0, 3)
    assert uniform_over(none).shape == (0, 3)
    require_choice(none)


def test_the_floor_by_hand_rows_sum_to_one_whatever_the_shares_sum_to():
    allowed = np.array([[True, True, False, True], [True, False, False, False]])
    shares = np.array([[0.5, 0.5, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]])
    wanted = np.array([[0.4 + 0.2 / 3, 0.4 + 0.2 / 3, 0.0, 0.2 / 3], [1.0, 0.0, 0.0, 0.0]])
    np.testing.assert_allclose(with_floor(shares, allowed, 0.2), wanted, rtol=1e-15)
    np.testing.assert_array_equal(with_floor(shares, allowed, 0.0), shares)
    np.testing.assert_array_equal(with_floor(shares, allowed, 1.0)[1], [1, 0, 0, 0])
    np.testing.assert_allclose(with_floor(2 * shares, allowed, 0.0), shares, rtol=1e-15)
    np.testing.assert_allclose(
        with_floor(0.5 * shares, allowed, 0.5), [[(0.125 + 1 / 6) / 0.75] * 2 + [0, 1 / 6 / 0.75], [1, 0, 0, 0]]
    )


def test_a_certain_action_that_is_barred_becomes_none_and_only_there():
    allowed = np.array([[True, True, True], [True, False, True], [False, False, True]])
    np.testing.assert_array_equal(certainly(np.array([2, 1, 1]), allowed), [[0, 0, 1], [1, 0, 0], [0, 0, 1]])


@pytest.mark.parametrize("choose", [uniform_over, require_choice, lambda m: certainly(np.zeros(len(m), int), m)])
def test_every_row_without_a_choice_is_counted(choose):
    allowed = np.zeros((SHOWN + 5, 2), dtype=bool)
    allowed[:2] = True
    first = ", ".join(str(row) for row in range(2, SHOWN + 2))
    with pytest.raises(DataError, match=rf"^rows {first} and 3 more: allowed actions"):
        choose(allowed)
    allowed[SHOWN + 2 :] = True
    with pytest.raises(DataError, match=rf"^rows {first}: allowed actions"):
        choose(allowed)
    allowed[3:] = True
    with pytest.raises(DataError, match=r"^row 2: allowed actions"):
        choose(allowed)


def test_rows_are_taken_a_cache_full_at_a_time_and_each_once():
    assert in_cache(0) == [slice(0, 0)]
    assert in_cache(1) == [slice(0, 1)]
    assert in_cache(2 * ROWS_IN_CACHE - 1) == [slice(0, 2 * ROWS_IN_CACHE - 1)]
    assert in_cache(2 * ROWS_IN_CACHE) == [slice(0, ROWS_IN_CACHE), slice(ROWS_IN_CACHE, 2 * ROWS_IN_CACHE)]
    thirds = in_cache(3 * ROWS_IN_CACHE + 2)
    assert [(rows.start, rows.stop) for rows in thirds] == [(0, 2_048), (2_048, 4_097), (4_097, 6_146)]


@pytest.mark.parametrize("turned", [False, True])
def test_shares_are_even_whichever_way_they_lie_in_memory(turned):
    found = _even(np.array([[True, True, False], [True, False, False], [True, True, True]]), 0.75, turned)
    assert found.tolist() == [[0.375, 0.375, 0.0], [0.75, 0.0, 0.0], [0.25, 0.25, 0.25]]
    assert found.flags.f_contiguous is turned


def test_a_sum_may_be_off_by_what_files_of_single_precision_are():
    assert TOLERANCE == 1e-5
    p = np.array([[0.25, 0.75]])
    assert are_sound(p + np.array([[0.9e-5, 0.0]]), None)
    assert not are_sound(p + np.array([[1.1e-5, 0.0]]), None)
    assert not are_sound(p - np.array([[1.1e-5, 0.0]]), None)


@pytest.mark.parametrize("k", [1, 3, 33, 255, 256, 700])
def test_allowed_actions_are_counted_however_many_there_are_and_however_they_lie(k):
    allowed = np.random.default_rng(k).random((40, k)) < 0.7
    allowed[0], allowed[1] = True, False
    for mask in (allowed, np.asfortranarray(allowed), allowed[::3], allowed[:, ::-1], allowed[:0]):
        found = allowed_counts(mask)
        assert found.dtype == np.intp  # and no short number, that would be divided by in half precision
        assert found.tolist() == [sum(row) for row in mask.tolist()]
