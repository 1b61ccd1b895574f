"""Tags judged against the simulator's truth: a small run of the study."""

import importlib.util
from pathlib import Path

import pandas as pd
import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "experiments" / "profile_truth.py"


@pytest.fixture(scope="module")
def study():
    spec = importlib.util.spec_from_file_location("profile_truth", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_core_tags_are_right_where_the_truth_can_be_known(study):
    found = study.judge("rules", 700, 5)
    right = {name: tag["right"] for name, tag in found["tags"].items()}
    assert right["stage, as the panel derives it"] == 1.0
    # One look is right for 90 % of the 85 % that are not wrong; seven looks settle it.
    assert right["segment, newest look"] == pytest.approx(0.765, abs=0.04)
    assert right["segment, settled"] > 0.97
    assert right["price level, settled"] > 0.95
    assert right["lifecycle"] > 0.88  # 0.91 of 4,000 customers
    assert right["lifecycle"] > right["lifecycle, orders alone"] - 0.01
    counts = pd.DataFrame(found["confusion"]).T
    assert counts.to_numpy().sum() == 700
    assert counts.loc[["prospect", "new"], ["live", "gone"]].to_numpy().sum() == 0


def test_the_ceiling_of_looks_by_hand(study):
    # Two levels equally likely, one look each, wrong for a quarter: three quarters is the best there is.
    truth = pd.Series(["a", "b"] * 50, index=[str(i) for i in range(100)])
    looks = pd.DataFrame({"customer_id": truth.index, "ts": 0, "name": "x", "value": ["a"] * 100})
    assert study.by_looks(looks, truth, 0.25) == pytest.approx(0.75)
    assert study.by_looks(looks.iloc[:0], truth, 0.25) == pytest.approx(0.5)


def test_the_ceiling_of_orders_by_hand(study):
    truth = pd.DataFrame({"rate": [0.1, 0.1], "drop_rate": [0.1, 0.1]})
    chance = study.by_own_rates(truth, pd.Series([0.0, 10.0]))
    assert chance[0] == 1.0
    assert chance[1] == pytest.approx(1 / (1 + 0.5 * (2.718281828**2 - 1)))
