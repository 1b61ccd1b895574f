"""A pytest session that has collected a group's tests, and forks of it: to import and to collect takes longer than
most mutants live.

A mutant that acts inside a function is put into the function that is loaded already, wherever that was imported to:
its code is exchanged. Not here: mutants that act at import (forked.py).
"""

import gc
import inspect
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest
from forked import PYTEST, Chosen, Served, Watcher
from mutants import Mutant

NOT_HERE: dict[str, Any] = {"code": None, "by": ""}  # no function to change: to be met at import


class Session:
    """The collected tests, and the functions that they can reach."""

    def __init__(self, work: Callable[["Session"], None], watcher: Watcher) -> None:
        self.work, self.watcher, self.said = work, watcher, "no test was collected"
        self.broken: list[str] = []
        self.functions: dict[str, list[FunctionType]] = defaultdict(list)

    def pytest_collectreport(self, report: Any) -> None:
        """Called by pytest."""
        if report.failed:
            self.broken.append(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Called by pytest, when it would run the tests."""
        self.watcher.off()
        self.session = session
        for one in gc.get_objects():
            if type(one) is FunctionType:
                self.functions[one.__code__.co_filename].append(one)
        gc.freeze()  # the forks share what is loaded
        self.said = ""
        try:
            self.work(self)
        except SystemExit as stopped:
            self.said = str(stopped)
        return True

    def run(self, plugin: object, home: Path) -> int:
        """Run the session's tests in this process, which is a fork of the one that collected them; pytest's code."""
        home.mkdir(parents=True)
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(home)
        self.session.config.pluginmanager.register(plugin)
        try:
            self.session.config.pluginmanager.getplugin("main").pytest_runtestloop(self.session)
        except self.session.Failed:  # the first failure ends it
            return 1
        return 1 if self.session.testsfailed else 0

    def watch(self, home: Path) -> dict[str, Any]:
        """The tests as they are."""
        self.watcher.on()
        code = self.run(self.watcher, home)
        self.watcher.now.clear()
        self.watcher.off()
        return {**self.watcher.found(), "code": code}

    def meet(self, mutant: Mutant, module: str, tests: list[str], home: Path) -> dict[str, Any]:
        """One mutant against these tests."""
        if module not in sys.modules:  # a test imports it itself
            sys.meta_path.insert(0, Served(module, mutant))
        elif not exchange(mutant, self.functions[str(mutant.file)]):
            return NOT_HERE
        chosen = Chosen(tests)
        chosen.pytest_collection_modifyitems(self.session.items)
        code = self.run(chosen, home)
        return {"code": code, "by": chosen.failed}


def hold_session(files: list[str], left_out: tuple[str, ...], work: Callable[[Session], None], watcher: Watcher) -> str:
    """Collect the tests of some files and do the work then, in a fork; what went wrong, or ""."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            session = Session(work, watcher)
            words = [*PYTEST, "--capture=no", *(f"--deselect={test}" for test in left_out), *files]
            pytest.main(words, plugins=[session])
            broken = f"the tests fail before anything is changed: {session.broken[:3]}" if session.broken else ""
            os.write(writer, (broken or session.said).encode())
        except BaseException as error:
            os.write(writer, f"{type(error).__name__}: {error}".encode())
        finally:
            sys.stdout.flush()
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    return said or (f"the session of {files[:2]} ended with {status}" if status else "")


def exchange(mutant: Mutant, functions: list[FunctionType]) -> int:
    """Give the functions of a mutant's file the changed code; how many have changed."""
    name, done = str(mutant.file), 0
    old = compile(mutant.source, name, "exec", dont_inherit=True)
    new = compile(mutant.tree, name, "exec", dont_inherit=True)
    for before, after in _changed(old, new):
        for function in functions:
            if function.__code__ == before and len(before.co_freevars) == len(after.co_freevars):
                function.__code__ = after
                done += 1
    return done


def _changed(old: CodeType, new: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    """Code of functions that is not the same, with what takes its place; the outer ones first."""
    inner = [[c for c in code.co_consts if isinstance(c, CodeType)] for code in (old, new)]
    if [c.co_qualname for c in inner[0]] != [c.co_qualname for c in inner[1]]:
        return
    for before, after in zip(*inner, strict=True):
        if before != after:
            if before.co_flags & inspect.CO_OPTIMIZED:  # not the body of a class
                yield before, after
            yield from _changed(before, after)
