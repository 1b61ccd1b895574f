"""The interval of a difference: sharp where enough rows speak, wide where they do not, always around its own value."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from tests.test_ope_balance import Honest, drawn, log_of, softmax

from campaignrl.ope.evaluate import compare_on_log, evaluate
from campaignrl.ope.intervals.empirical_likelihood import EMPIRICAL_LIKELIHOOD, PairSums
from campaignrl.ope.intervals.regression_t import (
    REGRESSION_T,
    SKEWED_T,
    balanced_interval,
    degrees_of_stakes,
    error_of_like_residuals,
    freedom_of_stakes,
    independent_rows,
    regression_interval,
    skewed_interval,
    skewness_of_sum,
)
from campaignrl.ope.methods.weighted_mean import Seen

ALPHA = 0.05


def interval(w, y, part=None):
    part = slice(None) if part is None else part
    return regression_interval(PairSums.of(w, y), w[part], y[part], ALPHA)


def by_hand(w, y):
    """The same from scratch: least squares read off at 1, every customer left out in turn."""
    n = len(w)
    design = np.c_[np.ones(n), w - 1.0]
    coefficients = np.linalg.lstsq(design, y, rcond=None)[0]
    residual = y - design @ coefficients
    inverse = np.linalg.inv(design.T @ design)
    leverage = np.einsum("ij,jk,ik->i", design, inverse, design)
    influence = (design @ inverse[:, 0]) * residual / (1 - leverage)
    concentration = (influence**4).sum() / (influence @ influence) ** 2
    df = min(2 / (concentration - 1 / n) + 1, n - 1)
    half = stats.t.isf(ALPHA / 2, df) * np.sqrt(influence @ influence)
    return coefficients[0] - half, coefficients[0] + half


@pytest.mark.parametrize("seed", range(5))
def test_sums_say_what_least_squares_says(seed):
    rng = np.random.default_rng(seed)
    w = rng.exponential(size=200)
    y = (w - 1.0) * rng.normal(size=200) + 0.3 * w + rng.normal(size=200)
    assert interval(w, y) == pytest.approx(by_hand(w, y), rel=1e-9)


def test_fewer_than_three_customers_show_no_shape():
    rng = np.random.default_rng(3)
    w, y = rng.exponential(size=50), rng.normal(size=50)
    assert interval(w, y, slice(0, 2)) is None
    assert interval(w, y, slice(0, 3)) is not None
    assert interval(w[:2], y[:2]) is None
    assert interval(w[:3], y[:3]) is not None


def test_weights_that_never_vary_leave_a_t_interval_of_the_mean():
    y = np.random.default_rng(0).normal(size=400)
    low, high = interval(np.ones(400), y)
    middle, half = y.mean(), stats.t.isf(0.025, 399) * y.std(ddof=1) / 20
    assert (low + high) / 2 == pytest.approx(middle)
    assert (high - low) / 2 == pytest.approx(half, rel=0.02)


def test_an_outcome_that_is_the_weight_itself_is_known_without_error():
    w = np.random.default_rng(0).exponential(size=300)
    noise = 1e-6 * np.random.default_rng(1).normal(size=300)
    low, high = interval(w, 2.0 * w + noise)
    assert [low, high] == pytest.approx([2.0, 2.0], abs=1e-5)


def test_one_customer_who_decides_it_all_leaves_three_degrees_of_freedom():
    y = np.r_[np.zeros(500), 40.0]
    low, high = interval(np.ones(501), y)
    assert (high - low) / 2 == pytest.approx(stats.t.isf(0.025, 3) * 40 / 501, rel=0.01)


def test_outcomes_that_never_differ_tell_nothing():
    assert interval(np.ones(50), np.zeros(50)) is None


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.01, 100.0), shift=st.floats(-50.0, 50.0))
def test_units_of_the_reward_do_not_matter(seed, scale, shift):
    rng = np.random.default_rng(seed)
    w, y = rng.exponential(size=150), rng.normal(size=150)
    low, high = interval(w, y)
    assert interval(w, scale * y + shift) == pytest.approx(
        (scale * low + shift, scale * high + shift), rel=1e-6, abs=1e-6
    )


def test_few_who_decide_do_not_make_the_heavy_rows_look_sure():
    """Ten heavy rows, in which nothing has happened yet, among 1,000: things may happen there as elsewhere."""
    w = np.r_[np.full(10, 40.0), np.full(990, 1.0 - 390 / 990)]
    residual = np.r_[np.full(10, -0.05), np.where(np.arange(990) % 20 == 0, 0.95, -0.05)]
    terms = (w - 1.0) * residual
    terms[0] *= 4.0  # one of them decides
    least = error_of_like_residuals(w - 1.0, residual, 1_000)
    assert least == pytest.approx(np.sqrt(((w - 1) ** 2).mean() * (residual**2).mean() / 1_000))
    plain = regression_interval(PairSums.of(w, terms), w, terms, ALPHA)
    wide = regression_interval(PairSums.of(w, terms), w, terms, ALPHA, least)
    assert wide[1] - wide[0] == pytest.approx(max(2 * stats.t.isf(0.025, 999) * least, plain[1] - plain[0]))
    assert regression_interval(PairSums.of(w, terms), w, terms, ALPHA, 1.0)[1] > wide[1]


def test_only_where_things_happen_is_a_value_as_unsure_as_if_residuals_were_alike():
    """The side without events is as long as the spread that was seen, over the degrees of the stakes."""
    g = np.random.default_rng(3)
    w = g.exponential(size=400)
    y = w * np.where(g.random(400) < 0.1, 5.0, -0.1)
    sums = PairSums.of(w, y)
    plain = (regression_interval(sums, w, y, ALPHA)[1] - regression_interval(sums, w, y, ALPHA)[0]) / 2
    for least in (0.0, 1.0):
        low, high = regression_interval(sums, w, y, ALPHA, least)
        centre, far = (low + high) / 2, (high - low) / 2
        sharp = regression_interval(sums, w, y, ALPHA, least, 1, 1e9)
        assert sharp[1] == high
        near = centre - sharp[0]
        assert near < plain <= far
        assert regression_interval(sums, w, y, ALPHA, least, 1, 0.0)[0] == pytest.approx(centre - plain)
        assert regression_interval(sums, w, y, ALPHA, least, -1, 1e9) == pytest.approx((low, centre + near))
        other = regression_interval(sums, w, y, ALPHA, least, 1, 100.0)
        ratio = stats.t.isf(0.025, 100) / stats.t.isf(0.025, 399)  # no more degrees than customers
        assert (centre - other[0]) / near == pytest.approx(ratio)
        mirrored = regression_interval(PairSums.of(w, -y), w, -y, ALPHA, least, -1, 1e9)
        assert mirrored == pytest.approx((-sharp[1], -sharp[0]))


def test_a_difference_whose_sum_is_skewed_leans_to_that_side_and_a_balanced_one_to_none():
    g = np.random.default_rng(4)
    stake = np.r_[np.full(20, 20.0), -g.exponential(size=380)]
    y = stake * np.where(g.random(400) < 0.1, 5.0, -0.1)
    sums, how = PairSums.of(1.0 + stake, y), (1.0 + stake, y, ALPHA, 3.0, 0.0)
    low, high = balanced_interval(sums, *how)
    centre, plain = (low + high) / 2, balanced_interval(sums, *how[:3], 0.0, 0.0)
    right, left = (balanced_interval(sums, *how, lean, 0.0) for lean in (1, -1))
    assert right == pytest.approx((plain[0], high))
    assert left == pytest.approx((low, plain[1]))
    assert right[0] > low
    assert centre - balanced_interval(sums, *how, 1, 1e9)[0] < centre - right[0]

    def ends(skewness, freedom=0.0):
        seen = Seen(sums, *how[:2], y, 3.0, 400.0, skewness, 0.0, freedom)
        return seen.balanced(ALPHA)

    assert ends(0.5) == pytest.approx(right)
    assert ends(-0.5) == pytest.approx(left)
    assert ends(0.49) == ends(-0.49) == (low, high)
    assert np.diff(ends(5.0, 50.0)) == pytest.approx(np.diff(ends(0.0, 50.0)))  # balanced stakes lean nowhere


def test_degrees_of_stakes_by_hand():
    assert degrees_of_stakes(np.array([3.0, 1.0, 1.0, 1.0]), 4.0) == pytest.approx(8.0 / (84.0 * 4 / 144 - 1.0) + 1.0)
    assert degrees_of_stakes(np.array([3.0, 1.0]), 50.0) == pytest.approx(100.0 / (82.0 * 2 / 100 - 1.0) + 1.0)
    assert degrees_of_stakes(np.zeros(4), 4.0) == 0.0
    assert degrees_of_stakes(np.array([-2.0, 2.0]), 4.0) > 1e9  # all alike


def test_the_interval_of_a_value_reaches_to_the_side_of_its_events():
    """Orders that were not seen can only add; losses, only take away."""
    honest, found = Honest(3_000), []
    orders = (honest.rng.random(3_000) < 0.05) * honest.rng.exponential(size=3_000)
    policy = np.tile([1.0, 0.0, 0.0, 0.0], (3_000, 1))
    for honest.reward in (orders, -orders):
        found.append(evaluate(honest.log(), policy, estimators=("dr",)).estimates["dr"])
    gain, loss = found
    assert (gain.interval, loss.interval) == (REGRESSION_T, REGRESSION_T)
    assert gain.ci_high - gain.value > 1.05 * (gain.value - gain.ci_low)
    assert loss[:4] == pytest.approx((-gain.value, gain.std_error, -gain.ci_high, -gain.ci_low))


def test_like_residuals_of_one_customer_tell_less():
    stake, residual = np.array([1.0, 1.0, 2.0, 2.0]), np.array([0.5, 0.5, -1.0, -1.0])
    assert error_of_like_residuals(stake, residual, 4) == pytest.approx(np.sqrt(10.0 * 2.5) / 8)
    assert independent_rows(stake, residual, 4, np.arange(4)) == 4
    assert independent_rows(stake, residual, 4, np.array([0, 0, 1, 1])) == 2  # every row twice
    assert independent_rows(stake, residual, 4, np.array([0, 1, 0, 1])) == 4  # residuals cancel
    opposed = np.array([1.0, -1.0, 2.0, -2.0])
    assert independent_rows(opposed, residual, 4, np.array([0, 0, 1, 1])) == 4  # stakes cancel
    assert independent_rows(stake[:2], residual[:2], 100, np.array([0, 0])) == 50  # of a part


def test_a_part_gives_the_shape_and_all_the_scale():
    rng = np.random.default_rng(0)
    w, y = rng.exponential(size=20_000), rng.normal(size=20_000)
    whole, part = interval(w, y), interval(w, y, slice(0, 20_000, 5))
    assert part == pytest.approx(whole, rel=0.02, abs=2e-3)


def close_policies(seed, n=2_000):
    """Two policies near the logging one, whose few heavy weights make a plain t interval too short."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    weights = [np.random.default_rng(s).normal(size=(2, 4)) for s in (1, 2, 3, 5)]
    P, E, F = (softmax(X @ w) for w in weights[:3])
    chance = 1 / (1 + np.exp(1 - X @ weights[3]))
    action = drawn(P, rng)
    rows = np.arange(n)
    log = log_of(X, action, P[rows, action], rng.random(n) < chance[rows, action])
    a, b = 0.95 * P + 0.05 * E, 0.9 * P + 0.1 * F
    return log, a, b, float(((a - b) * chance).sum(axis=1).mean())


