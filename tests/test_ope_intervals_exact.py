"""Intervals and what follows from them, by formula, by search and at their borders."""

import math

import numpy as np
import pytest
from scipy import optimize, special, stats

from campaignrl.errors import SupportError, UsageError
from campaignrl.ope.comparison.equivalence import Conclusion, conclude, conclusion_of_best, independent_difference
from campaignrl.ope.comparison.policies import bonferroni, holm, ratio
from campaignrl.ope.comparison.subgroups import _chance
from campaignrl.ope.episodes.return_distribution import distribution_of
from campaignrl.ope.intervals import EMPIRICAL_LIKELIHOOD
from campaignrl.ope.intervals.clustered import Clusters, Estimate, numbered, p_value_of_gap, std_error
from campaignrl.ope.intervals.confidence_sequences import Path, mixture, stitched
from campaignrl.ope.intervals.empirical_likelihood import Extreme, PairSums, _least_mean, _lower_end
from campaignrl.ope.intervals.quantiles import f_quantile, f_tail
from campaignrl.ope.intervals.regression_t import events_of, one_sided, regression_interval
from campaignrl.ope.methods import weighted_mean
from campaignrl.ope.methods.weighted_mean import (
    LikelihoodInputs,
    Seen,
    around,
    difference_within,
    likelihood_ends,
    narrower,
    sums_of_part,
)
from campaignrl.ope.methods.weighted_mean import within as within_range


def seen_of(events, rows, both=False):
    residual = np.array([1.0, -1.0] if both else [1.0, 2.0])
    kind = type("SeenOf", (Seen,), {"events": property(lambda self: events)})
    return kind(None, np.zeros(0), np.zeros(0), residual, 0.0, rows)


@pytest.mark.parametrize(
    ("events", "rows", "speaking", "both", "speaks", "tells"),
    [
        (30.0, 1e6, 100.0, False, True, True),
        (30.0, 1e6, 99.9, False, False, False),  # too few rows speak
        (29.9, 1e6, 100.0, False, True, False),  # too few events of one side
        (29.9, 1e6, 100.0, True, True, True),  # of both sides they need not be so many
        (300.0, 300.0, 30.0, False, True, True),  # so common that thirty rows have had thirty
        (300.0, 300.0, 29.9, False, False, False),
        (600.0, 1000.0, 50.0, False, True, True),  # 50 x 600 / 1,000
        (599.0, 1000.0, 50.0, False, False, False),
        (25.0, 25.0, 1e9, False, True, False),  # no more rows speak than there are
    ],
)
def test_a_value_is_told_where_enough_rows_speak_of_enough_events(events, rows, speaking, both, speaks, tells):
    seen = seen_of(events, rows, both)
    assert (seen.speaks(speaking), seen.tells_value(speaking)) == (speaks, tells)


def test_the_narrower_of_two_intervals_and_the_likelihood_of_equal_ones():
    likely, sharp = (0.0, 2.0), (0.5, 1.5)
    assert narrower(likely, sharp, "sharp") == (sharp, "sharp")
    assert narrower(sharp, likely, "sharp") == (sharp, EMPIRICAL_LIKELIHOOD)
    assert narrower(likely, None, "sharp") == (likely, EMPIRICAL_LIKELIHOOD)
    assert narrower((0.0, 2.0), (1.0, 3.0), "sharp") == ((0.0, 2.0), EMPIRICAL_LIKELIHOOD)


def test_an_interval_holds_its_value_and_lies_within_what_is_possible():
    assert within_range((-1.0, 5.0), (0.0, 2.0)) == (0.0, 2.0)
    assert around(3.0, (0.0, 2.0)) == (0.0, 3.0)
    assert around(-1.0, (0.0, 2.0)) == (-1.0, 2.0)
    assert difference_within(0.5, 0.1, (-9.0, 9.0), 2.0, "x") == (0.5, 0.1, -2.0, 2.0, "x")
    assert difference_within(2.5, 0.1, (-1.0, 1.0), 2.0, "x") == (2.5, 0.1, -1.0, 2.5, "x")
    w, y = sums_of_part(np.array([0, 2, 2]), np.array([1.0, 2.0, 3.0]), np.array([1.0, -1.0, 4.0]), 0.5)
    assert (w.tolist(), y.tolist()) == ([0.5, 0.0, 2.5], [0.5, 0.0, 1.5])


