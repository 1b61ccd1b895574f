"""The realism scorecard: what is counted, by hand; a world against itself passes, another one is found out."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from campaignrl.calibration.purchase.lognormal_baskets import lognormal_basket
from campaignrl.calibration.purchase.models import fit_nbd, fit_pareto_nbd
from campaignrl.calibration.purchase.seasonality import Purchases, fit_season, later_factors
from campaignrl.calibration.realism.scorecard import TOLERANCES, distance, scorecard, top_share
from campaignrl.calibration.realism.summaries import customer_summaries
from campaignrl.calibration.realism.untreated_cohorts import entering
from campaignrl.calibration.response.engagement import dip, engagement_of_events
from campaignrl.errors import DataError, UsageError
from campaignrl.report.figures.base import png_bytes
from campaignrl.report.figures.calibration import alive, conditional, frequencies, realism, tracking
from campaignrl.specs.world import World
from campaignrl.toml import check

START = pd.Timestamp("2026-01-01")


def orders(rows, kind="order"):
    """customer, day, amount."""
    frame = pd.DataFrame(rows, columns=["customer_id", "day", "amount"])
    ts = START + pd.to_timedelta(frame["day"], unit="D") + pd.Timedelta(hours=12)
    return frame.assign(ts=ts, kind=kind, amount=frame["amount"].astype(float)).drop(columns="day")


HAND = orders([("a", 0, 10), ("a", 5, 20), ("a", 5, 1), ("a", 25, 30), ("b", 3, 5), ("c", 21, 9), ("c", 28, 8)])


def test_a_window_by_hand():
    """20 January to 10 February (days 19 to 40): c came later, so a and b are the customers."""
    b = customer_summaries(HAND, "2026-02-10", "2026-01-20")
    assert b.customers.tolist() == ["a", "b"]
    assert b.counts.tolist() == [1, 0]
    assert b.spend.tolist() == [30.0, 0.0]
    assert b.recency.tolist() == [15.0, 37.0]
    assert b.gaps.tolist() == [20.0]
    assert b.turns.tolist() == [0.2]  # 5 / (5 + 20)
    assert b.weekly.tolist() == [1, 0, 0, 1, 0, 0]
    assert b.window_weeks == 4


def test_without_a_start_everything_after_the_first_order():
    b = customer_summaries(HAND, "2026-02-10")
    assert b.counts.tolist() == [2, 0, 1]
    assert sorted(b.values) == [8.0, 21.0, 30.0]
    assert b.retention[0] == pytest.approx(1 / 2)  # month 1 is over for a and b; a ordered
    assert b.watched[:2].tolist() == [2, 0]


def test_windows_that_hold_nobody_are_refused():
    with pytest.raises(DataError, match="at least one who ordered before"):
        customer_summaries(HAND, "2026-02-10", "2026-01-01")
    with pytest.raises(DataError, match="at least one by"):
        customer_summaries(HAND, "2025-02-10")
    with pytest.raises(UsageError, match="on or before"):
        customer_summaries(HAND, "2026-02-10", "2026-02-20")


def test_distance_is_that_of_scipy():
    chance = np.random.default_rng(0)
    one, other = chance.poisson(2.0, 300).astype(float), chance.poisson(2.5, 500).astype(float)
    assert distance(one, other) == pytest.approx(stats.ks_2samp(one, other).statistic)
    assert distance(one, one) == 0.0
    assert distance(one, np.zeros(0)) == 1.0


def test_top_share_by_hand():
    assert top_share(np.array([1.0] * 18 + [11.0, 11.0])) == pytest.approx(22 / 40)
    assert top_share(np.zeros(5)) == 0.0


def sends(rows):
    """customer, day, kind, channel, offer."""
    frame = pd.DataFrame(rows, columns=["customer_id", "day", "kind", "channel", "offer"])
    ts = START + pd.to_timedelta(frame["day"], unit="D")
    return frame.assign(ts=ts, amount=np.nan).drop(columns="day")


def test_answers_by_hand():
    told = sends(
        [
            ("a", 0.0, "sent", "email", "c10"),
            ("a", 0.1, "delivered", "email", "c10"),
            ("a", 0.5, "opened", "email", None),
            ("a", 2.0, "sent", "email", "c10"),  # one send in the week before
            ("a", 2.5, "opened", "push", None),  # on another channel: nobody's answer
            ("a", 12.0, "clicked", "email", None),  # ten days later: too late
            ("b", 2.0, "sent", "push", None),
            ("b", 2.2, "unsubscribed", "push", None),
            ("a", 3.0, "redeemed", None, "c10"),
        ]
    )
    found = engagement_of_events(told)
    assert found.sends.tolist() == [2, 1, 0, 0, 0]
    assert found.rates["opened"][:2].tolist() == [0.5, 0.0]
    assert found.rates["unsubscribed"][:2].tolist() == [0.5, 0.0]
    assert found.rates["clicked"][:2].tolist() == [0.0, 0.0]
    assert found.funnel["delivered"] == pytest.approx(1 / 3)
    assert found.redemption == pytest.approx(1 / 2)  # of two sends with an offer
    assert engagement_of_events(HAND) is None


def test_a_dip_is_what_is_missing_after_an_order_on_an_offer():
    """After each of a's plain orders two follow within 28 days, after that on an offer one."""
    plain = orders([("a", day, 1) for day in (0, 10, 20, 100, 120, 300)])
    used = orders([("a", 100, 1)], kind="redeemed")
    found = dip(pd.concat([plain, used]))
    # followed: days 0 (2 later), 10 (1), 20 (0), 120 (0) without; 100 (1) with
    assert found == pytest.approx(1.0 - 1.0 / 0.75)
    assert np.isnan(dip(plain))


