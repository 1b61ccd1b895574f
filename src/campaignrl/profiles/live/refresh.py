"""New events -> new tags for the customers they touch, within a second, beside a folder of any number of customers.

Read by the engine, row by row of its customers, for a folder's tables may be larger than memory.

    pending/HASH.parquet     events that came since the last update
    live.parquet             the rows of the customers they touch, as of the day after the newest of them
    live_freshness.parquet   the same of freshness.parquet

Reading the folder (`profile show`, `read_profiles`) puts the live rows in the place of the old ones. A live row has the
values of a full rebuild on that day, but for what hangs on all customers at once (scores, RFM, models, and what is made
of them): that stays as it was until `profile update`, which takes the pending events in and removes the live rows. Not
here: waiting for files (watch.py), the tags themselves (tags/).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from campaignrl.errors import DataError, Problem, UsageError
from campaignrl.profiles.events import newest_day, quoted, text
from campaignrl.profiles.events.database import database
from campaignrl.profiles.live.witness import FAR, Witness, witness_of
from campaignrl.profiles.store import (
    ATTRIBUTES,
    EVENTS,
    PENDING,
    REFRESHES,
    Profiles,
    State,
    build_profiles,
    content_hash,
    pending_of,
    read_state,
)
from campaignrl.profiles.table import LIVE, LIVE_FRESHNESS, SEGMENT, profile_facts, profile_path, write_profiles
from campaignrl.profiles.tags import TagSet
from campaignrl.specs import check
from campaignrl.tables import COLUMNS, ID, SCHEMA, events_table, read_events
from campaignrl.tables.files import column_names, read_frame, write_frame, write_parquet, write_whole

# Statistics that compare a customer with all others.
OF_ALL = (
    *("recency score", "frequency score", "monetary score", "RFM cell"),
    *("best hour", "associated category"),
)
TAKING = "taking"
MOST_TOUCHED = 100_000  # customers of one refresh; beyond, an update is faster


class Refreshed(NamedTuple):
    """frame: the live rows of the customers that were touched; kept: tags that wait for the next update."""

    frame: pd.DataFrame
    as_of: date
    kept: tuple[str, ...]
    seconds: float


class Live:
    """A folder opened for refreshing: its state and its witness are read once."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.state: State = read_state(self.folder)
        about = self.folder / ATTRIBUTES
        self.about = about if about.exists() else None
        self.witness: Witness = witness_of(self.folder / EVENTS, self.about)
        self.own, self.kept = own_tags(self.state.tags)
        self.facts = profile_facts(self.folder / "profiles.parquet")
        self.columns = column_names(self.folder / "profiles.parquet")
        self.pending = [read_events(path) for path in pending_of(self.folder)]
        self.day = max([self.state.as_of, *map(newest_day, self.pending)])

    def refresh(self, events: pd.DataFrame) -> Refreshed:
        """Keep new events as pending and make the rows of the customers they touch anew."""
        begun = time.perf_counter()
        table = events_table(events)
        if not len(table):
            raise DataError(Problem("events", "rows", 0, "at least one event"))
        touched = sorted(set(table[ID].to_pylist()))
        if len(touched) > MOST_TOUCHED:
            fix = f"Use `campaignrl profile update {self.folder} EVENTS`."
            raise UsageError(Problem("events", "customers", len(touched), f"at most {MOST_TOUCHED:,}", fix))
        self._keep(table)
        self.pending.append(table.to_pandas())
        self.day = day = max(self.day, newest_day(self.pending[-1]))
        made = self._made(touched, day)
        frame = self._joined(made.frame, touched)
        freshness = made.freshness[made.freshness[ID].isin(touched)].reset_index(drop=True)
        self._write(frame, freshness, day)
        return Refreshed(frame, day, self.kept, time.perf_counter() - begun)

    def _keep(self, table: Any) -> None:
        home = self.folder / PENDING
        (home / TAKING).mkdir(parents=True, exist_ok=True)
        whole = home / TAKING / "new.parquet"  # counts as pending once it has its name
        write_whole(whole, lambda out: write_parquet(table, out))
        name = home / f"{content_hash(whole)}.parquet"
        if name.exists() or name.stem in self.state.sources:
            whole.unlink()
            fix = "These very events are in the profiles already."
            raise UsageError(Problem("profile watch", "events", name.stem, "new", fix))
        whole.replace(name)

    def _made(self, touched: list[str], day: date) -> Profiles:
        """Everything that is a function of a customer's own events and attributes, of the touched ones."""
        history = self._history(touched)
        events = pd.concat([history, self.witness.events], ignore_index=True)
        about, seen = self._about(touched), None
        if self.about is not None and any(tag.settled for tag in self.own.tags.values()):
            seen = _some(self.folder / REFRESHES, touched)
        return build_profiles(
            events,
            about,
            self.own,
            day,
            refreshes=seen,
            world=self.state.world,
            start=self.state.start,
            never_contacted=self.state.never_contacted,
        )

    def _history(self, touched: list[str]) -> pd.DataFrame:
        """Their events of the folder and of everything pending; Parquet's own statistics find them quickly."""
        ids = ", ".join(text(one) for one in touched)
        chosen = ", ".join(f'"{name}"' for name in COLUMNS)
        with database(self.folder / EVENTS, None, FAR) as connection:
            sql = f"select {chosen} from events where customer_id in ({ids})"
            parts = [connection.sql(sql).to_arrow_table().cast(SCHEMA).to_pandas()]
        parts += [part[part[ID].isin(touched)] for part in self.pending]
        whole: pd.DataFrame = pd.concat([part for part in parts if len(part)], ignore_index=True)
        return whole

    def _about(self, touched: list[str]) -> pd.DataFrame | None:
        if self.about is None:
            return None
        mine = _some(self.about, touched)
        words = self.witness.attributes
        return mine if words is None else pd.concat([mine, words.reindex(columns=mine.columns)], ignore_index=True)

    def _joined(self, made: pd.DataFrame, touched: list[str]) -> pd.DataFrame:
        """Whole rows: the new values, and the old ones of what hangs on all customers."""
        new = made[made[ID].isin(touched)].set_index(ID)
        waiting = [name for name in self.columns if name not in made.columns]
        old = _some(profile_path(self.folder), touched, [ID, *waiting]).set_index(ID)
        order = [name for name in self.columns if name != ID]
        columns = {name: new[name] if name in new.columns else old[name].reindex(new.index) for name in order}
        frame = pd.DataFrame(columns, index=new.index).reset_index()
        segments = self.state.segments
        if segments is not None and not set(t.name for t in segments.tags) & set(self.kept):
            frame[SEGMENT] = pd.Series(segments.assign(frame.drop(columns=SEGMENT, errors="ignore")), dtype="str")
        return frame

    def _write(self, frame: pd.DataFrame, freshness: pd.DataFrame, day: date) -> None:
        for name, rows in ((LIVE_FRESHNESS, freshness), (LIVE, frame)):
            path = self.folder / name
            if path.exists():
                before = read_frame(path, text=[ID])
                rows = pd.concat([before[~before[ID].isin(rows[ID])], rows], ignore_index=True)
            rows = rows.sort_values(ID, kind="stable", ignore_index=True)
            if name == LIVE:
                facts = {**self.facts, "live": {"as_of": day.isoformat(), "kept": list(self.kept)}}
                write_profiles(rows, facts, path)
            else:
                write_frame(rows, path)


