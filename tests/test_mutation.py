"""The mutation runner finds what no test would notice; a few changes that nobody noticed once are noticed now."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RUN = ROOT / "tests" / "mutation" / "run.py"


def play(*options, timeout=240):
    """(exit code, what was printed) of the runner."""
    threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, RUN, *map(str, options)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout,
        env={**os.environ, **threads},
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def toy(tmp_path):
    """A package of two functions; a test of one of them."""
    files = {
        "src/toy/__init__.py": "",
        "src/toy/sums.py": "def add(a: int, b: int = 2) -> int:\n    return a + b\n\n\n"
        'def is_small(n: int) -> bool:\n    """Below 3."""\n    return n < 3\n',
        "tests/test_sums.py": "from toy.sums import add\n\ndef test_add():\n    assert (add(3, 1), add(3)) == (4, 5)\n",
        "table.toml": '[group.toy]\nmodules = ["toy/*.py"]\ntests = ["tests/test_*.py"]\n',
        "pytest.ini": "[pytest]\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_function_that_no_test_calls_has_survivors_until_one_does(toy):
    options = ("--root", toy, "--table", toy / "table.toml", "--keep", toy / "kept")
    code, said = play(*options)
    assert code == 1
    assert "survived  toy/sums.py:7  n < 3 -> n <= 3" in said
    assert "survived  toy/sums.py:7  3 -> 4" in said
    assert said.count("survived  toy") == 2  # those of `add` are killed
    assert said.splitlines()[-1].split() == ["all", "4", "2", "2", "0", "50.0%"]

    (toy / "table.toml").write_text(
        (toy / "table.toml").read_text()
        + '[[equivalent]]\nfile = "sums.py"\nat = "n <"\nchange = "3 -> 4"\nwhy = "said so"\n'
    )
    (toy / "tests" / "test_small.py").write_text(
        "from toy.sums import is_small\n\ndef test_small():\n    assert is_small(2)\n    assert not is_small(3)\n"
    )
    code, said = play(*options)
    assert (code, "survived  toy" in said) == (0, False)
    assert said.splitlines()[-1].split() == ["all", "4", "3", "0", "1", "100.0%"]
    assert "n < 3" in (toy / "src" / "toy" / "sums.py").read_text()  # the source is as it was

    (toy / "tests" / "test_small.py").write_text("from toy.sums import is_small\n\ndef test_small():\n    assert 0\n")
    code, said = play(*options)
    assert code == 1
    assert "fail before anything is changed" in said


SHAPES = """from toy.sums import add


def double(n):
    return n * 2


def from_(start):
    def step(by):
        return start + by

    return step


class Box:
    def area(self, w):
        return add(w, w)


TABLE = [double(n) for n in range(4)]
FIVE = from_(5)
"""
TESTS_OF_SHAPES = """from toy.shapes import FIVE, TABLE, Box

def test_what_was_made_at_import():
    assert TABLE == [0, 2, 4, 6]

def test_what_is_called():
    assert (FIVE(1), Box().area(3)) == (6, 6)
"""


def test_a_change_reaches_what_was_imported_made_or_called_before_the_tests(toy):
    (toy / "src" / "toy" / "shapes.py").write_text(SHAPES)
    (toy / "tests" / "test_shapes.py").write_text(TESTS_OF_SHAPES)
    options = ("--root", toy, "--table", toy / "table.toml", "--keep", toy / "kept")
    code, said = play(*options, "--only", "shapes.py:*", "--only", "sums.py:2:*")
    assert code == 0, said
    assert said.splitlines()[-1].split() == ["all", "6", "6", "0", "0", "100.0%"]
    kept = [json.loads(line) for line in (toy / "kept" / "results.jsonl").read_text().splitlines()]
    by = {one["change"]: one["by"].partition("::")[2] for one in kept}
    assert by["n * 2 -> n / 2"] == by["2 -> 3"] == "test_what_was_made_at_import"  # met again, at import
    assert by["start + by -> start - by"] == "test_what_is_called"


PICKED = [
    "budget.py:*: day + 1 -> day - 1",
    "budget.py:*: cost[[]action[[]kept]].sum() > limits.money -> *",
    "budget.py:*: u < np.append(*)[[]lanes.of[[]action]] -> *",
    "budget.py:*: 1.0 - served -> *",
    "checks.py:*: facts.contacts(channel, cap.per_days) < cap.at_most -> *",
    "rules.py:*: start + 8 -> start - 8",
]


@pytest.mark.slow
def test_changes_of_the_guard_are_noticed(tmp_path):
    only = [word for text in PICKED for word in ("--only", text)]
    code, said = play("--group", "guard", "--tests", "tests/test_guard_exact.py", "--keep", tmp_path, *only)
    assert code == 0, said
    assert "survived  campaignrl" not in said
    assert int(said.splitlines()[-1].split()[1]) >= len(PICKED)


def test_texts_annotations_and_messages_are_not_changed(tmp_path):
    spec = importlib.util.spec_from_file_location("mutants", RUN.with_name("mutants.py"))
    mutants = importlib.util.module_from_spec(spec)
    sys.modules["mutants"] = mutants  # NamedTuple looks its module up
    spec.loader.exec_module(mutants)
    del sys.modules["mutants"]
    file = tmp_path / "m.py"
    file.write_text(
        'A = 1\nSIZE = 512\nB: int | str = "x"\n\n\ndef f(x: int | None = 3, *, on: bool = True) -> int | str:\n'
        '    """Text 1."""\n    if not on and x < 2:\n        raise ValueError(f"{x + 1} < {2}")\n    x += 1\n'
        "    return max(x, 1e-12) if ~x & 4 else x[x:-1]\n"
    )
    changes = [(m.line, m.change, m.at_import) for m in mutants.mutants_of(file, ("SIZE",))]
    wanted = [
        (1, "1 -> 2", True),
        (6, "3 -> 4", True),
        (6, "True -> False", True),
        (8, "not on and x < 2 -> not on or x < 2", False),
        (8, "not on -> on", False),
        (8, "x < 2 -> x <= 2", False),
        (8, "2 -> 3", False),
        (10, "x += 1 -> x -= 1", False),
        (10, "x += 1 -> pass", False),
        (10, "1 -> 2", False),
        (11, "~x & 4 -> ~x | 4", False),
        (11, "~x -> x", False),
        (11, "4 -> 5", False),
        (11, "max(x, 1e-12) -> min(x, 1e-12)", False),
        (11, "x:-1 -> x + 1:-1", False),
        (11, "-1 -> 1", False),
        (11, "1 -> 2", False),
    ]
    assert sorted(changes) == sorted(wanted)
    for m in mutants.mutants_of(file, ("SIZE",)):
        compile(m.tree, "m.py", "exec")


@pytest.mark.slow
def test_of_three_hundred_changes_at_least_95_percent_are_noticed(capsys):
    code, said = play("--sample", 300, "--seed", 1, timeout=3500)
    with capsys.disabled():
        print(said)
    assert code == 0
