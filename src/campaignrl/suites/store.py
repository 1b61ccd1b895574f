"""Finished runs of a benchmark that has not finished: OUT.partial/, one small file a run, written whole.

A file is used again only if it was made by the same code for the same world, policy, seed and settings, and only if
its checksum agrees; anything else is simply played again. Not here: the results file (results.py).
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from campaignrl.errors import SpecError, UsageError
from campaignrl.specs import check, digest, world_hash
from campaignrl.suites.identity import Identity, code_hash
from campaignrl.suites.measure import Measured, Timed
from campaignrl.suites.plan import Run
from campaignrl.suites.suite import Suite
from campaignrl.tables.files import write_whole

_OURS = re.compile(r"[0-9a-f]{32}\.json|\.[0-9a-f]{32}\.json\.[0-9a-f]{16}\.part")
_LARGEST = 1 << 20  # bytes of one run's file


class Store:
    """The finished runs of one benchmark, by what they depend on."""

    def __init__(self, out: str | Path, suite: Suite, identity: Identity) -> None:
        self.folder = Path(f"{out}.partial")
        self._suite, self._identity = suite, identity
        self._worlds = {label: world_hash(world) for label, world in identity.worlds.items()}
        try:  # now rather than after the first run
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as wrong:
            raise UsageError(f"{self.folder}: cannot be made: {wrong.strerror}.") from wrong

    def path(self, run: Run) -> Path:
        """Where a run is kept; the name is a hash of everything its figures depend on."""
        policy, explore = self._identity.policies[run.world, run.policy], self._suite.training(run.policy).model_dump()
        key = [code_hash(), run.world, self._worlds[run.world], run.policy, policy, run.seed]
        return self.folder / f"{digest([*key, self._suite.customers, explore])}.json"

    def load(self, run: Run) -> Timed | None:
        """The figures of a finished run; None if there are none, or if the file is damaged."""
        try:
            path = self.path(run)
            found = json.loads(path.read_bytes()) if path.stat().st_size <= _LARGEST else None
            if not isinstance(found, dict) or found.get("check") != digest(found.get("figures")):
                return None
            figures = check(Measured, found["figures"], path.name)
        except (OSError, ValueError, RecursionError, SpecError):
            return None
        seconds = found.get("seconds")
        took = seconds if isinstance(seconds, float) and 0.0 <= seconds < float("inf") else 0.0
        return Timed(figures, took) if (figures.world, figures.policy, figures.seed) == tuple(run) else None

    def save(self, run: Run, found: Timed) -> None:
        """Keep a finished run."""
        content = found.figures.model_dump(mode="json")
        text = json.dumps({"check": digest(content), "seconds": found.seconds, "figures": content}, allow_nan=False)
        write_whole(self.path(run), lambda out: _write(out, text))

    def clear(self) -> None:
        """Remove what we wrote, and the folder if nothing else is in it."""
        for path in self.folder.iterdir():
            if _OURS.fullmatch(path.name):
                path.unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()


def _write(out: BinaryIO, text: str) -> None:
    out.write(text.encode())
