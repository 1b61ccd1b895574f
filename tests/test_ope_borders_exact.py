"""Comparisons, samples and models of the evaluator at their borders: what the last day, row or customer decides."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats
from sklearn.ensemble import RandomForestRegressor
from test_ope_log import always, make_log

from campaignrl.ope.comparison.ahead import carried_on, lift_ahead
from campaignrl.ope.comparison.equivalence import Conclusion
from campaignrl.ope.comparison.personalisation import personalising
from campaignrl.ope.comparison.policies import Rows, _bands, _conclusion, harm_of, holm, p_value, part_table, parts_of
from campaignrl.ope.data.blocks import BLOCK, NUMBERS, blocks
from campaignrl.ope.data.log_sample import Noted, sampled
from campaignrl.ope.diagnostics.robust import log_sum_exp
from campaignrl.ope.intervals.clustered import Clusters, Estimate
from campaignrl.ope.intervals.empirical_likelihood import NO_OUTLIERS, PairSums
from campaignrl.ope.intervals.regression_t import (
    error_of_like_residuals,
    independent_rows,
    one_sided,
    regression_interval,
)
from campaignrl.ope.leaks import FOREST, Forest
from campaignrl.ope.nuisance.cross_fitting import folds_of


def between(low, high, value=None):
    return Estimate((low + high) / 2 if value is None else value, 0.1, low, high, "t")


# ---- the days to come


def test_the_days_ahead_begin_after_the_last_one_and_four_are_enough_to_tell():
    log = make_log(400, day=np.arange(400) % 4 + 10)
    rows = Rows.of(log, [always(log, 2), always(log, 0)])
    a, b = rows.evidence
    terms = a.expected - b.expected + (a.weight - b.weight) * (a.reward - a.predicted)
    for days, at in ((1, 14.0), (4, 15.5), (28, 27.5)):
        wanted = carried_on(terms, log.day.astype(float), at, a.clusters, 0.1)
        assert lift_ahead(log, always(log, 2), always(log, 0), days=days, alpha=0.1)[:4] == pytest.approx(wanted[:4])
    assert lift_ahead(log, always(log, 2), alpha=0.1) == lift_ahead(log, always(log, 2), days=28, alpha=0.1)


@pytest.mark.parametrize(("customers", "degrees"), [(2, 1), (3, 1), (4, 2), (12, 10)])
def test_a_line_takes_two_degrees_of_freedom_and_leaves_one_at_least(customers, degrees):
    chance = np.random.default_rng(0)
    made = carried_on(chance.normal(size=24), np.arange(24.0), 30.0, Clusters(np.arange(24) % customers), 0.1)
    assert made.ci_high - made.value == pytest.approx(stats.t.isf(0.05, degrees) * made.std_error)
    assert made.value - made.ci_low == pytest.approx(stats.t.isf(0.05, degrees) * made.std_error)


def test_the_error_of_a_line_by_loops():
    """Each residual counts by 1/n + ahead x far / sum of far^2; its spread over customers, as of sums."""
    terms, day, customer = np.array([1.0, 4.0, 2.0, 7.0, 3.0]), np.array([0.0, 1.0, 2.0, 3.0, 4.0]), [0, 1, 1, 2, 3]
    slope, middle = 0.7, 3.4  # least squares: sum of far x terms is 7, of far^2 10
    influence = [
        (1 / 5 + 4.0 * (d - 2.0) / 10.0) * (t - middle - slope * (d - 2.0)) for t, d in zip(terms, day, strict=True)
    ]
    sums = [sum(x for x, c in zip(influence, customer, strict=True) if c == who) for who in range(4)]
    made = carried_on(terms, day, 6.0, Clusters(np.array(customer)), 0.05)
    assert made.value == pytest.approx(middle + slope * 4.0)
    assert made.std_error == pytest.approx(math.sqrt(4 / 3 * sum(x * x for x in sums)))


# ---- several policies


def test_a_p_value_of_just_alpha_concludes_nothing_by_itself():
    unsure = between(-1.0, 2.0)
    assert _conclusion(unsure, 0.05, 0.05) is Conclusion.UNKNOWN
    assert _conclusion(unsure, 0.0499, 0.05) is Conclusion.BETTER
    assert _conclusion(between(-2.0, 1.0), 0.0499, 0.05) is Conclusion.WORSE


def test_p_values_end_at_a_millionth_of_a_millionth_and_ask_for_levels_there_are():
    asked = []

    def leaves_out_from(p):
        def interval(alpha):
            asked.append(alpha)
            return (0.5, 1.0) if alpha > p else (-1.0, 1.0)

        return interval

    assert p_value(leaves_out_from(1e-13)) == p_value(leaves_out_from(1e-200)) == 1e-12
    assert p_value(leaves_out_from(3e-12)) == pytest.approx(3e-12, rel=1e-9)
    assert p_value(leaves_out_from(0.5)) == pytest.approx(0.5, rel=1e-9)
    assert p_value(leaves_out_from(1.0)) == 1.0
    assert all(1e-12 <= alpha < 1.0 for alpha in asked)


def test_no_adjusted_p_value_is_above_one_and_the_same_policy_does_no_harm():
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    log = make_log(200)
    assert harm_of(Rows.of(log, [always(log, 2), always(log, 2)])) == 0.5
    unsure = Rows.of(log, [always(log, 2), always(log, 3)])
    harm = harm_of(unsure)
    assert 0.2 < harm < 0.8
    assert harm_of(unsure._replace(evidence=unsure.evidence[::-1])) == pytest.approx(1.0 - harm)


def test_waves_are_parts():
    log = make_log(6, wave=np.array([3, 1, 1, 7, 3, 1]))
    labels, of_row = parts_of(log, "wave")
    assert (labels, of_row.tolist()) == (["wave 1", "wave 3", "wave 7"], [1, 0, 0, 2, 1, 0])


def test_two_values_are_one_band():
    labels, band = _bands(np.array([0.0, 0.0, 0.0, 0.0, 1.0]))
    assert (labels, band.tolist()) == (["0 to 1", "unknown"], [0] * 5)
    assert part_table(()) == "   decisions   customers  lift"


def test_the_best_one_is_of_those_that_are_above_nothing():
    lifts = {"a": between(0.0, 2.0, 0.9), "b": between(0.1, 1.0, 0.5)}
    assert personalising(lifts, "x", between(0.4, 0.8)).text.startswith("Personalising pays: b earns")
    same = personalising({"a": between(-0.01, 0.0)}, "x", between(0.4, 0.8))
    assert same.conclusion is Conclusion.SAME
    assert same.text.startswith("Personalising gains almost nothing here: no more than x (a ")
    unsure = personalising({"a": between(-1.0, 1.0)}, "x", between(0.0, 0.8))
    assert unsure.margin == 0.0
    assert "would be almost nothing" not in unsure.text


# ---- some rows of a log


def test_blocks_are_of_so_many_rows_and_of_no_more_numbers():
    assert list(blocks(BLOCK + 1)) == [slice(0, BLOCK), slice(BLOCK, BLOCK + 1)]
    assert list(blocks(3, 2 * NUMBERS)) == [slice(0, 1), slice(1, 2), slice(2, 3)]
    assert list(blocks(5, NUMBERS // 2)) == [slice(0, 2), slice(2, 4), slice(4, 5)]
    assert list(blocks(0)) == []


@pytest.mark.parametrize(
    ("rows", "windows"),
    [(1 << 20, [31, 63, 95]), (1 << 15, [1, 3, 5]), (50_000, [3, 6, 9]), (1 << 24, [63, 127, 191])],
)
def test_of_a_log_those_windows_are_looked_at_with_which_a_share_is_full(rows, windows):
    """A thirty-second of a million rows: the last of every 32 windows; never more than 2^18 rows."""
    assert (sampled(0, 256 * (windows[-1] + 1), rows)[::256] // 256).tolist() == windows


@pytest.mark.parametrize(
    "at",
    [[], [0], [9], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [0, 2, 4, 5, 6, 9], [1, 3, 4, 8], [2, 3, 6, 7], [5, 6, 7, 8, 9]],
)
@pytest.mark.parametrize("edges", [(0, 10), (0, 5, 10), (0, 1, 4, 8, 10), (0, 3, 6, 9, 10), tuple(range(11))])
def test_what_a_policy_would_do_is_noted_whatever_blocks_it_is_asked_in(at, edges):
    p = np.arange(30.0).reshape(10, 3) / 32
    noted = Noted(np.array(at, dtype=np.intp), 3)
    for start, stop in pairwise(edges):
        noted.take(p[start:stop], slice(start, stop))
        noted.take(np.ones((stop - start, 2)), slice(start, stop))  # of no such shape: left alone
    assert noted.wanted.tolist() == p[at].tolist()


# ---- values that no heavy row decides


def test_a_mean_by_powers_of_e_by_hand():
    terms, usual = np.array([1.0, -2.0, 3.0, 500.0]), np.array([1.0, -2.0, 3.0, 3.0])
    parameter = -1.0 / (2.0 * usual.std())
    value, influence = 0.0, np.zeros(4)
    for sign in (1.0, -1.0):
        part = np.maximum(sign * terms, 0.0)
        mean = sum(math.exp(parameter * x) for x in part) / 4
        value += sign * math.log(mean) / parameter
        influence += sign * (np.exp(parameter * part) / mean - 1.0) / parameter
    found = log_sum_exp(terms, usual)
    assert found.value == pytest.approx(value)
    assert found.influence == pytest.approx(influence)
    even = log_sum_exp(terms, np.ones(4))
    assert even.value == terms.mean()
    assert even.influence.tolist() == (terms - terms.mean()).tolist()


def test_a_forest_for_each_action_has_not_seen_the_customers_it_speaks_of():
    log = make_log(120, seed=3)
    log = make_log(120, seed=3, action=np.where(log.action == 3, 0, log.action))
    weight, fold = np.linspace(0.5, 1.5, 120), folds_of(log.customers, 2, 1)[log.customer]
    found = Forest(log, 2, 1, weight).predict(slice(0, 120))
    X = log.context.encode()
    for a in range(3):
        for f in (0, 1):
            seen, mine = (log.action == a) & (fold != f), fold == f
            grown = RandomForestRegressor(**FOREST).fit(X[seen], log.reward[seen], sample_weight=weight[seen])
            assert found[mine, a] == pytest.approx(grown.predict(X[mine]))
    assert found[:, 3].tolist() == [log.reward.mean()] * 120  # never taken
    assert Forest(log, 2, 1, weight)._grown(np.zeros((4, 0)), np.ones(4), np.ones(4)) is None


# ---- a regression on the weights


@pytest.mark.parametrize(
    ("n", "m", "heavy"), [(3, 3, 2.0), (12, 12, 3.0), (12, 5, 3.0), (12, 3, 2.0), (12, 12, 1e4), (12, 12, None)]
)
def test_a_regression_read_off_at_a_weight_of_one_by_loops(n, m, heavy):
    """heavy: weight of the first customer, whose residual has hardly a say of its own; None: all weigh alike."""
    chance = np.random.default_rng(n + m)
    w, y = chance.exponential(size=n), chance.normal(1.0, 2.0, n)
    w[0] = heavy or 1.0
    if heavy is None:
        w[:] = 1.0
    mean_w, mean_y = sum(w) / n, sum(y) / n
    spread = sum((x - mean_w) ** 2 for x in w)
    slope = 0.0 if heavy is None else sum((x - mean_w) * z for x, z in zip(w, y, strict=True)) / spread
    rest, influence = [], []
    for x, z in zip(w[:m], y[:m], strict=True):
        far = x - mean_w
        rest.append(z - mean_y - slope * far)
        apart = 0.0 if heavy is None else (1.0 - mean_w) * far / spread
        own = 1.0 / n + (0.0 if heavy is None else far**2 / spread)
        influence.append((1.0 / n + apart) * rest[-1] / max(1.0 - own, 0.05))
    square = sum(x**2 for x in influence)
    of_all = sum((z - mean_y - slope * (x - mean_w)) ** 2 for x, z in zip(w, y, strict=True)) / n
    variance = square * n / m * of_all / (sum(x**2 for x in rest) / m)
    spent = sum(x**4 for x in influence) / square**2 * m / n - 1.0 / n
    degrees = min(2.0 / spent + 1.0, n - 1.0) if spent > 0.0 else n - 1.0
    low, high = regression_interval(PairSums.of(w, y), w[:m], y[:m], 0.1)
    assert (low + high) / 2 == pytest.approx(mean_y + slope * (1.0 - mean_w))
    assert (high - low) / 2 == pytest.approx(stats.t.isf(0.05, degrees) * math.sqrt(variance))
    assert regression_interval(PairSums.of(w[:2], y[:2]), w[:m], y[:m], 0.1) is None
    assert regression_interval(PairSums.of(w, y), w[:2], y[:2], 0.1) is None


def test_one_row_is_on_no_side_and_rows_that_are_all_as_far_neither():
    assert [one_sided(np.array(rows)) for rows in ([3.0], [-3.0], [1.0] * 3, [-1.0] * 3)] == [False] * 4
    assert error_of_like_residuals(np.array([2.0]), np.array([3.0]), 4.0) == 3.0
    assert error_of_like_residuals(np.zeros(0), np.zeros(0), 4.0) == 0.0
    twice = np.array([0, 0, 1, 1])
    assert independent_rows(np.zeros(4), np.ones(4), 4.0, twice) == 4.0
    assert independent_rows(np.ones(4), np.zeros(4), 4.0, twice) == 4.0
    assert [part.shape for part in NO_OUTLIERS] == [(2, 0), (2, 0)]


def test_outcomes_on_a_line_tell_no_spread_however_they_were_rounded():
    """A zero by luck of the kernel and the smallest number beside it are told alike: no width is no interval."""
    rng = np.random.default_rng(3)
    w = rng.gamma(4.0, 0.25, 300)
    for dust in (0.0, 1e-16, 1e-15):
        y = 1.0 + dust * rng.normal(size=300)
        assert regression_interval(PairSums.of(w, y), w, y, 0.1) is None
        line = 0.5 + 2.0 * w + dust * rng.normal(size=300)
        assert regression_interval(PairSums.of(w, line), w, line, 0.1) is None
    seen = 1.0 + 1e-5 * rng.normal(size=300)
    low, high = regression_interval(PairSums.of(w, seen), w, seen, 0.1)
    assert 1e-7 < high - low < 1e-5
