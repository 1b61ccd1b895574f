"""The study of A/B tests, small: it tells what it played, and its sentence follows from the figures."""

import runpy
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def study():
    return runpy.run_path(str(Path(__file__).parents[1] / "experiments" / "abtests.py"))


def test_its_lines_hold_its_figures(study):
    found = {"seed": 3, "runs": 20, **study["tests"](3, 20), "splits": study["splits"](3, 20)}
    assert found["planned"]["without covariates"] > 1.8 * found["planned"]["any time"]
    assert found["tests"]["+10 %, any time"]["found"] >= 0.95
    assert found["splits"]["48 to 52 called broken"] >= 0.9
    none, gain = found["tests"]["no effect, any time"], found["tests"]["+5 %, any time"]
    first = study["told"](found).splitlines()[0]
    assert f"{none['found'] + none['harmed']:.1%} stop" in first
    assert f"{gain['found']:.1%}, with {1 - gain['customers'] / found['planned']['one look']:.0%} fewer" in first
