"""The study of A/B tests, small: it tells what it played, and its sentence follows from the figures."""

import runpy
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def study():
    return runpy.run_path(str(Path(__file__).parents[1] / "experiments" / "abtests.py"))


def test_its_lines_hold_its_figures(study):
    found = {"seed": 3, "runs": 20, **study["tests"](3, 20), "splits": study["splits"](3, 20)}
    assert found["covariates"]["without covariates"] > 1.8 * found["planned"]["any time"]["formula"]
    assert all(size["played"] >= size["formula"] for size in found["planned"].values())
    assert found["tests"]["+10 %, any time"]["found"] >= 0.95
    assert found["splits"]["48 to 52 called broken"] >= 0.9
    none, gain = found["tests"]["no effect, any time"], found["tests"]["+5 %, any time"]
    first = study["told"](found).splitlines()[0]
    assert f"{none['found'] + none['harmed']:.1%} stop" in first
    fewer = 1 - gain["customers"] / found["planned"]["once"]["formula"]
    assert f"{gain['found']:.1%} (standard error" in first
    assert f"with {fewer:.0%} fewer" in first


def test_its_section_is_written_between_its_marks(study, tmp_path, capsys):
    page = tmp_path / "gate.md"
    page.write_text("before\n<!-- abtests -->\nold\n<!-- abtests: end -->\nafter\n")
    study["main"](["--runs", "2", "--seed", "5", "--docs", str(page)])
    text = page.read_text()
    assert text.startswith("before\n<!-- abtests -->\nMade by `python experiments/abtests.py --seed 5 --runs 2")
    assert text.endswith("<!-- abtests: end -->\nafter\n")
    assert capsys.readouterr().out.strip() in text
    assert "old" not in text
