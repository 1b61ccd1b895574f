"""The studies of hours and of drift, small: a learner finds the hours, and one that forgets gains where tastes move."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def hours():
    return runpy.run_path(str(ROOT / "experiments" / "hours.py"))


@pytest.fixture(scope="module")
def drifting():
    return runpy.run_path(str(ROOT / "experiments" / "drifting.py"))


def test_each_segment_has_its_best_hour_and_a_learner_finds_it(hours):
    told = hours["summary"]([hours["cell"](seed, 2_000) for seed in range(2)])
    assert told["best slot"] == {"commuters": "morning", "at_home": "noon", "night_owls": "night"}
    assert set(told["found in runs"].values()) == {2}
    assert 0.85 < told["share of the oracle's gain in opens"][0] <= 1.0


def test_the_share_is_of_sums_and_its_interval_of_what_is_left(hours):
    cells = [{"opens": {"random": 1.0, "learned": 1.0 + a, "oracle": 1.0 + b}} for a, b in ((0.9, 1.0), (1.8, 2.0))]
    assert hours["share_gained"](cells, "opens") == pytest.approx([0.9, 0.9, 0.9])


@pytest.mark.slow
def test_who_forgets_gains_where_tastes_move_and_loses_little_where_they_stay(drifting):
    told = drifting["summary"]([drifting["cell"](seed, 500) for seed in range(3)])
    for learner in ("forget", "window", "auto"):
        assert told["drifting"][learner]["low"] > 0
        assert told["still"][learner]["gain"] > -0.06 * told["still"]["keeps all"]["value"]
    assert told["drifting"]["auto"]["gain"] > told["drifting"]["forget"]["gain"]
    assert told["still"]["auto"]["gain"] > -0.01 * told["still"]["keeps all"]["value"]
    assert told["still"]["keeps all"]["value"] > told["drifting"]["keeps all"]["value"]
    assert told["still"]["keeps all"]["low"] == 0.0 == told["still"]["keeps all"]["gain"]


def test_the_worlds_are_those_of_the_files(drifting):
    worlds = drifting["worlds"]()
    assert worlds["drifting"].drift is not None
    assert worlds["still"].drift is None
    assert worlds["still"].catalog == worlds["drifting"].catalog
