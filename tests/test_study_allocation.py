"""The study of a morning's budget, small: a plan by value keeps the budget and brings more than the lot."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def study():
    return runpy.run_path(str(ROOT / "experiments" / "allocation.py"))


def test_the_plan_brings_more_than_the_lot_and_both_keep_the_budget(study):
    told = study["summary"]([study["cell"](seed, 12_000, [25.0]) for seed in range(3)])
    assert told["25 value"]["gained"] > told["25 lot"]["gained"]
    assert told["25 value"]["expected"] > told["25 lot"]["expected"] > 0
    assert max(told["25 value"]["cost"], told["25 lot"]["cost"]) <= 2_500
    ahead = told["25 value"]["gained"] - told["25 lot"]["gained"]
    assert told["25 value over lot"]["gained"] == pytest.approx(ahead)


def test_sending_nothing_brings_what_nothing_brings(study):
    """Money for no send at all: whatever the way, the gain is 0 to the last digit."""
    told = study["cell"](0, 500, [0.0])
    assert told["0 lot"]["gained"] == told["0 value"]["gained"] == 0.0
