"""A world calibrated in the middle of a season: one purchase model with the tags, in a calendar of dates."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import campaignrl as crl
from campaignrl.calibration.calibrate import calibrate
from campaignrl.calibration.purchase import fit_pareto_nbd, log_covariance
from campaignrl.calibration.purchase.constrained_pareto import foretelling
from campaignrl.calibration.purchase.seasonality import Weeks
from campaignrl.calibration.realism import calendar_of, expected_of, hold
from campaignrl.calibration.world import calendar
from campaignrl.cli.main import app
from campaignrl.effects import Event, Season, season_factors
from campaignrl.envs import Panel
from campaignrl.policies import load_policy
from campaignrl.profiles.store import build_profiles
from campaignrl.profiles.tags import TagSet

BEGAN, DAYS, BUSY = pd.Timestamp("2025-02-03"), 224, 28
END = BEGAN + pd.Timedelta(days=DAYS)


def shop(n=600, seed=0):
    """Orders of n customers who come over half a year and stay for a while; the last four weeks are the peak."""
    chance, busy = np.random.default_rng(seed), np.where(np.arange(DAYS) >= DAYS - BUSY, 2.5, 0.8)
    so_far = np.concatenate([[0.0], np.cumsum(busy / busy.mean())])
    first, rows = chance.integers(0, DAYS, n), []  # some come in the peak itself
    for i in range(n):
        rate, day, now = chance.gamma(2.0, 0.5) / 20.0, int(first[i]), so_far[first[i]]
        gone = now + chance.exponential(200.0)
        while day < DAYS and now < gone:
            rows.append((f"c{i:04d}", day))
            now += chance.exponential(1.0 / rate)
            day = int(np.searchsorted(so_far, now, side="right")) - 1
    frame = pd.DataFrame(rows, columns=["customer_id", "day"]).drop_duplicates()
    ts = BEGAN + pd.to_timedelta(frame["day"], unit="D") + pd.Timedelta(hours=10)
    amount = chance.gamma(4.0, 10.0, len(frame))
    events = pd.DataFrame({"customer_id": frame["customer_id"], "ts": ts, "kind": "order", "amount": amount})
    return events.assign(value=np.nan).sort_values("ts", kind="stable").reset_index(drop=True)


@pytest.fixture(scope="module")
def events():
    return shop()


@pytest.fixture(scope="module")
def found(events):
    return calibrate(events)


def test_the_model_is_that_of_the_tags(events, found):
    tags = TagSet(
        name="t", tags={"to_come": {"level": "value", "kind": "model", "of": "expected_orders", "days": BUSY}}
    )
    fit = build_profiles(events, tags=tags, as_of=END.date()).facts["tags"]["to_come"]["fit"]
    told = found.purchase
    assert told["season"]
    assert len(told["last_fifth"]) >= 4
    for key in ("model", "days", "season", "last_fifth", "fitted_on", "caution"):
        assert told[key] == fit[key], key


def test_the_weeks_stand_in_the_world_on_their_dates(found):
    season = found.world.season
    assert season.day_zero == END.date()
    assert season.first_weekday == END.weekday()
    seen = season_factors(season.starting(-DAYS), DAYS)
    # one order a day at most takes some of 2.5 / 0.8
    assert seen[-BUSY:].mean() / seen[:-BUSY].mean() == pytest.approx(2.9, rel=0.12)
    assert season_factors(season, 7).mean() == pytest.approx(1.0, abs=0.01)  # less than a year: average weeks to come
    assert found.provenance["season.events"].how == "fitted"
    assert found.provenance["season.first_weekday"].how == "user"


def held_against(world, events):
    calendar = calendar_of(world, END.date(), BUSY)
    expected = expected_of(world, load_policy("none", world), BUSY, 1_500, 1, calendar)
    return hold(expected, events, events["customer_id"].unique().astype(object), END, BUSY, calendar, begun=True)


def test_a_world_calibrated_in_the_peak_fits_the_same_day_and_not_without_its_calendar(events, found):
    held = held_against(found.world, events)
    assert not held.orders.beyond(0.05)
    assert abs(held.orders.value) < 0.10
    assert held_against(found.world.model_copy(update={"season": None}), events).orders.low > 0.8


def test_the_verb_tells_every_models_error_and_the_file_loads(events, tmp_path):
    events.to_parquet(tmp_path / "events.parquet", index=False)
    file = tmp_path / "mine.toml"
    said = CliRunner().invoke(app, ["calibrate", str(tmp_path), "-o", str(file), "--scorecard"], catch_exceptions=False)
    assert said.exit_code == 0
    for words in ("in a calendar of its busy and quiet weeks", "last 45 days by", "MBG/NBD", "BG/NBD", "NBD", "off"):
        assert words in said.output
    assert "weeks to come are taken for average" in said.output
    assert crl.load_world(file).season.day_zero == END.date()


def test_a_total_is_met_by_what_is_known_least():
    chance, n = np.random.default_rng(2), 1_000
    rate, ends, watched = chance.gamma(1.5, 0.02, n), chance.exponential(300, n), np.rint(chance.uniform(100, 300, n))
    lived = np.minimum(ends, watched)
    x = chance.poisson(rate * lived).astype(float)
    t_x = np.rint(np.where(x > 0, lived * chance.beta(np.maximum(x, 1), 1), 0.0))
    columns = {"x": x, "t_x": t_x, "T": watched}
    fit = fit_pareto_nbd(**columns)
    covariance = log_covariance(fit, columns)
    own = float(fit.expected_purchases(60.0, **columns).sum())
    for factor in (0.85, 1.0, 1.1):
        moved = foretelling(fit, factor * own, 60.0, columns, covariance)
        assert moved.expected_purchases(60.0, **columns).sum() == pytest.approx(factor * own, rel=1e-3)
        assert moved.r / moved.alpha == pytest.approx(fit.r / fit.alpha, rel=0.1)  # the rate is known best
    assert foretelling(fit, own, 60.0, columns, covariance) == fit


def test_where_another_model_is_chosen_the_world_foretells_what_it_does():
    """Customers who reorder every thirty days and leave after one order in eight."""
    chance, rows = np.random.default_rng(4), []
    for i in range(250):
        day = chance.integers(0, 120)
        while day < 300:
            rows.append((f"c{i}", day))
            day = 300 if chance.random() < 0.125 else day + max(int(chance.gamma(9.0, 30 / 9.0)), 1)
    frame = pd.DataFrame(rows, columns=["customer_id", "day"])
    ts = BEGAN + pd.to_timedelta(frame["day"], unit="D")
    events = pd.DataFrame({"customer_id": frame["customer_id"], "ts": ts, "kind": "order", "amount": 20.0})
    made = calibrate(events.assign(value=np.nan))
    chosen = made.chosen.forecast
    assert chosen.name.startswith("MBG/CNBD-")
    assert made.provenance["segments.all.purchase.rate"].by == (
        f"Pareto/NBD that foretells what {chosen.name} does, of untreated histories"
    )


def test_weeks_to_come_are_those_of_a_year_ago_where_a_year_is_known():
    weekly = np.where(np.arange(60) % 52 < 4, 3.0, 0.85)
    many = Weeks(weekly, np.ones(7), np.full(60, 100_000))
    assert many.ahead(np.arange(60, 112)) == pytest.approx(np.roll(weekly[8:60], 0), rel=1e-3)
    few = Weeks(weekly, np.ones(7), np.full(60, 2))
    assert np.abs(np.log(few.ahead(np.arange(60, 112)))).max() < 0.5 * np.log(3.0)  # leans on the average week
    assert many.average_days(419, 364) == pytest.approx(7 * weekly[8:60].sum(), rel=1e-3)
    short = Weeks(weekly[:40], np.ones(7), np.full(40, 100_000))
    assert short.average_days(279, 90.5) == 90.5
    assert (short.ahead(np.arange(40, 60)) == 1.0).all()


def test_a_year_of_weeks_is_written_ahead(found):
    weekly = np.where(np.arange(60) % 52 < 4, 3.0, 0.85)
    weeks = Weeks(weekly, np.ones(7), np.full(60, 100_000))
    chosen = found.chosen._replace(forecast=replace(found.chosen.forecast, weeks=weeks, end=419))
    section, _ = calendar(chosen, chosen.origin + pd.Timedelta(days=420))
    factors = season_factors(Season(**section), 364)
    assert factors == pytest.approx(np.repeat(weekly[8:60], 7), rel=1e-3)


def test_a_calendar_starts_on_any_of_its_days():
    season = Season(weekday=[1, 1, 1, 1, 1, 2, 3], events=[Event(name="e", day=-3, days=2, factor=5)])
    season = season.model_copy(update={"day_zero": dt.date(2026, 3, 2)})
    earlier = season.starting(-5)
    assert earlier.day_zero == dt.date(2026, 2, 25)
    assert season_factors(earlier, 12)[5:] == pytest.approx(season_factors(season, 7))
    assert season_factors(earlier, 5).tolist() == [1.0, 1.0, 5.0, 10.0, 3.0]


def test_customers_known_by_their_orders_begin_with_one():
    worlds = [crl.load_world("coupon_trap", **words) for words in ({}, {"joined_by_order": True})]
    plain, begun = (Panel(world, 400, seed=1) for world in worlds)
    assert (plain.state.orders == 0).any()
    np.testing.assert_array_equal(begun.state.orders, plain.state.orders + 1)
    np.testing.assert_array_equal(begun.state.first_order, -plain.traits.joined)
    ordered = plain.state.orders > 0
    np.testing.assert_array_equal(begun.state.last_order[ordered], plain.state.last_order[ordered])
    np.testing.assert_array_equal(begun.state.last_order[~ordered], -plain.traits.joined[~ordered])
    assert crl.load_world("coupon_trap").model_dump() == {
        name: value for name, value in worlds[1].model_dump().items() if name != "joined_by_order"
    }
