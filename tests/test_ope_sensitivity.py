"""How wrong would a log have to be: bounds by hand, by brute force, and against a choice that the log does not show."""

import copy
import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.test_ope_balance import Honest, log_of, softmax

import campaignrl as crl
from campaignrl.ope.diagnostics.sensitivity import (
    GAMMAS,
    MOST,
    Sensitivity,
    Sides,
    _crossing,
    ratio_bounds,
    sensitivity,
)
from campaignrl.ope.evaluate import evaluate
from campaignrl.ope.streaming.evaluate import evaluate_stream
from campaignrl.report.figures.evidence import evidence_pictures
from campaignrl.report.html import ReportContent
from campaignrl.tables.log.files import write_log


def test_bounds_by_hand():
    """Three rows of p = 1/2 and weight 2: at 3 a row weighs 4 or 4/3. Largest: only the 3 heavy; least: only the 0."""
    low, high = ratio_bounds(np.full(3, 2.0), np.full(3, 0.5), np.array([3.0, 0.0, 1.0]), 3.0)
    assert high == pytest.approx((4 * 3 + 4 / 3 * 1) / (4 + 4 / 3 + 4 / 3))
    assert low == pytest.approx((4 / 3 * 3 + 4 / 3 * 1) / (4 / 3 + 4 + 4 / 3))


def test_a_certain_row_is_certain_whatever_the_factor():
    low, high = ratio_bounds(np.ones(2), np.ones(2), np.array([0.0, 1.0]), 10.0)
    assert low == high == 0.5


rows = st.integers(1, 8).flatmap(
    lambda n: st.tuples(
        *(
            st.lists(each, min_size=n, max_size=n)
            for each in (st.floats(0.01, 20.0), st.floats(0.01, 1.0), st.sampled_from([-2.0, 0.0, 0.0, 1.0, 1.0, 3.5]))
        )
    )
)


@settings(max_examples=150, deadline=None)
@given(rows, st.floats(1.0, 8.0))
def test_bounds_are_the_best_of_all_corners(columns, gamma):
    weight, p, outcome = (np.array(column) for column in columns)
    found = []
    for factors in itertools.product((1 / gamma, gamma), repeat=len(p)):
        w = weight * (p + (1 - p) * np.array(factors))
        found.append(float(w @ outcome / w.sum()))
    assert ratio_bounds(weight, p, outcome, gamma) == pytest.approx((min(found), max(found)), abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000), st.floats(1.0, 6.0))
def test_no_weights_inside_the_model_leave_the_bounds_of_a_difference(seed, gamma):
    """Two policies on the same rows: any factors, the same for both, in the part that differs."""
    rng = np.random.default_rng(seed)
    n = 30
    p, a, b, r = rng.uniform(0.1, 1.0, n), rng.random(n) * 3, rng.random(n) * 3, rng.normal(size=n)
    sides = Sides.of(a, b, p, r)
    factor = gamma ** rng.uniform(-1, 1, n)
    more, less = np.maximum(a - b, 0), np.maximum(b - a, 0)
    means = [(w * (p + (1 - p) * factor)) @ r / (w @ (p + (1 - p) * factor)) for w in (more, less)]
    share = sides.more.share
    assert share == pytest.approx(np.abs(a - b).mean() / 2)
    apart = share * (means[0] - means[1])
    assert sides.end(gamma, upper=False) - 1e-9 <= apart <= sides.end(gamma, upper=True) + 1e-9


def test_a_policy_against_itself_has_no_bounds():
    w, p, r = np.ones(5), np.full(5, 0.5), np.arange(5.0)
    assert Sides.of(w, w, p, r) == (None, None)
    assert sensitivity(0.0, (0.0, 0.0), Sides.of(w, w, p, r), Sides.of(w, w, p, r)).curve == ()


def test_a_mixture_is_that_share_of_the_policy():
    rng = np.random.default_rng(0)
    w, p, r = rng.random(50) * 2, rng.uniform(0.2, 0.9, 50), rng.normal(size=50)
    whole, part = (Sides.of(w, None, p, r, mix) for mix in (1.0, 0.25))
    assert part.end(2.0, upper=True) == pytest.approx(0.25 * whole.end(2.0, upper=True))


