"""Intake: raw exports of several tools -> one events table and one attributes table, and nothing lost on the way.

Each row of each source ends in the result, in the reject file with its reason, among the duplicates, or as a line of
an order; the counts must add up, or nothing is written. Tables may be larger than memory. The same files give the
same bytes whatever the number of threads.

Here: the order of the steps and the result folder. Not here: the mapping (mapping.py), opening files
(readers.py), rules (rules.py, deduplication.py), who is who (identity.py), figures (quality.py).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from campaignrl.errors import DataError, UnknownName, UsageError, unknown
from campaignrl.profiles.intake.deduplication import Part, Staged, stage
from campaignrl.profiles.intake.identity import identify
from campaignrl.profiles.intake.lines import Kept, write_lines
from campaignrl.profiles.intake.lookups import with_heads, with_lookups
from campaignrl.profiles.intake.mapping import IntakeMapping, Source, load_intake_mapping
from campaignrl.profiles.intake.pseudonymisation import hash_key, teach
from campaignrl.profiles.intake.quality import Counts, counts_of, source_quality
from campaignrl.profiles.intake.readers import absent_columns, engine_errors, open_raw
from campaignrl.profiles.intake.rules import Query, query_of
from campaignrl.profiles.intake.sql_values import moment_literal
from campaignrl.profiles.intake.writer import move_into, write_tables
from campaignrl.tables import read_events
from campaignrl.tables.databases import extract
from campaignrl.tables.files import Found, files_under, read_frame

Step = Callable[[int, int], None]  # (done, in all)
Page = Callable[[Mapping[str, Any]], str]  # quality figures -> HTML


@dataclass(frozen=True)
class IntakeResult:
    """What intake made: the folder, rows by source, and the figures of the data-quality page."""

    folder: Path
    as_of: dt.datetime
    counts: dict[str, Counts]
    quality: dict[str, Any]

    @property
    def events_path(self) -> Path:
        """Where the events are."""
        return self.folder / "events.parquet"

    @property
    def conflicts(self) -> int:
        """Weaker ids that several members share."""
        return int(self.quality["links"]["shared"])

    @cached_property
    def events(self) -> pd.DataFrame:
        """The events table, read when first asked for."""
        return read_events(self.events_path)

    @cached_property
    def attributes(self) -> pd.DataFrame:
        """One row a customer of whom something is known."""
        return read_frame(self.folder / "attributes.parquet")

    @cached_property
    def rejects(self) -> pd.DataFrame:
        """Every row that is not in the result: source, row, field, value, reason."""
        return read_frame(self.folder / "rejects.parquet")

    @cached_property
    def links(self) -> pd.DataFrame:
        """One row an id: kind, id, customer_id, shared, members."""
        return read_frame(self.folder / "links.parquet")


def intake(
    mapping: str | Path | IntakeMapping,
    sources: str | Path | Mapping[str, str | Path],
    out: str | Path,
    as_of: dt.datetime | dt.date | None = None,
    *,
    memory: str = "2GB",
    threads: int = 2,
    key: bytes | None = None,
    page: Page | None = None,
    progress: Step | None = None,
    encoding: str | None = None,
    before: str | Path | None = None,
    keep: bool = False,
) -> IntakeResult:
    """Read the sources of a mapping into folder `out`, which appears whole or stays as it was.

    sources: the folder of the data set, or a file by name of the source. as_of: UTC; what happened later is in the
    future (default: now). key: for personal columns (default: from the environment). page: makes the data-quality
    page from the figures. progress: called with (steps done, steps in all). encoding: of sources of which
    the mapping does not say it (default: found). keep: also keep every row, so that later exports can join them.
    before: a folder that kept its rows: the result is that of its exports and these together.
    """
    plan = mapping if isinstance(mapping, IntakeMapping) else load_intake_mapping(mapping)
    if encoding is not None:
        plan = _written_in(plan, encoding)
    kept = None if before is None else Kept(Path(before))
    find = _finder(sources)
    moment = _naive(as_of) if as_of is not None else dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)
    target = Path(out)
    fresh = {source.name for source in plan.source}
    whole = plan if kept is None else kept.with_new(plan)
    step = _stepper(progress, len(whole.source) + 4)
    with _scratch(target) as scratch, _engine(scratch, memory, threads) as con:
        if whole.hashes:
            teach(con, hash_key() if key is None else key, whole.phones_of)
        staged = []
        for n, source in enumerate(whole.source):
            files = find(source, scratch, str(n)) if source.name in fresh else []
            earlier = None if kept is None else kept.earlier.get(source.name)
            with engine_errors(source.origin if source.database or len(files) != 1 else str(files[0].path)):
                queries = _queries(con, whole, source, n, files, scratch, moment, kept)
                as_of_sql = moment_literal(moment)
                staged.append(stage(con, source, n, queries, earlier, as_of_sql, whole.ids.order))
            step()
        with engine_errors("intake"):
            lines = write_lines(con, whole, staged, scratch) if keep else []
            links = identify(con, staged, whole.ids)
            step()
            write_tables(con, whole, staged, links, scratch)
            step()
            counts = _counted(con, staged)
            quality = _quality(con, whole, staged, counts, links, moment)
            step()
        move_into(scratch, target, quality, page, lines)
        step()
    return IntakeResult(target, moment, counts, quality)


def _written_in(plan: IntakeMapping, encoding: str) -> IntakeMapping:
    sources = (
        each if each.database or "encoding" in each.model_fields_set else each.model_copy(update={"encoding": encoding})
        for each in plan.source
    )
    return plan.model_copy(update={"source": tuple(sources)})


def _queries(
    con: duckdb.DuckDBPyConnection,
    plan: IntakeMapping,
    source: Source,
    n: int,
    files: Sequence[Found],
    scratch: Path,
    as_of: dt.datetime,
    kept: Kept | None,
) -> list[tuple[Part, Query]]:
    """The query of each file of a source, its columns known to be there; a file that was read before is left out."""
    found, seen = [], set(() if kept is None else kept.digests)
    for k, file in enumerate(files):
        digest = _digest(file.path)
        if digest in seen:
            continue
        seen.add(digest)
        tag = f"{n}_{k}"
        raw = open_raw(con, source, file.path, tag, scratch)
        if source.database is not None:
            raw = replace(raw, where=source.origin)
        folder = file.beside or file.path.parent
        raw = with_lookups(con, source, raw, tag, scratch, folder.joinpath)
        problems = absent_columns(con, raw, plan.columns_of(source))
        if problems:
            raise DataError(problems)
        raw = with_heads(con, source, tuple(plan.id_columns(source).values()), raw, tag)
        found.append((Part(file.name, digest, raw.facts), query_of(plan, source, raw, as_of)))
    return found


def _digest(path: Path) -> str:
    """Of a file's bytes; of what is no file, nothing: opening it says what is wrong."""
    if not path.is_file():
        return ""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _counted(con: duckdb.DuckDBPyConnection, staged: Sequence[Staged]) -> dict[str, Counts]:
    """Rows by source; the law that nothing is lost is checked each time, not only in tests."""
    counts = {one.source.name: counts_of(con, one) for one in staged}
    lost = {name: c.lost for name, c in counts.items() if c.lost}
    if lost:
        raise AssertionError(f"rows that went nowhere, by source: {lost}")
    return counts


