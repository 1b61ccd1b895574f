"""Every command shown in README.md and docs/ is run, and prints what is shown; every Python block runs.

A block fenced as `console` holds lines `$ command`, each followed by its output (stdout, then stderr where it
fails) and, for a failing command, a line `exit N`. `...` alone on a line stands for lines left out. Numbers are
compared with a small tolerance, because another machine's arithmetic may round a decision differently.
`make docs` writes the outputs again. Blocks fenced as `python` run from the first line to the last, each in a process
of its own; what they print is not shown, so it is not compared.

A block with a title, as in toml title="suite.toml", is a file of that name, written before what comes below it runs. On
a page in a folder (tutorials/, how-to/) a block of python runs in its turn, in the folder of the page's commands. A
block of TOML without a title is a part of a file: its keys are known to one of the models. What is Chinese holds the
same blocks (tests/test_translation.py), so it is run here. Pages of LONG take 10 to 70 seconds each and are run by
`make slow`; all others always.
"""

import importlib
import math
import os
import re
import resource
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.tea_shop import write_exports

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
NOT_OURS = ("zh", "site")  # Chinese, which holds the same blocks; the theme
ALL = [p for p in sorted(DOCS.rglob("*.md")) if p.relative_to(DOCS).parts[0] not in NOT_OURS]
PAGES = [ROOT / "README.md", *ALL]
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
STEP = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.M | re.S)
PART = re.compile(r"^```toml\n(.*?)^```$", re.M | re.S)
FENCE = re.compile(r"^```(\w*)$", re.M)
EXTRA = ("stable_baselines3", "sb3_contrib", "torch")  # a page whose blocks name one of these needs the extra `rl`
NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?")
TOLERANCE = 0.02
# What the README says to a newcomer, and what that runs once everything is installed.
INSTALLED = {"make demo": "campaignrl demo", "make data": f"python {ROOT}/.ci/data_sets.py ../shared/data"}
MADE = {"first-hour.md": write_exports}  # what a page finds in exports/
FIRST_HOUR = 300.0  # seconds of machine time, from exports to an approved list
LONG = (
    *("failures.md", "first-hour.md", "operate.md", "scale.md", "first-study.md", "first-month.md", "own-world.md"),
    *("profiles.md", "loop.md", "marketer.md", "gate-in-ci.md"),
    *("send-list-from-excel.md", "spend-a-budget.md", "erase-a-customer.md"),
    *("world-from-orders.md", "plan-an-ab-test.md", "environment.md"),
)
NOT_RUN = ("git clone", "make test", "make setup", "make wheel", "pip install")
MARKED = [pytest.param(page, marks=pytest.mark.slow) if page.name in LONG else page for page in PAGES]


class Shown(NamedTuple):
    """One command of a page with the output shown below it."""

    command: str
    output: str


def shown(block: str) -> list[Shown]:
    parts = re.split(r"^\$ ", block, flags=re.M)
    pairs = (part.partition("\n") for part in parts if part.strip())
    return [Shown(command, output.rstrip()) for command, _, output in pairs]


def run(command: str, folder: Path) -> str:
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "COLUMNS": "120",
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        INSTALLED.get(command, command), shell=True, cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return done.stdout.rstrip()
    return f"{done.stdout}{done.stderr}".rstrip() + f"\nexit {done.returncode}"


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """A folder like the checkout, with the data sets beside it where they are."""
    folder = tmp_path / "campaignrl"
    folder.mkdir()
    for name in ("experiments", "envs", "policies", "docs"):
        (folder / name).symlink_to(ROOT / name)
    if (ROOT.parent / "shared").is_dir():
        (tmp_path / "shared").symlink_to(ROOT.parent / "shared")
    return folder


def same_line(expected: str, actual: str) -> bool:
    """Equal but for numbers, which may differ by the tolerance, and for runs of spaces."""
    words = [" ".join(NUMBER.sub("#", text).split()) for text in (expected, actual)]
    numbers = [[float(n.replace(",", "")) for n in NUMBER.findall(text)] for text in (expected, actual)]
    if words[0] != words[1]:
        return False
    largest = max((abs(n) for n in numbers[0]), default=0.0)
    close = (math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE * largest) for a, b in zip(*numbers, strict=True))
    return all(close)


def assert_as_shown(expected: str, actual: str, command: str) -> None:
    lines = iter(actual.splitlines())
    skipping = False
    for line in expected.splitlines():
        if line.strip() == "...":
            skipping = True
            continue
        for found in lines:
            if same_line(line, found):
                break
            assert skipping, f"`{command}` printed {found!r} where the page shows {line!r}"
        else:
            pytest.fail(f"`{command}` never printed {line!r}")
        skipping = False
    rest = [] if skipping else list(lines)
    assert not rest, f"`{command}` printed more than the page shows: {rest[:3]}"


