"""Delta tables on disk: begun, opened, read by columns, and added to exactly once.

An append carries the id of its run and the version it rests on: a second one of the same run is refused, and of two
that rest on the same version one wins. What does not fit into memory is written as Parquet here and committed as a
whole, for the library's own writer holds every row until it is done. Not here: what the rows say (schemas.py), the
folder they lie in (folder.py).
"""

from __future__ import annotations

import json
import math
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from campaignrl.errors import ArtifactError, CampaignError, Problem, UsageError
from campaignrl.features import FeatureSchema
from campaignrl.ledger.schemas import NO_STATISTICS, PARTITIONS, schema_of

if TYPE_CHECKING:
    from deltalake import CommitProperties, DeltaTable
    from deltalake.transaction import AddAction
    from pyarrow.dataset import Dataset

Stands = tuple[tuple[str, int, int], ...]  # files of a log: name, bytes, time
Filters = Sequence[tuple[str, str, Any]]
LOG = "_delta_log"
HELD = 16  # tables, of their last versions that were read
ROW_GROUP = 32_768  # rows; a group is held until it is full
FILE_ROWS = 32 * ROW_GROUP
SEEN_CHAIN = "campaignrl.chain"  # in a commit
COUNTED = "delta.dataSkippingStatsColumns"
BACK = "Bring the folder back from a copy; no other program may change it."


class LedgerMoved(CampaignError):
    """Another run committed in between: what this one counted is no longer true. Run it again."""

    exit_code = 1


def create_table(path: Path, name: str, features: FeatureSchema) -> None:
    """Begin an empty table of a ledger."""
    from deltalake import DeltaTable

    path.mkdir(parents=True, exist_ok=True)
    schema = schema_of(name, features)
    counted = [f.name for f in schema if f.name not in NO_STATISTICS and not pa.types.is_list(f.type)]
    about = {COUNTED: ",".join(c for c in counted if "." not in c)}
    DeltaTable.create(str(path), schema, partition_by=PARTITIONS[name] or None, configuration=about)


def open_table(path: Path) -> DeltaTable:
    """A table as it stands now, to be read; ArtifactError where it is damaged.

    Its log is read again only where a file of it is new or another one: a run of a day opens each table many times.
    """
    stands = _stands(path)
    return open_to_write(path) if stands is None else _opened(path.absolute(), stands)


def _stands(path: Path) -> Stands | None:
    """What tells how a table stands from how it stood before or will; None where it has no log."""
    try:
        return tuple(sorted((one.name, one.stat().st_size, one.stat().st_mtime_ns) for one in os.scandir(path / LOG)))
    except OSError:
        return None


def open_to_write(path: Path) -> DeltaTable:
    """A table as it stands now, which nobody else holds; ArtifactError where it is damaged."""
    from deltalake import DeltaTable  # slow to import, and only ledgers need it
    from deltalake.exceptions import DeltaError

    try:
        return DeltaTable(str(path))
    except (DeltaError, OSError, ValueError) as wrong:
        raise ArtifactError(Problem(str(path), "table", _short(wrong), "a whole table", BACK)) from None


@lru_cache(maxsize=HELD)
def _opened(path: Path, stands: Stands) -> DeltaTable:
    return open_to_write(path)


def _files(path: Path) -> Dataset:
    """The files of a table as it stands now, each with what it says of its rows: those that hold none are not read."""
    stands = _stands(path)
    return open_to_write(path).to_pyarrow_dataset() if stands is None else _files_of(path.absolute(), stands)


@lru_cache(maxsize=HELD)
def _files_of(path: Path, stands: Stands) -> Dataset:
    return _opened(path, stands).to_pyarrow_dataset()


def read_rows(path: Path, columns: Sequence[str] | None, more: Sequence[str], filters: Filters) -> pa.Table:
    """Rows of a table; more: columns that it may have by now; filters: (column, operator, value), all of which hold."""
    files = _files(path)
    names = None if columns is None else [*columns, *(one for one in more if one in files.schema.names)]
    try:
        return files.to_table(columns=names, filter=pq.filters_to_expression(list(filters)) if filters else None)
    except (OSError, pa.ArrowException) as wrong:
        raise ArtifactError(Problem(str(path), "rows", _short(wrong), "all there", BACK)) from None


