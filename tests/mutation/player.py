"""Plays mutants against a group's tests, several at a time, and keeps what came out.

Not here: which mutants (run.py), what a forked process does (forked.py, hosted.py).
"""

import hashlib
import json
import os
import re
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from forked import Watcher, in_child, meet_at_import
from hosted import Session, hold_session
from mutants import Mutant

SHARE_BUDGET = 40.0  # seconds of tests, as the first run measured them, that a mutant meets at most
SLOWEST = 12.0  # seconds; slower tests are left out
WATCHING = 3600.0  # seconds of computing for all tests of a group, as they are
Meet = Callable[[Mutant, str, list[str], Path], dict[str, Any]]  # mutant, module, tests, folder for temporary files


class Group(NamedTuple):
    """Modules and the tests that must notice a change in them."""

    name: str
    files: tuple[Path, ...]
    tests: tuple[Path, ...]
    left_out: tuple[str, ...]  # ids of tests, or how they begin
    constants: tuple[str, ...] = ()  # of the tests, those that look at what importing a module makes


class Seen(NamedTuple):
    """What one run of a group's tests as they are has shown."""

    seconds: dict[str, float]  # by test
    lines: dict[str, dict[int, list[str]]]  # by file and line: the tests that run it
    imported: dict[str, set[int]]  # by file: the lines that run before the first test
    breadth: Counter[str]  # lines that a test runs


