"""What pyproject.toml says of itself: needs are used and used things needed, bounds fit pins, extras exist."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
TABLES = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = TABLES["project"]
EXTRAS = {name: [Requirement(text) for text in texts] for name, texts in PROJECT["optional-dependencies"].items()}
NEEDS = [Requirement(text) for text in PROJECT["dependencies"]]
GROUPS = {
    name: [Requirement(text) for text in texts if isinstance(text, str)]
    for name, texts in TABLES["dependency-groups"].items()
}
ALL = [*NEEDS, *(r for needs in (*EXTRAS.values(), *GROUPS.values()) for r in needs)]
# Imported under another name than that of the package, or part of a package that is needed anyway.
PACKAGE_OF = {"sklearn": "scikit-learn", "markupsafe": "jinja2", "pydantic_core": "pydantic", "mlflow": "mlflow-skinny"}
BESIDE = {"psycopg-binary"}  # the compiled half of a package, which that one imports
SOURCES = {path: path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py")}


def imported():
    """Packages that the source imports, the standard library's and our own left out."""
    names = set()
    for text in SOURCES.values():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module)
    tops = {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"campaignrl"}
    return {canonicalize_name(PACKAGE_OF.get(top, top)) for top in tops}


def test_what_is_needed_is_what_is_imported():
    needed = {canonicalize_name(r.name) for r in [*NEEDS, *(r for needs in EXTRAS.values() for r in needs)]}
    assert needed - BESIDE == imported()


def test_extras_are_those_that_a_message_asks_for():
    asked = {name for text in SOURCES.values() for name in re.findall(r"campaignrl\[(\w+)\]", text)}
    assert asked == EXTRAS.keys()


def test_every_pin_is_within_its_bounds():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    pins = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}
    found = {requirement: pins.get(canonicalize_name(requirement.name)) for requirement in ALL}
    wrong = [f"{r} but {pin or 'no pin'}" for r, pin in found.items() if pin is None or not r.specifier.contains(pin)]
    assert not wrong, wrong


def test_the_lowest_versions_are_the_lower_bounds():
    command = [sys.executable, ROOT / ".ci" / "lowest.py", "rl"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    pins = dict(line.split("==") for line in lines)
    assert pins.keys() == {r.name for r in [*NEEDS, *EXTRAS["rl"], *GROUPS["test"]]}
    for requirement in [*NEEDS, *EXTRAS["rl"], *GROUPS["test"]]:
        assert f">={pins[requirement.name]}" in {str(bound) for bound in requirement.specifier}


def test_the_makefile_installs_the_groups():
    """Again by hand, since the pip that comes with Python 3.11 knows no groups."""
    said = dict(re.findall(r"^(TESTS|DEV) +:= (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    assert said["TESTS"].split() == [r.name for r in GROUPS["test"]]
    assert set(said["DEV"].split()) == {"$(TESTS)", "build", *(r.name for r in GROUPS["lint"])}


@pytest.fixture
def matrix():
    spec = spec_from_file_location("matrix", ROOT / ".ci" / "matrix.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_python_of_the_classifiers_is_run(matrix):
    versions = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if re.search(r"Python :: \d", line)]
    assert matrix.classified() == versions
    assert PROJECT["requires-python"] == f">={versions[0]}"


def test_a_python_is_found_where_it_runs_and_nowhere_else(matrix, tmp_path, monkeypatch):
    version = "{}.{}".format(*sys.version_info)
    stand_in, real = tmp_path / "shims", tmp_path / "bin"
    for folder, text in ((stand_in, "exit 127"), (real, f'exec "{sys.executable}" "$@"')):
        folder.mkdir()
        path = folder / f"python{version}"
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "none"))
    monkeypatch.setenv("PATH", str(stand_in))
    assert matrix.interpreter(version) is None
    monkeypatch.setenv("PATH", f"{stand_in}:{real}")
    assert matrix.interpreter(version) == real / f"python{version}"
    assert matrix.interpreter("2.9") is None
