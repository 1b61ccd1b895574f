"""Decision logs as files: Parquet, or CSV with a sidecar that holds what CSV cannot.

Here: writing and reading our own logs, and sending foreign ones to their mapping. Not here: the columns
(columns.py, rows.py), mappings (mapping.py, log.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from campaignrl.actions import Catalog
from campaignrl.errors import CampaignError, DataError, Problem
from campaignrl.features import FeatureSchema
from campaignrl.tables.files import (
    ROW_GROUP,
    Writer,
    is_parquet,
    parquet_note,
    parquet_writer,
    read_table,
    reading,
    refuse_foreign,
    regrouped,
    row_problems,
    write_together,
)
from campaignrl.tables.files import csv_text as csvfile
from campaignrl.tables.log.columns import (
    CODED,
    as_of_these_rows,
    coded,
    context_column,
    log_batches,
    log_schema,
    named_by_rows,
)
from campaignrl.tables.log.decision_log import DecisionLog, repeated
from campaignrl.tables.log.rows import Facts, log_from

FORMAT = 1
KEY = b"campaignrl"
SORTED_BY = ("customer_id", "ts", "step")  # by what a row group holds of these, a reader may skip it
LOOKED_AT = 4_096  # rows


def write_log(log: DecisionLog, path: str | Path) -> None:
    """Write a decision log as Parquet or CSV; the same log gives the same bytes.

    Read back, customers are numbered in order of their first row and whole numbers are int64.

    Args:
        log: what to write.
        path: of the file, by its suffix .parquet or .csv (with a sidecar of the same name and .meta.json).

    Returns:
        None: the file appears whole or not at all.

    Raises:
        DataError: a customer has a step twice, or a text is no Unicode.

    Example:
        >>> import campaignrl as crl
        >>> crl.write_log(crl.simulate("coupon_trap", customers=20), "log.csv")
        >>> len(crl.read_log("log.csv"))
        2400
    """
    write_together(log_writers(log, path))


def log_writers(log: DecisionLog, path: str | Path) -> dict[str | Path, Writer]:
    """What writes the file, or the files, of a log, to be written with others that belong to it."""
    target = Path(path)
    twice = repeated(log.customer, log.step)
    if twice.any():
        raise DataError(row_problems(twice, "step", log.step, "used once by each customer"))
    head = _head(log.catalog, log.context.schema, log.meta, len(log))
    if is_parquet(target):
        schema = coded(log_schema(log, {KEY: head}))
        return {
            target: lambda out: _write_parquet(schema, log.context.schema, log_batches(log, schema, ROW_GROUP), out)
        }
    rows = BytesIO()
    csvfile.write_csv(_text_frame(log), target, rows)
    # The sidecar last: while the rows are replaced, none may vouch for them.
    return {target: lambda out: out.write(rows.getvalue()), sidecar(target): lambda out: out.write(head + b"\n")}


def log_rows(log: DecisionLog) -> pa.Table:
    """The rows of a part of a log, as its file keeps them."""
    schema = coded(log_schema(log))
    return pa.Table.from_batches(log_batches(log, schema, max(len(log), 1)))


def parts_writer(log: DecisionLog, rows: int, parts: Callable[[], Iterable[pa.Table]]) -> Writer:
    """What writes a Parquet log of so many rows that come in parts; log: some of it, for all that holds of every row.

    The bytes are those of the whole log.
    """
    schema = coded(log_schema(log, {KEY: _head(log.catalog, log.context.schema, log.meta, rows)}))

    by_rows = named_by_rows(log)

    def batches() -> Iterator[pa.RecordBatch]:
        for group in regrouped(parts(), ROW_GROUP):
            (batch,) = group.to_batches()  # with texts of the whole part that it was cut from
            columns = zip(batch.schema.names, batch.columns, strict=True)
            cells = [as_of_these_rows(column) if name in by_rows else column for name, column in columns]
            yield pa.RecordBatch.from_arrays(cells, schema=schema)

    return lambda out: _write_parquet(schema, log.context.schema, batches(), out)


def read_own_log(path: str | Path, *, encoding: str | None = None) -> DecisionLog:
    """A decision log as `write_log` wrote it; encoding: of a CSV that was saved anew, not as UTF-8."""
    source = Path(path)
    facts, rows = facts_of(source, encoding)
    table = read_table(source, encoding=encoding)
    if not is_parquet(source):
        names = csvfile.restored(pa.array(table.column_names)).to_pylist()
        table = pa.table([csvfile.restored(column) for column in table.columns], names=names)
    if table.num_rows != rows:
        raise DataError(Problem(str(source), "rows", table.num_rows, f"the {rows} that were written"))
    with reading(source):
        return log_from(table, facts, str(source))


def is_own_log(path: str | Path) -> bool:
    """Whether a table is one of our decision logs: it says so itself, or in its sidecar."""
    source = Path(path)
    return parquet_note(source, KEY) is not None if is_parquet(source) else sidecar(source).is_file()


def facts_of(path: Path, encoding: str | None = None) -> tuple[Facts, int]:
    """What one of our logs says about its rows as a whole, and how many rows were written."""
    refuse_foreign(path, encoding)
    return _facts(_parquet_head(path) if is_parquet(path) else _sidecar_head(path), path)


def sidecar(path: Path) -> Path:
    """Where a CSV log keeps its catalog, features and facts."""
    return path.with_name(path.name + ".meta.json")


def _head(catalog: Catalog, features: FeatureSchema, meta: Mapping[str, Any], rows: int) -> bytes:
    facts = {
        "format": FORMAT,
        "rows": rows,
        "catalog": catalog.to_dict(),
        "features": features.to_list(),
        "meta": meta,
    }
    try:
        text = json.dumps(facts, sort_keys=True, allow_nan=False, ensure_ascii=True)
    except (TypeError, ValueError) as wrong:
        raise DataError(Problem("decision log", "meta", str(wrong), "plain JSON values")) from None
    return text.encode()


def _write_parquet(schema: pa.Schema, features: FeatureSchema, batches: Iterable[pa.RecordBatch], out: Any) -> None:
    rest = iter(batches)
    first = next(rest)
    with parquet_writer(schema, out, **_layout(schema, features, first)) as writer:
        writer.add_key_value_metadata(schema.metadata)
        for batch in chain((first,), rest):
            writer.write_batch(batch, row_group_size=ROW_GROUP)


def _layout(schema: pa.Schema, features: FeatureSchema, first: pa.RecordBatch) -> dict[str, Any]:
    """How the columns lie in the file: texts by zstd, numbers as they are by LZ4, which takes half the time.

    Numbers of the context that differ from row to row, as days since something, are cut into bytes, most of which
    repeat. Arrow's own schema is left out, so that codes are read back as the texts that they stand for.
    """
    differing = _differing(features, first)
    lz4 = [f.name for f in schema if f.type not in (CODED, pa.string()) and f.name not in differing]
    return {
        "plain": [f.name for f in schema if f.type != CODED],
        "codecs": dict.fromkeys(lz4, "lz4"),
        "column_encoding": dict.fromkeys(differing, "BYTE_STREAM_SPLIT") or None,
        "write_statistics": list(SORTED_BY),
        "store_schema": False,
        "write_batch_size": ROW_GROUP,
    }


def _differing(features: FeatureSchema, first: pa.RecordBatch) -> list[str]:
    """Columns of context numbers that differ from the row before in most of the first rows."""
    names = [context_column(f.name) for f in features.features if not f.levels]
    numbers = {name: first.column(name).slice(0, LOOKED_AT).to_numpy(zero_copy_only=False) for name in names}
    return [name for name, some in numbers.items() if (some[1:] != some[:-1]).sum() > len(some) / 2]


def _text_frame(log: DecisionLog) -> pd.DataFrame:
    """The columns as CSV holds them: lists of ids with blanks between, single precision in full."""
    schema = log_schema(log)
    table = pa.Table.from_batches(log_batches(log, schema, ROW_GROUP), schema)
    for i, field in enumerate(schema):
        if pa.types.is_list(field.type):
            words = table.column(i).cast(pa.list_(pa.string()))
            table = table.set_column(i, field.name, pc.binary_join(words, " "))
        elif field.type == pa.float32():
            table = table.set_column(i, field.name, table.column(i).cast(pa.float64()))
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _parquet_head(path: Path) -> bytes:
    head = parquet_note(path, KEY)
    if head is None:
        raise DataError(f"{path}: holds no campaignrl decision log. Give a mapping that says what its columns mean.")
    return head


def _sidecar_head(path: Path) -> bytes:
    side = sidecar(path)
    if not side.is_file():
        raise DataError(
            f"{path}: has no {side.name} beside it, so its columns have no meaning yet. Give a mapping that says it."
        )
    with reading(side):
        return side.read_bytes()


def _facts(head: bytes, path: Path) -> tuple[Facts, int]:
    """What the head says; damaged or newer heads are refused."""
    damaged = DataError(f"{path}: the description of the log is damaged. Write the log again.")
    try:
        data = json.loads(head)
        version = data["format"]
        if isinstance(version, int) and version > FORMAT:
            fix = "Upgrade campaignrl to read it."
            raise DataError(Problem(str(path), "format", version, f"at most {FORMAT}", fix))
        facts = Facts(Catalog.from_dict(data["catalog"]), FeatureSchema.from_list(data["features"]), data["meta"])
        sound = version == FORMAT and isinstance(facts.meta, dict) and _named_by_text(facts)
    except DataError:
        raise
    except (CampaignError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise damaged from None
    if not sound or not isinstance(data.get("rows"), int):
        raise damaged
    return facts, data["rows"]


def _named_by_text(facts: Facts) -> bool:
    names: list[object] = [*facts.catalog.names, *facts.features.names]
    names += [level for f in facts.features.features for level in f.levels]
    names += [offer.name for offer in facts.catalog.offers] + [channel.name for channel in facts.catalog.channels]
    names += [creative.name for creative in facts.catalog.creatives] + [slot.name for slot in facts.catalog.slots]
    return all(isinstance(name, str) for name in names)
