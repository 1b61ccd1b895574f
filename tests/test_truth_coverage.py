"""The doubly robust interval against the simulator's truth, small here and in full size as a slow study."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "experiments" / "truth_coverage.py"


@pytest.fixture(scope="module")
def truth_coverage():
    """The study script as a module."""
    spec = importlib.util.spec_from_file_location("truth_coverage", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_intervals_hold_the_truth(truth_coverage) -> None:
    """20 logs of a short campaign: at 95 %, fewer than 16 of 20 would happen once in 4,000 tries."""
    world = truth_coverage.crl.load_world("ecommerce", horizon=14)
    truth = truth_coverage.decision_value(world, "rules", "uniform", customers=20_000, seed=truth_coverage.FAR)
    rows = [truth_coverage.one_seed(seed, world, ["rules"], 400)[0] for seed in range(20)]
    found = truth_coverage.summary(truth, truth_coverage.np.array(rows))
    assert found["coverage"] >= 16 / 20
    assert abs(found["bias_in_std_errors"]) < 4


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_intervals_hold_the_truth_in_93_of_100(truth_coverage) -> None:
    """The full study: 200 logs of 5,000 customers over 90 days."""
    answers = truth_coverage.study("ecommerce", "lin_ts", 200, 5_000, 400_000, 2)
    for truth, rows in answers.values():
        assert truth_coverage.summary(truth, rows)["coverage"] >= 0.93
