"""The study of whole campaigns: its summary by hand, and a small run that goes on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

EXPERIMENTS = Path(__file__).resolve().parents[1] / "experiments"


@pytest.fixture(scope="module")
def study():
    sys.path.insert(0, str(EXPERIMENTS))
    try:
        import sequential_truth
    finally:
        sys.path.remove(str(EXPERIMENTS))
    return sequential_truth


def log_of(values, verdict="trust"):
    """What a log says, as far as the summary reads it; wdr turns the order round."""
    return {
        name: {"n": 90, "lasting": 3, "verdict": verdict, "estimates": {"fqe": {"value": v}, "wdr": {"value": -v}}}
        for name, v in values.items()
    }


def test_summary_ranks_lifts_over_the_first_policy(study):
    truth = {name: {"lift": {"value": v}} for name, v in (("nothing", 0.0), ("a", 2.0), ("b", -1.0), ("c", 4.0))}
    logs = [log_of({"nothing": x, "a": 2 + x, "b": x - 1, "c": y + x}) for x, y in ((5.0, 4.0), (-3.0, 1.0))]
    logs[0]["c"]["verdict"] = "refuse"
    said = study.summary_of(truth, logs)
    assert said["ranks"]["fqe"]["each"] == pytest.approx([1.0, 0.8])
    assert said["ranks"]["wdr"]["each"] == pytest.approx([-1.0, -0.8])
    assert said["ranks"]["fqe"]["rank_correlation"] == pytest.approx(0.9)
    assert said["ranks"]["fqe"]["rmse"] == pytest.approx((9.0 / 8) ** 0.5)  # one lift of eight is off, by 3
    assert said["refused"] == ["c"]
    assert study.summary_of(truth, logs[:1])["ranks"]["fqe"]["logs"] == 1


@pytest.mark.slow
def test_the_study_runs_and_goes_on(tmp_path):
    words = ["--world", "coupon_trap", "--customers", "60", "--truth-customers", "200", "--horizon", "3"]
    call = [sys.executable, EXPERIMENTS / "sequential_truth.py", *words, "-o", tmp_path, "--json", "--logs"]
    one = json.loads(subprocess.run([*call, "1"], capture_output=True, text=True, timeout=200, check=True).stdout)
    kept = {file: file.stat().st_mtime_ns for file in tmp_path.glob("*/*.json")}
    two = json.loads(subprocess.run([*call, "2"], capture_output=True, text=True, timeout=200, check=True).stdout)
    assert len(kept) == 2  # the truth and one log
    assert all(file.stat().st_mtime_ns == time for file, time in kept.items())
    assert two["truth"] == one["truth"]
    assert two["summary"]["ranks"]["fqe"]["each"][0] == one["summary"]["ranks"]["fqe"]["each"][0]
    assert two["truth"]["nothing"]["lift"]["value"] == 0.0
    assert (tmp_path / "values.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "ess_by_step.png").read_bytes().startswith(b"\x89PNG")
