"""A table or a query of a PostgreSQL server, by a cursor on the server, in one read-only transaction.

The whole answer is of one moment (repeatable read), and comes in pieces whatever its size. Numbers of unlimited
precision come as text, to the letter, as do types that a table of ours has no word for. Not here: URLs and secrets
(address.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from campaignrl.errors import DataError, MissingExtra
from campaignrl.tables.databases.address import Address, filled, scrubbed, without_password
from campaignrl.tables.databases.statements import quoted, refuse_twice, table_among, wrapped
from campaignrl.tables.files import ROW_GROUP, parquet_writer, write_whole

try:
    import psycopg
except ImportError as missing:
    raise MissingExtra("reading PostgreSQL needs psycopg: pip install 'campaignrl[postgres]'") from missing

PATIENCE = 10  # seconds for a server to answer
PIECE = 20_000  # rows at once
TABLES = (
    "SELECT table_schema, table_name FROM information_schema.tables "
    "WHERE table_schema NOT IN ('pg_catalog', 'information_schema') "
    "ORDER BY table_schema <> current_schema(), 1, 2"
)
# What PostgreSQL calls a type -> ours; every other one is text.
TYPES = {
    "bool": pa.bool_(), "int2": pa.int64(), "int4": pa.int64(), "int8": pa.int64(),
    "float4": pa.float64(), "float8": pa.float64(), "date": pa.date32(),
    "timestamp": pa.timestamp("us"), "timestamptz": pa.timestamp("us", "UTC"),
}  # fmt: skip


def extract(address: Address, root: Path, target: Path) -> int:
    """See databases/extract.py."""
    url = filled(address.url)
    try:
        with psycopg.connect(url, connect_timeout=PATIENCE, application_name="campaignrl") as connection:
            connection.read_only = True
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.execute("SET TIME ZONE 'UTC'")
            statement, schema = _asked(connection, address)
            return _written(connection, statement, schema, target)
    except psycopg.OperationalError as wrong:
        fix = "Is the server running, and are address, user and password right?"
        raise DataError(f"{without_password(address.url)}: {scrubbed(str(wrong), address.url)} {fix}") from None
    except psycopg.Error as wrong:
        raise DataError(f"{address.shown}: cannot be read: {scrubbed(str(wrong), address.url)}") from None


def _asked(connection: psycopg.Connection[Any], address: Address) -> tuple[str, pa.Schema]:
    """The statement with every column in a type of ours, and the types."""
    if address.query is not None:
        inner = wrapped(address.query)
    else:
        tables = [(str(schema), str(name)) for schema, name in connection.execute(TABLES).fetchall()]
        inner = f"SELECT * FROM {table_among(address, tables)}"
    described = connection.execute(f"SELECT * FROM ({inner}) AS described LIMIT 0").description or ()
    refuse_twice(address, [column.name for column in described])
    chosen, fields = [], []
    for column in described:
        kind = _type(connection, column)
        fields.append(pa.field(column.name, kind))
        name = quoted(column.name)
        chosen.append(f"{name}::text AS {name}" if kind == pa.string() else name)
    return f"SELECT {', '.join(chosen)} FROM ({inner}) AS typed", pa.schema(fields)


def _type(connection: psycopg.Connection[Any], column: psycopg.Column) -> pa.DataType:
    known = connection.adapters.types.get(column.type_code)
    name = known.name if known is not None and known.oid == column.type_code else ""  # a list has a number of its own
    if name == "numeric" and column.precision is not None and column.precision <= 38:
        return pa.decimal128(column.precision, column.scale or 0)
    return TYPES.get(name, pa.string())


def _written(connection: psycopg.Connection[Any], statement: str, schema: pa.Schema, target: Path) -> int:
    total = 0

    def put(out: Any) -> None:
        nonlocal total
        with connection.cursor("campaignrl") as cursor, parquet_writer(schema, out) as writer:
            cursor.execute(statement.encode())
            for rows in _pieces(cursor):
                total += len(rows)
                columns = [pa.array(v, f.type) for f, v in zip(schema, zip(*rows, strict=True), strict=True)]
                writer.write_table(pa.Table.from_arrays(columns, schema=schema), row_group_size=ROW_GROUP)

    write_whole(target, put)
    return total


def _pieces(cursor: psycopg.ServerCursor[Any]) -> Iterator[Sequence[tuple[Any, ...]]]:
    while rows := cursor.fetchmany(PIECE):
        yield rows
