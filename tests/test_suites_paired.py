"""Intervals of a difference over seeds and their verdicts: by hand, by law, and by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from campaignrl.suites.comparison import Comparison
from campaignrl.suites.judge import Pairing, judged, overall
from campaignrl.suites.statistics import (
    EQUAL,
    IMPROVEMENT,
    INCONCLUSIVE,
    REGRESSION,
    SURE,
    aggregate,
    chance_to_decide,
    detectable_difference,
    interquartile_mean,
    paired_difference,
    probability_of_improvement,
    seeds_to_decide,
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
    (-0.03, -0.01, INCONCLUSIVE),  # the margin itself is allowed
    (-0.03, -0.001, INCONCLUSIVE),
    (-0.03, 0.03, INCONCLUSIVE),
    (-0.295, 0.04, INCONCLUSIVE),
    (-0.01, -0.001, EQUAL),
    (0.0, 0.0, EQUAL),
    (0.0, 0.02, EQUAL),
    (0.001, 0.02, IMPROVEMENT),
]


@pytest.mark.parametrize(("low", "high", "expected"), VERDICTS)
def test_verdicts_by_hand(low, high, expected):
    assert verdict(low, high, margin=0.01) == expected


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_larger_margin_never_makes_a_regression(low, width, margin, more):
    if verdict(low, low + width, margin) != REGRESSION:
        assert verdict(low, low + width, margin + more) != REGRESSION


def red_share(rng, true_loss, margin, rows=4, seeds=5, repeats=600, sd=0.02):
    """Share of red comparisons when every policy has lost `true_loss`; luck is shared by the rows of a seed."""
    red = 0
    for _ in range(repeats):
        base = 40.0 * (1.0 + 0.05 * rng.standard_normal((1, seeds)) + sd * rng.standard_normal((rows, seeds)))
        noise = 0.5 * rng.standard_normal((1, seeds)) + rng.standard_normal((rows, seeds))
        candidate = base - 40.0 * true_loss + 40.0 * sd * noise
        pairings = [Pairing("w", str(j), dict(enumerate(base[j])), dict(enumerate(candidate[j]))) for j in range(rows)]
        red += (
            Comparison(judged(pairings, {"contribution": margin}, 0.05), margin, 0.05, "base", "candidate").exit_code
            == 1
        )
    return red / repeats


@pytest.mark.parametrize("loss", [0.0, 0.01], ids=["no margin", "the whole margin lost"])
def test_a_build_is_red_by_chance_in_at_most_five_percent(loss):
    # The hardest cases: nothing may be lost and nothing is; or all that may be lost is lost.
    assert red_share(np.random.default_rng(1), true_loss=loss, margin=loss) <= 0.05


def test_with_the_usual_margin_chance_hardly_ever_turns_a_build_red():
    assert red_share(np.random.default_rng(2), true_loss=0.0, margin=0.01, repeats=500) <= 0.02


def test_a_loss_of_margin_and_detectable_difference_is_caught_four_times_in_five():
    sd, seeds, margin = 0.02, 10, 0.01
    least = detectable_difference(sd * np.sqrt(1.25), seeds)
    share = red_share(np.random.default_rng(3), margin + least, margin, rows=1, seeds=seeds, repeats=1000, sd=sd)
    assert 0.72 <= share <= 0.88


# ------------------------------------------------------------------ what would decide


def row_of(difference, spread, seeds, margin=0.01, chance=None):
    """A judged row: either with exactly this mean and spread, or drawn from a normal with them."""
    drawn = np.linspace(-1.0, 1.0, seeds) if chance is None else chance.standard_normal(seeds)
    if chance is None:
        drawn = drawn / drawn.std(ddof=1)
    candidate = 100.0 * (1.0 + difference + spread * drawn)
    pairing = Pairing("w", "p", dict.fromkeys(range(seeds), 100.0), dict(enumerate(candidate)))
    return judged([pairing], {"contribution": margin}, 0.05)[0]


def test_the_example_is_inconclusive_and_the_seeds_it_names_decide_it():
    """-12.7 % [-29.5, +4.0] of ten seeds was once called "no difference"."""
    spread = 0.1675 / stats.t.ppf(0.975, 9) * np.sqrt(10)
    seen = row_of(-0.127, spread, 10)
    assert (seen.difference, seen.ci_low, seen.ci_high) == pytest.approx((-0.127, -0.2945, 0.0405), abs=1e-4)
    assert seen.verdict == INCONCLUSIVE
    assert seen.seeds_if_as_seen == 45
    assert seen.seeds_if_equal > 5_000
    chance = np.random.default_rng(4)
    words = [row_of(-0.127, spread, seen.seeds_if_as_seen, chance=chance).verdict for _ in range(1_000)]
    assert words.count(REGRESSION) >= 0.88 * len(words)
    fewer = [row_of(-0.127, spread, 20, chance=chance).verdict for _ in range(500)]
    assert fewer.count(REGRESSION) < 0.7 * len(fewer)


def test_the_seeds_named_for_no_difference_exclude_the_loss():
    seen = row_of(-0.002, 0.02, 10)
    assert seen.verdict == INCONCLUSIVE
    chance = np.random.default_rng(5)
    words = [row_of(0.0, 0.02, seen.seeds_if_equal, chance=chance).verdict for _ in range(1_000)]
    decided = len(words) - words.count(INCONCLUSIVE)
    assert 0.87 * len(words) <= decided <= 0.94 * len(words)


@given(st.floats(0.002, 0.5), st.floats(0.002, 0.5), st.floats(0.001, 0.2))
def test_the_seeds_that_decide_are_the_fewest(distance, spread, alpha):
    seeds = seeds_to_decide(distance, spread, alpha)
    assert chance_to_decide(distance, spread, seeds, alpha) >= SURE
    assert seeds == 2 or chance_to_decide(distance, spread, seeds - 1, alpha) < SURE


def test_no_number_of_seeds_decides_what_lies_on_the_bound():
    assert seeds_to_decide(0.0, 0.1) is None
    assert seeds_to_decide(0.1, 0.0) == 2


@given(st.integers(2, 60), st.floats(1e-3, 0.5))
def test_the_detectable_difference_has_about_the_power_it_says(seeds, spread):
    """Bloom's sum of two quantiles is the usual approximation of the noncentral t; from ten seeds on it is close."""
    chance = chance_to_decide(detectable_difference(spread, seeds), spread, seeds)
    assert chance == pytest.approx(0.8, abs=0.02 if seeds >= 10 else 0.15)


