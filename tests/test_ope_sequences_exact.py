"""Sequences for every look, by the formula and by the paths that stand for a test: widths, crossings, their price."""

import math

import numpy as np
import pytest
from scipy import stats

from campaignrl.ope.intervals import anytime_multiple, horizon_inflation, horizon_multiple
from campaignrl.ope.intervals.asymptotic_sequences import (
    FALL,
    FEW,
    FIRST,
    PATHS,
    SAFE,
    STEPS,
    _drawn_closer,
    _late_height,
    _passed,
    _paths,
    late_inflation,
    late_multiple,
    mixture_tuning,
)


def test_the_mixture_by_its_formula():
    reach = 2 * math.log(20)
    assert mixture_tuning(0.05, 400.0) == pytest.approx((reach + math.log(reach) + 1) / 400)
    for n in (100.0, 400.0):
        x = n * mixture_tuning(0.05, 400.0)
        wanted = math.sqrt(2 * (x + 1) / x * math.log(math.sqrt(x + 1) / 0.05))
        assert float(anytime_multiple(n, 0.05, 400.0)) == pytest.approx(wanted)
    widths = [float(anytime_multiple(400.0, 0.05, tuned)) for tuned in (200.0, 400.0, 800.0)]
    assert widths[1] == min(widths)


def test_paths_are_brownian_motions():
    time, noise = _paths()
    assert (len(time), noise.shape) == (STEPS, (PATHS, STEPS))
    assert (time[0], time[-1], FIRST) == (0.05, 1.0, 0.05)
    for place in (0, 100, STEPS - 1):
        assert noise[:, place].var() == pytest.approx(time[place], rel=0.08)
        assert abs(noise[:, place].mean()) < 4 * math.sqrt(time[place] / PATHS)
    late = noise[:, -1] - noise[:, 200]
    assert late.var() == pytest.approx(1.0 - time[200], rel=0.08)
    assert abs(np.corrcoef(late, noise[:, 200])[0, 1]) < 0.05


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_all_looks_up_to_the_horizon_share_their_part_of_alpha(alpha):
    time, noise = _paths()
    edge = horizon_multiple(time, alpha, 1.0) * np.sqrt(time)
    outside = (np.abs(noise) > edge).any(axis=1).mean()
    assert outside == pytest.approx(SAFE * alpha, abs=2 / PATHS)
    assert 0.5 < _drawn_closer(alpha) < 1.0
    assert np.allclose(horizon_multiple(time, alpha, 1.0), anytime_multiple(time, alpha, 1.0) * _drawn_closer(alpha))
    assert float(horizon_multiple(300.0, alpha, 200.0)) == float(horizon_multiple(200.0, alpha, 200.0))
    assert (SAFE, FEW, PATHS, STEPS) == (0.8, 16, 8_000, 400)


def test_a_test_with_many_looks_has_its_power_with_so_many_times_the_customers():
    alpha, power = 0.05, 0.8
    found = horizon_inflation(alpha, power)
    once = stats.norm.isf(alpha / 2) + stats.norm.ppf(power)
    time, noise = _paths()
    looks = np.arange(FEW - 1, STEPS, FEW)
    edge = horizon_multiple(time[looks], alpha, 1.0) * np.sqrt(time[looks])
    drift = math.sqrt(found) * once
    assert (np.abs(noise[:, looks] + drift * time[looks]) >= edge).any(axis=1).mean() == pytest.approx(power, abs=1e-3)
    assert 1.1 < found < 1.6


# ---- the late boundary


def line(height, drift):
    """Chance that a motion passes height - FALL t before 1, by reflection (Anderson 1960)."""
    rise = drift + FALL
    return stats.norm.cdf(rise - height) + math.exp(2 * height * rise) * stats.norm.cdf(-height - rise)


@pytest.mark.parametrize(("height", "drift"), [(2.0, 0.0), (3.0, 0.0), (3.5, 2.8), (0.5, 1.0)])
def test_a_falling_line_is_passed_as_often_as_reflection_says(height, drift):
    assert _passed(height, drift) == pytest.approx(line(height, drift))
    assert _passed(100.0, 3.0) == 0.0
    assert FALL == 1.5


def test_half_of_alpha_is_spent_on_either_side():
    for alpha in (0.05, 0.2):
        height = _late_height(alpha)
        assert line(height, 0.0) == pytest.approx(alpha / 2)
        part = np.array([0.25, 0.5, 1.0])
        wanted = (height - FALL * part) / np.sqrt(part)
        assert late_multiple(200.0 * part, alpha, 200.0) == pytest.approx(wanted)
        assert float(late_multiple(900.0, alpha, 200.0)) == pytest.approx(height - FALL)
        assert float(late_multiple(0.0, alpha, 200.0)) == pytest.approx(height / 1e-6, rel=1e-6)


def test_a_late_test_needs_so_many_times_the_customers():
    for power in (0.8, 0.9):
        once = stats.norm.isf(0.025) + stats.norm.ppf(power)
        found = late_inflation(0.05, power)
        assert line(_late_height(0.05), math.sqrt(found) * once) == pytest.approx(power)
        assert 1.0 < found < 1.3
