"""Intervals: hand-made arrays, laws, and how often they hold the truth."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from textbook_bounds import reward_extremes

from campaignrl.ope.estimators import bandit
from campaignrl.ope.estimators.weights import mean_weight_p_value
from campaignrl.ope.intervals.clustered import Clusters, clustered_t, numbered, std_error
from campaignrl.ope.intervals.empirical_likelihood import (
    Extreme,
    PairSums,
    cressie_read,
    cressie_read_point,
    mean_weight_statistic,
)
from campaignrl.ope.intervals.quantiles import binomial_p, f_quantile, f_tail, normal_tail, t_quantile
from campaignrl.ope.methods.likelihood_of_rows import FOLDED, KEPT, farthest, joined, largest
from campaignrl.ope.methods.registry import difference, estimate
from campaignrl.ope.methods.weighted_rows import Evidence


def evidence(weight, reward, customer=None, bound=50.0, q=0.0, value=0.0, rewards=(0.0, 1.0)):
    n = len(weight)
    clusters = Clusters(np.arange(n) if customer is None else customer)
    predicted = (q, q) if np.isscalar(q) else (float(np.min(q)), float(np.max(q)))
    q, value = np.full(n, q, dtype=float), np.full(n, value, dtype=float)
    return Evidence(np.asarray(reward, float), q, np.asarray(weight, float), value, clusters, 0.0, (0.0, bound),
                    rewards, predicted)  # fmt: skip


# ---- standard errors, by hand


def test_one_row_a_customer_is_the_ordinary_standard_error():
    x = np.array([1.0, 2.0, 4.0, 9.0])
    point = bandit.dm(x).point()
    e = clustered_t(point, Clusters(np.arange(4)), 0.05)
    assert e.value == 4.0
    assert e.std_error == pytest.approx(x.std(ddof=1) / 2)
    assert (e.ci_low, e.ci_high) == pytest.approx(stats.t.interval(0.95, 3, 4.0, x.std(ddof=1) / 2))


def test_unequal_customers_by_hand():
    # customer 7: rows 1, 3; customer 2: row 5. Mean 3; sums of deviations -2 and 2; sqrt(2/1 * 8) / 3.
    assert std_error(np.array([-2.0, 0.0, 2.0]), Clusters(np.array([7, 7, 2]))) == pytest.approx(4 / 3)


def test_a_ratio_by_hand():
    point = bandit.snips(np.array([1.0, 3.0]), np.array([0.0, 1.0])).point()
    assert point.value == 0.75
    assert point.influence.tolist() == [-0.375, 0.375]  # w (r - 3/4) / mean w, mean w = 2


def test_one_customer_has_no_standard_error():
    assert math.isnan(std_error(np.array([0.5, -0.5]), Clusters(np.array([0, 0]))))


def test_every_row_twice_narrows_nothing():
    rng = np.random.default_rng(0)
    w, r = rng.choice([0.5, 3.0], 500, p=[0.8, 0.2]), (rng.random(500) < 0.2).astype(float)
    once, twice = evidence(w, r), evidence(np.repeat(w, 2), np.repeat(r, 2), np.repeat(np.arange(500), 2))
    for name in ("ips", "snips", "dr", "ips_clip"):
        a, b = estimate(name, once, 0.05), estimate(name, twice, 0.05)
        assert a.std_error == pytest.approx(b.std_error, rel=1e-9)
        assert b.ci_high - b.ci_low >= 0.98 * (a.ci_high - a.ci_low)


# ---- empirical likelihood, laws


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.2, 1.0, 4.0]), st.integers(0, 10)), min_size=2, max_size=30),
    st.floats(-5, 5),
    st.floats(0.1, 100),
)
def test_rewards_in_another_unit_give_the_same_interval_in_that_unit(rows, shift, scale):
    w, r = np.array([x for x, _ in rows]), np.array([x / 10 for _, x in rows])
    bounds = (0.0, 8.0)

    def interval(reward, low, high):
        sums = PairSums.of(w, w * reward)
        return cressie_read(sums, reward_extremes(bounds, low), reward_extremes(bounds, high), 0.05)

    plain, moved = interval(r, 0.0, 1.0), interval(shift + scale * r, shift, shift + scale)
    assert plain[0] <= plain[1]
    assert moved == pytest.approx([shift + scale * end for end in plain], rel=1e-6, abs=1e-6 * scale)


def test_more_confidence_is_a_wider_interval():
    rng = np.random.default_rng(1)
    e = evidence(rng.choice([0.5, 3.0], 300, p=[0.8, 0.2]), (rng.random(300) < 0.1).astype(float), bound=3.0)
    inner, outer = estimate("ips", e, 0.2), estimate("ips", e, 0.01)
    assert outer.ci_low < inner.ci_low < inner.ci_high < outer.ci_high


def test_weights_that_are_all_one_leave_the_mean_of_rewards():
    r = np.array([0.0, 1.0, 1.0, 0.0, 1.0])
    sums = PairSums.of(np.ones(5), r)
    assert cressie_read_point(sums, 1.0, 1.0, float(r.mean())) == pytest.approx(0.6)
    low, high = cressie_read(sums, reward_extremes((1.0, 1.0), 0.0), reward_extremes((1.0, 1.0), 1.0), 0.05)
    # joined by a sixth row of reward 1 the mean is 4/6 and the variance 2/9; below, 3/6 and 1/4
    cut = stats.f.isf(0.05, 1, 5)
    assert (low, high) == pytest.approx((3 / 6 - math.sqrt(cut / 4 / 6), 4 / 6 + math.sqrt(cut * 2 / 9 / 6)))


@pytest.mark.parametrize("reward", [0.0, 1.0])
def test_equal_rewards_give_a_finite_interval_that_is_open_to_one_side(reward):
    e = estimate("ips", evidence(np.ones(200), np.full(200, reward), bound=2.0), 0.05)
    assert e.value == reward
    assert 0.0 <= e.ci_low <= reward <= e.ci_high <= 1.0
    assert 0.0 < e.ci_high - e.ci_low < 0.1


def test_a_policy_differs_from_itself_by_exactly_nothing():
    rng = np.random.default_rng(2)
    e = evidence(rng.choice([0.5, 3.0], 100), rng.random(100), q=0.3, value=0.4)
    assert difference(e, e, 0.05)[:4] == (0.0, 0.0, 0.0, 0.0)


# ---- how often they hold the truth


PROPENSITY, TARGET = np.r_[0.01, np.full(9, 0.11)], np.r_[0.5, np.full(9, 0.5 / 9)]


def study(n, runs, rate, seed, name, bound=50.0):
    """Share of runs whose interval holds `rate`, and mean width; half the target is on an action logged 1 %."""
    rng, held, width = np.random.default_rng(seed), 0, 0.0
    for _ in range(runs):
        action = rng.choice(10, n, p=PROPENSITY)
        e = evidence((TARGET / PROPENSITY)[action], rng.random(n) < rate, bound=bound, q=0.03, value=0.03)
        made = (
            clustered_t(bandit.ips(e.weight, e.reward).point(), e.clusters, 0.05)
            if name == "t"
            else estimate(name, e, 0.05)
        )
        held += made.ci_low <= rate <= made.ci_high
        width += (made.ci_high - made.ci_low) / runs
    return held / runs, width


def test_rare_conversions_fool_the_t_interval():
    covered, _ = study(1000, 200, 0.02, 0, "t")
    assert covered < 0.60


@pytest.mark.parametrize("name", ["ips", "dr"])
def test_rare_conversions_do_not_fool_empirical_likelihood(name):
    covered, width = study(1000, 200, 0.02, 0, name)
    assert covered >= 0.93
    assert width <= 0.16


@pytest.mark.parametrize("name", ["ips", "dr"])
def test_ordinary_rates_are_covered_at_the_stated_rate(name):
    covered, _ = study(4000, 300, 0.4, 1, name)
    assert 0.91 <= covered <= 1.0


def test_the_mean_weight_test_is_silent_on_a_true_log_with_a_rare_action():
    rng = np.random.default_rng(3)
    alarms = 0
    for _ in range(400):
        w = (TARGET / PROPENSITY)[rng.choice(10, 1000, p=PROPENSITY)]
        alarms += mean_weight_p_value(w, Clusters(np.arange(1000)), (0.0, 50.0)) < 0.001
    assert alarms <= 4  # a z test alarms in about 2 % of such runs


def test_the_mean_weight_test_finds_propensities_that_are_ten_percent_off():
    rng = np.random.default_rng(4)
    w = np.array([0.5, 1.5])[rng.integers(0, 2, 5000)] / 0.9
    assert mean_weight_p_value(w, Clusters(np.arange(5000)), (0.0, 2.0)) < 1e-9


# ---- chances that may not go below 0


def least_mean(w, y, extreme, budget):
    """Least mean of y by a general solver: chances of the sample and of what was missed, the sample's not below 0.

    In multiples of an even share, so that chances, their sum and the budget are all of the size of 1: with chances of
    1 / m the solver gave up on some kernels and not on others. It stops at rounding: as near as the first tolerance
    it reaches.
    """
    w, y, m = np.append(w, extreme.weight), np.append(y, extreme.outcome), len(w) + 1
    asked = [
        {"type": "eq", "fun": lambda p: p.mean() - 1, "jac": lambda p: np.full(m, 1 / m)},
        {"type": "eq", "fun": lambda p: p @ w / m - 1, "jac": lambda p: w / m},
        {"type": "ineq", "fun": lambda p: budget - ((p - 1) ** 2).sum(), "jac": lambda p: -2 * (p - 1)},
    ]
    for tolerance in (1e-12, 1e-10, 1e-8):
        found = optimize.minimize(
            lambda p: p @ y / m,
            np.ones(m),
            jac=lambda p: y / m,
            bounds=[(0, None)] * (m - 1) + [(None, None)],
            method="SLSQP",
            constraints=asked,
            options={"maxiter": 500, "ftol": tolerance},
        )
        if found.success:
            return found.fun
    raise AssertionError(f"the solver that this is compared with found nothing: {found.message}")


@pytest.mark.parametrize("seed", range(12))
def test_no_customer_has_a_chance_below_nothing(seed):
    """The end is the least mean that any such distribution has; the closed form alone lies outside."""
    chance = np.random.default_rng(seed)
    n = int(chance.integers(15, 35))
    w = np.where(chance.random(n) < 0.15, 5.0, 0.3) * chance.uniform(0.9, 1.1, n)
    y = w * (chance.random(n) < 0.2) * chance.uniform(0.2, 1.0, n)
    sums, missed = PairSums.of(w, y), Extreme(8.0, 0.0)
    extremes = [Extreme(0.0, 0.0), missed]
    budget = mean_weight_statistic(sums, 0.0, 8.0) + float(stats.f.isf(0.05, 1, n))
    best = min(least_mean(w, y, extreme, budget) for extreme in extremes)
    low, _ = cressie_read(sums, extremes, extremes, 0.05, farthest(np.stack([w, y])))
    closed, _ = cressie_read(sums, extremes, extremes, 0.05)
    assert low == pytest.approx(best, abs=1e-7)
    assert closed <= low + 1e-12


def test_one_conversion_of_a_rare_action_is_no_evidence_against_the_others():
    """Ten rows of the wanted action, one converts; 20 of the 990 others do, which alone are worth half their rate."""
    weight, reward = np.r_[np.full(10, 50.0), np.full(990, 0.5 / 0.99)], np.zeros(1000)
    reward[[0, *range(10, 30)]] = 1.0
    low = estimate("ips", evidence(weight, reward), 0.05).ci_low
    assert 0.005 < low < 0.5 * 20 / 990
    reward[0] = 0.0
    assert estimate("ips", evidence(weight, reward), 0.05).ci_low < low


@given(st.lists(st.integers(0, 6), min_size=1, max_size=3 * FOLDED), st.data())
@settings(max_examples=60, deadline=None)
def test_the_farthest_of_parts_are_the_farthest_of_the_whole(values, data):
    columns = np.stack([np.arange(len(values)), np.array(values, dtype=float)])
    above, below = farthest(columns)
    assert above[1].tolist() == sorted(values, reverse=True)[:KEPT]
    assert below[1].tolist() == sorted(values)[:KEPT]
    cut = data.draw(st.integers(0, len(values)))
    parts = joined([farthest(columns[:, :cut]), farthest(columns[:, cut:])])
    assert [part.tolist() for part in parts] == [above.tolist(), below.tolist()]


def test_long_arrays_give_their_largest_values_and_of_equal_ones_the_first():
    values = np.random.default_rng(0).permutation(50_000).astype(float)
    assert values[largest(values)].tolist() == list(range(49_999, 49_999 - KEPT, -1))
    flat = np.zeros(50_000)
    flat[[40_000, 49_999]] = 1.0
    assert largest(flat).tolist() == [40_000, 49_999, *range(KEPT - 2)]


@given(st.integers(0, 1_000), st.floats(-3.0, 3.0), st.floats(0.0, 1.5))
def test_the_nearest_distribution_values_a_constant_at_itself(seed, reward, shift):
    """Its weights have mean 1, so rewards that are all alike are worth just that, whatever the weights."""
    w = np.random.default_rng(seed).uniform(0.0, 2.0, 40) * shift
    assert cressie_read_point(PairSums.of(w, reward * w), 0.0, 4.0, reward) == pytest.approx(reward, abs=1e-9)


def test_a_binomial_p_value_by_hand():
    assert binomial_p(0, 10, 0.5) == pytest.approx(2 / 1024)
    assert binomial_p(5, 10, 0.5) == binomial_p(5, 100, 0.05) == 1.0
    assert binomial_p(1, 2, 0.25) == pytest.approx(7 / 16)  # 9, 6 and 1 of 16
    assert (binomial_p(3, 3, 1.0), binomial_p(2, 3, 1.0), binomial_p(0, 3, 0.0)) == (1.0, 0.0, 1.0)


@given(st.integers(1, 3_000_000), st.floats(0.001, 0.999), st.floats(-6.0, 6.0))
@example(100, 0.5, 2.0)  # counts that are exactly as likely on the other side
@example(1, 0.5, 1.0)
def test_a_binomial_p_value_is_that_of_scipy(tries, share, deviations):
    hits = int(np.clip(round(tries * share + deviations * (tries * share * (1.0 - share)) ** 0.5), 0, tries))
    expected = stats.binomtest(hits, tries, share).pvalue
    assert binomial_p(hits, tries, share) == pytest.approx(expected, rel=1e-9)


@given(st.floats(1e-9, 0.999), st.floats(1.0, 1e7), st.floats(0.0, 1e6) | st.just(math.inf))
def test_quantiles_and_tails_are_those_of_scipy_to_the_bit(tail, freedom, value):
    assert t_quantile(tail, freedom) == stats.t.isf(tail, freedom)
    assert f_quantile(tail, freedom) == stats.f.isf(tail, 1, freedom)
    assert f_tail(value, freedom) == stats.f.sf(value, 1, freedom)
    assert normal_tail(value) == stats.norm.sf(value)


def test_a_value_that_is_none_has_no_tail():
    assert math.isnan(f_tail(math.nan, 3.0))
    assert f_tail(-1.0, 3.0) == 1.0


@given(st.lists(st.integers(-3, 3), max_size=30), st.booleans())
def test_customers_are_numbered_in_their_order(customer, ordered):
    whose = np.array(sorted(customer) if ordered else customer, dtype=np.int64)
    assert np.array_equal(numbered(whose), np.unique(whose, return_inverse=True)[1])