# ------------------------------------------------------------------ robust aggregates


def test_interquartile_mean_by_hand():
    assert interquartile_mean(np.array([100.0, 1.0, 2.0, 3.0, 4.0, -50.0, 5.0, 6.0])) == 3.5  # 2 and 2 left out
    assert interquartile_mean(np.array([1.0, 2.0, 6.0])) == 3.0  # floor(3 / 4) is none
    assert probability_of_improvement(np.array([1.0, 0.0, -1.0, 2.0])) == 0.625


def test_aggregates_stand_on_worlds_alike():
    """Nine seeds of one world do not outvote three of another; the same differences give the same bounds."""
    small, large = np.array([1.0, 1.0, -1.0]), np.array([-1.0] * 9)
    found = aggregate([small, large])
    assert found.probability == pytest.approx((2 / 3 + 0) / 2)
    assert found.probability_low <= found.probability <= found.probability_high
    assert found == aggregate([small, large])


def test_intervals_of_the_aggregates_mostly_hold_the_truth():
    """A percentile bootstrap of ten seeds in three worlds: somewhat below its level, which is why it does not gate."""
    chance, held = np.random.default_rng(6), 0
    for _ in range(200):
        found = aggregate([chance.normal(0.03, 0.05, 10) for _ in range(3)], resamples=300)
        held += found.iqm_low <= 0.03 <= found.iqm_high
    assert held >= 0.85 * 200


def test_overall_leaves_out_what_cannot_be_compared():
    def pairing(world, base, candidate):
        return Pairing(world, "p", dict(enumerate(base)), dict(enumerate(candidate)))

    rows = [pairing("a", [10.0, 20.0], [11.0, 22.0]), pairing("b", [10.0, 20.0], [10.0, 19.0]), pairing("c", [1.0], [])]
    (found,) = overall(rows, 0.05)
    assert (found.policy, found.worlds, found.probability) == ("p", 2, pytest.approx((1 + 0.25) / 2))
    assert overall(rows[:1], 0.05) == ()
