"""Tables beside a source with one row a key: a product's department, an offer's channels.

Here: joining them to the rows of the source, whose order stays. Not here: opening files (readers.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb

from campaignrl.errors import DataError, Problem
from campaignrl.profiles.intake.field_spec import Lookup
from campaignrl.profiles.intake.mapping import Source
from campaignrl.profiles.intake.readers import Raw, absent_columns, lay_down, open_raw
from campaignrl.profiles.intake.sql_text import Cell, Steps, as_text, first_text


def with_lookups(
    con: duckdb.DuckDBPyConnection, source: Source, raw: Raw, tag: str, scratch: Path, find: Callable[[str], Path]
) -> Raw:
    """The source's table with the columns of its lookups; its rows are laid down once, to keep their order."""
    if not source.lookup:
        return raw
    problems = absent_columns(con, raw, [name for lookup in source.lookup for name in lookup.on])
    if problems:
        raise DataError(problems)
    lay_down(con, f"raw_{tag}", f"SELECT * FROM {raw.relation}")
    joins, added, cells, steps = "", "", dict(raw.cells), Steps()
    for n, lookup in enumerate(source.lookup):
        table = f"look_{tag}_{n}"
        _load(con, lookup, find(lookup.file), table, scratch)
        found = first_text([as_text(raw.cell(name), steps) for name in lookup.on], steps)
        joins += f" LEFT JOIN {table} ON r.{found} = {table}.k"
        for i, name in enumerate(lookup.columns):
            added += f", {table}.v{i} AS l{n}_{i}"
            cells[name] = Cell(f"l{n}_{i}", "VARCHAR")
    rows = steps.over(f"(SELECT *, rowid AS place FROM raw_{tag})")
    relation = f"(SELECT r.* EXCLUDE ({', '.join(['place', *steps.names])}){added} FROM {rows} r{joins} ORDER BY place)"
    return replace(raw, relation=relation, cells=cells)


def _load(con: duckdb.DuckDBPyConnection, lookup: Lookup, path: Path, table: str, scratch: Path) -> None:
    as_source = Source(name=table, file=lookup.file, format=lookup.format, rows="links", customer=lookup.key)
    beside = open_raw(con, as_source, path, table, scratch)
    problems = absent_columns(con, beside, [lookup.key, *lookup.columns.values()])
    if problems:
        raise DataError(problems)
    steps = Steps()
    values = [f"{as_text(beside.cell(name), steps)} AS v{i}" for i, name in enumerate(lookup.columns.values())]
    key = as_text(beside.cell(lookup.key), steps)
    query = f"SELECT {', '.join([f'{key} AS k', *values])} FROM {steps.over(beside.relation)}"
    con.execute(f"CREATE TEMP TABLE {table} AS SELECT * FROM ({query}) WHERE k IS NOT NULL")
    twice = con.execute(f"SELECT k FROM {table} GROUP BY k HAVING count(*) > 1 ORDER BY k LIMIT 20").fetchall()
    if twice:
        raise DataError([Problem(str(path), lookup.key, key, "on one row of a lookup") for (key,) in twice])
