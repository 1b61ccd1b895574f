"""The study of deep learners that begin from `rollout`, small: its rows, and what it is held against."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

import campaignrl as crl

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def study():
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(ROOT / "experiments"))
        yield runpy.run_path(str(ROOT / "experiments" / "warm_starts.py"))


def test_a_row_says_what_was_kept_and_by_how_much_it_is_better(study):
    found = {"kept": "trained", "over_start": [0.5, 0.1, 0.9], "seconds": 12.4, "over": [0.4, 0.4, 0.4]}
    told = study["row_of"]("bank", "dqn", found)
    assert told == "| bank | dqn | trained | +0.50 [+0.10, +0.90] | +0.40 [+0.40, +0.40] | 12 |"
    assert "nothing to begin from" in study["row_of"]("bank", "dqn", {"kept": "no start"})


def test_a_rollout_that_kept_a_baseline_is_no_start(study, tmp_path):
    world = crl.load_world("no_memory")
    fallen = crl.load_policy({"kind": "rollout", "hidden": [8], "baseline": {"kind": "none"}}, world)
    start = crl.save_policy(fallen, tmp_path / "start.bundle")
    found = study["taught"]("no_memory", "dqn", start, 100, 0, tmp_path / "out.bundle")
    assert found["kept"] == "no start"
    assert found["why"] == "rollout kept none"
    assert not (tmp_path / "out.bundle").exists()


def test_a_learner_that_cannot_begin_warm_is_an_error_and_no_row(study, tmp_path):
    start = crl.save_policy(crl.load_policy({"kind": "rollout", "hidden": [8]}, "no_memory"), tmp_path / "start.bundle")
    with pytest.raises(crl.errors.UsageError, match="warm"):
        study["taught"]("no_memory", "lin_ts", start, 100, 0, tmp_path / "out.bundle")
    with pytest.raises(crl.errors.CampaignError, match=r"nowhere\.bundle"):
        study["taught"]("no_memory", "dqn", tmp_path / "nowhere.bundle", 100, 0, tmp_path / "out.bundle")


@pytest.mark.slow
def test_whoever_keeps_the_start_plays_as_it_does(study, tmp_path):
    pytest.importorskip("sb3_contrib")
    world, chance, parts = crl.load_world("no_memory"), np.random.default_rng(0), tmp_path / "rollouts"
    start = crl.load_policy({"kind": "rollout", "hidden": [8]}, world)
    widths = (world.features.width, 8 + 1, len(world.catalog))  # and one that holds what prices add
    tensors = {f"weight_{i}": chance.normal(size=widths[i : i + 2]).astype(np.float32) for i in (0, 1)}
    start.keep(tensors | {f"bias_{i}": np.zeros(widths[i + 1], dtype=np.float32) for i in (0, 1)}, None)
    parts.mkdir()
    crl.save_policy(start, parts / "no_memory-0-own.bundle")
    words = ["--worlds", "no_memory", "--kinds", "dqn", "--steps", "500", "--fresh", "50", "--seeds", "2"]
    page = tmp_path / "results.md"
    page.write_text("before\n<!-- warm starts -->\nold\n<!-- warm starts: end -->\nafter\n")
    study["main"]([*words, "--start", str(parts), "-o", str(tmp_path / "runs"), "--docs", str(page)])
    assert "old" not in page.read_text()
    assert "| no_memory | dqn |" in page.read_text()
    made = json.loads((tmp_path / "runs" / "parts" / "no_memory-dqn-0-500.json").read_text())
    plays = [json.loads(one.read_text()) for one in (tmp_path / "runs" / "parts").glob("no_memory-dqn-0-500-50-*")]
    assert len(plays) == 2
    assert made["kept"] != "start" or plays == [0.0, 0.0]
