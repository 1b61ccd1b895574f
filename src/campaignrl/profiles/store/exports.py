"""Later exports for a profile folder: read together with those of the first build, as if all had been built at once.

A folder that was built by a mapping keeps the rows of its exports (intake/lines.py). Ready events and attributes that
were added beside them stand in files of their own, so that the rest can be made anew:

    added.parquet, added_attributes.parquet    as they were given
    aliases.parquet                            names that a customer had before ids were linked: alias, customer_id

Not here: the reading (intake/), the tags (build.py), updates by ready events (update.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pandas as pd

from campaignrl.errors import Problem, UsageError
from campaignrl.profiles.events import newest_day
from campaignrl.profiles.intake import IntakeResult
from campaignrl.profiles.intake.intake import intake
from campaignrl.profiles.store.folder import (
    EVENTS,
    finish,
    known_sources,
    read_about,
    read_state,
    sources_of,
    with_snapshot,
    write_joined,
)
from campaignrl.profiles.store.update import (
    ADDED,
    ADDED_ATTRIBUTES,
    Update,
    counts_of,
    merged_attributes,
)
from campaignrl.tables import ID
from campaignrl.tables.files import read_frame, write_frame

ALIASES = "aliases.parquet"


def update_from_exports(
    folder: str | Path,
    mapping: str | Path,
    data: str | Path,
    as_of: date | None = None,
    *,
    encoding: str | None = None,
    page: Callable[[Mapping[str, Any]], str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[IntakeResult, Update]:
    """Read new exports beside the old ones and make the folder's profiles anew, late links and corrections included.

    as_of: default the day after the newest event of all, and never before the old one.

    Raises:
        UsageError: every file was read before, or the day lies before the old one.
    """
    home = Path(folder)
    state = read_state(home)
    before = set(read_frame(home / "profiles.parquet", [ID], text=[ID])[ID])
    old_events, old_late = counts_of(home / EVENTS, state.as_of)
    until = None if as_of is None else datetime.combine(as_of, time())
    taken = intake(mapping, data, home, until, page=page, progress=progress, encoding=encoding, before=home, keep=True)
    sources = known_sources(home)
    if set(sources) <= set(state.sources):
        fix = "These very exports are in the profiles already."
        raise UsageError(Problem("profile update", "data", str(data), "new", fix))
    aliases = aliases_of(taken.links, taken.quality["links"]["order"][0])
    _join_added(home, aliases)
    day = max(state.as_of, newest_day(home / EVENTS)) if as_of is None else as_of
    if day < state.as_of:
        raise UsageError(Problem("profile update", "as-of", day.isoformat(), f"{state.as_of} or later"))
    about = _attributes(home, taken.attributes, aliases)
    seen = renamed(read_about(home)[1], aliases)
    if about is not None:
        seen = with_snapshot(seen, about, day)
    made = finish(home, replace(state, as_of=day, sources=known_sources(home)), about, seen)
    write_frame(pd.DataFrame(sorted(aliases.items()), columns=["alias", ID], dtype="str"), home / ALIASES)
    events, late = counts_of(home / EVENTS, state.as_of)
    added = len(set(made.frame[ID]) - before)
    return taken, Update(made, events - old_events, late - old_late, added)


def aliases_of(links: pd.DataFrame, strongest: str) -> dict[str, str]:
    """What a customer was called while an id of theirs stood alone -> what they are called now.

    strongest: the kind of id that names customers as it is.
    """
    rows = zip(links["kind"], links["id"], links["customer_id"], strict=True)
    pairs = ((one if kind == strongest else f"{kind}:{one}", now) for kind, one, now in rows)
    return {name: now for name, now in pairs if name != now}


def renamed(frame: pd.DataFrame | None, aliases: Mapping[str, str]) -> pd.DataFrame | None:
    """A table with the ids of today."""
    if frame is None or not aliases:
        return frame
    return frame.assign(**{ID: frame[ID].astype(object).map(lambda one: aliases.get(one, one)).astype("str")})


def _join_added(home: Path, aliases: Mapping[str, str]) -> None:
    """Ready events that were added earlier join the remade ones."""
    if not (home / ADDED).exists():
        return
    frame = renamed(read_frame(home / ADDED, text=[ID]), aliases)
    if frame is not None:
        own = home / ".added.parquet"
        try:
            write_frame(frame, own)
            write_joined([home / EVENTS, own], home / EVENTS, sources_of(home / ADDED))
        finally:
            own.unlink(missing_ok=True)


def _attributes(home: Path, taken: pd.DataFrame, aliases: Mapping[str, str]) -> pd.DataFrame | None:
    if not (home / ADDED_ATTRIBUTES).exists():
        return taken
    added = renamed(read_frame(home / ADDED_ATTRIBUTES, text=[ID]), aliases)
    assert added is not None
    return merged_attributes(taken, added.drop_duplicates(ID, keep="last"))
