"""Figures of a campaign by hand, lifts under unequal propensities, logistic regression, partial pooling."""

from dataclasses import replace

import numpy as np
import pytest

from campaignrl.actions import Catalog
from campaignrl.calibration.response.campaign_rows import Campaign, Rows
from campaignrl.calibration.response.clustered_statistics import (
    CLIP,
    Figure,
    from_scale,
    lift,
    rate,
    to_scale,
    weights,
)
from campaignrl.calibration.response.funnel_regression import fit_logistic, fit_response
from campaignrl.calibration.response.moments import View
from campaignrl.calibration.response.shrinkage import pooled, traits_design

ONES = np.ones(8)


def rows_of(action, propensity, **outcomes):
    n = len(action)
    nothing, zero = np.full(n, np.nan), np.zeros(n, dtype=int)
    names = ("delivered", "opened", "clicked", "unsubscribed", "redeemed", "visited", "orders", "spend")
    given = {name: np.asarray(outcomes.get(name, nothing), dtype=float) for name in names}
    return Rows(np.arange(n), zero, zero, np.asarray(action), np.asarray(propensity, dtype=float), np.ones(n), **given)


def campaign_of(action, propensity, **outcomes):
    return Campaign(Catalog.from_names(["a@x"]), ("all",), rows_of(action, propensity, **outcomes))


def test_rate_by_hand():
    y = np.array([1, 1, 1, 0, 0, 1, 1, 0] * 2, dtype=float)
    found = rate(np.ones(16, dtype=bool), y, np.arange(16), np.ones(16), "logit")
    assert from_scale(found.value, "logit") == pytest.approx(10 / 16)
    by_hand = np.sqrt((10 / 16) * (6 / 16) / 15)
    assert found.mean_se == pytest.approx(by_hand)
    assert found.se == pytest.approx(by_hand / (10 / 16 * 6 / 16))


def test_rows_of_one_customer_are_no_further_evidence():
    y = np.array([1, 0, 1, 0, 1, 0, 1, 1] * 2, dtype=float)
    alone = rate(np.ones(16, dtype=bool), y, np.arange(16), np.ones(16), "identity")
    four_each = rate(np.ones(64, dtype=bool), np.repeat(y, 4), np.repeat(np.arange(16), 4), np.ones(64), "identity")
    assert four_each.value == alone.value
    assert four_each.se == pytest.approx(alone.se)


def test_too_few_events_give_no_figure():
    found = rate(np.ones(8, dtype=bool), np.eye(8)[0], np.arange(8), ONES, "log")
    assert np.isnan(found.value)
    assert found.mean == pytest.approx(1 / 8)


def test_weights_are_stabilised_and_clipped():
    campaign = campaign_of([0, 0, 0, 1], [0.75, 0.75, 0.75, 0.25])
    assert weights(campaign).tolist() == [1.0, 1.0, 1.0, 1.0]
    assert weights(campaign_of([0, 1], [0.5, 1e-6])).max() == CLIP


def test_a_targeted_log_still_gives_the_lift_of_chance():
    rng = np.random.default_rng(1)
    eager = rng.random(60_000) < 0.5
    p = np.where(eager, 0.8, 0.2)
    action = (rng.random(60_000) < p).astype(int)
    orders = rng.poisson(np.where(eager, 0.5, 0.1) * np.where(action == 1, 1.5, 1.0))
    campaign = campaign_of(action, np.where(action == 1, p, 1 - p), orders=orders)
    view = View(campaign, {}, 0.9)
    found = view.lift(view.by(offer="a"), view.none(offer="a"))
    assert abs(found.value - np.log(1.5)) < 3 * found.se
    naive = np.log(orders[action == 1].mean() / orders[action == 0].mean())
    assert naive > np.log(1.5) + 5 * found.se


def test_lift_of_arms_that_share_customers_counts_them_once():
    y = np.array([3.0, 1, 2, 2, 4, 1, 2, 1])
    treated = np.array([True, False] * 4)
    customer = np.repeat(np.arange(4), 2)
    apart = lift(treated, ~treated, y, np.arange(8), ONES, ONES, "identity")
    together = lift(treated, ~treated, y, customer, ONES, ONES, "identity")
    assert apart.value == together.value == pytest.approx(11 / 4 - 5 / 4)
    differences = y[::2] - y[1::2]
    assert together.se == pytest.approx(differences.std(ddof=1) / 2)


