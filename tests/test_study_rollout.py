"""The study of `rollout` beside the oracles, small: its table, and that what is finished is not done again."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def study():
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(ROOT / "experiments"))
        yield runpy.run_path(str(ROOT / "experiments" / "rollout.py"))


def test_shares_are_left_out_where_there_is_nothing_to_share(study):
    share = {"value": 0.9, "ci_low": 0.8, "ci_high": 1.0}
    assert study["_share"](share, (2.0, 1.0, 3.0)) == "90 % [80, 100]"
    assert study["_share"](share, (-12.0, -13.0, -11.0)) == "-"
    assert study["_share"](None, (2.0, 1.0, 3.0)) == "-"


@pytest.mark.slow
def test_the_table_is_written_between_its_marks_and_parts_are_kept(study, tmp_path, monkeypatch):
    little = {"kind": "rollout", "players": 40, "judges": 100, "hidden": [8], "starts": 1, "turns": 1, "epochs": 1}
    monkeypatch.setitem(study["taught"].__globals__, "POLICY", little)
    words = ["--worlds", "no_memory", "--customers", "400", "--fresh", "150", "--far"]
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