def own_tags(chosen: TagSet) -> tuple[TagSet, tuple[str, ...]]:
    """The tags that hang on a customer's own events and attributes alone, and the names of the others."""
    of_all: list[str] = []
    for name in chosen.order:
        tag = chosen.tags[name]
        compares = tag.kind in ("score", "model") or (tag.kind == "statistic" and tag.of in OF_ALL)
        if compares or set(tag.needs) & set(of_all):
            of_all.append(name)
    words: Mapping[str, Any] = chosen.model_dump(exclude_unset=True)
    own = {name: tag for name, tag in words["tags"].items() if name not in of_all}
    if not own:
        fix = "Use `campaignrl profile update`."
        raise UsageError(Problem("profile watch", "tags", list(chosen.tags), "some of a customer's own", fix))
    return check(TagSet, {**words, "tags": own}, chosen.name), tuple(n for n in chosen.tags if n in of_all)


def refresh(folder: str | Path, events: pd.DataFrame) -> Refreshed:
    """One refresh of a folder that is not watched; see Live.refresh."""
    return Live(folder).refresh(events)


def _some(path: Path, ids: list[str], columns: Sequence[str] = ()) -> pd.DataFrame:
    """Rows of some customers of a Parquet file in order of id."""
    wanted, chosen = ", ".join(text(one) for one in ids), ", ".join(map(quoted, columns)) or "*"
    sql = f"select {chosen} from read_parquet({text(str(path))}) where customer_id in ({wanted}) order by customer_id"
    with database(pd.DataFrame({ID: ["x"], "ts": [pd.Timestamp(0)], "kind": ["visit"]}), None, FAR) as connection:
        found = connection.sql(sql).to_arrow_table()
    frame: pd.DataFrame = found.to_pandas()
    return frame