def _quality(
    con: duckdb.DuckDBPyConnection,
    plan: IntakeMapping,
    staged: Sequence[Staged],
    counts: Mapping[str, Counts],
    links: pd.DataFrame,
    as_of: dt.datetime,
) -> dict[str, Any]:
    shared = links[links["shared"].astype(bool)]
    first = shared.head(100)[["kind", "id", "members"]]
    return {
        "about": plan.about,
        "mapping": plan.where,
        "as_of": as_of.isoformat(),
        "currency": "" if plan.currency is None else plan.currency.to,
        **({} if plan.currency is None or not plan.currency.rates else {"rates": plan.currency.rates}),
        "sources": [source_quality(con, one, counts[one.source.name]) for one in staged],
        "links": {
            "order": list(plan.ids.order),
            "ids": len(links),
            "customers": int(links["customer_id"].nunique()),
            "shared": len(shared),
            "conflicts": plan.ids.conflicts,
            "first": first.to_dict("records"),
        },
    }


def _finder(sources: str | Path | Mapping[str, str | Path]) -> Callable[[Source, Path, str], list[Found]]:
    """Where the files of a source are; the folder and the word are for members of archives."""
    if isinstance(sources, str | Path):
        root = Path(sources)
        if not root.is_dir():
            raise UnknownName(f"no folder {root}: give the folder of the data set.")
        return lambda source, scratch, tag: _found(source, root, source.file, scratch, f"file_{tag}")
    given = {name: Path(path) for name, path in sources.items()}

    def find(source: Source, scratch: Path, tag: str) -> list[Found]:
        if source.database is not None:
            return _found(source, Path(), "", scratch, f"file_{tag}")
        if source.name not in given:
            raise unknown("source", source.name, given, "Give a path for every source of the mapping.")
        path = given[source.name]
        return files_under(path.parent, path.name, scratch, f"file_{tag}")

    return find


def _found(source: Source, root: Path, file: str, scratch: Path, tag: str) -> list[Found]:
    """The files that a source stands for; the rows of a database are laid down as one."""
    if source.database is None:
        return files_under(root, file, scratch, tag)
    target = scratch / f"{tag}.parquet"
    extract(source.database, root, target)
    return [Found(target, source.origin, root)]


def _naive(moment: dt.datetime | dt.date) -> dt.datetime:
    """UTC without saying so; a day is its first moment."""
    if not isinstance(moment, dt.datetime):
        return dt.datetime(moment.year, moment.month, moment.day)
    return moment if moment.tzinfo is None else moment.astimezone(dt.UTC).replace(tzinfo=None)


def _stepper(progress: Step | None, total: int) -> Callable[[], None]:
    done = iter(range(1, total + 1))
    return lambda: None if progress is None else progress(next(done), total)


@contextmanager
def _scratch(target: Path) -> Iterator[Path]:
    """A hidden folder beside the target, gone at the end whatever happens."""
    folder = target.parent / f".{target.name[:200]}.{secrets.token_hex(8)}.part"
    try:
        folder.mkdir(parents=True)
    except OSError as wrong:
        raise UsageError(f"{target}: cannot be written: {wrong.strerror or wrong}.") from wrong
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _engine(scratch: Path, memory: str, threads: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory that spills into the scratch folder and fetches nothing from a network."""
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "threads": threads,
        "temp_directory": str(scratch / "spill"),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    with duckdb.connect(":memory:", config=settings) as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute("SET enable_progress_bar = false")
        yield con
