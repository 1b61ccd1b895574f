"""Bounds that need no large sample: hedged betting, and confidence sequences that hold at every look."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textbook_bounds import bernstein_lower, hoeffding_lower

from campaignrl.errors import DataError
from campaignrl.ope.intervals.betting import betting_interval
from campaignrl.ope.intervals.confidence_sequences import (
    Path,
    anytime_bounds,
    ever_excluded,
    log_wealth,
    mixture,
    stitched,
)

LAST = np.array([-1])


def quasi_random(n):
    """(n,) cubes of a low-discrepancy sequence: skew, and the same everywhere."""
    return (((np.arange(n) + 1) * (5**0.5 - 1) / 2) % 1) ** 3


# ---- golden values of other people's code


def test_stitched_bounds_are_those_of_vowpal_wabbit():
    x = np.tile([0.5, 0.6, 0.7, 0.8], 1000)
    low, high = anytime_bounds(x, x, 0.05, boundary=stitched, looks=LAST)
    assert (low[0], high[0]) == pytest.approx((0.4215480, 0.7907692), abs=1e-6)


def test_betting_and_its_elders_on_the_golden_sample():
    x = quasi_random(500)
    # confseq's answer is [0.217, 0.287] on a grid of 1/1000
    assert betting_interval(x, 0.05) == pytest.approx((0.217, 0.287), abs=1e-3)
    mirror = 1.0 - x
    assert hoeffding_lower(x, 1.0, 0.025) == pytest.approx(0.188757, abs=1e-6)
    assert 1.0 - hoeffding_lower(mirror, 1.0, 0.025) == pytest.approx(0.310229, abs=1e-6)
    assert bernstein_lower(x, 1.0, 0.025) == pytest.approx(0.191494, abs=1e-6)
    assert 1.0 - bernstein_lower(mirror, 1.0, 0.025) == pytest.approx(0.307491, abs=1e-6)


# ---- by hand


def test_a_path_by_hand():
    path = Path.of(np.array([1.0, 0.0, 0.5]))
    assert path.total.tolist() == [1.0, 1.0, 1.5]
    # guesses 0.5, 1.5 / 2, 1.5 / 3
    assert path.squares == pytest.approx([0.25, 0.25 + 0.75**2, 0.25 + 0.75**2 + 0.0])


def test_a_guess_never_exceeds_what_a_mean_can_be():
    assert Path.of(np.array([9.0, 1.0])).squares.tolist() == [8.5**2, 8.5**2]  # 9.5 / 2 cut to 1


def test_wealth_starts_at_one():
    assert log_wealth(np.array([0.0]), np.array([0.0]))[0] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("s", "v"), [(3.0, 1.0), (-2.0, 4.0), (10.0, 30.0)])
def test_wealth_is_the_integral_it_stands_for(s, v):
    tilt = (np.arange(200_000) + 0.5) / 200_000
    prior = np.exp(-(1 - tilt))  # gamma(1, rate 1) in 1 - l, cut to [0, 1]
    grown = np.exp(tilt * s + (np.log1p(-tilt) + tilt) * v)  # exp(l s - psi(l) v)
    expected = math.log((grown * prior).sum() / prior.sum())
    assert log_wealth(np.array([s]), np.array([v]))[0] == pytest.approx(expected, abs=1e-4)


def test_one_bet_by_hand():
    # stake min(sqrt(2 log(2/a) / (1 x 1/4)), c/m): against m = 0.01 the stake is 5.43, the wealth 1 + 5.43 x 0.99
    low, high = betting_interval(np.array([1.0]), 0.05)
    assert (low, high) == (0.0, 1.0)  # a single bet can never make anyone forty times as rich


# ---- laws


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=60), st.floats(-5, 5), st.floats(0.1, 100))
def test_betting_holds_the_mean_and_follows_the_unit(values, shift, scale):
    x = np.array(values)
    low, high = betting_interval(x, 0.05)
    assert 0.0 <= low <= high <= 1.0
    moved = betting_interval(shift + scale * x, 0.05, shift, shift + scale)
    assert moved == pytest.approx((shift + scale * low, shift + scale * high), rel=1e-6, abs=1e-6 * scale)
    mirrored = betting_interval(1.0 - x, 0.05)
    assert mirrored == pytest.approx((1.0 - high, 1.0 - low), abs=1e-9)


def test_betting_narrows_as_the_sample_grows_and_beats_hoeffding_where_the_variance_is_small():
    rng = np.random.default_rng(0)
    widths = [np.diff(betting_interval(rng.beta(2, 30, n), 0.05))[0] for n in (100, 1_000, 10_000)]
    assert widths[0] > widths[1] > widths[2]
    assert widths[2] < 0.5 * 2 * math.sqrt(math.log(40) / 20_000)


def test_betting_covers():
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        low, high = betting_interval((rng.random(300) < 0.05).astype(float), 0.05)
        held += low <= 0.05 <= high
    assert held >= 186  # below 0.93 only once in ten


@pytest.mark.parametrize("boundary", [mixture, stitched])
def test_bounds_hold_at_each_moment_what_the_path_alone_says(boundary):
    """Looking often changes no bound: those at some looks are those of all moments, taken there."""
    rng = np.random.default_rng(2)
    w, r = rng.choice([0.5, 3.0], (2, 200), p=[0.8, 0.2]), (rng.random((2, 200)) < 0.3).astype(float)
    low, high = anytime_bounds(w, r, 0.05, boundary=boundary)
    some = np.array([9, 99, 199])
    assert np.array_equal(anytime_bounds(w, r, 0.05, boundary=boundary, looks=some)[0], low[:, some])
    assert ((low >= 0.0) & (low <= high) & (high <= 1.0)).all()
    wider = anytime_bounds(w, r, 0.01, boundary=boundary)
    assert (wider[0] <= low).all()
    assert (wider[1] >= high).all()


def test_rewards_in_another_unit_give_bounds_in_that_unit():
    rng = np.random.default_rng(3)
    w, r = rng.choice([0.5, 3.0], 500, p=[0.8, 0.2]), rng.random(500)
    low, high = anytime_bounds(w, r, 0.05, looks=LAST)
    moved = anytime_bounds(w, 200 * r - 50, 0.05, (-50.0, 150.0), looks=LAST)
    assert moved[0] == pytest.approx(200 * low - 50)
    assert moved[1] == pytest.approx(200 * high - 50)


def test_the_shortcut_agrees_with_the_bounds():
    rng = np.random.default_rng(4)
    w, r = rng.choice([0.2, 5.0], (40, 400), p=[5 / 6, 1 / 6]), (rng.random((40, 400)) < 0.3).astype(float)
    looks = np.arange(19, 400, 20)
    low, high = anytime_bounds(w, r, 0.5, looks=looks)
    for value in (0.2, 0.3, 0.45):
        outside = ((value < low) | (value > high)).any(axis=1)
        assert ever_excluded(w, r, value, 0.5, looks).tolist() == outside.tolist()
        assert value == 0.3 or outside.any()


def test_a_log_that_cannot_be_is_an_error_and_not_an_upside_down_interval():
    with pytest.raises(DataError, match="do not belong to this log") as error:
        anytime_bounds(np.full(2000, 3.0), np.tile([0.0, 1.0], 1000), 0.05)
    assert error.value.exit_code == 3


def test_a_logger_that_learns_does_not_break_the_bounds():
    """The propensity follows what was seen; the bounds still hold the value at every look."""
    rng, runs, n, value = np.random.default_rng(5), 100, 1000, 0.3
    w, r = np.ones((runs, n)), np.zeros((runs, n))
    won = np.zeros(runs)
    for t in range(n):
        p = np.clip(0.2 + 0.6 * (won / (t + 1) > 0.1), 0.05, 0.95)  # more of the action once it pays
        taken = rng.random(runs) < p
        w[:, t] = taken / p
        r[:, t] = taken * (rng.random(runs) < value)
        won += w[:, t] * r[:, t] * 0.3
    assert ever_excluded(w, r, value, 0.05, np.arange(9, n, 10)).mean() <= 0.10