def distinct_rows(path: Path, columns: list[str]) -> pa.Table:
    """The different rows of some columns, in bounded memory."""
    data = _files(path)
    schema = pa.schema([data.schema.field(name) for name in columns])
    found, waiting = schema.empty_table(), schema.empty_table()
    try:
        for batch in data.to_batches(columns=columns):
            waiting = pa.concat_tables([waiting, pa.Table.from_batches([batch]).cast(schema)])
            if len(waiting) >= ROW_GROUP:
                found, waiting = _once([found, waiting], columns), schema.empty_table()
        return _once([found, waiting], columns)
    except (OSError, pa.ArrowException) as wrong:
        raise ArtifactError(Problem(str(path), "rows", _short(wrong), "all there", BACK)) from None


def _once(tables: list[pa.Table], names: list[str]) -> pa.Table:
    return pa.concat_tables(tables).group_by(names).aggregate([])


def batches_of(path: Path, column: str, value: str) -> Iterator[pa.RecordBatch]:
    """The rows in which a column has a value, in their order and bounded memory."""
    import pyarrow.dataset as ds  # slow to import

    try:
        yield from _files(path).to_batches(filter=ds.field(column) == value)
    except (OSError, pa.ArrowException) as wrong:
        raise ArtifactError(Problem(str(path), "rows", _short(wrong), "all there", BACK)) from None


def count_rows(path: Path) -> int:
    """How many rows a table has."""
    try:
        return int(_files(path).count_rows())
    except (OSError, pa.ArrowException) as wrong:
        raise ArtifactError(Problem(str(path), "rows", _short(wrong), "all there", BACK)) from None


def is_committed(table: DeltaTable, run_id: str) -> bool:
    """Whether a run has added its rows to a table."""
    return table.transaction_version(f"run:{run_id}") is not None


def add_rows(
    table: DeltaTable, rows: pa.Table | pa.RecordBatchReader, run_id: str, where: Path, chain: str = ""
) -> None:
    """Add rows, all or none; LedgerMoved where another run committed in between.

    chain: the entry of the decisions' chain that stood last by then, which the commit remembers.
    """
    from deltalake import WriterProperties, write_deltalake

    layout = WriterProperties(compression="SNAPPY", max_row_group_size=ROW_GROUP)
    with _committing(where):
        write_deltalake(
            table,
            rows,
            mode="append",
            schema_mode="merge",
            commit_properties=_commit_of(table, run_id, chain),
            writer_properties=layout,
        )


def add_parts(table: DeltaTable, rows: pa.RecordBatchReader, run_id: str, where: Path, chain: str = "") -> None:
    """As `add_rows`, in the memory of a row group; rows that bring new columns are given to that."""
    whole = pa.schema(table.schema().to_arrow())
    if set(rows.schema.names) - set(whole.names):
        add_rows(table, rows, run_id, where, chain)
        return
    with _committing(where):
        added = _written(table, rows)  # what is left of it by a run that is killed goes with `remove_leftovers`
        commit = _commit_of(table, run_id, chain)
        parts = table.metadata().partition_columns
        table.create_write_transaction([*added], "append", table.schema(), parts, commit_properties=commit)


@contextmanager
def _committing(where: Path) -> Iterator[None]:
    from deltalake.exceptions import CommitFailedError, DeltaError

    try:
        yield
    except CommitFailedError as wrong:
        raise LedgerMoved(f"{where}: another run committed in between. Run it again.") from wrong
    except (DeltaError, OSError) as wrong:
        raise UsageError(f"{where}: cannot be written: {wrong}") from wrong


def _commit_of(table: DeltaTable, run_id: str, chain: str) -> CommitProperties:
    from deltalake import CommitProperties, Transaction

    marks = [Transaction(f"run:{run_id}", 1), Transaction("sequence", int(table.version()) + 1)]
    return CommitProperties(app_transactions=marks, custom_metadata={SEEN_CHAIN: chain} if chain else None)


