"""Waiting for files of events in an inbox, and refreshing the customers that each of them touches.

A file is taken when it is whole: written under another name and renamed, or its size unchanged between two looks. What
cannot be read is put aside in `refused/`, and its reason is told; the watch goes on. Not here: the refresh itself
(refresh.py).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from campaignrl.errors import CampaignError, DataError, Problem, UsageError
from campaignrl.profiles.live.refresh import Live, Refreshed
from campaignrl.tables import ID, read_events

SUFFIXES = (".parquet", ".jsonl")
LOOK = 0.1  # seconds between two looks into the inbox
INBOX, REFUSED = "inbox", "refused"


class Taken(NamedTuple):
    """One file: what came of it, or why it was put aside."""

    file: str
    refreshed: Refreshed | None
    wrong: str = ""


def watch(
    folder: str | Path, inbox: str | Path | None = None, *, once: bool = False, look: float = LOOK
) -> Iterator[Taken]:
    """Take files of events (.parquet, .jsonl) out of an inbox as they come, and refresh whom they touch.

    inbox: default FOLDER/inbox, made if it is not there. once: what lies there now, then end; otherwise for ever.
    """
    live = Live(folder)
    box = Path(folder) / INBOX if inbox is None else Path(inbox)
    if inbox is not None and not box.is_dir():
        raise UsageError(Problem("profile watch", "--inbox", str(inbox), "a folder"))
    box.mkdir(exist_ok=True)
    sizes: dict[Path, int] = {}
    while True:
        found = {path: path.stat().st_size for path in sorted(box.iterdir()) if path.suffix in SUFFIXES}
        for path, size in found.items():
            if once or sizes.get(path) == size:
                yield _take(live, path)
        if once:
            return
        sizes = {path: size for path, size in found.items() if path.exists()}
        time.sleep(look)


def read_new_events(path: Path) -> pd.DataFrame:
    """Events of a Parquet file, or of JSON lines with the same names."""
    if path.suffix == ".parquet":
        return read_events(path)
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            row = json.loads(line) if line.strip() else None
        except ValueError:
            row = False
        if row is not None and not isinstance(row, dict):
            raise DataError(Problem(f"{path.name} line {number}", "line", line[:60], "one JSON object"))
        rows += [] if row is None else [row]
    frame = pd.DataFrame(rows)
    frame = frame.assign(**{ID: frame[ID].astype("str")}) if ID in frame.columns else frame
    if "ts" in frame.columns:
        told = pd.to_datetime(frame["ts"], errors="coerce", utc=True, format="ISO8601")
        if told.isna().any():
            bad = frame.loc[told.isna(), "ts"].iloc[0]
            raise DataError(Problem(path.name, "ts", bad, "a time, such as 2026-11-21T09:30:00Z"))
        frame["ts"] = told.dt.tz_localize(None)
    return frame


def _take(live: Live, path: Path) -> Taken:
    try:
        done = live.refresh(read_new_events(path))
    except CampaignError as wrong:
        aside = path.parent / REFUSED
        aside.mkdir(exist_ok=True)
        path.replace(aside / path.name)
        return Taken(path.name, None, str(wrong))
    path.unlink()
    return Taken(path.name, done)