class Player:
    """Plays mutants and keeps what came out."""

    def __init__(self, root: Path, src: Path, keep: Path, workers: int) -> None:
        self.root, self.src, self.workers, self.keep = root, src, workers, keep
        keep.mkdir(parents=True, exist_ok=True)
        self.scratch = Path(tempfile.mkdtemp(prefix="mutants-"))
        self.made = 0
        self.texts: dict[Path, bytes] = {}

    def end(self) -> None:
        """Nothing but the results is kept."""
        shutil.rmtree(self.scratch, ignore_errors=True)

    def hash_of(self, *files: Path) -> str:
        """Of the files' names and texts."""
        for f in files:
            self.texts.setdefault(f, f.read_bytes() if f.is_file() else b"")
        return hashlib.sha256(b"".join(str(f.name).encode() + self.texts[f] for f in files)).hexdigest()[:16]

    def fork(self, work: Callable[[Path], dict[str, Any]], seconds: float) -> tuple[int, Path]:
        """Start some work that takes so long at most; (process id, where its result will be)."""
        self.made += 1
        out, home = self.scratch / f"{os.getpid()}-{self.made}.json", self.scratch / f"{os.getpid()}-{self.made}"
        return in_child(lambda: work(home), out, home, seconds), out

    # ---- what the tests do as they are

    def kept(self, group: Group) -> Path:
        """Where it is kept; another file once anything has changed."""
        return self.keep / f"seen-{group.name}-{self.hash_of(*sorted(self.src.rglob('*.py')), *group.tests)}.json"

    def watch(self, group: Group, session: Session) -> None:
        """Run the group's tests once, if that is not kept from an earlier run."""
        if self.kept(group).exists():
            return
        child, out = self.fork(session.watch, WATCHING)
        os.waitpid(child, 0)
        found = json.loads(out.read_text(encoding="utf-8"))
        if found["code"] not in (0,) or found["broken"]:
            raise SystemExit(f"{group.name}: the tests fail before anything is changed: {found['broken'][:3]}, {out}")
        self.kept(group).write_text(json.dumps(found), encoding="utf-8")

    def seen(self, group: Group) -> Seen:
        """What `watch` has kept."""
        found = json.loads(self.kept(group).read_text(encoding="utf-8"))
        lines = {f: {int(line): tests for line, tests in of.items()} for f, of in found["lines"].items()}
        breadth = Counter(test for of in lines.values() for tests in of.values() for test in tests)
        return Seen(found["seconds"], lines, {f: set(own) for f, own in found["imported"].items()}, breadth)

    def tests_for(self, group: Group, mutant: Mutant, seen: Seen, at_import: bool) -> list[str]:
        """Those that run its line, most direct first.

        A change at import meets every test that runs its module, and those that may look at what it makes: of the
        files that name the module, and of the group's `constants`.
        """
        lines = seen.lines.get(str(mutant.file), {})
        wanted = lines if at_import else [line for line in mutant.lines if line in lines]
        tests = {test for line in wanted for test in lines[line]}
        if at_import:
            names = re.compile(rf"\b{mutant.file.stem}\b")
            naming = {str(f.relative_to(self.root)) for f in group.tests if names.search(f.read_text(encoding="utf-8"))}
            tests |= {test for test in seen.seconds if test.partition("::")[0] in {*naming, *group.constants}}
            tests = tests or set(seen.seconds)
        chosen, spent, of_file = [], 0.0, Counter[str]()
        for test in sorted(tests, key=lambda t: (seen.seconds[t], t)):
            spent += seen.seconds[test]
            if seen.seconds[test] <= SLOWEST and spent <= SHARE_BUDGET:
                chosen.append(test)
                of_file[test.partition("::")[0]] += seen.seconds[test]
        # The most direct ones first, which run little else; then those of a file together, its fixtures made once.
        chosen.sort(key=lambda t: (seen.breadth[t], seen.seconds[t], t))
        return chosen[:10] + sorted(
            chosen[10:], key=lambda t: (of_file[t.partition("::")[0]], t.partition("::")[0], seen.breadth[t])
        )

    # ---- mutants

    def play(self, wanted: list[tuple[Group, Mutant]], tell: Callable[[int, dict[str, Any]], None]) -> list[dict]:
        """Outcome of each mutant; those known from an earlier run are not played again."""
        results: list[dict] = []
        for group in dict.fromkeys(group for group, _ in wanted):
            own = [mutant for g, mutant in wanted if g is group]
            known = self.known(group)
            for i, one in enumerate(known[m.key] for m in own if m.key in known):
                tell(len(results) + i + 1, one)
            for visit in (self.play_inside, self.play_at_import):
                known = self.known(group)
                left = [m for m in own if m.key not in known]
                if left:
                    visit(group, left, partial(self.told, tell, len(results) + len(own) - len(left)))
            known = self.known(group)
            results += [{**known[m.key], "group": group.name, "line": m.line} for m in own]
        return results

    @staticmethod
    def told(tell: Callable[[int, dict[str, Any]], None], before: int, done: int, one: dict[str, Any]) -> None:
        """The next outcome of a visit."""
        tell(before + done, one)

    @property
    def record(self) -> Path:
        """The outcomes, a line each."""
        return self.keep / "results.jsonl"

    def known(self, group: Group) -> dict[str, dict[str, Any]]:
        """Outcomes of an earlier run that still stand, by the mutant's key."""
        texts = self.record.read_text(encoding="utf-8").splitlines() if self.record.exists() else []
        found = {one["key"]: one for one in map(json.loads, texts)}
        return {key: one for key, one in found.items() if one["tests"] == self.proof(group, one["by"])}

    def proof(self, group: Group, by: str) -> str:
        """Hash of what an outcome rests on: the file of the test that noticed, or all the group's tests."""
        file = self.root / by.partition("::")[0]
        return self.hash_of(file) if "::" in by else self.hash_of(*group.tests)

    def play_inside(self, group: Group, mutants: list[Mutant], tell: Callable[[int, dict[str, Any]], None]) -> None:
        """Those that act inside a function, in forks of a session that has collected the tests."""

        def work(session: Session) -> None:
            self.watch(group, session)
            seen = self.seen(group)
            inside = [m for m in mutants if not m.at_import]
            tests = {m.key: self.tests_for(group, m, seen, at_import=False) for m in inside}
            early = {m.key for m in inside if m.line in seen.imported.get(str(m.file), ())}
            self.run(group, inside, session.meet, (seen, tests), tell, early)

        watcher = Watcher(group.files)
        if not self.kept(group).exists():
            watcher.on()
        said = hold_session([str(f.relative_to(self.root)) for f in group.tests], group.left_out, work, watcher)
        watcher.off()
        if said:
            raise SystemExit(said)

    def play_at_import(self, group: Group, mutants: list[Mutant], tell: Callable[[int, dict[str, Any]], None]) -> None:
        """Those that act when a module is imported, or at that time as well."""
        seen = self.seen(group)
        tests = {m.key: self.tests_for(group, m, seen, at_import=True) for m in mutants}
        self.run(group, mutants, meet_at_import, (seen, tests), tell)

    def run(
        self,
        group: Group,
        mutants: list[Mutant],
        meet: Meet,
        known: tuple[Seen, dict[str, list[str]]],
        tell: Callable[[int, dict[str, Any]], None],
        early: set[str] = frozenset(),
    ) -> None:
        """Mutant after mutant. early: a survivor of these is met again at import and no outcome is written yet."""
        seen, tests = known
        waiting, running, done = list(reversed(mutants)), {}, 0
        with self.record.open("a", encoding="utf-8") as file:
            while waiting or running:
                while waiting and len(running) < self.workers:
                    mutant = waiting.pop()
                    child, out, limit = self.start(mutant, meet, tests[mutant.key], seen)
                    running[child] = (mutant, out, limit, time.monotonic())
                for child in list(running):
                    mutant, out, limit, begun = running[child]
                    found = self.ended(child, out, limit)
                    if found is None:
                        continue
                    del running[child]
                    if found["code"] is None or (found["code"] == 0 and mutant.key in early):
                        continue
                    one = self.outcome(group, mutant, found, len(tests[mutant.key]), time.monotonic() - begun)
                    file.write(json.dumps(one) + "\n")
                    file.flush()
                    done += 1
                    tell(done, one)
                time.sleep(0.02)

    def start(self, mutant: Mutant, meet: Meet, tests: list[str], seen: Seen) -> tuple[int, Path, float]:
        """Fork a process for one mutant: its id, where the result will be, until when it may run."""
        module = ".".join(mutant.file.relative_to(self.src).with_suffix("").parts)
        seconds = 30.0 + 5.0 * sum(seen.seconds[t] for t in tests)
        if tests:
            child, out = self.fork(lambda home: meet(mutant, module, tests, home), seconds)
        else:
            child, out = self.fork(lambda home: {"code": 0, "by": ""}, seconds)
        return child, out, time.monotonic() + 20.0 * seconds  # on a busy machine; what waits for ever ends then

    def ended(self, child: int, out: Path, limit: float) -> dict[str, Any] | None:
        """What a process has found, once it has ended."""
        done, status = os.waitpid(child, os.WNOHANG)
        if not done and time.monotonic() < limit:
            return None
        if not done:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
        if out.exists():
            return json.loads(out.read_text(encoding="utf-8"))
        endless = not done or (os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL))
        return {"code": 1, "by": "time" if endless else "crash"}

    def outcome(self, group: Group, mutant: Mutant, found: dict[str, Any], ran: int, seconds: float) -> dict[str, Any]:
        """As it is written down."""
        if found["code"] == 5 and not found["by"]:
            raise SystemExit(f"no test was run: {mutant.file}:{mutant.line}")
        outcome = "survived" if found["code"] == 0 else "killed"
        by = found["by"] if outcome == "killed" else ""
        return {
            "key": mutant.key,
            "group": group.name,
            "file": str(mutant.file.relative_to(self.src)),
            "line": mutant.line,
            "change": mutant.change,
            "outcome": outcome,
            "by": by,
            "ran": ran,
            "seconds": round(seconds, 2),
            "tests": self.proof(group, by),
        }
