"""All rows of one source together: laid down, freed of outliers and duplicates, lines joined to orders.

Here: what needs more than one row. Not here: single rows (rules.py), who the customers are (identity.py), rows of
earlier exports as files (lines.py). The tables of source n: staged_n (every row), doubles_n (row, of), kept_n (the
rows that stay).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from campaignrl.profiles.intake.field_spec import Outliers
from campaignrl.profiles.intake.mapping import Source
from campaignrl.profiles.intake.readers import lay_down
from campaignrl.profiles.intake.rules import Query
from campaignrl.profiles.intake.sql_text import identifier
from campaignrl.tables import NUMBERS

DOUBLE = 65_535  # code of a row that repeats another one
CONSISTENT = 1.4826  # MAD of a normal distribution -> its standard deviation
AT_ONCE = 1 << 24  # hashes that are sorted together: 128 MB
LINE = "(line)"  # the field of a line that could not be taken apart into cells
FUTURE = "in the future"
NOT_ROWS = {
    "MISSING COLUMNS": "too few cells in the line",
    "TOO MANY COLUMNS": "too many cells in the line",
    "INVALID ENCODING": "bytes that are not in the encoding of the file",
    "UNQUOTED VALUE": "a quote that does not end where its cell ends",
    "LINE SIZE OVER MAXIMUM": "a line of more than 2 MB",
}


class Bounds(NamedTuple):
    """What lies outside is an outlier."""

    low: float
    high: float


@dataclass(frozen=True)
class Part:
    """One file of a source: its name, the hash of its bytes, and what was seen of it as such."""

    file: str
    digest: str
    facts: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Shape:
    """What a table of rows holds: kinds of id (columns id0, id1 ...), columns beside them, words for its codes."""

    ids: tuple[str, ...]
    columns: dict[str, str]  # name -> type
    merged: bool
    reasons: tuple[tuple[str, str], ...]  # (field, what is wrong) by code - 1
    repairs: tuple[str, ...]  # by bit of `flags`

    def joined(self, other: Shape, order: Sequence[str]) -> Shape:
        """What holds the rows of both."""
        return Shape(
            tuple(kind for kind in order if kind in (*self.ids, *other.ids)),
            {**self.columns, **{name: kind for name, kind in other.columns.items() if name not in self.columns}},
            self.merged or other.merged,
            tuple(dict.fromkeys([*self.reasons, *other.reasons])),
            tuple(dict.fromkeys([*self.repairs, *other.repairs])),
        )

    def select(self, old: Shape, part: str, line: str) -> str:
        """The select list that turns rows of shape `old` into rows of this one."""
        chosen = []
        for i, kind in enumerate(self.ids):
            chosen.append(f"{f'id{old.ids.index(kind)}' if kind in old.ids else 'CAST(NULL AS VARCHAR)'} AS id{i}")
        for name, kind in self.columns.items():
            quoted = identifier(name)
            chosen.append(f"CAST({quoted if name in old.columns else 'NULL'} AS {kind}) AS {quoted}")
        chosen.append("CAST(dup AS VARCHAR) AS dup")
        if self.merged:
            chosen.append(f"{'merged' if old.merged else 'CAST(NULL AS VARCHAR)'} AS merged")
        codes = [f"WHEN {i} THEN {self.reasons.index(one) + 1}" for i, one in enumerate(old.reasons, 1)]
        problem = f"CASE problem {' '.join(codes)} ELSE 0 END" if codes else "0"
        bits = [f"((flags >> {i}) & 1) * {1 << self.repairs.index(one)}" for i, one in enumerate(old.repairs)]
        flags = " + ".join(bits) or "0"
        return ", ".join(
            [*chosen, f"CAST({flags} AS UBIGINT) AS flags", f"CAST({problem} AS USMALLINT) AS problem", "bad",
             f"CAST({part} AS INTEGER) AS part", f"CAST({line} AS BIGINT) AS line"]
        )  # fmt: skip


@dataclass(frozen=True)
class Earlier:
    """Rows of earlier exports of a source: a relation of the engine, its shape and its files."""

    relation: str
    shape: Shape
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Staged:
    """Source number n in the engine, of so many files; shape: its ids, columns and words."""

    n: int
    source: Source
    shape: Shape
    parts: tuple[Part, ...]
    bounds: dict[str, Bounds]

    @property
    def rows(self) -> str:
        """Every row, with `problem` final; row: 0-based over all files, line: 0-based in its file."""
        return f"rows_{self.n}"

    @property
    def kept(self) -> str:
        """The rows that stay."""
        return f"kept_{self.n}"

    @property
    def ids(self) -> tuple[str, ...]:
        """The id columns."""
        return tuple(f"id{i}" for i in range(len(self.shape.ids)))

    @property
    def columns(self) -> tuple[str, ...]:
        """What the rows hold beside ids."""
        return tuple(self.shape.columns)

    @property
    def reasons(self) -> tuple[tuple[str, str], ...]:
        """(field, what is wrong) by code - 1."""
        return self.shape.reasons


def stage(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    n: int,
    queries: Sequence[tuple[Part, Query]],
    earlier: Earlier | None,
    as_of: str,
    order: Sequence[str],
) -> Staged:
    """Lay down the rows of a source, earlier ones first, and settle which of them stay.

    as_of: the moment as SQL; earlier rows that were in the future may not be so any more. order: kinds of id.
    """
    laid = [_lay_down_part(con, query, f"part_{n}_{k}") for k, (_, query) in enumerate(queries)]
    parts = [*(earlier.parts if earlier else ()), *(part for part, _ in queries)]
    shape = earlier.shape if earlier else laid[0]
    for one in laid:
        shape = shape.joined(one, order)
    first = len(earlier.parts) if earlier else 0
    if first == 0 and len(laid) == 1 and shape == laid[0]:
        con.execute(f"ALTER TABLE part_{n}_0 RENAME TO staged_{n}")
    else:
        _join_parts(con, n, shape, laid, earlier, as_of)
    bounds = {name: _bounds(con, n, name, rule) for name, rule in source.rules.outliers.items()}
    reasons, repairs = list(shape.reasons), list(shape.repairs)
    _rows_view(con, source, n, shape, bounds, reasons, repairs)
    final = Shape(shape.ids, shape.columns, shape.merged, tuple(reasons), tuple(repairs))
    staged = Staged(n, source, final, tuple(parts), bounds)
    find_doubles(con, staged)
    _lay_down_kept(con, staged)
    return staged


def _lay_down_part(con: duckdb.DuckDBPyConnection, query: Query, table: str) -> Shape:
    """The rows of one file, and its lines that are no rows, as rows that are refused."""
    lay_down(con, table, query.text, query.raw.where)
    reasons = list(query.reasons)
    if query.raw.aside:
        found = con.execute(
            f"SELECT line, min(CAST(error_type AS VARCHAR)) FROM {query.raw.aside} GROUP BY line ORDER BY line"
        ).fetchall()
        said = [(int(line) - 1, NOT_ROWS.get(error, str(error).lower())) for line, error in found]
        reasons += [(LINE, words) for words in dict.fromkeys(words for _, words in said)]
        if said:
            codes = {words: 1 + reasons.index((LINE, words)) for _, words in said}
            rows = [(line, codes[words]) for line, words in said]
            con.executemany(f"INSERT INTO {table} (part, line, problem, flags) VALUES (0, ?, ?, 0)", rows)
    described = con.execute(f"DESCRIBE {table}").fetchall()
    apart = ("dup", "merged", "flags", "problem", "bad", "part", "line")
    columns = {
        str(name): str(kind) for name, kind, *_ in described if name in query.out and name not in apart
        and not (name.startswith("id") and name[2:].isdecimal())
    }  # fmt: skip
    return Shape(query.ids, columns, "merged" in query.out, tuple(reasons), tuple(name for _, name in query.flags))


def _join_parts(
    con: duckdb.DuckDBPyConnection, n: int, shape: Shape, laid: Sequence[Shape], earlier: Earlier | None, as_of: str
) -> None:
    """staged_n of several tables, earlier rows first, each in its own order."""
    first = len(earlier.parts) if earlier else 0
    queries = [
        f"SELECT {shape.select(one, str(first + k), 'coalesce(line, rowid)')} FROM part_{n}_{k} ORDER BY rowid"
        for k, one in enumerate(laid)
    ]
    if earlier:
        chosen = shape.select(earlier.shape, "part", "line")
        queries.insert(0, f"SELECT {chosen} FROM {earlier.relation} ORDER BY part, line")
    for k, query in enumerate(queries):
        con.execute(f"CREATE TEMP TABLE staged_{n} AS {query}" if k == 0 else f"INSERT INTO staged_{n} BY NAME {query}")
    for k in range(len(laid)):
        con.execute(f"DROP TABLE part_{n}_{k}")
    if earlier and ("ts", FUTURE) in shape.reasons:
        code = shape.reasons.index(("ts", FUTURE)) + 1
        con.execute(
            f"UPDATE staged_{n} SET problem = 0, bad = NULL WHERE part < {first} AND problem = {code} AND ts <= {as_of}"
        )


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
    source: Source,
    n: int,
    shape: Shape,
    bounds: dict[str, Bounds],
    reasons: list[tuple[str, str]],
    repairs: list[str],
) -> None:
    values = {name: identifier(name) for name in shape.columns}
    flags, problem, bad = "flags", "problem", "bad"
    for name, (low, high) in bounds.items():
        rule = source.rules.outliers[name].rule
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
    ids = [f"id{i}" for i in range(len(shape.ids))]
    others = ["dup", *(["merged"] if shape.merged else [])]
    selected = ", ".join([*ids, *others, *(f"{value} AS {identifier(name)}" for name, value in values.items())])
    con.execute(
        f"CREATE TEMP VIEW rows_{n} AS SELECT rowid AS row, part, coalesce(line, rowid) AS line, {selected}, "
        f"CAST({flags} AS UBIGINT) AS flags, CAST({problem} AS USMALLINT) AS problem, {bad} AS bad FROM staged_{n}"
    )


def find_doubles(con: duckdb.DuckDBPyConnection, staged: Staged) -> None:
    """Fill doubles_n with the rows that repeat another one (row, of), and mark them.

    A first pass finds keys that occur twice by their hash, a second compares the rows themselves, so that a clash of
    hashes loses nothing: rows that share a hash of all their cells must also agree in everything that was read.
    """
    n, rules = staged.n, staged.source.rules
    con.execute(f'CREATE TEMP TABLE doubles_{n} ("row" BIGINT, "of" BIGINT)')
    if rules.duplicates == "keep" or staged.source.rows == "attributes":
        return
    whole = rules.duplicates == "row"
    con.register("twice_frame", pa.table({"h": _twice(con, staged)}))
    con.execute(f"CREATE TEMP TABLE twice_{n} AS SELECT h FROM twice_frame")
    con.unregister("twice_frame")
    same = ", ".join(["dup", *staged.ids, *map(identifier, staged.columns)] if whole else ["dup"])
    twice = f"(SELECT * FROM {staged.rows} WHERE hash(dup) IN (SELECT h FROM twice_{n}))"
    mark_doubles(con, staged, twice, same, newest=not whole)
    con.execute(f"DROP TABLE twice_{n}")


def _twice(con: duckdb.DuckDBPyConnection, staged: Staged) -> npt.NDArray[np.uint64]:
    """Hashes of keys that occur twice: sorted, they stand side by side; a part at a time, so that memory is bounded.

    Grouped by the engine they would make a table of as many groups as there are rows, which takes six times as long.
    """
    there = f"SELECT hash(dup) AS h FROM {staged.rows} WHERE problem = 0 AND dup IS NOT NULL"
    ((rows,),) = con.execute(f"SELECT count(*) FROM ({there})").fetchall()
    parts = max(1, -(-int(rows) // AT_ONCE))
    found = []
    for part in range(parts):
        some = f"SELECT h FROM ({there}) WHERE h % {parts} = {part}" if parts > 1 else there
        keys = np.sort(np.asarray(con.execute(some).fetchnumpy()["h"], dtype=np.uint64))
        found.append(np.unique(keys[1:][keys[1:] == keys[:-1]]))
    return np.concatenate(found)


def mark_doubles(con: duckdb.DuckDBPyConnection, staged: Staged, rows: str, same: str, *, newest: bool) -> None:
    """Of rows without a problem that agree in `same`, all but one are doubles: the first (or last) of its file stays.

    newest: that of the newest file, for a later export corrects an earlier one.
    """
    n = staged.n
    order = "row" if staged.source.rules.keep == "first" else "row DESC"
    order = f"part DESC, {order}" if newest else order
    con.execute(
        f"INSERT INTO doubles_{n} SELECT row, of FROM (SELECT row, first_value(row) OVER "
        f"(PARTITION BY {same} ORDER BY {order}) AS of FROM {rows} WHERE problem = 0) WHERE row <> of"
    )
    con.execute(f"UPDATE staged_{n} SET problem = {DOUBLE} FROM doubles_{n} d WHERE staged_{n}.rowid = d.row")


def _lay_down_kept(con: duckdb.DuckDBPyConnection, staged: Staged) -> None:
    """The rows that stay; the lines of one order become one row where the mapping says so."""
    kept = f"SELECT * FROM {staged.rows} WHERE problem = 0"
    if staged.shape.merged:  # as a table: it is asked for several times
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
