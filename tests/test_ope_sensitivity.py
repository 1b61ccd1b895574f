"""How wrong would a log have to be: bounds by hand, by brute force, and against a choice that the log does not show."""

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
