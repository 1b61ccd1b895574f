"""All rows of one source together: laid down, freed of outliers and duplicates, lines joined to orders.

Here: what needs more than one row. Not here: single rows (rules.py), who the customers are (identity.py).
The tables of source n: staged_n (every row), doubles_n (row, of), kept_n (a view: the rows that stay).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import duckdb

from campaignrl.profiles.intake.field_spec import Outliers
from campaignrl.profiles.intake.readers import lay_down
from campaignrl.profiles.intake.rules import Query
from campaignrl.profiles.intake.sql_text import identifier
from campaignrl.tables import NUMBERS

DOUBLE = 65_535  # code of a row that repeats another one
CONSISTENT = 1.4826  # MAD of a normal distribution -> its standard deviation


class Bounds(NamedTuple):
    """What lies outside is an outlier."""

    low: float
    high: float


@dataclass(frozen=True)
class Staged:
    """Source number n in the engine; columns: what its rows hold beside ids; reasons, repairs: as Query has them."""

    n: int
    query: Query
    columns: tuple[str, ...]
    reasons: tuple[tuple[str, str], ...]
    repairs: tuple[str, ...]
    bounds: dict[str, Bounds]

    @property
    def rows(self) -> str:
        """Every row, with `problem` final; row: 0-based."""
        return f"rows_{self.n}"

    @property
    def kept(self) -> str:
        """The rows that stay."""
        return f"kept_{self.n}"

    @property
    def ids(self) -> tuple[str, ...]:
        """The id columns."""
        return tuple(f"id{i}" for i in range(len(self.query.ids)))


def stage(con: duckdb.DuckDBPyConnection, query: Query, n: int) -> Staged:
    """Lay down the rows of a source and settle which of them stay."""
    lay_down(con, f"staged_{n}", query.text)
    columns = tuple(name for name in query.out if name not in ("dup", "merged") and not name.startswith("id"))
    bounds = {name: _bounds(con, n, name, rule) for name, rule in query.source.rules.outliers.items()}
    reasons, repairs = list(query.reasons), [name for _, name in query.flags]
    _rows_view(con, query, n, columns, bounds, reasons, repairs)
    staged = Staged(n, query, columns, tuple(reasons), tuple(repairs), bounds)
    find_doubles(con, staged)
    _lay_down_kept(con, staged)
    return staged


def _bounds(con: duckdb.DuckDBPyConnection, n: int, name: str, rule: Outliers) -> Bounds:
    """As the mapping says, or so many robust standard deviations around the median of what is there."""
    if rule.robust_z is None:
        return Bounds(-math.inf if rule.low is None else rule.low, math.inf if rule.high is None else rule.high)
    there = f"FROM staged_{n} WHERE problem = 0 AND {name} IS NOT NULL"
    ((middle,),) = con.execute(f"SELECT median({name}) {there}").fetchall()
    if middle is None:
        return Bounds(-math.inf, math.inf)
    ((spread,),) = con.execute(f"SELECT median(abs({name} - {middle!r})) {there}").fetchall()
    reach = rule.robust_z * CONSISTENT * spread
    return Bounds(middle - reach, middle + reach) if spread > 0 else Bounds(-math.inf, math.inf)


def _rows_view(
    con: duckdb.DuckDBPyConnection,
    query: Query,
    n: int,
    columns: tuple[str, ...],
    bounds: dict[str, Bounds],
    reasons: list[tuple[str, str]],
    repairs: list[str],
) -> None:
    values = {name: identifier(name) for name in columns}
    flags, problem, bad = "flags", "problem", "bad"
    for name, (low, high) in bounds.items():
        rule = query.source.rules.outliers[name].rule
        ends = [f"{name} < {low!r}"] * math.isfinite(low) + [f"{name} > {high!r}"] * math.isfinite(high)
        outside = f"({' OR '.join(ends) or 'FALSE'})"
        if rule == "reject":
            reasons.append((name, f"an outlier: outside {low:g} to {high:g}"))
            problem = f"CASE WHEN problem = 0 AND {outside} THEN {len(reasons)} ELSE {problem} END"
            bad = f"CASE WHEN problem = 0 AND {outside} THEN CAST({name} AS VARCHAR) ELSE {bad} END"
            continue
        repairs.append(f"{name}: outlier, " + ("clipped" if rule == "clip" else "kept"))
        flags = f"{flags} + CASE WHEN {outside} THEN {1 << (len(repairs) - 1)} ELSE 0 END"
        if rule == "clip":
            low_end = f"WHEN {name} < {low!r} THEN {low!r}" if math.isfinite(low) else ""
            high_end = f"WHEN {name} > {high!r} THEN {high!r}" if math.isfinite(high) else ""
            if low_end or high_end:
                values[name] = f"CAST(CASE {low_end} {high_end} ELSE {name} END AS DOUBLE)"
    ids = [f"id{i}" for i in range(len(query.ids))]
    others = ["dup", *(["merged"] if "merged" in query.out else [])]
    selected = ", ".join([*ids, *others, *(f"{value} AS {identifier(name)}" for name, value in values.items())])
    con.execute(
        f"CREATE TEMP VIEW rows_{n} AS SELECT rowid AS row, {selected}, "
        f"CAST({flags} AS UBIGINT) AS flags, CAST({problem} AS USMALLINT) AS problem, {bad} AS bad FROM staged_{n}"
    )


def find_doubles(con: duckdb.DuckDBPyConnection, staged: Staged) -> None:
    """Fill doubles_n with the rows that repeat another one (row, of), and mark them.

    A first pass finds keys that occur twice by their hash, a second compares the rows themselves, so that a clash of
    hashes loses nothing: rows that share a hash of all their cells must also agree in everything that was read.
    """
    n, rules = staged.n, staged.query.source.rules
    con.execute(f'CREATE TEMP TABLE doubles_{n} ("row" BIGINT, "of" BIGINT)')
    if rules.duplicates == "keep" or staged.query.source.rows == "attributes":
        return
    whole = rules.duplicates == "row"
    key = "dup" if whole else "hash(dup)"
    con.execute(
        f"CREATE TEMP TABLE twice_{n} AS SELECT {key} AS h FROM {staged.rows} "
        f"WHERE problem = 0 AND dup IS NOT NULL GROUP BY 1 HAVING count(*) > 1"
    )
    same = ", ".join(["dup", *staged.ids, *map(identifier, staged.columns)] if whole else ["dup"])
    mark_doubles(con, staged, f"(SELECT * FROM {staged.rows} WHERE {key} IN (SELECT h FROM twice_{n}))", same)
    con.execute(f"DROP TABLE twice_{n}")


def mark_doubles(con: duckdb.DuckDBPyConnection, staged: Staged, rows: str, same: str) -> None:
    """Of rows without a problem that agree in `same`, all but the first (or last) are doubles."""
    n = staged.n
    order = "row" if staged.query.source.rules.keep == "first" else "row DESC"
    con.execute(
        f"INSERT INTO doubles_{n} SELECT row, of FROM (SELECT row, first_value(row) OVER "
        f"(PARTITION BY {same} ORDER BY {order}) AS of FROM {rows} WHERE problem = 0) WHERE row <> of"
    )
    con.execute(f"UPDATE staged_{n} SET problem = {DOUBLE} FROM doubles_{n} d WHERE staged_{n}.rowid = d.row")


def _lay_down_kept(con: duckdb.DuckDBPyConnection, staged: Staged) -> None:
    """The rows that stay; the lines of one order become one row where the mapping says so."""
    kept = f"SELECT * FROM {staged.rows} WHERE problem = 0"
    if "merged" in staged.query.out:  # as a table: it is asked for several times
        con.execute(f"CREATE TEMP TABLE {staged.kept} AS {_merged(staged, kept)}")
    else:
        con.execute(f"CREATE TEMP VIEW {staged.kept} AS {kept}")


def _merged(staged: Staged, kept: str) -> str:
    """Sums are exact decimals (6 places), so that they come out the same in any order; names are the largest line's."""
    size = "coalesce(amount, 0)" if "amount" in staged.columns else "0"
    values = {"row": "min(row)", "lines": "count(*)", "ts": "min(ts)"}
    for name in (c for c in staged.columns if c not in ("ts", "kind")):
        exact = f"CAST(sum(CAST({name} AS DECIMAL(38, 6))) AS DOUBLE)"
        values[name] = exact if name in NUMBERS else f'arg_max("{name}", row({size}, -row))'
    selected = ", ".join(f'{value} AS "{name}"' for name, value in values.items())
    keys = ", ".join([*staged.ids, "kind"])
    group = "coalesce(merged, 'row ' || CAST(row AS VARCHAR))"
    return f"SELECT {keys}, {selected} FROM ({kept}) GROUP BY {keys}, {group}"
