"""The study of coverage, small: the usual interval holds the truth, t and bootstrap do not, and the verdict warns."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "experiments" / "coverage.py"


@pytest.fixture(scope="module")
def coverage():
    """The study script as a module."""
    spec = importlib.util.spec_from_file_location("coverage_study", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["coverage_study"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_rare_conversions(coverage):
    """80 logs; t and bootstrap hold the truth in a fifth of them, and no one is left without a warning."""
    found = coverage.study(coverage.RARE, 80, 0, ("empirical likelihood", "t", "anytime"))
    ways = found["intervals"]
    assert ways["empirical likelihood"]["coverage"] >= 0.93
    assert ways["empirical likelihood"]["mean_width"] <= 0.175  # 0.16 over many logs
    assert ways["t"]["coverage"] <= 0.40
    assert ways["anytime"]["coverage"] >= 0.95
    assert found["warned_when_t_misses"] >= 0.95
    drawn = coverage.study(coverage.RARE, 5, 1, ("bootstrap",))["intervals"]["bootstrap"]
    assert drawn["coverage"] <= 0.8


@pytest.mark.slow
def test_an_ordinary_setting(coverage):
    setting = next(s for s in coverage.SETTINGS if s.name.startswith("50 %"))
    found = coverage.study(setting, 80, 2, ("empirical likelihood",))["intervals"]["empirical likelihood"]
    assert 0.88 <= found["coverage"] <= 1.0  # fewer than 88 % of 80 would happen once in a hundred tries


def test_looking_often_excludes_the_truth_for_t_and_not_for_the_anytime_bounds(coverage):
    found = coverage.anytime_study(40, 4_000, 100, 3)
    assert found["anytime"] <= 0.10
    assert found["t_at_every_look"] >= 0.5


@pytest.mark.parametrize("name", ["rare conversions", "money, 12 % buy", "a score in [0, 1]", "five rows a customer"])
def test_the_stated_truth_is_the_mean_of_what_is_drawn(coverage, name):
    setting = next(s for s in (coverage.RARE, *coverage.SETTINGS) if s.name == name)
    _, wanted = setting.probabilities()
    chance, each = np.random.default_rng(4), 60_000
    many = np.repeat(np.arange(10), each)
    taste = np.ones(10 * each)
    if setting.repeats > 1:
        taste = chance.gamma(2.0, 0.5, 10 * each).clip(0, 3.0)
    reward = coverage.rewards_of(setting, setting.means()[many], taste, chance)
    value = float(reward.reshape(10, each).mean(axis=1) @ wanted)
    assert value == pytest.approx(coverage.truth_of(setting), rel=0.03)


def test_the_table_has_a_line_a_setting(coverage):
    found = coverage.study(coverage.RARE, 3, 5, ("empirical likelihood", "t"))
    lines = coverage.table([found, found]).splitlines()
    assert len(lines) == 3
    assert lines[1].startswith("rare conversions")


def test_the_picture_is_drawn(coverage, tmp_path):
    found = coverage.study(coverage.RARE, 3, 5, ("empirical likelihood", "t"))
    coverage.picture([found], tmp_path / "made" / "coverage.png")
    assert (tmp_path / "made" / "coverage.png").stat().st_size > 5_000


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_whole_study(coverage):
    """2,000 logs of the rare case, 1,000 of each other setting, 1,000 of 20,000 rows looked at 200 times."""
    rare = coverage.study(coverage.RARE, 2_000, 0, ("empirical likelihood", "t"))
    assert rare["intervals"]["empirical likelihood"]["coverage"] >= 0.93
    usual = rare["intervals"]["empirical likelihood"]
    assert usual["mean_width"] <= 0.16 + 2 * usual["mean_width_std_error"]
    assert rare["warned_when_t_misses"] >= 0.95
    for i, setting in enumerate(coverage.SETTINGS):
        found = coverage.study(setting, 1_000, 3 + i, ("empirical likelihood",))
        assert 0.93 <= found["intervals"]["empirical likelihood"]["coverage"] <= 0.99, setting.name
    assert coverage.anytime_study(1_000, 20_000, 100, 99)["anytime"] <= 0.05
