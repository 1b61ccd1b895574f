"""The study of `rollout` beside the oracles, small: its table, and that what is finished is not done again."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def study():
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(ROOT / "experiments"))
        yield runpy.run_path(str(ROOT / "experiments" / "rollout.py"))


def test_shares_are_left_out_where_there_is_nothing_to_share(study):
    ours, theirs = np.array([1.8, 2.0, 1.6]), np.array([2.0, 2.2, 1.8])
    assert study["_share"](ours, theirs).startswith("90 % [")
    assert study["_share"](ours, -theirs) == "-"
    assert study["_share"](ours, None) == "-"


def test_an_interval_over_seeds_is_students(study):
    values = np.array([1.0, 2.0, 3.0, 4.0])
    half = stats.t.ppf(0.975, 3) * values.std(ddof=1) / 2.0
    assert study["over_seeds"](values) == pytest.approx((2.5, 2.5 - half, 2.5 + half))
    assert study["over_seeds"](values, 2.0 * values) == pytest.approx((0.5, 0.5, 0.5))


def test_the_ceiling_is_that_of_the_page_and_of_its_customers(study):
    found, text = study["ceilings"](), (ROOT / "experiments" / "observable_ceiling.py").read_text()
    assert {"bank", "retail", "ecommerce", "no_memory", "tight_budget"} <= set(found)
    assert f"FRESH = 10_000_000, 90_000_000, 110_000_000, {study['UNDER'][0]:_}" in text
    assert f"seed={study['UNDER_SEED']}" in text
    assert study["_under"]([found["bank"], 0.0], found["bank"]) == "100 % [100, 100]"
    assert study["_under"]([1.0, 0.1], None) == "-"


def test_intervals_over_trainings_are_of_their_means_on_the_same_customers(study):
    made = [{"kept": "network and prices, start 2", "seconds": s} for s in (40.0, 60.4)]
    value = {study["NOTHING"]: np.array([1.0, 3.0]), study["FIXED"]: np.array([2.0, 4.0])}
    value |= {"greedy": np.array([5.0, 7.0]), "rollout": np.array([[3.0, 5.0], [4.0, 6.0]])}
    text = study["document_trainings"]({"bank": {"made": [made[0], made[1] | {"kept": "none"}], "value": value}})
    half = stats.t.ppf(0.975, 1) * 0.5  # of gains of 2 and 3
    gain, over = f"2.50 [{2.5 - half:.2f}, {2.5 + half:.2f}]", f"+1.50 [{1.5 - half:+.2f}, {1.5 + half:+.2f}]"
    share = f"62.5 % [{25 * (2.5 - half):.1f}, {25 * (2.5 + half):.1f}], 50.0 to 75.0"
    cells = f"{gain}, 2.00 to 3.00 | {over}, +1.00 to +2.00 | {share} | - | 40 to 60 |"
    assert text.splitlines()[-1] == f"| bank | 2 | network and prices 1, none 1 | {cells}"


@pytest.mark.slow
def test_trainings_play_the_same_customers_and_are_kept(study, tmp_path, monkeypatch):
    little = tmp_path / "little.toml"
    sizes = "players = 40\njudges = 100\nhidden = [8]\nstarts = 1\nturns = 1\nepochs = 1\n"
    little.write_text(f'kind = "rollout"\nabout = "small"\n{sizes}')
    monkeypatch.setitem(study["taught"].__globals__, "POLICY", little)
    words = ["--worlds", "no_memory", "--customers", "400", "--fresh", "60", "--seeds", "2", "--far"]
    page, parts = tmp_path / "results.md", tmp_path / "runs" / "parts"
    page.write_text("before\n<!-- rollout trainings -->\nold\n<!-- rollout trainings: end -->\nafter\n")
    words += ["-o", str(tmp_path / "runs"), "--training-seeds", "2"]
    study["main"]([*words, "--docs", str(page)])
    assert page.read_text().startswith("before\n<!-- rollout trainings -->\n| world | trainings |")
    assert "| no_memory | 2 |" in page.read_text()
    made = {path.name: path.stat().st_mtime_ns for path in parts.iterdir()}
    assert {f"no_memory-{seed}-400.bundle" for seed in (0, 1)} < made.keys()
    assert len([name for name in made if "-beside-" in name]) == 2  # once for all trainings
    study["main"](words)
    assert made == {path.name: path.stat().st_mtime_ns for path in parts.iterdir()}
    played = study["played"]("no_memory", parts / "no_memory-1-400.bundle", 60, 300, parts, False)
    assert played["rollout"] == json.loads((parts / "no_memory-1-400-60-alone-300.json").read_text())


@pytest.mark.slow
def test_the_table_is_written_between_its_marks_and_parts_are_kept(study, tmp_path, monkeypatch):
    little = tmp_path / "little.toml"
    sizes = "players = 40\njudges = 100\nhidden = [8]\nstarts = 1\nturns = 1\nepochs = 1\n"
    little.write_text(f'kind = "rollout"\nabout = "small"\n{sizes}')
    monkeypatch.setitem(study["taught"].__globals__, "POLICY", little)
    monkeypatch.setitem(study["under_the_ceiling"].__globals__, "UNDER", study["UNDER"][:80])
    words = ["--worlds", "no_memory", "--customers", "400", "--fresh", "60", "--seeds", "2", "--far"]
    page = tmp_path / "results.md"
    page.write_text("before\n<!-- rollout -->\nold\n<!-- rollout: end -->\nafter\n")
    study["main"]([*words, "-o", str(tmp_path / "runs"), "--docs", str(page)])
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "| no_memory |" in text
    parts = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "runs" / "parts").iterdir()}
    assert {Path(name).suffix for name in parts} == {".bundle", ".json"}  # no checkpoint is left
    study["main"]([*words, "-o", str(tmp_path / "runs"), "--docs", str(page)])
    assert parts == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "runs" / "parts").iterdir()}


@pytest.mark.parametrize("many", ["-1", "0", "1"])
def test_one_training_has_no_spread(study, many, capsys):
    with pytest.raises(SystemExit):
        study["main"](["--training-seeds", many])
    assert "at least 2" in capsys.readouterr().err
