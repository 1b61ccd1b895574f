"""The folder of a run in shards: what is done stays done, so that a run that was killed goes on where it was.

    manifest.json      what the run rests on; another run begins anew
    STEP-00007.part   what a step made of a shard: there whole, or not there
Not here: the steps (steps.py), the files of a run (outputs.py).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from campaignrl.tables.files import write_whole

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class WorkFolder:
    """Where the shards of one run lie."""

    path: Path

    @classmethod
    def open(cls, path: Path, rests_on: Mapping[str, Any]) -> WorkFolder:
        """The folder of a run that rests on this, as far as it came; an empty one where there is none."""
        found = cls(path)
        if found.manifest().get("rests_on") != json.loads(json.dumps(rests_on)):
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir(parents=True)
            found.write({"rests_on": rests_on})
        return found

    def manifest(self) -> dict[str, Any]:
        """What was written down; nothing where there is no folder, or none of ours."""
        try:
            said = json.loads((self.path / MANIFEST).read_bytes())
        except (OSError, ValueError):
            return {}
        return said if isinstance(said, dict) else {}

    def write(self, said: Mapping[str, Any]) -> None:
        """Write it down, whole or not at all."""
        text = json.dumps(said, indent=1).encode()
        write_whole(self.path / MANIFEST, lambda out: out.write(text))

    def file(self, step: str, shard: int) -> Path:
        """What a step made of a shard."""
        return self.path / f"{step}-{shard:05d}.part"

    def has(self, step: str, shard: int) -> bool:
        """Whether a step is done with a shard."""
        return self.file(step, shard).exists()

    def forget(self) -> None:
        """The run is complete."""
        shutil.rmtree(self.path, ignore_errors=True)