def test_factors_are_where_the_ends_cross_nothing():
    rng = np.random.default_rng(0)
    n = 4_000
    w, p, r = rng.random(n) * 2, np.full(n, 0.5), (rng.random(n) < 0.3).astype(float)
    sides = Sides.of(w, None, p, r)
    found = sensitivity(0.05, (0.03, 0.07), sides, sides)
    at = 0.05 + sides.end(found.sign, upper=False) - sides.end(1.0, upper=False)
    assert at == pytest.approx(0.0, abs=1e-5)
    assert 1.0 < found.interval < found.sign
    assert found.curve[0] == pytest.approx((1.0, 0.05, 0.05, 0.03, 0.07))
    down = sensitivity(-0.05, (-0.07, -0.03), sides, sides)
    assert -0.05 + sides.end(down.sign, upper=True) - sides.end(1.0, upper=True) == pytest.approx(0.0, abs=1e-5)
    lows, highs = (np.array([getattr(b, name) for b in found.curve]) for name in ("low", "high"))
    assert (np.diff(lows) <= 0).all()
    assert (np.diff(highs) >= 0).all()
    assert sensitivity(0.05, (-0.01, 0.11), sides, sides).interval == 1.0
    far = sensitivity(5.0, (4.0, 6.0), sides, sides)
    assert math.isinf(far.sign)
    assert far.to_dict()["sign"] is None
    assert far.to_dict()["largest_factor"] == MOST
    assert "a factor of more than 50" in far.sentence()


def by_loops(rows, gamma, upper):
    """(mean, sum of squares of what each row does to it) at the worst factors; rows: (weight, p, outcome) each."""
    best, found = None, None
    for cut in sorted({outcome for _, _, outcome in rows} | {-math.inf}):
        heavy = [bool(outcome > cut) == upper for _, _, outcome in rows]
        w = [
            weight * (p + (1 - p) * (gamma if high else 1 / gamma))
            for (weight, p, _), high in zip(rows, heavy, strict=True)
        ]
        mean = sum(x * row[2] for x, row in zip(w, rows, strict=True)) / sum(w)
        if best is None or (mean > best if upper else mean < best):
            best = mean
            found = sum((x * (row[2] - mean) / sum(w)) ** 2 for x, row in zip(w, rows, strict=True))
    return best, found


@pytest.mark.parametrize("mix", [1.0, 0.6])
def test_ends_and_spreads_of_a_difference_by_loops(mix):
    chance = np.random.default_rng(3)
    n = 40
    w, other, p, r = chance.random(n) * 3, chance.random(n) * 2, chance.uniform(0.2, 1.0, n), chance.normal(size=n)
    sides = Sides.of(w, other, p, r, mix)
    more, less = np.maximum(mix * w - other, 0.0), np.maximum(other - mix * w, 0.0)
    apart = more.sum() / n - less.sum() / n
    shares = more.sum() / n - (apart - (mix - 1)) / 2, less.sum() / n + (apart - (mix - 1)) / 2
    assert (sides.more.share, sides.less.share) == pytest.approx(shares)
    assert shares[0] - shares[1] == pytest.approx(mix - 1)
    of = [[(x, q, y) for x, q, y in zip(own, p, r, strict=True) if x > 0] for own in (more, less)]
    assert [len(side.rows.weight) for side in sides] == [len(of[0]), len(of[1])]
    for gamma in (1.0, 2.5):
        for upper in (True, False):
            (up, square), (down, other_square) = by_loops(of[0], gamma, upper), by_loops(of[1], gamma, not upper)
            assert sides.end(gamma, upper) == pytest.approx(shares[0] * up - shares[1] * down)
            wanted = shares[0] ** 2 * square + shares[1] ** 2 * other_square
            assert sides.spread(gamma, upper) == pytest.approx(wanted)
            alone = sides._replace(less=None), sides._replace(more=None)
            assert [one.end(gamma, upper) for one in alone] == pytest.approx([shares[0] * up, -shares[1] * down])
            assert sum(one.spread(gamma, upper) for one in alone) == pytest.approx(wanted)


def test_a_side_without_rows_or_without_a_share_is_none():
    p, r = np.full(4, 0.5), np.arange(4.0)
    sides = Sides.of(np.ones(4), np.array([2.0, 1.0, 1.0, 1.0]), p, r)
    assert sides.more is None
    assert sides.less.share == pytest.approx(0.125)
    assert Sides.of(np.zeros(4), None, p, r).more is None
    assert Sides.of(np.ones(4), None, p, r, 0.0).more is None
    assert math.isnan(ratio_bounds(np.zeros(4), p, r, 2.0)[1])