def test_fatigue_stock_is_that_of_the_dynamics():
    rows = replace(rows_of([1, 0, 1, 0], [0.5] * 4), customer=np.zeros(4, dtype=int), day=np.array([0, 1, 3, 4]))
    stock = View(Campaign(Catalog.from_names(["a@x"]), ("all",), rows), {"x": 2.0}, 0.5).fatigue
    by_day, f = [], 0.0
    for sent in (1, 0, 0, 1, 0):
        by_day.append(f)
        f = 0.5 * f + 2.0 * sent  # effects.fatigue.next_fatigue
    assert stock.tolist() == [by_day[d] for d in (0, 1, 3, 4)]


def test_logistic_without_penalty_matches_groups_exactly():
    x = np.repeat([0.0, 1.0], 50)[:, None]
    y = np.r_[np.ones(10), np.zeros(40), np.ones(30), np.zeros(20)]
    fit = fit_logistic(x, y, np.ones(100), np.arange(100), penalty=0.0)
    assert fit.predict(np.array([[0.0], [1.0]])) == pytest.approx([0.2, 0.6])
    assert fit.se[0] == pytest.approx(np.sqrt(1 / (50 * 0.2 * 0.8)), rel=1e-6)


def test_penalty_draws_to_nothing_and_weights_count():
    x = np.repeat([0.0, 1.0], 50)[:, None]
    y = np.r_[np.ones(10), np.zeros(40), np.ones(30), np.zeros(20)]
    strong = fit_logistic(x, y, np.ones(100), np.arange(100), penalty=1e6)
    assert abs(strong.coefficients[1]) < 1e-3
    doubled = fit_logistic(np.r_[x, x], np.r_[y, y], np.ones(200), np.arange(200), penalty=2.0)
    weighted = fit_logistic(x, y, np.full(100, 2.0), np.arange(100), penalty=2.0)
    assert doubled.coefficients == pytest.approx(weighted.coefficients)


def test_cross_fitting_does_not_flatter():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(300, 25)), (rng.random(300) < 0.5).astype(float)
    found = fit_response(x, y, np.ones(300), np.arange(300), penalty=0.0)
    inside = found.fit.predict(x)
    assert found.auc < 0.6
    assert np.mean(inside[y == 1]) - np.mean(inside[y == 0]) > 0.05


def test_luck_is_pooled_away_and_difference_is_kept():
    rng = np.random.default_rng(3)
    same = [Figure(v, 0.5) for v in rng.normal(1.0, 0.5, 30)]
    drawn = np.array([f.value for f in pooled(same)])
    assert drawn.std() < 0.25
    apart = [Figure(v, 0.01) for v in (0.0, 1.0, 2.0)]
    assert [f.value for f in pooled(apart)] == pytest.approx([0.0, 1.0, 2.0], abs=1e-3)


def test_what_is_unknown_becomes_what_the_others_say():
    found = pooled([Figure(1.0, 0.1), Figure(2.0, 0.1), Figure(float("nan"), float("nan"))])[2]
    assert found.value == pytest.approx(1.5)
    assert found.se > 0.3


def test_small_counts_do_not_lean():
    """Pooling rates as they are keeps the overall rate; pooling logs of what was seen at all would raise it."""
    rng = np.random.default_rng(5)
    figures = []
    for _ in range(40):
        y = (rng.random(150) < 0.01).astype(float)
        figures.append(rate(np.ones(150, dtype=bool), y, np.arange(150), np.ones(150), "log"))
    overall = np.mean([f.mean for f in figures])
    assert np.mean([from_scale(f.value, "log") for f in pooled(figures, "log")]) == pytest.approx(overall, rel=0.05)


def test_segments_of_a_grid_lean_on_their_traits():
    parts = [(a, b) for a in ("x", "y", "z") for b in ("u", "v", "w")]
    truth = {"x": 0.0, "y": 2.0, "z": 4.0, "u": 0.0, "v": 0.5, "w": 1.0}
    figures = [Figure(truth[a] + truth[b], 0.3) for a, b in parts]
    figures[0] = Figure(float("nan"), float("nan"))
    drawn = pooled(figures, None, traits_design(parts))
    assert drawn[0].value == pytest.approx(0.0, abs=1e-9)
    assert drawn[8].value == pytest.approx(5.0)


@pytest.mark.parametrize("scale", ["logit", "log", "identity"])
def test_scales_go_there_and_back(scale):
    assert from_scale(to_scale(0.3, scale), scale) == pytest.approx(0.3)
