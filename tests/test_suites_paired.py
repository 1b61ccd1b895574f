"""Intervals of a difference over seeds and their verdicts: by hand, by law, and by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaignrl.suites.compare import Pairing, judged
from campaignrl.suites.comparison import Comparison
from campaignrl.suites.paired_test import (
    IMPROVED,
    REGRESSION,
    SAME,
    WORSE,
    detectable_difference,
    paired_difference,
    seeds_needed,
    verdict,
)


def test_interval_by_hand():
    # Differences -2, -3, -1: mean -2, standard deviation 1, error 1 / sqrt(3); t(0.975, 2) = 4.30265273,
    # t(0.8, 2) = 1.06066017. All of it over the base's mean of 100.
    found = paired_difference(np.array([100.0, 102.0, 98.0]), np.array([98.0, 99.0, 97.0]))
    assert found.seeds == 3
    assert (found.base, found.candidate) == (100.0, 98.0)
    assert found.difference == pytest.approx(-0.02, abs=1e-12)
    assert found.ci_low == pytest.approx(-0.02 - 0.0430265273 / np.sqrt(3), abs=1e-10)
    assert found.ci_high == pytest.approx(-0.02 + 0.0430265273 / np.sqrt(3), abs=1e-10)
    assert found.detectable == pytest.approx((4.30265273 + 1.06066017) * 0.01 / np.sqrt(3), abs=1e-10)


values = st.lists(st.floats(1.0, 1000.0), min_size=2, max_size=20)


@given(values)
def test_identical_values_differ_by_exactly_nothing(base):
    found = paired_difference(np.array(base), np.array(base))
    assert (found.difference, found.ci_low, found.ci_high, found.detectable) == (0.0, 0.0, 0.0, 0.0)


@given(values, st.randoms(use_true_random=False), st.floats(0.01, 100.0))
def test_neither_order_of_seeds_nor_currency_matters(base, random, rate):
    pairs = [(value, value + random.uniform(-5, 5)) for value in base]
    turned = random.sample(pairs, len(pairs))
    one = paired_difference(*np.array(pairs).T)
    assert paired_difference(*np.array(turned).T) == pytest.approx(one, abs=1e-9)
    assert paired_difference(*(np.array(pairs) * rate).T)[3:] == pytest.approx(one[3:], abs=1e-9)


def test_a_negative_base_keeps_the_direction():
    found = paired_difference(np.array([-10.0, -10.0]), np.array([-11.0, -11.0]))
    assert found.difference == pytest.approx(-0.1)


def test_rounding_is_not_a_difference():
    base = np.array([1.0, 2.0, 3.0])
    assert paired_difference(base, base * (1 - 2e-16)).ci_high == 0.0


VERDICTS = [
    (-0.03, -0.011, REGRESSION),
    (-0.03, -0.01, WORSE),  # the margin itself is allowed
    (-0.03, -0.001, WORSE),
    (-0.03, 0.0, SAME),
    (0.0, 0.0, SAME),
    (0.0, 0.02, SAME),
    (0.001, 0.02, IMPROVED),
]


@pytest.mark.parametrize(("low", "high", "expected"), VERDICTS)
def test_verdicts_by_hand(low, high, expected):
    assert verdict(low, high, margin=0.01) == expected


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_larger_margin_never_makes_a_regression(low, width, margin, more):
    if verdict(low, low + width, margin) != REGRESSION:
        assert verdict(low, low + width, margin + more) != REGRESSION


def red_share(rng, true_loss, margin, rows=4, seeds=5, repeats=2000, sd=0.02):
    """Share of red comparisons when every policy has lost `true_loss`; luck is shared by the rows of a seed."""
    red = 0
    for _ in range(repeats):
        base = 40.0 * (1.0 + 0.05 * rng.standard_normal((1, seeds)) + sd * rng.standard_normal((rows, seeds)))
        noise = 0.5 * rng.standard_normal((1, seeds)) + rng.standard_normal((rows, seeds))
        candidate = base - 40.0 * true_loss + 40.0 * sd * noise
        pairings = [Pairing("w", str(j), dict(enumerate(base[j])), dict(enumerate(candidate[j]))) for j in range(rows)]
        red += Comparison(judged(pairings, margin, 0.05), margin, 0.05, "base", "candidate").exit_code == 1
    return red / repeats


@pytest.mark.parametrize("loss", [0.0, 0.01], ids=["no margin", "the whole margin lost"])
def test_a_build_is_red_by_chance_in_at_most_five_percent(loss):
    # The hardest cases: nothing may be lost and nothing is; or all that may be lost is lost.
    assert red_share(np.random.default_rng(1), true_loss=loss, margin=loss) <= 0.05


def test_with_the_usual_margin_chance_hardly_ever_turns_a_build_red():
    assert red_share(np.random.default_rng(2), true_loss=0.0, margin=0.01, repeats=500) <= 0.02


def test_a_loss_of_margin_and_detectable_difference_is_caught_four_times_in_five():
    sd, seeds, margin = 0.02, 10, 0.01
    least = detectable_difference(sd * np.sqrt(1.25 / seeds), seeds)
    share = red_share(np.random.default_rng(3), margin + least, margin, rows=1, seeds=seeds, repeats=1000, sd=sd)
    assert 0.72 <= share <= 0.88


def test_seeds_needed_by_hand():
    assert seeds_needed(10, detectable=0.03, margin=0.01) == 90