@pytest.mark.parametrize(("lift", "interval"), [(0.08, (0.03, 0.2)), (-0.08, (-0.2, -0.03))])
def test_an_interval_widens_as_its_rows_spread_and_never_narrows(lift, interval):
    chance = np.random.default_rng(4)
    n = 300
    w, p, r = chance.random(n) * 2, chance.uniform(0.3, 0.9, n), chance.normal(size=n)
    sides, few = Sides.of(w, None, p, r), Sides.of(w[:50], None, p[:50], r[:50])
    found = sensitivity(lift, interval, sides, few)
    assert found.rows == n
    for bound in found.curve:
        ends = []
        for upper in (False, True):
            moved = lift + sides.end(bound.gamma, upper) - sides.end(1.0, upper)
            wider = max(math.sqrt(few.spread(bound.gamma, upper) / few.spread(1.0, upper)), 1.0)
            ends.append((moved, moved + (interval[upper] - lift) * wider))
        assert (bound.low, bound.high, bound.ci_low, bound.ci_high) == pytest.approx(
            (ends[0][0], ends[1][0], ends[0][1], ends[1][1])
        )
    upper = lift < 0.0
    for gamma, what in ((found.sign, 0), (found.interval, 1)):
        moved = lift + sides.end(gamma, upper) - sides.end(1.0, upper)
        wider = max(math.sqrt(few.spread(gamma, upper) / few.spread(1.0, upper)), 1.0)
        assert moved + what * (interval[upper] - lift) * wider == pytest.approx(0.0, abs=1e-6)
    touching = (0.0, 0.2) if lift > 0 else (-0.2, 0.0)
    assert sensitivity(lift, touching, sides, few).interval == 1.0
    assert [bound.gamma for bound in found.curve] == list(GAMMAS)


def test_what_has_no_curve_and_what_a_lift_of_nothing_says():
    w, p, r = np.ones(5), np.full(5, 0.5), np.arange(5.0)
    sides = Sides.of(w, None, p, r)
    for lift, interval in ((math.nan, (0.0, 1.0)), (0.1, (-math.inf, 1.0)), (0.0, (0.0, 0.0))):
        found = sensitivity(lift, interval, sides, sides)
        assert (found.curve, found.rows, found.sentence()) == ((), 5, "")
        assert math.isnan(found.sign)
        assert (found.to_dict()["sign"], found.to_dict()["rows"]) == (None, 5)
    nothing = sensitivity(0.0, (-0.1, 0.1), sides, sides)
    assert (nothing.sign, nothing.interval) == (1.0, 1.0)
    said = "to turn the sign of the lift, odds of propensities must be off by a factor of "
    assert nothing.sentence() == f"{said}1 (its interval holds 0 as it is)"
    told = Sensitivity(2.0, 1.25, 5, nothing.curve).sentence()
    assert told == f"{said}2 (its interval might hold 0 from 1.25 on)"


@pytest.mark.parametrize("lift", [0.02, -0.02])
@pytest.mark.parametrize("which", ["more", "less", "both"])
def test_the_factor_of_a_sign_is_where_the_end_is_with_a_sort_and_without(which, lift):
    chance = np.random.default_rng(6)
    w, other, p = chance.random(400) * 2, chance.random(400) * 2, chance.uniform(0.2, 0.9, 400)
    r = np.round(chance.normal(size=400), 1)
    others = {"more": None, "less": other, "both": other}[which]
    sides = Sides.of(np.zeros(400) if which == "less" else w, others, p, r)
    assert (sides.more is None, sides.less is None) == (which == "less", which == "more")
    sign = sensitivity(lift, (lift - 0.01, lift + 0.01), sides, sides).sign
    assert 1.0 < sign < MOST
    at = lift + sides.end(sign, upper=lift < 0.0) - sides.end(1.0, upper=lift < 0.0)
    assert at == pytest.approx(0.0, abs=1e-6)


def test_a_curve_is_worked_out_once_it_is_asked_for():
    chance = np.random.default_rng(5)
    w, p, r = chance.random(200) * 2, chance.uniform(0.3, 0.9, 200), chance.normal(size=200)
    sides = Sides.of(w, None, p, r)
    found, again = (sensitivity(0.3, (0.1, 0.5), sides, sides) for _ in range(2))
    assert len(found.curve) == len(GAMMAS)
    assert "_bounds" not in vars(found.curve)
    assert found == again
    assert "_bounds" in vars(found.curve)
    assert found.curve[-1] == list(found.curve)[-1]
    assert found != sensitivity(0.3, (0.1, 0.6), sides, sides)
    copied = copy.deepcopy(found)
    assert copied.curve == tuple(found.curve)
    assert type(copied.curve) is tuple
    assert copied.to_dict() == found.to_dict()