def test_ends_of_what_may_have_been_missed(monkeypatch):
    """The corners of one extreme row beside usual ones, and what customers of such weights showed."""
    asked = []
    monkeypatch.setattr(weighted_mean, "cressie_read", lambda *words: asked.append(words) or (0.0, 1.0))
    known = LikelihoodInputs(None, 0.5, 0.2, (0.25, 4.0), [-9.0, 9.0], [-7.0, 7.0])
    for offset, more in ((0.0, []), (1.0, [-7.0, 7.0])):
        likelihood_ends(known, (0.0, 6.0), (-2.0, 3.0), offset, 0.1)
        least = [0.5 * (0.0 - offset) * r + 0.25 * 0.2 for r in (-2.0, 3.0)] + more
        most = [0.5 * (6.0 - offset) * r + (4.0 - 3.0) * 0.2 for r in (-2.0, 3.0)] + [-9.0, 9.0]
        _, low, high, alpha, _ = asked[-1]
        assert alpha == 0.1
        assert [tuple(one[:2]) for one in low] == [(0.25, pytest.approx(min(least))), (4.0, pytest.approx(min(most)))]
        assert [tuple(one[:2]) for one in high] == [(0.25, pytest.approx(max(least))), (4.0, pytest.approx(max(most)))]


def test_as_many_equal_events_and_on_which_side_they_are():
    ones = np.array([1.0] * 4 + [0.0] * 6)
    assert [events_of(ones, rows) for rows in (10.0, 100.0)] == [4.0, 40.0]  # as many in a tenth of the rows
    assert events_of(7.0 * ones, 10.0) == 4.0
    assert events_of(np.array([100.0, 1.0, 1.0]), 3.0) == pytest.approx(1.0004)
    assert events_of(np.zeros(5), 5.0) == 0.0
    assert events_of(np.zeros(0), 5.0) == 0.0

    def sides(above, below):
        return one_sided(np.array([10.0] * above + [-10.0] * below + [0.0] * (100 - above - below)))

    assert [sides(16, 4), sides(17, 4), sides(4, 16), sides(4, 17), sides(0, 1)] == [False, True, False, True, True]
    assert not one_sided(np.zeros(3))
    assert not one_sided(np.zeros(0))


def test_two_estimates_are_apart_by_more_than_rounding():
    assert p_value_of_gap(1.0, 1.0 + 1e-10, 1e-12) == 1.0
    assert p_value_of_gap(0.0, 0.0, 1.0) == 1.0
    assert p_value_of_gap(1.0, 2.0, 0.0) == 1.0
    assert p_value_of_gap(1.0, 2.0, math.nan) == 1.0
    assert p_value_of_gap(2.0, 0.04, 1.0) == pytest.approx(0.05, rel=1e-3)
    assert p_value_of_gap(0.04, 2.0, 1.0) == p_value_of_gap(2.0, 0.04, 1.0)


def test_customers_are_numbered_in_their_order_whatever_the_order_of_rows():
    assert numbered(np.array([3, 3, 5, 9])).tolist() == [0, 0, 1, 2]
    assert numbered(np.array([5, 3, 9, 3])).tolist() == [1, 0, 2, 0]
    assert numbered(np.array([], dtype=int)).tolist() == []
    clusters = Clusters(np.array([7, 2, 7]))
    assert (len(clusters), clusters.numbers.tolist(), clusters.of_rows().tolist()) == (2, [2, 7], [1, 0, 1])
    assert clusters.scaled(np.array([1.0, 2.0, 4.0])).tolist() == pytest.approx([4 / 3, 10 / 3])
    influence = np.array([1.0, -2.0, 1.0])
    assert std_error(influence, clusters) == pytest.approx(math.sqrt(2.0 / 1.0 * (4.0 + 4.0)) / 3)
    assert math.isnan(std_error(influence, Clusters(np.zeros(3, dtype=int))))


