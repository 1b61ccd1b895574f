"""The six-wave log of the Starbucks data, and what an estimate must come to by its README; skipped without the data."""

import sys
from pathlib import Path

import numpy as np
import pytest

import campaignrl as crl
from campaignrl.report.figures.base import png_bytes
from campaignrl.report.figures.effective_size_by_step import ess_by_step

EXPERIMENTS = Path(__file__).resolve().parents[1] / "experiments"


@pytest.fixture(scope="module")
def study(shared_data):
    """The experiment as a module, its log, and the same in dollars per day."""
    sys.path.insert(0, str(EXPERIMENTS))
    try:
        import starbucks
        import starbucks_log
    finally:
        sys.path.remove(str(EXPERIMENTS))
    log = starbucks_log.read_starbucks(shared_data / "starbucks")
    return starbucks, log, starbucks_log.per_day(log)


def test_the_log_is_what_the_readme_says(study):
    _, log, _ = study
    assert (len(log), len(log.customers), len(log.catalog)) == (72_000, 12_000, 11)
    assert (log.action > 0).sum() == 53_795  # offers received
    assert log.reward.sum() / 12_000 == pytest.approx(104.70, abs=0.01)
    shares = np.bincount(log.action, minlength=11) / len(log)
    assert shares[0] == pytest.approx(0.25, abs=0.01)
    assert shares[1:] == pytest.approx(0.075, abs=0.003)
    assert len(log.catalog.channels) == 4


@pytest.mark.slow
def test_one_decision_by_each_action_is_within_a_standard_error(study):
    starbucks, _, daily = study
    rows = starbucks.one_decision(daily)
    assert len(rows) == 11
    assert max(abs(row["off"]) for row in rows) < 1.0
    assert sum(row["verdict"] == "trust" for row in rows) == 11
    assert {row["verdict"] for row in rows} <= {"trust", "caution"}


def test_context_knows_only_what_came_before(study):
    """Nothing of the first wave's context depends on what happened in it or later."""
    _, log, _ = study
    first = log.context.take(log.step == 0).columns
    for name in ("spend_before", "spend_so_far", "orders_before", "viewed_before", "completed_before", "kind_before"):
        assert not np.any(first[name])
    second, spent = log.context.take(log.step == 1).columns, log.reward[log.step == 0]
    assert second["spend_before"] == pytest.approx(spent / 7)


def test_six_waves_the_near_policy_is_answered_and_the_far_one_refused(study):
    starbucks, log, _ = study
    asked = starbucks.questions(log)
    policy, share = asked["any offer, no pauses"]
    near = crl.evaluate(log, policy, mix=share, estimators=("pdis", "wpdis"))
    assert (near.verdict, near.lasting) == ("trust", 6)
    assert near.estimates["pdis"].value == pytest.approx(near.estimates["wpdis"].value, abs=2.0)
    # each wave keeps a share of (1/.075 x 10 x .1^2) = .75 of the customers
    assert [step.ess for step in near.curve] == pytest.approx([12_000 * 0.75**t for t in range(1, 7)], rel=0.02)
    policy, share = asked["always the best"]
    far = crl.evaluate(log, policy, mix=share, estimators=("pdis",))
    assert (far.verdict, far.lasting) == ("refuse", 1)
    assert np.isnan(far.estimates["pdis"].value)


def test_conclusions_follow_the_figures(study):
    starbucks, log, daily = study
    rows = [{"action": a, "value": v, "off": 0.0} for a, v in (("fafdcd66", 5.2), ("2298d6c3", 4.8))]
    found = {
        "near": crl.evaluate(log, "logged", estimators=("pdis",)),
        "far": crl.evaluate(log, "always:fafdcd66", estimators=("pdis",)),
    }
    said = "\n".join(starbucks.conclusions(daily, rows, found))
    assert "near: not surely more than what was logged" in said
    assert "far: the log follows it for 1 of 6 waves, so it is refused" in said


def test_the_curve_is_drawn_even_where_nothing_is_left():
    figure = ess_by_step({"near": np.array([900.0, 400.0, 120.0]), "$far_": np.array([80.0, 0.0])}, 100.0)
    ax = figure.axes[0]
    dots = {tuple(line.get_xdata()): line.get_markerfacecolor() for line in ax.lines if line.get_marker() == "o"}
    assert (1, 2, 3) in dots  # filled
    assert dots[(1, 2)] == "#ffffff"  # hollow: below what is enough from the first step on
    assert png_bytes(figure).startswith(b"\x89PNG")
