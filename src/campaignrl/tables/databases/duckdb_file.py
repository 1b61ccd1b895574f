"""A table or a query of a DuckDB file, in its own types.

The file is opened for reading only, and a query may not look at other files or the network. Not here: DuckDB as our
own engine (profiles/).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from campaignrl.errors import DataError, unknown
from campaignrl.tables.databases.address import Address
from campaignrl.tables.databases.statements import refuse_twice, table_among, wrapped
from campaignrl.tables.files import ROW_GROUP, parquet_writer, write_whole

SETTINGS = {"enable_external_access": "false", "threads": "2"}
TABLES = (
    "SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = current_database() "
    "ORDER BY table_schema <> 'main', 1, 2"
)


def extract(address: Address, root: Path, target: Path) -> int:
    """See databases/extract.py."""
    path = address.path(root)
    if not path.is_file():
        siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise unknown("database", path.name, siblings, f"Looked in {path.parent}.")
    try:
        with duckdb.connect(str(path), read_only=True, config=dict(SETTINGS)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            statement = _statement(connection, address)
            connection.execute(f"DESCRIBE {statement}")
            asked = address.query or statement  # inside another query the names would have been made different
            refuse_twice(address, [str(row[0]) for row in connection.execute(f"DESCRIBE {asked}").fetchall()])
            return _written(connection.sql(statement), target)
    except duckdb.Error as wrong:
        raise DataError(f"{address.shown}: cannot be read: {_reason(wrong)}") from None


def _statement(connection: duckdb.DuckDBPyConnection, address: Address) -> str:
    if address.query is not None:
        return wrapped(address.query)
    tables = [(str(schema), str(name)) for schema, name in connection.execute(TABLES).fetchall()]
    return f"SELECT * FROM {table_among(address, tables)}"


def _written(relation: duckdb.DuckDBPyRelation, target: Path) -> int:
    reader, total = relation.to_arrow_reader(ROW_GROUP), 0

    def put(out: Any) -> None:
        nonlocal total
        with parquet_writer(reader.schema, out) as writer:
            for batch in reader:
                total += batch.num_rows
                writer.write_table(pa.Table.from_batches([batch]), row_group_size=ROW_GROUP)

    write_whole(target, put)
    return total


def _reason(wrong: duckdb.Error) -> str:
    """On one line, and without the query it points into."""
    lines = [line.strip() for line in str(wrong).splitlines()]
    kept = [line for line in lines if line and not line.startswith(("LINE ", "^"))]
    return " ".join(kept)
