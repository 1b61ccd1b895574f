"""The studies of estimators, small: what a published table and a known truth say must come out."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def digits():
    return runpy.run_path(str(ROOT / "experiments" / "digits.py"))


@pytest.fixture(scope="module")
def markets():
    return runpy.run_path(str(ROOT / "experiments" / "estimators.py"))


@pytest.mark.slow
def test_digits_come_out_near_the_published_table(digits, tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "experiments" / "digits.py", "--runs", "3", "--workers", "1", "--json", "-o", tmp_path],
        capture_output=True,
        text=True,
        timeout=120,
    )
    told = json.loads(done.stdout)
    assert told == json.loads((tmp_path / "digits.json").read_text())
    assert (tmp_path / "digits.png").read_bytes().startswith(b"\x89PNG")
    assert told["agree"]
    assert done.returncode == (0 if told["in_order"] else 1)  # three runs need not tell dr from snips
    error = {name: row["error"] for name, row in told["estimators"].items()}
    assert max(error["dr"], error["dros"], error["snips"], error["ips"]) < 0.2 * error["dm"]


def test_a_table_out_of_order_is_noticed(digits):
    published = pd.Series({name: value for name, (value, _) in digits["PUBLISHED"].items()})
    assert digits["in_order"](published)
    assert not digits["in_order"](published.replace(published["snips"], 0.01))
    assert not digits["in_order"](published.replace(published["dm"], 0.05))


def _mean_square(markets, runs, **setting):
    errors = [markets["one_run"](markets["Market"](**setting), seed) for seed in range(runs)]
    return {name: np.mean([e[name] ** 2 for e in errors]) for name in errors[0]}


@pytest.mark.slow
def test_offers_tell_more_than_many_actions(markets):
    found = _mean_square(markets, 5, actions=500, rows=800)
    assert found["mips_offer"] < 0.5 * min(found["dr"], found["ips"])


def test_but_not_where_the_channel_matters(markets):
    found = _mean_square(markets, 5, actions=50, channel_effect=1.0)
    assert found["dr"] < 0.5 * found["mips_offer"]


@pytest.mark.slow
def test_errors_fall_with_the_sample(markets):
    few, many = (_mean_square(markets, 12, actions=10, rows=n, sharpness=0.0) for n in (400, 6_400))
    for name in ("ips", "dr", "mips_offer", "offcem"):  # sixteen times the rows: about a sixteenth
        assert many[name] < 0.25 * few[name]