def refreshed(block: str, folder: Path) -> str:
    """A block of commands with what they print now; one with lines left out stays as it is."""
    fresh = block
    for command, output in shown(block):
        actual = "" if command.startswith(NOT_RUN) else run(command, folder)
        if "..." not in output.splitlines() and not command.startswith(NOT_RUN):
            old = f"$ {command}\n{output}\n" if output else f"$ {command}\n"
            fresh = fresh.replace(old, f"$ {command}\n{actual}\n" if actual else f"$ {command}\n")
    return fresh


def needs_data(block: str) -> bool:
    return any("../shared/" in INSTALLED.get(command, command) for command, _ in shown(block))


def check_commands(block: str, folder: Path) -> None:
    for command, output in shown(block):
        if not command.startswith(NOT_RUN):
            assert_as_shown(output, run(command, folder), command)


def run_python(block: str, folder: Path, page: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", block]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{page.name}: {done.stderr}"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", MARKED, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_commands_print_what_the_page_shows(page: Path, workplace: Path, request: pytest.FixtureRequest) -> None:
    text = page.read_text(encoding="utf-8")
    if any(f"import {name}" in text or f"from {name}" in text for name in EXTRA):
        pytest.importorskip("sb3_contrib", reason="needs the extra `rl`")
    refresh = request.config.getoption("--refresh-docs")
    if page.name in MADE:
        MADE[page.name](workplace / "exports")
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    for kind, title, block in STEP.findall(text):
        if title:
            (workplace / title).parent.mkdir(parents=True, exist_ok=True)
            (workplace / title).write_text(block, encoding="utf-8")
        elif kind == "python" and page.parent != DOCS and page.parent != ROOT:
            run_python(block, workplace, page)
        elif kind != "console" or (needs_data(block) and not (workplace.parent / "shared").is_dir()):
            continue
        elif refresh:
            text = text.replace(block, refreshed(block, workplace))
        else:
            check_commands(block, workplace)
    if refresh:
        page.write_text(text, encoding="utf-8")
    if page.name == "first-hour.md":
        assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - used < FIRST_HOUR


TOP = [page for page in PAGES if page.parent in (DOCS, ROOT)]
PROGRAMS = [(page, block) for page in TOP for block in PYTHON.findall(page.read_text(encoding="utf-8"))]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("page", "block"), PROGRAMS, ids=[f"{p.name}-{i}" for i, (p, _) in enumerate(PROGRAMS)])
def test_python_blocks_run(page: Path, block: str, workplace: Path) -> None:
    if "sb3_env" in block or any(f"import {name}" in block or f"from {name}" in block for name in EXTRA):
        pytest.importorskip("sb3_contrib", reason="needs the extra `rl`")
    run_python(block, workplace, page)


PARTS = [(page, block) for page in PAGES for block in PART.findall(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(("page", "block"), PARTS, ids=[f"{p.name}-{i}" for i, (p, _) in enumerate(PARTS)])
def test_parts_of_toml_files_hold_known_keys(page: Path, block: str) -> None:
    tables = tomllib.loads(block)
    models = site_keys().FILES.values()
    assert any(_known(model, tables) for _, model in models), f"{page.name}: no file has all of {list(tables)}"


def _known(model: Any, tables: Any) -> bool:
    """Whether every key, at every depth, is one of the model's."""
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    if not set(tables) <= set(fields):
        return False
    for name, value in tables.items():
        inner, how = site_keys()._model_in(fields[name].annotation)
        if inner is None:
            continue
        held = (
            value.values()
            if how == "named" and isinstance(value, dict)
            else value
            if isinstance(value, list)
            else [value]
        )
        if not all(_known(inner, each) for each in held if isinstance(each, dict)):
            return False
    return True


def test_a_part_with_a_wrong_key_is_noticed() -> None:
    from campaignrl.specs import World

    assert _known(World, {"guard": {"holdout": 0.1}})
    assert not _known(World, {"guard": {"holdowt": 0.1}})


def site_keys() -> Any:
    """The part of the site's tools that knows the keys of every file."""
    return importlib.import_module("site_pages.keys")


def test_every_fence_of_the_readme_is_of_a_kind_that_is_run() -> None:
    """But for the map of the folders, which names no language."""
    opened = FENCE.findall((ROOT / "README.md").read_text(encoding="utf-8"))[::2]
    assert set(opened) == {"console", "python", ""}
    assert opened.count("") == 1


def test_a_wrong_output_is_noticed() -> None:
    assert same_line("value 1.00 of 20,000", "value 1.01 of  20,000")
    assert not same_line("value 1.00", "value 1.20")
    assert not same_line("trust", "refuse")


def test_every_verb_stands_in_the_readme() -> None:
    from campaignrl.cli.main import VERBS

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [verb for verb in VERBS if f"campaignrl {verb}" not in readme] == []