# --- worlds ---

TABLES = {
    "horizon": 200,
    "segments": {
        name: {
            "share": share,
            "purchase": {"rate": rate, "spread": 1.0},
            "lifetime": {"days": 300.0, "spread": 1.0},
            "basket": {"mean": 40.0, "spread": 0.5, "margin": 0.3},
            "price_sensitivity": {"mean": 0.2},
            "consent": {"nobody": 0.0},
        }
        for name, share, rate in (("often", 0.4, 0.06), ("seldom", 0.6, 0.015))
    },
    "channels": {
        "nobody": {"cost": 0.0, "reach": {"deliver": 0.5, "open": 0.5, "click": 0.5}, "unsubscribe": {"base": 0.0}}
    },
    "offers": {"nothing": {"kind": "content", "channels": ["nobody"]}},
}
ENTRY = np.repeat(np.arange(0, 60, 2), 50)
LABELS = np.where(np.arange(len(ENTRY)) % 5 < 2, "often", "seldom")


@pytest.fixture(scope="module")
def world():
    return check(World, {"name": "two", **TABLES}, "two")


@pytest.fixture(scope="module")
def drawn(world):
    return entering(world, ENTRY, LABELS, START, samples=6, seed=1)


def test_simulated_customers_enter_when_they_are_told_and_order_as_their_segment(world, drawn):
    for events in drawn:
        first = events.groupby("customer_id")["ts"].min().dt.normalize()
        assert (
            first.loc[[f"s{i}" for i in range(len(ENTRY))]].to_numpy() == (START + pd.to_timedelta(ENTRY, "D"))
        ).all()
        assert not events.duplicated(["customer_id", "ts"]).any()
    row = pd.concat(drawn)["customer_id"].str[1:].astype(int).to_numpy()
    often = np.bincount(row, minlength=len(ENTRY))[LABELS == "often"].mean() / 6 - 1
    rate, spread, days = 0.06, 1.0, 200 - ENTRY[LABELS == "often"]
    gone = 300.0 * np.log1p(days / 300.0)  # mean time alive: drop-out rates are exponential here (spread 1)
    assert often == pytest.approx(rate * gone.mean() * spread, rel=0.08)  # a little less: one order a day


def test_nobody_has_a_past_or_an_unknown_segment(world):
    with pytest.raises(UsageError, match="segment = 'never'"):
        entering(world, [0], ["never"], START)
    with pytest.raises(UsageError, match="first"):
        entering(world, [200], ["often"], START)


def test_a_world_passes_against_itself(drawn):
    card = scorecard(drawn[0], drawn[1:], START + pd.Timedelta(days=199), START + pd.Timedelta(days=100))
    told = card.table().set_index("name")
    assert set(told.index) <= set(TOLERANCES)
    assert len(told) == 13
    by_luck = told[~told["ok"]]
    assert (by_luck["distance"] < 1.6 * by_luck["luck"]).all()  # 1,500 customers are few
    assert told.loc["told apart (AUC)", "simulated"] < 0.56
    assert told.loc["irregularity of gaps", "ok"]


def test_another_world_is_found_out_and_says_why(drawn):
    slower = drawn[0][np.random.default_rng(0).random(len(drawn[0])) < 0.6]
    reasons = {"orders in the window": "two in five orders were lost"}
    card = scorecard(slower, drawn[1:], START + pd.Timedelta(days=199), START + pd.Timedelta(days=100), reasons)
    told = card.table().set_index("name")
    assert not told.loc[["orders in the window", "orders a customer", "days between orders"], "ok"].any()
    assert told.loc["orders in the window", "why"] == "two in five orders were lost"
    assert told.loc["order value", "distance"] < 0.08
    assert len(card.missed) == (~told["ok"]).sum()


