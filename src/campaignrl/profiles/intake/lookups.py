"""What a row takes from elsewhere: a table beside the source with one row a key, and the first line of its order.

A product's department, an offer's channels; the customer and the time of an order, where the export writes them on its
first line only. Here: joining them to the rows of the source, whose order stays. Not here: opening files (readers.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def with_heads(con: duckdb.DuckDBPyConnection, source: Source, ids: Sequence[str], raw: Raw, tag: str) -> Raw:
    """Lines that continue an order get its ids and its time from the first of its lines that has them.

    Only where the mapping joins lines to orders and some line lacks them; the rows are then laid down, in their order.
    ids: columns of ids.
    """
    if not source.rules.merge or raw.json or source.ts is None:
        return raw
    steps = Steps()
    keys = [as_text(raw.cell(name), steps) for name in source.rules.merge]
    texts = {name: as_text(raw.cell(name), steps) for name in (*ids, *source.ts.column)}
    key = steps(
        f"CASE WHEN {' AND '.join(f'{k} IS NOT NULL' for k in keys)} THEN concat_ws(chr(31), {', '.join(keys)}) END"
    )
    nobody = " AND ".join(f"{texts[name]} IS NULL" for name in ids)
    never = " AND ".join(f"{texts[name]} IS NULL" for name in source.ts.column)
    lacking = f"{key} IS NOT NULL AND (({nobody}) OR ({never}))"
    (count,) = con.execute(f"SELECT count(*) FROM {steps.over(raw.relation)} WHERE {lacking}").fetchone() or (0,)
    if not count:
        return raw
    lay_down(con, f"lines_{tag}", f"SELECT * FROM {raw.relation}")
    rows = steps.over(f"(SELECT *, rowid AS place FROM lines_{tag})")
    firsts, filled = [], []
    for i, (name, text) in enumerate(texts.items()):
        cell = raw.cells[name].sql
        firsts.append(f"arg_min({cell}, place) FILTER ({text} IS NOT NULL) AS first_{i}")
        empty = nobody if name in ids else never
        filled.append(f"CASE WHEN {empty} THEN first_{i} ELSE {cell} END AS {cell}")
    con.execute(f"CREATE TEMP TABLE heads_{tag} AS SELECT {key} AS head, {', '.join(firsts)} FROM {rows} "
                f"WHERE {key} IS NOT NULL GROUP BY 1")  # fmt: skip
    added = ", ".join(["place", *steps.names, "head", *(f"first_{i}" for i in range(len(texts)))])
    relation = (
        f"(SELECT * EXCLUDE ({added}) REPLACE ({', '.join(filled)}), coalesce({lacking}, FALSE) AS continued "
        f"FROM {rows} r LEFT JOIN heads_{tag} ON r.{key} = head ORDER BY place)"
    )
    return replace(raw, relation=relation, continued="continued")
