"""The study of bounds: a tiny run, kept and read again, and its arithmetic by hand."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXPERIMENTS = Path(__file__).resolve().parents[1] / "experiments"


@pytest.fixture(scope="module")
def tables():
    sys.path.insert(0, str(EXPERIMENTS))
    try:
        import bounds_tables
    finally:
        sys.path.remove(str(EXPERIMENTS))
    return bounds_tables


def run_of(n=400):
    """A world in which every figure is known: the drawn customers stand for all, each for as many as it should."""
    rng = np.random.default_rng(0)
    none = rng.gamma(2.0, 1.0, n)
    lives = {"none": none, "fixed": none + 1.0, "greedy": none + 2.0, "far": none + 1.5}
    ids, count = np.arange(0, n, 2), np.full(n // 2, 2)
    drawn = ids, count, np.full(n // 2, 1.0)
    return {"lives": lives, "idle": none, "bound": none[ids] + 4.0, "drawn": drawn, "oracle": "greedy"} | {
        key: key for key in ("fixed", "customers", "bounded", "seconds", "toll")
    }


def test_figures_by_hand(tables):
    found = tables.summary(run_of())
    assert found["room"].value == pytest.approx(4.0)
    assert found["gains"]["far"].value == pytest.approx(1.5)
    assert found["share"] == pytest.approx({"fixed": 0.25, "greedy": 0.5, "far": 0.375})
    assert found["oracle - fixed"].value == pytest.approx(1.0)
    assert found["bound - oracle"].value == pytest.approx(2.0)
    assert [tables.verdict(found[d]) for d in ("oracle - fixed", "bound - oracle")] == ["clear", "clear"]


def test_customers_drawn_by_size_stand_for_all(tables):
    sys.path.insert(0, str(EXPERIMENTS))
    try:
        from bounds import by_size

        from campaignrl.envs.truth.bounds.upper_bound import idle_value
        from campaignrl.specs.world import load_world
    finally:
        sys.path.remove(str(EXPERIMENTS))
    world = load_world("tight_budget")
    idle = idle_value(world, customers=2000, seed=1)
    ids, count, chance = by_size(world, 2000, 1500, 1)
    assert count.sum() == 1500
    some = np.repeat(idle[ids] / (2000 * chance), count)
    assert some.mean() == pytest.approx(idle.mean(), abs=4 * some.std() / 1500**0.5)
    assert some.std() < 0.5 * idle.std()
    assert (by_size(world, 50, 80, 1)[2] == 1 / 50).all()


@pytest.mark.slow
def test_a_finished_part_is_kept(tmp_path):
    page = tmp_path / "page.md"
    call = [sys.executable, EXPERIMENTS / "bounds.py", "--worlds", "no_memory", "--scale", "0.05"]
    call += ["-o", tmp_path, "--docs", page]
    first = subprocess.run(call, capture_output=True, text=True, check=True)
    parts = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    assert {path.stem for path in parts} == {"toll", "bound", "fixed", "pilot", "lives"}
    assert "| no_memory |" in first.stdout
    assert page.read_text().startswith(first.stdout.removesuffix("\n"))
    table = "<!-- ceiling -->\n| of another study |\n<!-- ceiling: end -->\n"
    page.write_text(
        f"{page.read_text().partition('<!-- ceiling -->')[0]}{table}"
    )  # is kept where the page is made again
    assert (tmp_path / "bounds.png").stat().st_size > 5_000
    again = subprocess.run(call, capture_output=True, text=True, check=True)
    assert again.stdout == first.stdout
    assert page.read_text().endswith(table)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")} == parts