@pytest.mark.parametrize(
    ("customers", "each"), [(1_024, 16), (1_500, 37), (2_100, 512), (1_023, 16), (1_024, 15), (1_024, 513)]
)
def test_sums_of_many_customers_at_once_are_those_of_one_row_after_another(customers, each):
    customer = np.repeat(np.arange(customers), each)
    values = np.random.default_rng(0).normal(size=len(customer)) * 10.0 ** (customer % 7)
    values[:each] = -0.0
    clusters = Clusters(customer)
    assert bool(clusters._each) == (customers >= 1_024 and 16 <= each <= 512)
    assert clusters.sums(values).tobytes() == np.bincount(customer, values).tobytes()


@pytest.mark.parametrize("change", ["one more row", "apart", "a number left out"])
def test_customers_whose_rows_do_not_stand_alike_are_added_up_all_the_same(change):
    customer = np.repeat(np.arange(1_100), 20)
    if change == "one more row":
        customer = np.append(customer, 1_099)
    elif change == "apart":
        customer = np.roll(customer, 1)
    else:
        customer[customer >= 7] += 1
    values = np.random.default_rng(0).normal(size=len(customer))
    clusters = Clusters(customer)
    assert not clusters._each
    expected = np.bincount(customer, values)
    assert clusters.sums(values).tobytes() == expected[np.bincount(customer) > 0].tobytes()


def test_no_lower_bound_of_a_reward_is_above_all_rewards():
    """Means of weighted rewards may be: candidates end at the largest reward."""
    low = mixture(Path.of(np.full(2_000, 1.8)), 0.05)
    assert low.max() <= 1.0
    assert low[-1] == pytest.approx(1.0)
    assert mixture(Path.of(np.zeros(50)), 0.05).max() == 0.0


def test_an_endless_weight_uses_up_its_part_of_the_budget():
    w, y = np.array([0.5, 1.0, 2.0, 0.5]), np.array([1.0, 0.0, 3.0, 2.0])
    sums = PairSums.of(w, y)
    extreme = Extreme(math.inf, 0.0, 0.25)
    centre = 0.25 + (y - 0.25 * w).mean()
    none = np.zeros((2, 0))
    assert _lower_end(sums, extreme, 5 / 4, none) == pytest.approx(centre)
    assert _lower_end(sums, extreme, 5 / 4 - 1e-9, none) is None
    spread = ((y - 0.25 * w - (y - 0.25 * w).mean()) ** 2).sum() / 5
    assert _lower_end(sums, extreme, 5 / 4 + 0.5, none) == pytest.approx(centre - math.sqrt(spread * 0.5 / 5))


@pytest.mark.parametrize("budget", [1.5, 4.0, 9.0, 14.0])
def test_the_least_mean_is_that_of_a_search_among_chances(budget):
    """Chances of at least 0 that sum to 1 with a mean weight of 1, as far from even ones as the budget allows."""
    chance = np.random.default_rng(4)
    w, y = chance.gamma(2.0, 0.5, 9), chance.normal(size=9) ** 3
    even = np.full(9, 1 / 9)
    rules = [
        {"type": "eq", "fun": lambda p: p.sum() - 1.0},
        {"type": "eq", "fun": lambda p: p @ w - 1.0},
        {"type": "ineq", "fun": lambda p: budget - ((9 * p - 1.0) ** 2).sum()},
    ]
    searched = optimize.minimize(
        lambda p: p @ y, even, bounds=[(0.0, None)] * 9, constraints=rules, options={"ftol": 1e-12, "maxiter": 500}
    )
    found = _least_mean(PairSums.of(w, y), budget, np.stack([w, y]))
    assert found == pytest.approx(searched.fun, abs=1e-5)
    free = _least_mean(PairSums.of(w, y), budget, np.zeros((2, 0)))
    assert free <= found + 1e-12
    assert (free < found - 1e-3) == (budget > 2.0)  # of a small budget no chance falls to 0


