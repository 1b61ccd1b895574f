"""A profile folder: events, attributes, their refreshes, the tags made from them, and how they were made.

    events.parquet      by customer and time; its metadata names the files it was brought together from
    attributes.parquet  one row a customer, the newest known
    refreshes.parquet   every observation of an attribute so far: customer_id, ts, name, value
    profiles.parquet    one row a customer, a column a tag       (build.py)
    freshness.parquet   one row a customer, the newest event of each kind
    profile.json        the day, the tag set, the world; written last

Each file appears whole or not at all. A run that was cut off is finished by running it again: what events.parquet
already holds is not added twice. Not here: the tags (build.py), intake from raw exports (intake.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd
import pyarrow as pa

from campaignrl.errors import ArtifactError, DataError, Problem
from campaignrl.profiles.events import newest_day
from campaignrl.profiles.events.database import database
from campaignrl.profiles.intake import forget_lines, keeps_lines, kept_digests
from campaignrl.profiles.segments import Segmentation
from campaignrl.profiles.store.build import REFRESHED, Profiles, build_profiles
from campaignrl.profiles.table import LIVE, LIVE_FRESHNESS
from campaignrl.profiles.tags import TagSet, load_tags
from campaignrl.specs import World, check, load_world
from campaignrl.tables import COLUMNS, ID, SCHEMA
from campaignrl.tables.files import (
    ROW_GROUP,
    is_parquet,
    parquet_note,
    parquet_writer,
    read_frame,
    read_table,
    reading,
    write_frame,
    write_whole,
)

EVENTS, ATTRIBUTES, REFRESHES, STATE = "events.parquet", "attributes.parquet", "refreshes.parquet", "profile.json"
PENDING = "pending"  # events that `profile watch` took in since the last update, a file each
BESIDE = ("added.parquet", "added_attributes.parquet", "aliases.parquet")  # of later updates: see exports.py
KEY = b"campaignrl_sources"
FOREVER = date(9999, 1, 1)
SEEN = ("customer_id", "ts", "name", "value")


@dataclass(frozen=True)
class State:
    """How the profiles of a folder were made."""

    as_of: date
    tags: TagSet
    world: World | None = None
    start: date | None = None
    never_contacted: bool = False
    sources: tuple[str, ...] = ()  # hashes of the event files that the profiles rest on
    segments: Segmentation | None = None  # kept: found again at every update


def build_folder(
    out: str | Path,
    events: str | Path,
    attributes: str | Path | None = None,
    tags: str | Path | TagSet = "shop",
    as_of: date | None = None,
    *,
    refreshes: str | Path | None = None,
    world: str | Path | World | None = None,
    start: date | None = None,
    encoding: str | None = None,
    never_contacted: bool = False,
    segments: Segmentation | None = None,
) -> Profiles:
    """Make a profile folder from an events table (and attributes); files that already lie in it stay as they are.

    segments: to be found again in every customer, now and at every update. Those that the folder kept before are gone
    unless they are given again.
    """
    folder, chosen = Path(out), load_tags(tags)
    place = None if world is None else load_world(world)
    day = newest_day(events) if as_of is None else as_of
    target = folder / EVENTS
    if not (target.exists() and target.samefile(events)):
        write_joined([events], target, [content_hash(events)])
        forget_lines(folder)  # of an earlier build by a mapping
    for name in BESIDE:
        (folder / name).unlink(missing_ok=True)
    forget_live(folder, pending_of(folder))
    about = None if attributes is None else read_frame(attributes, text=[ID], encoding=encoding)
    seen = None if refreshes is None else read_frame(refreshes, text=[ID, "name"], encoding=encoding)
    if about is not None:
        seen = with_snapshot(seen, about, day)
    sources = known_sources(folder)
    return finish(folder, State(day, chosen, place, start, never_contacted, sources, segments), about, seen)


def finish(folder: Path, state: State, about: pd.DataFrame | None, seen: pd.DataFrame | None) -> Profiles:
    """Tags of the folder's events, and every file but the events, the state last."""
    target = folder / EVENTS
    made = build_profiles(
        target,
        about,
        state.tags,
        state.as_of,
        refreshes=seen,
        world=state.world,
        start=state.start,
        never_contacted=state.never_contacted,
        segments=state.segments,
    )
    if about is not None and seen is not None:
        write_frame(about, folder / ATTRIBUTES)
        write_frame(seen, folder / REFRESHES)
    made.write(folder)
    write_state(folder, state)
    return made


def pending_of(folder: str | Path) -> tuple[Path, ...]:
    """Files of events that came since the last update, in order of name."""
    return tuple(sorted((Path(folder) / PENDING).glob("*.parquet")))


def forget_live(folder: str | Path, taken: Sequence[Path]) -> None:
    """The live rows, and the pending events that an update took in."""
    for name in (LIVE, LIVE_FRESHNESS):
        (Path(folder) / name).unlink(missing_ok=True)
    for path in taken:
        path.unlink(missing_ok=True)