def test_the_file_is_one_json_object(drawn, tmp_path):
    card = scorecard(drawn[0], drawn[1], START + pd.Timedelta(days=199))
    card.write(tmp_path / "card.json")
    told = json.loads((tmp_path / "card.json").read_text(encoding="utf-8"))
    assert told["samples"] == 1
    assert told["rows"][0]["luck"] is None  # one sample says nothing of luck
    assert told["within"] + sum(not row["ok"] for row in told["rows"]) == len(told["rows"])
    with pytest.raises(UsageError, match="at least one"):
        scorecard(drawn[0], [], START)


@pytest.mark.slow
def test_pictures_hold_what_they_are_given(drawn):
    funnel = sends([("s1", d, kind, "email", "c") for d in range(9) for kind in ("sent", "opened")])
    frames = [pd.concat([events, funnel]) for events in drawn[:3]]
    card = scorecard(frames[0], frames[1:], START + pd.Timedelta(days=199), START + pd.Timedelta(days=100))
    figure = realism(card, "two worlds $x$", [("often", 1.0, 1.1), ("seldom", 0.3, 0.2)])
    assert len(figure.axes) == 8
    assert all(ax.has_data() for ax in figure.axes)
    assert len(realism(card, "no segments").axes) == 7
    assert png_bytes(figure, 40)[:4] == b"\x89PNG"
    eight = np.arange(8.0)
    for drawing in (
        tracking(eight, {"a model": eight + 1}, 4),
        frequencies(eight, {"a model": eight}),
        conditional(eight, {"a model": eight}, 39),
        alive(lambda x, t_x, T: t_x / T / x, 39.0),
    ):
        assert png_bytes(drawing, 40)[:4] == b"\x89PNG"


# --- the calendar, and baskets ---


def seasonal(n, seed):
    """NBD customers of rate 0.05 a day whose weeks are as busy as `weekly` says; at most one order a day."""
    chance, weekly = np.random.default_rng(seed), np.array([1.0, 0.5, 1.5, 1.0, 0.7, 1.3, 1.0, 1.0, 2.0, 2.0])
    first, rate = chance.integers(0, 21, n), chance.gamma(1.0, 0.05, n)
    day = np.arange(70)
    odds = -np.expm1(-rate[:, None] * weekly[day // 7]) * (day > first[:, None])
    customer, days = np.nonzero(chance.random(odds.shape) < odds)
    return Purchases(first, customer, days, np.full(n, "all", dtype=object)), weekly


def test_a_calendar_is_found_again():
    known, weekly = seasonal(20_000, seed=1)
    fit = fit_season(fit_nbd, known.until(55), 55)
    seen = weekly[:8] / weekly[:8].mean()
    assert fit.weekly == pytest.approx(seen, rel=0.06)
    assert fit.weekday == pytest.approx(np.ones(7), abs=0.05)
    model = fit.models.segments["all"]
    # at most one order a day: the frequent lose some, about 5 % of all
    assert model.r / model.alpha == pytest.approx(0.95 * 0.05 * weekly[:8].mean(), rel=0.03)
    assert later_factors(fit, known, 55, 69) == pytest.approx(weekly[8:] / weekly[:8].mean(), rel=0.06)


def test_no_customer_of_later_is_known_before():
    known, _ = seasonal(500, seed=2)
    early = known.until(10)
    assert early.first.max() <= 10
    assert early.day.max() <= 10
    assert early.customer.max() < len(early.first) == len(early.labels)
    assert (early.day > early.first[early.customer]).all()


def test_pareto_nbd_in_average_days_forgets_the_calendar():
    known, _ = seasonal(4_000, seed=3)
    fit = fit_season(fit_pareto_nbd, known.until(69), 69, rounds=2)
    assert fit.customers == {"all": 4_000}
    assert fit.columns["T"].max() <= 70.5


def test_lognormal_baskets_find_what_made_them():
    chance = np.random.default_rng(4)
    customer = np.repeat(np.arange(4_000), chance.integers(1, 9, 4_000))
    apart, within = np.log1p(0.8**2), np.log1p(0.5**2)
    means = chance.normal(np.log(50.0) - (apart + within) / 2, np.sqrt(apart), 4_000)
    found = lognormal_basket(customer, np.exp(means[customer] + chance.normal(0, np.sqrt(within), len(customer))))
    assert found.mean == pytest.approx(50.0, abs=4 * found.mean_se)
    assert found.spread == pytest.approx(0.8, rel=0.06)
    assert found.within == pytest.approx(0.5, rel=0.04)
    with pytest.raises(DataError, match="ordered twice"):
        lognormal_basket(np.arange(20), np.ones(20))
    with pytest.raises(DataError, match="above 0"):
        lognormal_basket(customer, np.zeros(len(customer)))