def test_where_an_end_has_reached_nothing():
    assert _crossing(lambda gamma: 2.0 - gamma, gains=True) == pytest.approx(2.0, rel=1e-6)
    assert _crossing(lambda gamma: gamma - 2.0, gains=False) == pytest.approx(2.0, rel=1e-6)
    assert _crossing(lambda gamma: 1.0 - gamma, gains=True) == 1.0
    assert _crossing(lambda gamma: MOST - gamma, gains=True) == pytest.approx(MOST, rel=1e-6)
    assert _crossing(lambda gamma: MOST + 1e-6 - gamma, gains=True) == math.inf
    assert (MOST, GAMMAS[0], GAMMAS[-1], len(GAMMAS)) == (50.0, 1.0, 3.0, 10)


def test_a_hidden_driver_of_known_strength_stays_within_the_bounds():
    """U drives both the choice (odds times 2, or half) and the outcome; the log states the marginal propensity."""
    rng = np.random.default_rng(0)
    n = 60_000
    u = rng.random(n) < 0.5
    odds = 1.0
    true = np.where(u, 2 * odds / (1 + 2 * odds), odds / (2 + odds))
    action = (rng.random(n) < true).astype(int)
    reward = rng.random(n) < 0.1 + 0.2 * u  # the action does nothing
    log = log_of(rng.normal(size=(n, 1)), action, np.full(n, 0.5), reward, names=("none", "a@email"))
    answer = evaluate(log, "always:a@email", reference="always:none")
    assert answer.lift_ci_low > 0.03  # wrong, and sure of it
    assert 1.2 < answer.sensitivity.sign < 2.0
    # The true odds are within a factor of 2 of the stated ones, so the truth, 0, is within the bounds of 2.
    (two,) = [bound for bound in answer.sensitivity.curve if bound.gamma == 2.0]
    assert two.low < 0.0 < two.high


@pytest.fixture(scope="module")
def shop():
    h = Honest(6_000)
    mu = 0.1 + 0.2 * (h.action == 2)
    log = log_of(h.X, h.action, h.p, h.rng.random(h.n) < mu)
    return h, log


def test_the_answer_says_it_in_words_in_json_and_in_a_picture(shop):
    _, log = shop
    answer = evaluate(log, "always:b@email")
    assert answer.sensitivity.sentence() in str(answer)
    facts = json.loads(json.dumps(answer.to_dict()))["sensitivity"]
    assert 1.0 < facts["interval"] < facts["sign"]
    assert [bound["gamma"] for bound in facts["curve"]] == list(GAMMAS)
    content = ReportContent(evaluations=((answer, None),))
    (picture,) = [p for p in evidence_pictures(content) if "propensities are off" in p.caption]
    assert "<svg" in picture.svg
    assert f"{answer.sensitivity.sign:.3g}" in picture.caption


def test_the_logged_policy_has_none(shop):
    _, log = shop
    answer = evaluate(log, "logged")
    assert answer.sensitivity.curve == ()
    assert answer.to_dict()["sensitivity"]["sign"] is None
    assert Sensitivity(math.nan, math.nan, 0).sentence() == ""


@pytest.mark.parametrize("reference", ["logged", "uniform"])
@pytest.mark.parametrize("mix", [1.0, 0.5])
def test_a_stream_says_the_same(shop, tmp_path, reference, mix):
    _, log = shop
    path = tmp_path / "log.parquet"
    write_log(log, path)
    words = {"reference": reference, "mix": mix, "estimators": ("dr",)}
    whole, streamed = evaluate(log, "always:b@email", **words), evaluate_stream(path, "always:b@email", **words)
    assert streamed.sensitivity.sign == pytest.approx(whole.sensitivity.sign, rel=1e-4)
    assert streamed.sensitivity.interval == pytest.approx(whole.sensitivity.interval, rel=1e-4)


def test_a_mixture_s_lift_turns_at_the_same_factor(shop):
    _, log = shop
    half, whole = (evaluate(log, "always:b@email", mix=mix) for mix in (0.5, 1.0))
    assert half.sensitivity.sign == pytest.approx(whole.sensitivity.sign, rel=1e-6)


def test_rows_in_another_order_change_nothing(shop):
    _, log = shop
    turned = log.take(np.arange(len(log))[::-1])
    E = softmax(np.tile([0.1, 0.2, 0.3, 0.4], (len(log), 1)))
    a, b = evaluate(log, E, q=np.zeros((len(log), 4))), evaluate(turned, E, q=np.zeros((len(log), 4)))
    assert a.sensitivity.sign == pytest.approx(b.sensitivity.sign, rel=1e-6)


def test_a_simulated_log_has_it():
    log = crl.simulate("coupon_trap", "uniform", customers=200, seed=7)
    assert crl.evaluate(log, "always:content@email").sensitivity.sign >= 1.0
