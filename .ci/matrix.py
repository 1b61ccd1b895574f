"""Run the fast tests under every Python that pyproject.toml's classifiers name: `make matrix`.

`python .ci/matrix.py [VERSION ...]`. Each Python has a virtual environment of its own, `.venv-VERSION`, with the pins
of constraints.txt. The extra `rl` goes where RL says, since elsewhere torch may be had for graphics cards alone, at
several gigabytes; without it the tests that need torch are skipped, and say so. A Python is looked for on PATH and
among pyenv's. One that is not found is named at the end, and is no failure, unless none was found at all.
"""

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RL = ("3.11",)
TABLES = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def classified() -> list[str]:
    """The versions that the classifiers promise, as `3.11`."""
    said = (words.rpartition(" :: ") for words in TABLES["project"]["classifiers"])
    return [version for what, _, version in said if what == "Programming Language :: Python" and "." in version]


def candidates(version: str) -> Iterator[Path]:
    """Where a Python of that version may stand."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for folder in [*folders, *(found / "bin" for found in sorted(pyenv.glob(f"{version}.*")))]:
        yield folder / f"python{version}"


def interpreter(version: str) -> Path | None:
    """The first that runs: a name on PATH may be a stand-in for one that is not installed."""
    says = "import sys, venv; print('{}.{}'.format(*sys.version_info))"
    for path in candidates(version):
        if path.is_file():
            done = subprocess.run([path, "-c", says], capture_output=True, text=True, check=False)
            if done.stdout.strip() == version:
                return path
    return None


def passes(version: str, python: Path) -> bool:
    """Install into an environment of its own, and run the fast tests there."""
    home = ROOT / f".venv-{version}"
    inside, what = home / "bin" / "python", ".[rl]" if version in RL else "."
    install = [
        inside,
        "-m",
        "pip",
        "install",
        "-q",
        "-c",
        "constraints.txt",
        "-e",
        what,
        *TABLES["dependency-groups"]["test"],
    ]
    tests = [inside, "-m", "pytest", "-q", "-n", "2", "-m", "not slow"]
    for command in ([python, "-m", "venv", home], install, tests):
        print("+", *command, flush=True)
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            return False
    return True


def main(versions: list[str]) -> int:
    """Exit code: 0 where every Python that was found passes."""
    found = {version: interpreter(version) for version in versions}
    ends = {version: passes(version, python) for version, python in found.items() if python}
    for version, python in found.items():
        end = {True: "passed", False: "FAILED", None: "not found"}[ends.get(version)]
        extra = "" if version in RL else ", without torch"
        print(f"python {version}: {end}" + (f" ({python}{extra})" if python else ""))
    return 0 if ends and all(ends.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or classified()))