def test_two_close_policies_are_told_apart():
    """The truth is -0.008; empirical likelihood found it in none of 100 logs, a plain t interval in 93."""
    found, held = 0, 0
    for seed in range(30):
        log, a, b, _ = close_policies(seed)
        made = compare_on_log(log, a, b)
        assert made.interval == REGRESSION_T
        found += made.ci_high < 0.0
        held += made.ci_low <= -0.0081 <= made.ci_high
    assert found >= 21
    assert held >= 26


def test_where_few_rows_speak_the_wide_interval_stands():
    h = Honest(300)
    rare = np.full((300, 4), 0.02 / 3)
    rare[:, 0] = 0.98
    action = drawn(rare, np.random.default_rng(0))
    log = h.log(action=action, p=rare[h.rows, action])
    assert evaluate(log, np.tile([0.0, 1.0, 0.0, 0.0], (300, 1))).ess < 100
    made = compare_on_log(log, np.tile([0.0, 1.0, 0.0, 0.0], (300, 1)), "logged")
    assert made.interval == EMPIRICAL_LIKELIHOOD


@pytest.mark.parametrize("bent", [0.5, 2.0])
def test_a_value_lies_in_its_own_interval_even_if_the_weights_are_all_wrong(bent):
    h = Honest(2_000)
    log = h.log(p=np.minimum(h.p * bent, 1.0))
    made = compare_on_log(log, h.E, "logged")
    assert made.ci_low <= made.value <= made.ci_high
    answer = evaluate(log, h.E)
    assert answer.lift_ci_low <= answer.lift <= answer.lift_ci_high
    for name, one in answer.estimates.items():
        if 0.0 <= one.value <= 1.0:
            assert one.ci_low <= one.value <= one.ci_high, name


