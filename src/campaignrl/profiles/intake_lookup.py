"""Tables beside a source with one row a key: a product's department, an offer's channels.

Here: joining them to the rows of the source, whose order stays. Not here: opening files (intake_files.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb

from campaignrl.errors import DataError, Problem
from campaignrl.profiles import intake_sql as sql
from campaignrl.profiles.intake_fields import Lookup
from campaignrl.profiles.intake_files import Raw, open_raw
from campaignrl.profiles.intake_mapping import Source
from campaignrl.profiles.intake_sql import Cell


def with_lookups(
    con: duckdb.DuckDBPyConnection, source: Source, raw: Raw, tag: str, scratch: Path, find: Callable[[str], Path]
) -> Raw:
    """The source's table with the columns of its lookups; its rows are laid down once, to keep their order."""
    if not source.lookup:
        return raw
    problems = raw.missing(tuple(lookup.on for lookup in source.lookup))
    if problems:
        raise DataError(problems)
    con.execute(f"CREATE TEMP TABLE raw_{tag} AS SELECT * FROM {raw.relation}")
    joins, added, cells = "", "", dict(raw.cells)
    for n, lookup in enumerate(source.lookup):
        table = f"look_{tag}_{n}"
        _load(con, lookup, find(lookup.file), table, scratch)
        joins += f" LEFT JOIN {table} ON {sql.as_text(raw.cell(lookup.on))} = {table}.k"
        for i, name in enumerate(lookup.columns):
            added += f", {table}.v{i} AS l{n}_{i}"
            cells[name] = Cell(f"l{n}_{i}", "VARCHAR")
    relation = f"(SELECT r.*{added} FROM raw_{tag} r{joins} ORDER BY r.rowid)"
    return replace(raw, relation=relation, cells=cells)


def _load(con: duckdb.DuckDBPyConnection, lookup: Lookup, path: Path, table: str, scratch: Path) -> None:
    as_source = Source(name=table, file=lookup.file, format=lookup.format, rows="links", customer=lookup.key)
    beside = open_raw(con, as_source, path, table, scratch)
    problems = beside.missing((lookup.key, *lookup.columns.values()))
    if problems:
        raise DataError(problems)
    values = [f"{sql.as_text(beside.cell(name))} AS v{i}" for i, name in enumerate(lookup.columns.values())]
    key = sql.as_text(beside.cell(lookup.key))
    query = f"SELECT {', '.join([f'{key} AS k', *values])} FROM {beside.relation}"
    con.execute(f"CREATE TEMP TABLE {table} AS SELECT * FROM ({query}) WHERE k IS NOT NULL")
    twice = con.execute(f"SELECT k FROM {table} GROUP BY k HAVING count(*) > 1 ORDER BY k LIMIT 20").fetchall()
    if twice:
        raise DataError([Problem(str(path), lookup.key, key, "on one row of a lookup") for (key,) in twice])
