"""A table or a query of a SQLite file; the type of a column is that of its values.

SQLite lets every cell have a type of its own: whole numbers become int64, whole and broken ones float64, and a column
with any text is text. Two looks in one read transaction, so that both see the same rows. Not here: other databases.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from campaignrl.errors import DataError, Problem, unknown
from campaignrl.tables.databases.address import Address
from campaignrl.tables.databases.statements import quoted, refuse_twice, table_among, wrapped
from campaignrl.tables.files import ROW_GROUP, parquet_writer, write_whole

EXACT = 1 << 53  # whole numbers beyond this do not fit into a float


def extract(address: Address, root: Path, target: Path) -> int:
    """See databases/extract.py."""
    path = address.path(root)
    if not path.is_file():
        siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise unknown("database", path.name, siblings, f"Looked in {path.parent}.")
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
            connection.execute("PRAGMA query_only = 1")
            connection.execute("BEGIN")
            return _written(connection, _statement(connection, address), address, target)
    except sqlite3.Error as wrong:
        raise DataError(f"{address.shown}: cannot be read: {wrong}") from None


def _statement(connection: sqlite3.Connection, address: Address) -> str:
    if address.query is not None:
        return wrapped(address.query)
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY 1").fetchall()
    return f"SELECT * FROM {table_among(address, [(str(name),) for (name,) in rows])}"


def _written(connection: sqlite3.Connection, statement: str, address: Address, target: Path) -> int:
    # Inside another query the names would have been made different.
    described = connection.execute(address.query or f"{statement} LIMIT 0").description or ()
    names = [str(column[0]) for column in described]
    refuse_twice(address, names)
    schema = pa.schema(list(zip(names, _types(connection, statement, names, address), strict=True)))
    total = 0
    with_rows = connection.execute(statement)

    def put(out: Any) -> None:
        nonlocal total
        with parquet_writer(schema, out) as writer:
            for rows in _batches(with_rows):
                total += len(rows)
                writer.write_table(_table(rows, schema), row_group_size=ROW_GROUP)

    write_whole(target, put)
    return total


def _types(connection: sqlite3.Connection, statement: str, names: Sequence[str], address: Address) -> list[pa.DataType]:
    looks = []
    for name in names:
        kind, value = f"typeof({quoted(name)})", quoted(name)
        looks += [f"max({kind} = '{one}')" for one in ("text", "blob", "real", "integer")]
        looks += [f"max(CASE WHEN {kind} = 'integer' THEN {value} > {EXACT} OR {value} < -{EXACT} ELSE 0 END)"]
    found = connection.execute(f"SELECT {', '.join(looks)} FROM ({statement})").fetchone()
    types = []
    for k, name in enumerate(names):
        text, blob, real, whole, large = found[5 * k : 5 * k + 5]
        if blob:
            fix = "Leave the column out: write a query."
            raise DataError(Problem(address.shown, "column", name, "text or numbers: it holds bytes", fix))
        mixed = text or (real and large)
        types.append(pa.string() if mixed or not (real or whole) else pa.float64() if real else pa.int64())
    return types


def _batches(cursor: sqlite3.Cursor) -> Iterator[list[tuple[Any, ...]]]:
    while rows := cursor.fetchmany(ROW_GROUP):
        yield rows


def _table(rows: list[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns = []
    for field, values in zip(schema, zip(*rows, strict=True), strict=True):
        cells: Sequence[Any] = values
        if field.type == pa.string():
            cells = [value if value is None or isinstance(value, str) else str(value) for value in values]
        columns.append(pa.array(cells, field.type))
    return pa.Table.from_arrays(columns, schema=schema)