# ---- stakes of both signs, and few events on one side


def few_and_large():
    """Ten stakes each way, none in the rest, and one large residual in a hundred rows."""
    stake = np.tile(np.r_[np.ones(2), -np.ones(2), np.zeros(16)], 5)
    return stake, np.r_[30.0, np.full(99, -0.3)]


def test_degrees_of_freedom_of_stakes_by_hand():
    stake, residual = few_and_large()
    spread = 100 / 20 - 1.0  # kurtosis of twenty stakes of size 1 among a hundred, less 1
    assert freedom_of_stakes(stake, residual, 100) == pytest.approx(2.0 * 100 / spread + 1.0)
    assert freedom_of_stakes(stake, residual, 50) == pytest.approx(2.0 * 50 / spread + 1.0)
    rare = np.r_[np.full(4, 24.0), np.full(96, -1.0)]  # one sign is heavy, and so is what is earned
    assert freedom_of_stakes(rare, residual, 100) == 0.0
    even = np.tile([1.0, -1.0], 50)  # where residuals are alike both ways, no stakes make their sum skewed
    assert freedom_of_stakes(rare, even, 100) > 1.0
    assert freedom_of_stakes(np.zeros(100), residual, 100) == 0.0


def test_skewness_of_a_sum_by_hand():
    g = np.random.default_rng(0)
    stake, residual = g.exponential(size=400), g.exponential(size=400) - 1.0
    drawn_ = np.array([(stake * g.permutation(residual)).mean() for _ in range(20_000)])
    wanted = stats.skew(drawn_)
    made = skewness_of_sum(stake, residual, 400)
    assert made == pytest.approx(
        (stake**3).mean() * (residual**3).mean() / 20 / ((stake**2).mean() * (residual**2).mean()) ** 1.5
    )
    assert 0.0 < wanted < 1.5 * made  # a permutation knows the residuals' mean, and is a little less skewed
    assert skewness_of_sum(-stake, residual, 400) == pytest.approx(-made)
    assert skewness_of_sum(stake, np.zeros(400), 400) == 0.0


