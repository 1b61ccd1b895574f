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
# The compiled half of a package, which that one imports; and what uvicorn takes where it is there.
BESIDE = {"psycopg-binary", "httptools", "uvloop"}
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
    said = dict(re.findall(r"^(TESTS|SITE|DEV) +:= (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    assert said["TESTS"].split() == [r.name for r in GROUPS["test"]]
    assert said["SITE"].split() == [r.name for r in GROUPS["site"]]
    assert set(said["DEV"].split()) == {"$(TESTS)", "$(SITE)", "build", *(r.name for r in GROUPS["lint"])}


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


def test_one_version_stands_everywhere():
    import campaignrl

    assert PROJECT["version"] == campaignrl.__version__
    assert f"version: {PROJECT['version']}" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"## [{PROJECT['version']}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def load(name):
    spec = spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_package_that_an_installation_brings_is_listed_with_its_licence():
    """Of those that are installed here; what only another machine needs may stand there too."""
    licences = load("licences")
    listed = licences.listed((ROOT / "LICENCES.md").read_text(encoding="utf-8"))
    assert set(licences.needed()) <= set(listed)
    assert {canonicalize_name(r.name) for r in NEEDS} <= set(listed)
    assert [name for name, said in listed.items() if said in ("", "unknown", "UNKNOWN")] == []
    copyleft = {name for name, said in listed.items() if "GPL" in said}
    assert copyleft <= {"psycopg", "psycopg-binary"}, "asked for by an extra alone, and never shipped"


def test_a_package_that_is_not_listed_is_noticed():
    licences = load("licences")
    assert licences.listed("| package | asked for by | licence |\n| a-b | every installation | MIT |\n") == {
        "a-b": "MIT"
    }


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """The sdist, and the wheel made of it."""
    pytest.importorskip("build")
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT], check=True, capture_output=True
    )
    return folder


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_wheel_alone_works_in_an_empty_environment(distributions, tmp_path):
    import venv
    import zipfile

    wheel = next(distributions.glob("*.whl"))
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.endswith("_data/envs/ecommerce.toml") for name in names)
    assert not [name for name in names if not name.startswith(("campaignrl/", "campaignrl-"))]
    venv.create(tmp_path / "empty", with_pip=True)
    python = tmp_path / "empty" / "bin" / "python"
    words = [python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", wheel]
    subprocess.run(words, check=True, capture_output=True)
    verb = tmp_path / "empty" / "bin" / "campaignrl"
    for call in ("demo -n 600 -o demo", "init shop --start 2026-11-21", "today shop --as-of 2026-11-21"):
        done = subprocess.run([verb, *call.split()], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, f"{call}: {done.stderr}"
    assert (tmp_path / "demo" / "report.html").is_file()
    assert (tmp_path / "shop" / "plans" / "2026-11-21.csv").is_file()
