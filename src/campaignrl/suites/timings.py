"""What each run of a benchmark took: NAME.timings.json beside the results, which stay the same bytes on any machine.

CPU seconds rather than those of the clock, which others on the machine stretch. Not here: the results (results.py).
"""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from campaignrl.suites.plan import Run
from campaignrl.tables.files import write_whole

KIND = "campaignrl benchmark timings"


def timings_path(out: str | Path) -> Path:
    """Where the timings of a results file lie."""
    return Path(out).with_suffix(".timings.json")


def write_timings(out: str | Path, seconds: Mapping[Run, float]) -> None:
    """Write the CPU seconds of each run, and on what machine; whole or not at all."""
    facts = {"system": platform.platform(), "cores": os.cpu_count(), "cpu_seconds": round(sum(seconds.values()), 3)}
    runs = {run.id: round(took, 3) for run, took in seconds.items()}
    text = json.dumps({"kind": KIND, **facts, "runs": runs}, indent=1, ensure_ascii=False) + "\n"
    write_whole(timings_path(out), partial(_write, text=text))


def read_timings(out: str | Path) -> dict[str, float]:
    """CPU seconds by run (`world/policy/seed`); empty where there are none to be read."""
    found = _read(out)
    runs = found.get("runs") if found else None
    if not isinstance(runs, dict):
        return {}
    return {run: float(took) for run, took in runs.items() if isinstance(took, int | float) and math.isfinite(took)}


def seconds_per_seed(out: str | Path, seeds: int) -> float | None:
    """CPU seconds that all runs of one seed took; None where there are no timings to be read."""
    found = _read(out)
    try:
        seconds = float(found["cpu_seconds"]) if found else None
    except (ValueError, TypeError, KeyError):
        return None
    return None if seconds is None or not 0.0 <= seconds < float("inf") else seconds / seeds


def _read(out: str | Path) -> dict[str, Any] | None:
    """The file, or None: it is for information only, without it the answer stands."""
    try:
        found = json.loads(timings_path(out).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and found.get("kind") == KIND else None


def _write(out: BinaryIO, text: str) -> None:
    out.write(text.encode())
