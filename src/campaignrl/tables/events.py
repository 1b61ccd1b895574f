"""The events table: what customers did and what was done to them, one row an event.

`customer_id` text, `ts` naive UTC with microseconds and `kind` are always there; the rest may be null:
`channel`, `offer`, `amount` (currency paid or given back, at least 0), `discount` (currency off the list price, at
least 0), `category`, `brand`, `value` (feedback score, visit minutes, orders so far of an `opening`), `source`.

An `opening` says what a customer had before events were kept one by one (a migration, a panel's start): two rows,
one at the first order's ts and one at the last order's; the last carries value = orders so far, amount = spend so
far, discount = orders with an offer so far; one row alone is both the first and the last.

Here: the columns, their contract, frames in and out. Not here: making the table from raw exports
(profiles/intake/intake.py), tags (profiles/).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from campaignrl.errors import DataError, Problem, nearest
from campaignrl.tables.files import (
    ROW_GROUP,
    column_names,
    is_parquet,
    parquet_file,
    read_table,
    reading,
    require_columns,
    row_problems,
    write_parquet,
    write_whole,
)

TABLE = "events"
KINDS = (
    "order",
    "refund",
    "visit",
    "cart",
    "feedback",
    "subscribed",
    "unsubscribed",
    "sent",
    "delivered",
    "opened",
    "clicked",
    "redeemed",
    "opening",
)
MONEY = ("order", "refund", "opening")  # kinds whose amount and discount must not be negative
REQUIRED = ("customer_id", "ts", "kind")
TEXTS = ("channel", "offer", "category", "brand", "source")
NUMBERS = ("amount", "discount", "value")
SCHEMA = pa.schema(
    [
        pa.field("customer_id", pa.string(), nullable=False),
        pa.field("ts", pa.timestamp("us"), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("channel", pa.string()),
        pa.field("offer", pa.string()),
        pa.field("amount", pa.float64()),
        pa.field("discount", pa.float64()),
        pa.field("category", pa.string()),
        pa.field("brand", pa.string()),
        pa.field("value", pa.float64()),
        pa.field("source", pa.string()),
    ]
)
COLUMNS = tuple(SCHEMA.names)
NO_EVENTS = pa.schema([field.with_nullable(True) for field in SCHEMA]).empty_table()


def write_events(events: pd.DataFrame, path: str | Path) -> None:
    """Events as Parquet, ordered by customer, time and their order in the frame; checked, whole or not at all."""
    table = ordered(events_table(events))
    write_whole(path, lambda out: write_parquet(table, out))


def read_events(
    path: str | Path,
    columns: Sequence[str] | None = None,
    *,
    kinds: Sequence[str] | None = None,
    since: date | None = None,
) -> pd.DataFrame:
    """All events of a Parquet file, or some columns of them; what breaks the contract is a DataError.

    kinds, since: only events of these kinds, of that day and later: the others are looked at and never held.
    """
    if kinds is None and since is None:
        frame: pd.DataFrame = read_events_table(path, columns).to_pandas()
        return frame
    wanted = list(COLUMNS if columns is None else columns)
    parts = [_chosen(piece, kinds, since).select(wanted) for piece in event_pieces(path)]
    found: pd.DataFrame = pa.concat_tables([NO_EVENTS.select(wanted), *parts]).to_pandas()
    return found


def event_pieces(path: str | Path) -> Iterator[pa.Table]:
    """The events of a Parquet file in order, some of them at a time, checked like all of them."""
    source = _events_file(path)
    with reading(source), parquet_file(source) as file:
        for batch in file.iter_batches(ROW_GROUP):
            piece = _conformed(pa.Table.from_batches([batch]), str(source))
            if event_problems(piece):
                read_events_table(source)  # which says the rows' numbers in the whole file
            yield piece


def read_events_table(path: str | Path, columns: Sequence[str] | None = None) -> pa.Table:
    """The same as an Arrow table, its columns in our order and types; absent nullable ones are null."""
    source = _events_file(path)
    table = _conformed(read_table(source), str(source))
    problems = event_problems(table, str(source))
    if problems:
        raise DataError(problems)
    return table if columns is None else table.select(list(columns))


def _events_file(path: str | Path) -> Path:
    source = Path(path)
    if not is_parquet(source):
        raise DataError(Problem(str(source), "file", source.name, "a Parquet file", "Events come out of intake."))
    require_columns(source, REQUIRED, column_names(source))
    return source


def _chosen(piece: pa.Table, kinds: Sequence[str] | None, since: date | None) -> pa.Table:
    if kinds is not None:
        piece = piece.filter(pc.is_in(piece["kind"], value_set=pa.array(kinds, pa.string())))
    if since is not None:
        piece = piece.filter(pc.greater_equal(piece["ts"], np.datetime64(since, "us")))
    return piece


def events_table(events: pd.DataFrame) -> pa.Table:
    """A frame as the events table, every column there; all bad rows and strange columns are reported at once."""
    try:
        table = pa.Table.from_pandas(events, preserve_index=False).replace_schema_metadata(None)
    except (pa.ArrowException, ValueError, TypeError) as wrong:
        text = " ".join(str(part) for part in wrong.args)
        raise DataError(Problem(TABLE, "frame", text, "one kind of value a column, each column once")) from None
    require_columns(TABLE, REQUIRED, table.column_names)
    table = _conformed(table, TABLE)
    problems = event_problems(table)
    if problems:
        raise DataError(problems)
    return table


def ordered(table: pa.Table) -> pa.Table:
    """The rows by customer and time; rows of one moment keep their order."""
    row = pa.array(np.arange(len(table)))
    order = pc.sort_indices(
        table.select(["customer_id", "ts"]).append_column("row", row),
        sort_keys=[("customer_id", "ascending"), ("ts", "ascending"), ("row", "ascending")],
    )
    return table.take(order)


def event_problems(table: pa.Table, where: str = TABLE) -> list[Problem]:
    """Everything wrong with the rows of a table of our schema, each kind with its row numbers (0-based, capped)."""
    ids, kind = table["customer_id"], table["kind"]
    money = pc.is_in(kind, value_set=pa.array(MONEY))
    problems = _rows(pc.equal(pc.fill_null(ids, ""), ""), ids, "customer_id", "given", where)
    problems += _rows(pc.is_null(table["ts"]), table["ts"], "ts", "given", where)
    strange = pc.invert(pc.is_in(kind, value_set=pa.array(KINDS)))
    problems += _rows(strange, kind, "kind", f"one of {', '.join(KINDS)}", where)
    for name in NUMBERS:
        column = table[name]
        problems += _rows(pc.invert(pc.is_finite(column)), column, name, "a finite number or nothing", where)
    for name in ("amount", "discount"):
        below = pc.and_(pc.less(table[name], 0.0), money)
        problems += _rows(below, table[name], name, "at least 0", where, "What is given back is a refund.")
    return problems


def _conformed(table: pa.Table, where: str) -> pa.Table:
    """The columns of SCHEMA in their order and types; unknown columns and unfitting types are a DataError."""
    strangers = [name for name in table.column_names if name not in COLUMNS]
    problems = [Problem(where, "column", n, "a column of the events table", nearest(n, COLUMNS)) for n in strangers]
    columns = {}
    for field in SCHEMA:
        if field.name not in table.column_names:
            columns[field.name] = pa.nulls(len(table), field.type)
            continue
        try:
            columns[field.name] = _cast(table[field.name], field)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            kind = str(table[field.name].type)
            problems.append(Problem(where, field.name, kind, f"a column of {field.type}", "Ids and names are text."))
    if problems:
        raise DataError(problems)
    return pa.table(columns, schema=NO_EVENTS.schema)


def _cast(column: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_null(column.type):
        return column.cast(field.type)
    as_it_should = {
        pa.string(): lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind),
        pa.float64(): lambda kind: pa.types.is_floating(kind) or pa.types.is_integer(kind),
        pa.timestamp("us"): lambda kind: pa.types.is_timestamp(kind) or pa.types.is_date(kind),
    }
    if not as_it_should[field.type](column.type):
        raise pa.ArrowInvalid(f"{column.type} is not {field.type}")
    return column.cast(field.type, safe=False)


def _rows(bad: Any, values: pa.ChunkedArray, name: str, allowed: str, where: str, fix: str = "") -> list[Problem]:
    flags: npt.NDArray[np.bool_] = pc.fill_null(bad, False).to_numpy()
    if not flags.any():
        return []
    return row_problems(flags, name, np.array(values.to_pylist(), dtype=object), allowed, fix, where)