def write_state(folder: Path, state: State) -> None:
    """`profile.json`."""
    words: dict[str, Any] = {
        "as_of": state.as_of.isoformat(),
        "tags": state.tags.model_dump(mode="json", exclude_unset=True),
        "world": None if state.world is None else state.world.model_dump(mode="json", exclude_unset=True),
        "start": None if state.start is None else state.start.isoformat(),
        "never_contacted": state.never_contacted,
        "sources": list(state.sources),
    }
    if state.segments is not None:
        words["segments"] = state.segments.model_dump(mode="json")
    text = json.dumps(words, ensure_ascii=False, indent=1, sort_keys=False, allow_nan=False)
    write_whole(folder / STATE, lambda out: _put(out, text.encode()))


def read_state(folder: str | Path) -> State:
    """How a folder's profiles were made; a folder of another origin is an ArtifactError."""
    path = Path(folder) / STATE
    try:
        words = json.loads(path.read_text(encoding="utf-8"))
        world = None if words["world"] is None else check(World, words["world"], STATE)
        start = None if words["start"] is None else date.fromisoformat(words["start"])
        tags = check(TagSet, words["tags"], STATE)
        never = bool(words.get("never_contacted", False))
        kept = None if words.get("segments") is None else check(Segmentation, words["segments"], STATE)
        return State(date.fromisoformat(words["as_of"]), tags, world, start, never, tuple(words["sources"]), kept)
    except OSError as wrong:
        fix = "Make it first: campaignrl profile build ... -o FOLDER"
        raise ArtifactError(f"{path}: cannot be read: {wrong.strerror}. {fix}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise ArtifactError(f"{path}: is not as campaignrl writes it: {wrong}") from None


def read_about(folder: Path) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """Attributes and their refreshes, as far as the folder has them."""
    paths = ((folder / ATTRIBUTES, [ID]), (folder / REFRESHES, [ID, "name"]))
    about, seen = (read_frame(path, text=text) if path.exists() else None for path, text in paths)
    return about, seen


def write_joined(sources: Sequence[str | Path], target: Path, hashes: Sequence[str]) -> None:
    """The events of all sources in one file, in an order that depends on the events alone."""
    chosen = ", ".join(f'"{name}"' for name in COLUMNS)
    with database(sources[0], None, FOREVER) as connection:
        parts = ["select * from events"]
        for k, source in enumerate(sources[1:]):
            with database(source, None, FOREVER):  # that it is an events table
                pass
            connection.register(f"more_{k}", _table(source))
            parts.append(f"select {chosen} from more_{k}")
        sql = f"select {chosen} from ({' union all '.join(parts)}) order by {chosen}"
        reader = connection.sql(sql).to_arrow_reader(ROW_GROUP)
        schema = SCHEMA.with_metadata({KEY: json.dumps(list(hashes)).encode()})
        write_whole(target, lambda out: _stream(reader, schema, out))


def sources_of(path: Path) -> tuple[str, ...]:
    """Hashes of the files that an events file was brought together from; none where it does not say."""
    return tuple(json.loads(parquet_note(path, KEY) or b"[]"))


def known_sources(folder: Path) -> tuple[str, ...]:
    """Hashes of all files that a folder's profiles rest on: events that came ready, and raw exports."""
    raw = sorted(kept_digests(folder)) if keeps_lines(folder) else []
    return (*sources_of(folder / EVENTS), *raw)


def content_hash(path: str | Path) -> str:
    """Of a file's bytes."""
    if not is_parquet(Path(path)):
        raise DataError(Problem(str(path), "file", Path(path).name, "a Parquet file", "Events come out of intake."))
    with reading(Path(path)), open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def with_snapshot(seen: pd.DataFrame | None, about: pd.DataFrame, day: date) -> pd.DataFrame:
    """The refreshes so far and those of one table of attributes, each observation once, in order."""
    if REFRESHED in about.columns:
        moment = pd.to_datetime(about[REFRESHED]).fillna(pd.Timestamp(day))
    else:
        moment = pd.Series(pd.Timestamp(day), index=about.index)
    frames = [] if seen is None else [seen[list(SEEN)]]
    for name in about.columns:
        if name not in (ID, REFRESHED) and not pd.api.types.is_datetime64_any_dtype(about[name].dtype):
            texts = about[name].astype("str").where(about[name].notna(), None)
            one = {ID: about[ID], "ts": moment.astype("datetime64[us]"), "name": str(name), "value": texts}
            frames.append(pd.DataFrame(one))
    kinds: dict[str, Any] = {ID: "str", "ts": "datetime64[us]", "name": "str", "value": "str"}
    joined = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame({name: [] for name in SEEN})
    joined = joined.astype(kinds).drop_duplicates(list(SEEN[:3]), keep="last")
    return joined.sort_values(list(SEEN[:3]), kind="stable", ignore_index=True)


def _table(source: str | Path) -> pa.Table:
    table = read_table(source)
    columns = [table[n] if n in table.column_names else pa.nulls(len(table), SCHEMA.field(n).type) for n in COLUMNS]
    return pa.table([column.cast(SCHEMA.field(n).type) for n, column in zip(COLUMNS, columns, strict=True)], COLUMNS)


def _stream(reader: pa.RecordBatchReader, schema: pa.Schema, out: BinaryIO) -> None:
    with parquet_writer(schema, out) as writer:
        for batch in reader:
            writer.write_table(pa.Table.from_batches([batch]).cast(schema))


def _put(out: BinaryIO, content: bytes) -> None:
    out.write(content)
