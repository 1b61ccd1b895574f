"""The study of single decisions: its summary by hand, and a small run of the whole."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from campaignrl.true_value import Value

SCRIPT = Path(__file__).resolve().parents[1] / "experiments" / "decision_truth.py"


def lifts_of(true, scale, seeds=400):
    return true + scale * np.random.default_rng(0).normal(size=(seeds, len(true)))


def test_summary_finds_the_law_and_what_precision_allows():
    summary = runpy.run_path(str(SCRIPT))["summary"]
    true, sizes = np.arange(10.0), np.array([100.0, 400.0, 1600.0])
    lifts = np.array([lifts_of(true, 40.0 / np.sqrt(n)) for n in sizes])
    found = summary([str(i) for i in range(10)], [Value(v, 0.0, v, v) for v in true], sizes, lifts)
    assert found["slope"] == pytest.approx(-0.5, abs=1e-9)  # the same draws, scaled
    assert found["rmse"] == pytest.approx(40.0 / np.sqrt(sizes), rel=0.05)
    assert found["rank_correlation"] == pytest.approx(found["rank_correlation_reachable"], abs=0.03)
    assert found["rank_correlation"][0] < found["rank_correlation"][1] < found["rank_correlation"][2]
    assert found["spread_of_truth"] == pytest.approx(true.std(ddof=1))


@pytest.mark.slow
def test_the_study_runs(tmp_path):
    words = [
        "--seeds",
        "2",
        "--sizes",
        "20",
        "40",
        "80",
        "--truth-customers",
        "400",
        "--workers",
        "1",
        "--horizon",
        "14",
    ]
    words += ["--policies", "none", "rules", "always:coupon30@sms", "-o", tmp_path]
    done = subprocess.run([sys.executable, SCRIPT, *words], capture_output=True, text=True, timeout=200, check=True)
    told = json.loads((tmp_path / "decision_truth.json").read_text())
    assert "decisions: 2 logs" in done.stdout
    assert len(told["truth"]) == 3
    assert len(told["rmse"]) == len(told["decisions"]) == 3
    assert (tmp_path / "errors.png").read_bytes().startswith(b"\x89PNG")