def test_balanced_is_half_way_to_like_residuals():
    stake, residual = few_and_large()
    w, y = 1.0 + stake, stake * residual
    sums = PairSums.of(w, y)

    def half(like, freedom):
        low, high = balanced_interval(sums, w, y, ALPHA, like, freedom)
        return (high - low) / 2

    assert balanced_interval(sums, w, y, ALPHA, 0.0, 0.0) == pytest.approx(regression_interval(sums, w, y, ALPHA))
    plain, wide, wider = (half(like, 0.0) for like in (0.0, 2.0, 3.0))
    own = np.sqrt(9.0 / (2.0 * (wider / plain) ** 2 - 1.0))  # variances are met half-way
    assert own < 2.0
    assert wide == pytest.approx(plain * np.sqrt((1.0 + (2.0 / own) ** 2) / 2.0))
    assert half(0.9 * own, 0.0) == pytest.approx(plain)
    assert half(0.0, 1e9) / half(0.0, 40.0) == pytest.approx(stats.t.isf(0.025, 99) / stats.t.isf(0.025, 40))
    assert half(0.0, 40.0) < plain  # one row decides: by itself that leaves few degrees of freedom
    assert balanced_interval(sums, w[:2], y[:2], ALPHA, 0.0, 0.0) is None


def test_a_skewed_interval_goes_farther_where_few_events_lie():
    y = np.r_[np.zeros(95), np.ones(5)]
    w = np.ones(100)
    sums = PairSums.of(w, y)
    even, up, down = (skewed_interval(sums, w, y, ALPHA, 0.0, skewness) for skewness in (0.0, 0.4, -0.4))
    assert (even[0] + even[1]) / 2 == pytest.approx(0.05)
    assert up[1] - 0.05 > even[1] - 0.05 > 0.05 - even[0] > 0.05 - up[0] > 0.0
    assert [0.1 - end for end in down[::-1]] == pytest.approx(up)
    for end in up:  # Hall's transformation of the studentized mean is the quantile there
        T = (0.05 - end) / ((even[1] - even[0]) / 2 / stats.t.isf(0.025, 99))
        moved = T + 0.4 * T**2 / 3 + 0.4**2 * T**3 / 27 + 0.4 / 6
        assert abs(moved) == pytest.approx(stats.t.isf(0.025, 99))
    wide = skewed_interval(sums, w, y, ALPHA, 1.0, 0.0)
    assert (wide[1] - wide[0]) / 2 == pytest.approx(stats.t.isf(0.025, 99))
    assert skewed_interval(sums, w[:2], y[:2], ALPHA, 0.0, 0.0) is None


def test_few_orders_of_any_size_have_a_skewed_value():
    """Twelve orders with heavy tails, and an interval that goes farther up; empirical likelihood is wider."""
    h = Honest(2_000)
    reward = np.zeros(2_000)
    reward[np.random.default_rng(3).permutation(2_000)[:12]] = 40.0 * np.exp(np.random.default_rng(4).normal(size=12))
    made = evaluate(log_of(h.X, h.action, h.p, reward), h.E, estimators=("dr", "ips")).estimates
    assert made["dr"].interval == SKEWED_T
    assert made["dr"].ci_high - made["dr"].value > 1.3 * (made["dr"].value - made["dr"].ci_low)
    assert made["ips"].interval == EMPIRICAL_LIKELIHOOD