def figure(low, high, value=0.0):
    return Estimate(value, 1.0, low, high, "x")


@pytest.mark.parametrize(
    ("low", "high", "margin", "said"),
    [
        (1e-9, 2.0, 0.0, Conclusion.BETTER),
        (0.0, 2.0, 0.0, Conclusion.UNKNOWN),
        (-2.0, -1e-9, 0.0, Conclusion.WORSE),
        (-2.0, 0.0, 0.0, Conclusion.UNKNOWN),
        (-1.0, 1.0, 1.0, Conclusion.SAME),
        (-1.01, 1.0, 1.0, Conclusion.UNKNOWN),
        (-1.0, 1.01, 1.0, Conclusion.UNKNOWN),
        (0.0, 0.0, 0.0, Conclusion.UNKNOWN),  # without a margin nothing is the same
        (math.nan, 1.0, 1.0, Conclusion.UNKNOWN),
        (-1.0, math.nan, 1.0, Conclusion.UNKNOWN),
    ],
)
def test_what_an_interval_lets_one_conclude(low, high, margin, said):
    assert conclude(figure(low, high), margin) is said
    bounded = margin > 0.0 and high <= margin  # of the best only this matters: that none is better by more
    best = Conclusion.SAME if said is Conclusion.UNKNOWN and bounded else said
    assert conclusion_of_best([figure(low, high)], margin) is best


def test_the_best_of_several_is_worse_only_if_all_are():
    assert conclusion_of_best([figure(-3.0, -1.0), figure(-2.0, -1.0)]) is Conclusion.WORSE
    assert conclusion_of_best([figure(-3.0, -1.0), figure(-2.0, 1.0)]) is Conclusion.UNKNOWN
    assert conclusion_of_best([figure(-3.0, -1.0), figure(1.0, 2.0)]) is Conclusion.BETTER
    assert conclusion_of_best([]) is conclusion_of_best([], 1.0) is Conclusion.UNKNOWN
    two = independent_difference(Estimate(5.0, 3.0, 1.0, 8.0, "x"), Estimate(2.0, 4.0, -1.0, 6.0, "y"))
    assert two[:4] == (3.0, 5.0, 3.0 - math.hypot(4.0, 4.0), 3.0 + math.hypot(3.0, 3.0))


def test_p_values_of_several_by_hand():
    assert bonferroni([0.01, 0.2, 0.6]) == pytest.approx([0.03, 0.6, 1.0])
    assert holm([0.04, 0.01, 0.03, 0.9]) == pytest.approx([0.09, 0.04, 0.09, 0.9])
    assert holm([0.02, 0.02]) == pytest.approx([0.04, 0.04])
    assert holm([]) == bonferroni([]) == []
    assert [_chance(p) for p in (math.nan, 0.0009, 0.001, 0.5, 0.999, 0.9991)] == [
        "-", "below 0.1%", "0.1%", "50.0%", "99.9%", "above 99.9%",
    ]  # fmt: skip


