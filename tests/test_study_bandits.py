"""The studies of regret, small: their arithmetic by hand, and that they tell what they measured."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def regret():
    return runpy.run_path(str(ROOT / "experiments" / "regret.py"))


@pytest.fixture(scope="module")
def classification():
    return runpy.run_path(str(ROOT / "experiments" / "classification.py"))


@pytest.mark.parametrize("power", [0.3, 0.5, 1.0])
def test_the_slope_of_a_power_is_its_exponent(regret, power):
    assert regret["slope"](7.0 * np.arange(1.0, 401.0) ** power) == pytest.approx(power, abs=1e-9)


def test_a_learner_loses_less_and_less_and_all_meet_the_same_luck(regret):
    curve = regret["one_run"]("lin_ts", 3, 2000)
    first, last = curve[9], curve[-1] - curve[-11]
    assert last < 0.5 * first
    np.testing.assert_array_equal(curve, regret["one_run"]("lin_ts", 3, 2000))
    assert regret["one_run"]("lin_ucb", 3, 2000)[0] == pytest.approx(curve[0], rel=0.2)  # the first batch: all alike


def test_a_stream_holds_the_set_with_as_many_wrong_labels_as_said(classification):
    catalog, context, label, u = classification["drawn"]("digits_noise", 0, 4000)
    _, clean, truth, _ = classification["drawn"]("digits", 0, 4000)
    assert len(catalog) == 11
    assert all((context.columns[name] == clean.columns[name]).all() for name in clean.columns)
    assert (label != truth).mean() == pytest.approx(0.2 * 0.9, abs=0.02)
    assert ((u >= 0.0) & (u < 1.0)).all()


def test_regret_of_a_policy_that_never_learns_is_that_of_chance(classification):
    classification["POLICIES"]["uniform"] = {"kind": "lin_epsilon", "l2": 1.0, "explore": 1.0}
    assert classification["one_run"]("wine", "uniform", 0, 500) == pytest.approx(2 / 3, abs=1e-9)
    learned = classification["one_run"]("wine", "square_cb", 0, 500)
    assert learned < 0.4


@pytest.mark.slow
@pytest.mark.parametrize("study", ["regret", "classification"])
def test_a_quick_run_tells_and_draws(study, tmp_path):
    script = ROOT / "experiments" / f"{study}.py"
    done = subprocess.run(
        [sys.executable, script, "--quick", "--json", "-o", tmp_path], capture_output=True, text=True, timeout=280
    )
    assert done.returncode in (0, 1), done.stderr
    assert json.loads(done.stdout) == json.loads((tmp_path / f"{study}.json").read_text())
    assert (tmp_path / f"{study}.png").read_bytes().startswith(b"\x89PNG")