def _written(table: DeltaTable, rows: pa.RecordBatchReader) -> list[AddAction]:
    """Files of the rows, which all stand in one partition, not yet part of the table."""
    root, parts = Path(table.table_uri.removeprefix("file://")), table.metadata().partition_columns
    counted = set(table.metadata().configuration.get(COUNTED, "").split(","))
    schema = pa.schema([field for field in rows.schema if field.name not in parts])
    found: list[AddAction] = []
    batches = iter(rows)
    batch = next(batches, None)
    while batch is not None:
        values = {name: batch[name][0].as_py() for name in parts}
        folder = "/".join(f"{name}={value}" for name, value in values.items())
        name = f"{folder}/part-{len(found):05d}-{uuid.uuid4()}.snappy.parquet".removeprefix("/")
        (root / name).parent.mkdir(exist_ok=True)
        about: list[pq.FileMetaData] = []
        with (root / name).open("xb") as out:
            with pq.ParquetWriter(out, schema, compression="snappy", metadata_collector=about) as writer:
                many = 0
                while batch is not None and many < FILE_ROWS:
                    if any(pc.any(pc.not_equal(batch[part], value)).as_py() for part, value in values.items()):
                        raise ValueError("rows of several partitions")
                    writer.write_batch(batch.select(schema.names), row_group_size=ROW_GROUP)
                    many += len(batch)
                    batch = next(batches, None)
            os.fsync(out.fileno())
        found.append(_added(root / name, about[0], name, {part: str(value) for part, value in values.items()}, counted))
    return found


def _added(path: Path, meta: pq.FileMetaData, name: str, values: dict[str, str], counted: set[str]) -> AddAction:
    """A file, with the least, the largest and the missing values of its counted columns."""
    from deltalake.transaction import AddAction

    about = path.stat()
    low, high, missing = dict[str, Any](), dict[str, Any](), dict[str, int]()
    groups = [meta.row_group(i) for i in range(meta.num_row_groups)]
    for i in range(meta.num_columns):
        columns = [group.column(i) for group in groups]
        told = [one.statistics for one in columns if one.is_stats_set]
        column = columns[0].path_in_schema
        if column not in counted or len(told) < len(columns):
            continue
        missing[column] = sum(one.null_count for one in told)
        ends = [one for one in told if one.has_min_max]
        if len(ends) == len(told) and all(_is_plain(value) for one in ends for value in (one.min, one.max)):
            low[column], high[column] = min(one.min for one in ends), max(one.max for one in ends)
    told_of = {"numRecords": meta.num_rows, "minValues": low, "maxValues": high, "nullCount": missing}
    return AddAction(name, about.st_size, values, int(about.st_mtime * 1000), True, json.dumps(told_of))


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


def chains_seen(path: Path) -> set[str]:
    """The entries of the decisions' chain that commits to a table remember."""
    return {str(one[SEEN_CHAIN]) for one in open_table(path).history() if one.get(SEEN_CHAIN)}


def rewrite(path: Path, rows: pa.Table, where: Path) -> None:
    """Write a table anew with these rows alone, and remove every file that held others."""
    from deltalake import write_deltalake
    from deltalake.exceptions import DeltaError

    try:
        write_deltalake(open_to_write(path), rows, mode="overwrite")
    except (DeltaError, OSError) as wrong:
        raise UsageError(f"{where}: cannot be written: {wrong}") from wrong
    remove_leftovers(path, where)


def remove_leftovers(path: Path, where: Path) -> None:
    """Remove every file that is no part of the table as it stands, also what a run that was killed left."""
    from deltalake.exceptions import DeltaError

    try:
        open_to_write(path).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True)
    except (DeltaError, OSError) as wrong:
        raise UsageError(f"{where}: cannot be written: {wrong}") from wrong


def _short(wrong: Exception, limit: int = 120) -> str:
    """The first line of what a library says."""
    return str(wrong).splitlines()[0][:limit] if str(wrong) else type(wrong).__name__
