"""What happens in a forked process: some tests, the modules watched as they are or one of them changed.

Two ways to change a module. Most mutants act inside a function: a session that has collected a group's tests already
is forked, and the function gets the changed code (hosted.py). What acts at import meets a process in which nothing of
ours is loaded, and an import hook serves the changed module. Not here: which tests and which mutants (run.py).
"""

import importlib.util
import json
import os
import resource
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
    "-m",
    "not slow",
)
PYTEST += ("-W", "ignore::pytest.PytestAssertRewriteWarning")  # hypothesis is loaded before pytest
Lines = dict[str, set[int]]  # by file


class Served(MetaPathFinder, Loader):
    """Serves one changed module in place of the one on disk."""

    def __init__(self, name: str, mutant: Mutant) -> None:
        self.name, self.file = name, mutant.file
        self.code: CodeType = compile(mutant.tree, str(mutant.file), "exec")

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
        self.imported: set[tuple[str, int]] = set()  # run before the first test
        self.lines: dict[str, set[tuple[str, int]]] = {}
        self.shared: dict[str, set[tuple[str, int]]] = defaultdict(set)  # in fixtures, by test file
        self.seconds: dict[str, float] = defaultdict(float)
        self.spent = 0.0
        self.broken: list[str] = []

    def on(self) -> None:
        """Look from now on."""
        self.spent = _seconds()
        threading.settrace(self.trace)
        sys.settrace(self.trace)

    def off(self) -> None:
        """Look no longer; what was seen since the last test ran at import."""
        threading.settrace(None)  # type: ignore[arg-type]
        sys.settrace(None)
        self.imported |= self.now
        self.now.clear()

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
        imported: dict[str, list[int]] = defaultdict(list)
        for file, line in sorted(self.imported):
            imported[file].append(line)
        return {"seconds": self.seconds, "lines": lines, "imported": imported, "broken": self.broken}


def _seconds() -> float:
    """Of computing, its own and of the processes it waited for: other work on the machine does not count."""
    return sum(os.times()[:4])


def in_child(work: Callable[[], dict[str, Any]], out: Path, home: Path, seconds: float) -> int:
    """Fork; the child does the work, writes what it returns and ends. Returns its process id.

    seconds: of computing, after which it is ended as one that would go on for ever.
    """
    child = os.fork()
    if child:
        return child
    try:
        os.setsid()  # so that what it starts ends with it
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 6))
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


def meet_at_import(mutant: Mutant, module: str, tests: list[str], home: Path) -> dict[str, Any]:
    """One mutant against these tests, in a process that has not loaded its module yet."""
    import pytest

    sys.meta_path.insert(0, Served(module, mutant))
    chosen = Chosen(tests)
    files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
    code = int(pytest.main([*PYTEST, f"--basetemp={home}", *files], plugins=[chosen]))
    return {"code": code, "by": chosen.failed}
