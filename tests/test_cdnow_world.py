"""The CDNOW study: its world is Pareto/NBD in days, its figures are right by hand, and it says so of the real data."""

from __future__ import annotations

import importlib.util
import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from campaignrl.errors import DataError
from campaignrl.specs.world import load_world

EXPERIMENTS = Path(__file__).resolve().parents[1] / "experiments"
PER_WEEK = 7.0


def script():
    found = importlib.util.spec_from_file_location("cdnow_study", EXPERIMENTS / "cdnow_world.py")
    module = importlib.util.module_from_spec(found)
    sys.modules["cdnow_study"] = module
    found.loader.exec_module(module)
    return module


STUDY = script()
ENTRY = np.repeat(np.arange(0, 84, 7), 50)  # 600 customers, entering over 12 weeks


@pytest.fixture(scope="module")
def world():
    return load_world(EXPERIMENTS / "worlds" / "cdnow.toml")


@pytest.fixture(scope="module")
def played(world):
    return STUDY.simulated(world, ENTRY, samples=40, seed=3)


@pytest.fixture(scope="module")
def orders_file(shared_data):
    path = shared_data / "cdnow" / "CDNOW_sample.txt"
    if not path.is_file():
        pytest.skip("the CDNOW sample is not beside this checkout")
    return path


def test_the_world_holds_the_published_parameters(world):
    people = world.segments["all"]
    assert people.purchase.rate == pytest.approx(STUDY.R / STUDY.ALPHA / PER_WEEK, rel=1e-4)
    assert people.purchase.spread == pytest.approx(STUDY.R**-0.5, rel=1e-4)
    assert 1.0 / people.lifetime.days == pytest.approx(STUDY.S / STUDY.BETA / PER_WEEK, rel=1e-4)
    assert people.lifetime.spread == pytest.approx(STUDY.S**-0.5, rel=1e-4)
    assert people.basket.within**-2 == pytest.approx(6.25)
    assert 2.0 + people.basket.spread**-2 == pytest.approx(3.74, rel=1e-3)


def test_everybody_starts_alive_without_orders_and_reachable_on_nothing(played, world):
    _, panel = played
    fresh = type(panel)(world, 500, seed=3)
    assert fresh.state.alive.all()
    assert fresh.state.orders.sum() == 0
    assert not fresh.allowed(fresh.observe())[:, 1:].any()


def daily_moments(ages: np.ndarray) -> tuple[float, float]:
    """Mean and variance of orders of Pareto/NBD customers watched for `ages` days, at most one order a day.

    A live customer orders on a day with the chance 1 - exp(-rate); on day k it is alive with (b / (b + k))^s.
    """
    r, a, s, b = STUDY.R, STUDY.ALPHA * PER_WEEK, STUDY.S, STUDY.BETA * PER_WEEK
    once, twice = (a / (a + 1)) ** r, (a / (a + 2)) ** r
    alive = (b / (b + np.arange(ages.max()))) ** s
    days = np.cumsum(alive)[ages - 1]
    pairs = np.cumsum(2.0 * np.arange(ages.max()) * alive)[ages - 1]
    mean = (1 - once) * days
    square = mean + (1 - 2 * once + twice) * pairs
    return float(mean.mean()), float(square.mean() - mean.mean() ** 2)


def test_repeat_orders_have_the_mean_and_variance_of_pareto_nbd_in_days(played):
    samples, _ = played
    counts = np.concatenate([sample.orders for sample in samples])
    mean, variance = daily_moments(STUDY.LAST - ENTRY)
    assert counts.mean() == pytest.approx(mean, abs=4.0 * np.sqrt(variance / len(counts)))
    assert counts.var() == pytest.approx(variance, rel=0.10)  # 24,000 heavy-tailed counts


def test_weekly_orders_follow_the_closed_form(played):
    samples, _ = played
    simulated = np.mean([sample.weekly for sample in samples], axis=0)
    expected = STUDY.expected_weekly(ENTRY, len(simulated))
    assert simulated.sum() == pytest.approx(expected.sum(), rel=0.04)  # days instead of the clock: about 1 % fewer
    assert np.abs(simulated - expected).mean() < 0.06 * expected.mean()


def test_days_cost_about_one_percent_of_the_orders(played):
    samples, panel = played
    by_day = np.concatenate([sample.orders for sample in samples]).mean()
    by_clock = STUDY.in_event_time(panel, ENTRY, seed=3)
    r, a, s, b = STUDY.R, STUDY.ALPHA, STUDY.S, STUDY.BETA
    age = (STUDY.LAST - ENTRY) / PER_WEEK
    exact = np.mean(r * b / (a * (s - 1)) * (1 - (b / (b + age)) ** (s - 1)))
    assert by_clock.mean() == pytest.approx(exact, rel=0.045)
    assert daily_moments(STUDY.LAST - ENTRY)[0] == pytest.approx(exact, rel=0.012)
    assert 0.96 < by_day / by_clock.mean() < 1.02


