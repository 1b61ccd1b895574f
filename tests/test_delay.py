"""Delays: the survival table by hand, and a known delay found again although most customers are watched too briefly."""

from __future__ import annotations

import numpy as np
import pytest

from campaignrl.calibration.response.conversion_delay import delay_table, fit_delay
from campaignrl.errors import DataError


def test_survival_by_hand():
    """Five clicks: orders on days 0 and 2, one gone after day 1, one after day 2, one watched to the end."""
    table = delay_table([0, 2, 1, 2, 4], [True, True, False, False, False], horizon=3)
    assert table.at_risk.tolist() == [5, 4, 3, 1]
    assert table.events.tolist() == [1, 0, 1, 0]
    assert table.survival == pytest.approx([0.8, 0.8, 0.8 * 2 / 3, 0.8 * 2 / 3])
    greenwood = np.sqrt(1 / (5 * 4) + 1 / (3 * 2))
    assert table.std_error[2] == pytest.approx(table.survival[2] * greenwood)


def test_an_order_after_the_horizon_is_none_within_it():
    table = delay_table([40, 0], [True, True], horizon=30)
    assert table.events.tolist() == [1.0] + [0.0] * 30
    assert table.at_risk[30] == 1


def simulated(n, seed, longest):
    """First orders of a known intensity, watched for up to `longest` days."""
    chance = np.random.default_rng(seed)
    answer, same_day, baseline, k = 0.4, 0.5, 0.004, np.exp(-1 / 6.0)
    day = np.arange(200)
    later = (1 - same_day) * (1 - k) * k ** np.maximum(day - 1.0, 0.0)
    intensity = np.cumsum(baseline + answer * np.where(day == 0, same_day, later))
    order = np.searchsorted(intensity, chance.exponential(1.0, n))
    watched = chance.integers(0, longest, n)
    return np.minimum(order, watched), order <= watched


@pytest.mark.parametrize("longest", [31, 12])
def test_a_known_delay_is_found_again_under_censoring(longest):
    days, ordered = simulated(60_000, seed=1, longest=longest)
    fit = fit_delay(days, ordered, baseline=0.004)
    for name, value in {"answer": 0.4, "same_day": 0.5, "delay_days": 6.0}.items():
        assert abs(getattr(fit, name) - value) < 4.0 * fit.standard_errors[name], name
    if longest == 12:  # what a histogram would say of the rest
        assert days[ordered & (days > 0)].mean() < 4.5
    assert fit.survival([0, 10]) == pytest.approx(delay_table(days, ordered).survival[[0, 10]], abs=0.01)


def test_the_baseline_can_be_fitted_too():
    days, ordered = simulated(120_000, seed=2, longest=60)
    fit = fit_delay(days, ordered, horizon=58)
    assert abs(fit.baseline - 0.004) < 4.0 * fit.standard_errors["baseline"]
    assert abs(fit.delay_days - 6.0) < 4.0 * fit.standard_errors["delay_days"]


@pytest.mark.parametrize(
    ("days", "ordered"),
    [([], []), ([1.5], [True]), ([-1], [True]), ([1, 2], [True]), ([np.nan], [False]), ([3], [False])],
)
def test_delays_that_cannot_be_are_refused(days, ordered):
    with pytest.raises(DataError):
        fit_delay(days, ordered)
