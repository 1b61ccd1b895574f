"""What happens in a forked process: pytest on some tests, the modules watched as they are or one of them changed.

Not here: which tests and which mutants (run.py).
"""

import importlib.util
import json
import os
import shutil
import sys
import threading
from collections import defaultdict
from collections.abc import Callable
from importlib.abc import Loader, MetaPathFinder
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

from mutants import Mutant

PYTEST = (
    "-x",
    "-q",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:xdist",
    "-p",
    "no:terminalreporter",
    "--import-mode=importlib",
)
PYTEST += ("-W", "ignore::pytest.PytestAssertRewriteWarning")  # hypothesis is loaded before pytest


class Served(MetaPathFinder, Loader):
    """Serves one changed module in place of the one on disk."""

    def __init__(self, name: str, file: Path, code: CodeType) -> None:
        self.name, self.file, self.code = name, file, code

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        """Of the changed module only."""
        return (
            importlib.util.spec_from_file_location(fullname, self.file, loader=self) if fullname == self.name else None
        )

    def exec_module(self, module: ModuleType) -> None:
        """Run the changed code."""
        exec(self.code, module.__dict__)


class Chosen:
    """Runs only the chosen tests, in their order, and says which one failed."""

    def __init__(self, tests: list[str]) -> None:
        self.rank = {test: i for i, test in enumerate(tests)}
        self.failed = "at import"

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Called by pytest."""
        items[:] = sorted((i for i in items if i.nodeid in self.rank), key=lambda i: self.rank[i.nodeid])
        self.failed = ""

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Called by pytest."""
        if report.failed and not self.failed:
            self.failed = report.nodeid


class Watcher:
    """Writes down which lines of some files each test runs, and how long it takes."""

    def __init__(self, files: tuple[Path, ...]) -> None:
        self.files = {str(f) for f in files}
        self.now: set[tuple[str, int]] = set()
        self.lines: dict[str, set[tuple[str, int]]] = {}
        self.shared: dict[str, set[tuple[str, int]]] = defaultdict(set)  # in fixtures, by test file
        self.seconds: dict[str, float] = defaultdict(float)
        self.spent = _seconds()
        self.broken: list[str] = []

    def trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        """For sys.settrace."""
        return self.local if frame.f_code.co_filename in self.files else None

    def local(self, frame: FrameType, event: str, arg: Any) -> Any:
        """Line by line, within the watched files."""
        self.now.add((frame.f_code.co_filename, frame.f_lineno))
        return self.local

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Called by pytest after set-up, call and end of a test."""
        file = report.nodeid.partition("::")[0]
        if report.when == "setup":
            self.shared[file] |= self.now  # of a module's fixture: the tests after it rest on it as well
        else:
            self.lines.setdefault(report.nodeid, set()).update(self.now)
        spent = _seconds()
        self.seconds[report.nodeid] += spent - self.spent
        self.spent = spent
        if report.failed:
            self.broken.append(report.nodeid)
        self.now.clear()

    def found(self) -> dict[str, Any]:
        """As JSON can hold it."""
        lines: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
        for test, own in self.lines.items():
            for file, line in own | self.shared[test.partition("::")[0]]:
                lines[file][line].append(test)
        return {"seconds": self.seconds, "lines": lines, "broken": self.broken}


def _seconds() -> float:
    """Of computing, its own and of the processes it waited for: other work on the machine does not count."""
    return sum(os.times()[:4])


def in_child(work: Callable[[], dict[str, Any]], out: Path, home: Path) -> int:
    """Fork; the child does the work, writes what it returns and ends. Returns its process id."""
    child = os.fork()
    if child:
        return child
    try:
        os.setsid()  # so that what it starts ends with it
        quiet = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1):
            os.dup2(quiet, stream)
        log = os.open(str(out.with_suffix(".log")), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 2)
        found = work()
        out.write_text(json.dumps(found), encoding="utf-8")
    except BaseException as error:
        out.write_text(json.dumps({"code": 3, "by": f"{type(error).__name__}: {error}", "broken": [str(error)]}))
    finally:
        shutil.rmtree(home, ignore_errors=True)
        os._exit(0)


def run_tests(files: list[str], plugin: object, home: Path) -> int:
    """pytest's exit code. home: its folder for temporary files."""
    import pytest

    return int(pytest.main([*PYTEST, f"--basetemp={home}", "-m", "not slow", *files], plugins=[plugin]))


def watch(files: tuple[Path, ...], tests: list[str], left_out: tuple[str, ...], home: Path) -> dict[str, Any]:
    """The tests as they are."""
    watcher = Watcher(files)
    threading.settrace(watcher.trace)
    sys.settrace(watcher.trace)
    code = run_tests([*(f"--deselect={test}" for test in left_out), *tests], watcher, home)
    sys.settrace(None)
    return {**watcher.found(), "code": code}


def meet(mutant: Mutant, module: str, tests: list[str], home: Path) -> dict[str, Any]:
    """One mutant against these tests."""
    sys.meta_path.insert(0, Served(module, mutant.file, compile(mutant.tree, str(mutant.file), "exec")))
    chosen = Chosen(tests)
    code = run_tests(list(dict.fromkeys(test.partition("::")[0] for test in tests)), chosen, home)
    return {"code": code, "by": chosen.failed}