def test_fieller_s_interval_holds_the_ratios_that_are_not_told_from_nothing():
    chance = np.random.default_rng(2)
    below = chance.normal(2.0, 1.0, 40)
    above = 1.5 * below + chance.normal(0.0, 1.0, 40)
    found = ratio(above, below, Clusters(np.arange(40)), 0.1)
    assert found.value == pytest.approx(above.mean() / below.mean())
    for r, told in ((found.ci_low, 1.0), (found.ci_high, 1.0), (found.value, 0.0)):
        rest = above - r * below
        t = abs(rest.mean()) / (rest.std(ddof=1) / math.sqrt(40))
        assert t == pytest.approx(told * stats.t.ppf(0.95, 39), abs=1e-9)
    rest = above - found.value * below
    assert found.std_error == pytest.approx(rest.std(ddof=1) / math.sqrt(40) / below.mean())
    near = ratio(above, below - below.mean() + 1e-3, Clusters(np.arange(40)), 0.1)
    assert (near.ci_low, near.ci_high) == (-math.inf, math.inf)
    assert math.isnan(ratio(above, -below, Clusters(np.arange(40)), 0.1).value)
    assert math.isnan(ratio(above, below, Clusters(np.zeros(40, dtype=int)), 0.1).value)
    assert math.isfinite(ratio(above, below, Clusters(np.arange(40) % 2), 0.1).value)


def test_quantiles_of_an_f_with_one_degree_above():
    assert [f_tail(v, 9.0) for v in (0.0, -1.0, math.inf)] == [1.0, 1.0, 0.0]
    assert math.isnan(f_tail(math.nan, 9.0))
    assert f_tail(2.5, 9.0) == pytest.approx(stats.f.sf(2.5, 1, 9))
    assert f_quantile(0.05, 9.0) == pytest.approx(stats.f.isf(0.05, 1, 9))


def test_a_closed_bound_by_its_formula():
    """Howard et al. 2021, theorem 1, with a variance of at least one."""
    for squares in (0.25, 1.5, 40.0):
        path = Path(np.array([50.0]), np.array([40.0]), np.array([squares]))
        v = max(squares, 1.0)
        epochs = math.log(1.1 * v) / math.log(1.1) + 1
        room = 1.1 * math.log(epochs) + math.log(special.zeta(1.1) / 0.05)
        k1, k2 = (1.1**0.25 + 1.1**-0.25) / math.sqrt(2), (math.sqrt(1.1) + 1) / 2
        wanted = (40.0 - math.sqrt(k1**2 * v * room + k2**2 * room**2) - k2 * room) / 50.0
        assert stitched(path, 0.05)[0] == pytest.approx(max(wanted, 0.0))
    assert stitched(Path(np.array([50.0]), np.array([1.0]), np.array([1.0])), 0.05)[0] == 0.0


def test_the_worst_part_of_returns_and_their_quantiles():
    found = distribution_of(np.array([3.0, 1.0, 2.0, 1.0]), np.array([0.2, 0.1, 0.5, 0.2]))
    assert found.value.tolist() == [1.0, 2.0, 3.0]
    assert found.reached == pytest.approx([0.3, 0.8, 1.0])
    assert [found.quantile(s) for s in (0.1, 0.3, 0.31, 0.8, 0.81, 1.0)] == [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]
    assert [found.cvar(s) for s in (0.3, 0.5, 1.0)] == pytest.approx([1.0, (0.3 + 0.4) / 0.5, 1.9])
    for share in (0.0, -0.1, 1.1):
        with pytest.raises(UsageError, match=r"in \(0, 1\]"):
            found.cvar(share)
    with pytest.raises(SupportError, match="no trajectory"):
        distribution_of(np.ones(2), np.zeros(2))


def test_weights_that_differ_by_rounding_alone_do_not_vary():
    """A slope on them would be of nothing: the interval is that of the mean."""
    outcome = np.random.default_rng(8).normal(size=100)
    flat = np.ones(100)
    near = flat + 1e-6 * outcome  # a line through all outcomes, by differences of a millionth
    plain, rounded = (regression_interval(PairSums.of(w, outcome), w, outcome, 0.1) for w in (flat, near))
    assert rounded == pytest.approx(plain, rel=1e-6)
    assert np.ptp(plain) == pytest.approx(2 * stats.norm.ppf(0.95) * outcome.std() / 10, rel=0.05)
    varied = flat + 0.1 * (outcome + np.random.default_rng(9).normal(size=100))
    assert np.ptp(regression_interval(PairSums.of(varied, outcome), varied, outcome, 0.1)) < 0.9 * np.ptp(plain)