def test_samples_are_different_customers_and_the_same_every_time(world):
    once, again = (STUDY.simulated(world, ENTRY[:60], samples=2, seed=5)[0] for _ in range(2))
    assert np.array_equal(once[0].orders, again[0].orders)
    assert np.array_equal(once[1].weekly, again[1].weekly)
    assert not np.array_equal(once[0].orders, once[1].orders)


def test_orders_of_one_day_are_one_and_first_orders_do_not_count(tmp_path):
    path = tmp_path / "orders.txt"
    path.write_text(
        " 1 1 19970103 1 10.00\n 1 1 19970103 2 5.00\n 1 1 19970110 1 20.00\n 1 1 19970110 1 2.50\n"
        " 1 1 19971001 1 40.00\n 2 2 19970201 1 7.00\n"
    )
    entry, sample = STUDY.observed(STUDY.read_orders(path), weeks=78)
    assert entry.tolist() == [2, 31]
    assert sample.orders.tolist() == [1, 0]  # the one on 1 October comes after the calibration period
    assert sample.spend.tolist() == [22.5, 0.0]
    assert np.flatnonzero(sample.weekly).tolist() == [1, 39]


def test_figures_by_hand():
    sample = STUDY.Sample(np.array([6, 1, 1] + [0] * 17), np.array([30.0, 60.0] + [0.0] * 18), np.ones(78))
    found = STUDY.figures(sample)
    assert found["mean repeat orders"] == pytest.approx(0.4)
    assert found["variance"] == pytest.approx(38 / 20 - 0.16)
    assert found["share without repeat"] == pytest.approx(0.85)
    assert found["top-tenth share of orders"] == pytest.approx(7 / 8)
    assert found["top-tenth share of spend"] == pytest.approx(1.0)
    assert found["cumulative, week 26"] == 26.0
    assert STUDY.distance(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 2])) == pytest.approx(0.25)


@pytest.mark.parametrize("text", ["1 1 1997-13-45 1 1.0\n", "a single word\n", "", "1 1 19961231 1 1.0\n"])
def test_a_foreign_file_is_named(tmp_path, text):
    path = tmp_path / "orders.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=r"orders\.txt"):
        STUDY.read_orders(path)


def test_a_missing_file_is_said_without_a_traceback(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["cdnow_world.py", str(tmp_path / "nowhere.txt")])
    with pytest.raises(SystemExit) as left:
        runpy.run_path(str(EXPERIMENTS / "cdnow_world.py"), run_name="__main__")
    assert left.value.code == DataError.exit_code
    assert "nowhere.txt" in capsys.readouterr().err


def test_the_real_sample_has_its_known_figures(orders_file):
    entry, real = STUDY.observed(STUDY.read_orders(orders_file), weeks=78)
    assert len(entry) == 2_357
    assert real.orders.sum() == 2_457
    assert real.orders.mean() == pytest.approx(1.042, abs=5e-4)
    assert real.orders.var() == pytest.approx(4.79, abs=5e-3)
    assert (real.orders == 0).mean() == pytest.approx(0.599, abs=5e-4)
    assert real.weekly[39:].sum() == 1_882


def test_the_study_says_what_the_world_reproduces_and_what_not(orders_file, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        sys, "argv", ["cdnow_world.py", str(orders_file), "--samples", "24", "--json", "-o", str(tmp_path)]
    )
    runpy.run_path(str(EXPERIMENTS / "cdnow_world.py"), run_name="__main__")
    answer = json.loads(capsys.readouterr().out)
    rows = {row["figure"]: row for row in answer["figures"]}
    within = {name for name, row in rows.items() if row["within"]}
    assert {"share without repeat", "top-tenth share of orders", "KS distance of counts"} <= within
    assert {"cumulative, week 26", "cumulative, week 52", "cumulative, week 78"} <= within
    plausible = {name for name, row in rows.items() if row["plausible"]}
    assert {"mean repeat orders", "variance", "top-tenth share of orders", "cumulative, week 78"} <= plausible
    for row in rows.values():  # a figure is within exactly when it says so of its own numbers
        assert row["within"] == (abs(row["simulated"] - row["real"]) <= row["tolerance"])
    assert (tmp_path / "tracking.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
