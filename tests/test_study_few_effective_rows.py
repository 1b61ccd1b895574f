"""The study of logs of few effective rows, small: what it reports is what it was given, and a tiny run goes through."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

import campaignrl as crl

SCRIPT = Path(__file__).resolve().parents[1] / "experiments" / "few_effective_rows.py"


@pytest.fixture(scope="module")
def few():
    """The study script as a module."""
    spec = importlib.util.spec_from_file_location("few_effective_rows", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["few_effective_rows"] = module
    spec.loader.exec_module(module)
    return module


def test_a_summary_by_hand(few):
    nan = float("nan")
    rows = np.array([[400, 0.0, 2.0, -1.0, 0.5, 1.0, 1.0], [600, 1.5, 2.5, 0.0, 2.0, nan, nan]])
    found = few.summary(rows, 1.0, 0.4)
    assert found["ess"] == [400, 500, 600]
    assert (found["value"]["coverage"], found["lift"]["coverage"]) == (0.5, 1.0)
    assert found["value"]["width_over_bootstrap"] == pytest.approx(2.0)
    assert found["lift"]["width_over_bootstrap"] == pytest.approx(1.5)


@pytest.mark.slow
def test_logs_of_few_effective_rows_hold_the_truth(few):
    rows, value, lift = few.study("coupon_trap", "always:content@email", 12, 40, 2_000, 1, horizon=30)
    found = few.summary(rows, value, lift)
    assert 200 < found["ess"][1] < 1_000
    assert found["value"]["coverage"] >= 0.75  # fewer than 9 of 12 would happen once in five hundred tries
    assert found["lift"]["coverage"] >= 0.75
    assert found["value"]["width_over_bootstrap"] < 3.0
    assert crl.load_world("coupon_trap").horizon != 30


def test_a_log_of_the_shipped_policy_of_which_a_share_explores_holds_the_truth(few):
    """The call of the study for what ships, small; a log without such a share has no interval at all."""
    how = {"logging": "pretrained/ecommerce", "against": "uniform", "horizon": 20}
    rows, value, lift = few.study("ecommerce", "always:content@email", 3, 400, 2_000, 1, explore=0.4, **how)
    found = few.summary(rows, value, lift)
    assert 300 < found["ess"][1] < 1_000
    assert found["value"]["coverage"] == found["lift"]["coverage"] == 1.0  # of three seeds that are always the same
    assert found["value"]["width_over_bootstrap"] < 3.0
    world, seed = crl.load_world("ecommerce", horizon=20), few.COMPARED  # from which on no bootstrap is drawn
    certain = few.one_seed(seed, world, "always:content@email", 50, "rules")
    assert np.isnan(certain[1:5]).all()
