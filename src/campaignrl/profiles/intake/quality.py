"""What the data are like: how much of every column is there, what was refused and why, repeats, outliers, time range.

Here: the figures of quality.json. Not here: their page (report/pages/data_quality.py), the rules themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import duckdb

from campaignrl.profiles.intake.deduplication import DOUBLE, Staged
from campaignrl.profiles.intake.mapping import Source
from campaignrl.profiles.intake.sql_text import identifier
from campaignrl.tables import KINDS

NAMED = 3  # reasons that a line on the terminal names
MONTHS = 240  # months of the picture of a source; longer histories are shown by their end


class Counts(NamedTuple):
    """Rows of one source: in = kept + rejected + duplicates + merged (lines that went into another row's order)."""

    rows: int
    kept: int
    rejected: int
    duplicates: int
    merged: int

    @property
    def lost(self) -> int:
        """Rows that went nowhere; 0, or something is broken."""
        return self.rows - self.kept - self.rejected - self.duplicates - self.merged


def counts_of(con: duckdb.DuckDBPyConnection, one: Staged) -> Counts:
    """Count the rows of a source, each figure by itself."""
    refused = f"problem BETWEEN 1 AND {DOUBLE - 1}"
    rows, bad = _one(con, f"SELECT count(*), count(*) FILTER (WHERE {refused}) FROM {one.rows}")
    (doubles,) = _one(con, f"SELECT count(*) FROM doubles_{one.n}")
    (kept,) = _one(con, f"SELECT count(*) FROM who_{one.n}")
    merged = 0
    if one.shape.merged:
        (merged,) = _one(con, f"SELECT coalesce(sum(lines - 1), 0) FROM {one.kept}")
    return Counts(int(rows), int(kept), int(bad), int(doubles), int(merged))


def in_a_line(source: Mapping[str, Any]) -> str:
    """What became of the rows of one source, from its figures in quality.json; at most three reasons are named."""
    parts = [f"{source['kept']:,} taken"]
    if source["merged"]:
        parts.append(f"{source['merged']:,} put into another row's order")
    if source["duplicates"]:
        parts.append(f"{source['duplicates']:,} repeated")
    if source["rejected"]:
        reasons = [f"{r['rows']:,} {r['field']}: {r['reason']}" for r in source["reasons"][:NAMED]]
        more = [f"{len(source['reasons']) - NAMED} more reasons"] if len(source["reasons"]) > NAMED else []
        parts.append(f"{source['rejected']:,} rejected ({'; '.join([*reasons, *more])})")
    found = _found(source["files"])
    return f"{source['name']}: {source['rows']:,} rows{found}: {', '.join(parts)}"


def _found(files: Sequence[Mapping[str, Any]]) -> str:
    """What the mapping did not say of the files, and was found in them."""
    words = {"sheet": "sheet {}", "encoding_found": "found to be {}", "separator_found": "separator {!r} found"}
    said = [text.format(file[fact]) for file in files for fact, text in words.items() if fact in file]
    counted = [f"of {len(files):,} files"] if len(files) > 1 else []
    return f" ({', '.join([*counted, *dict.fromkeys(said)])})" if said or counted else ""


def source_quality(con: duckdb.DuckDBPyConnection, one: Staged, counts: Counts) -> dict[str, Any]:
    """Everything about one source, as plain JSON."""
    source = one.source
    quality: dict[str, Any] = {
        "name": source.name,
        "file": source.origin,
        "rows_are": source.rows,
        **counts._asdict(),
        "reasons": _reasons(con, one),
        "repairs": _repairs(con, one),
        "completeness": _completeness(con, one),
        "columns": _read_from(source),
        "outliers": {
            name: {"low": bounds.low, "high": bounds.high, "rule": source.rules.outliers[name].rule}
            for name, bounds in one.bounds.items()
        },
        "file_facts": one.parts[-1].facts,
        "files": [{"file": part.file, **part.facts} for part in one.parts],
    }
    if source.rows == "events":
        quality |= _kinds_and_time(con, one)
    (quality["customers"],) = _one(con, f"SELECT count(DISTINCT customer_id) FROM who_{one.n}")
    return quality


def _completeness(con: duckdb.DuckDBPyConnection, one: Staged) -> dict[str, float | None]:
    """Share of all rows where a column is given and can be read; None where there are no rows."""
    ids = dict(zip(one.shape.ids, one.ids, strict=True))
    columns = {**ids, **{name.removeprefix("a_"): name for name in one.columns}}
    shares = ", ".join(f"avg(CAST({identifier(name)} IS NOT NULL AS INTEGER))" for name in columns.values())
    found = _one(con, f"SELECT {shares} FROM {one.rows}")
    return dict(zip(columns, found, strict=True))


def _read_from(source: Source) -> dict[str, list[str]]:
    """Field, or `attributes.NAME` -> columns of the export that it is read from, or the expression of them."""
    found = {}
    for name in ("kind", "ts", *source.fields):
        field = getattr(source, name)
        if field is not None:
            told = getattr(field, "expression", None)
            found[name] = [told] if told else list(field.column)
    for name, attribute in source.attributes.items():
        found[f"attributes.{name}"] = list(attribute.column) or ([] if attribute.constant is not None else [name])
    return {name: columns for name, columns in found.items() if columns}


def _reasons(con: duckdb.DuckDBPyConnection, one: Staged) -> list[dict[str, Any]]:
    """What rows were refused for, the most frequent first."""
    found = con.execute(f"SELECT problem, count(*) FROM {one.rows} WHERE problem > 0 GROUP BY 1").fetchall()
    reasons = [(*one.reasons[code - 1], count) for code, count in found if code != DOUBLE]
    ordered = sorted(reasons, key=lambda r: (-r[2], r[0], r[1]))
    return [{"field": name, "reason": reason, "rows": count} for name, reason, count in ordered]


def _repairs(con: duckdb.DuckDBPyConnection, one: Staged) -> dict[str, int]:
    """How many rows were changed, by what was done."""
    if not one.shape.repairs:
        return {}
    bits = ", ".join(f"coalesce(sum((flags >> {i}) & 1), 0)" for i in range(len(one.shape.repairs)))
    found = _one(con, f"SELECT {bits} FROM {one.rows} WHERE problem IN (0, {DOUBLE})")
    return {name: int(count) for name, count in zip(one.shape.repairs, found, strict=True) if count}


def _kinds_and_time(con: duckdb.DuckDBPyConnection, one: Staged) -> dict[str, Any]:
    """Events by kind, by month, and the first and last moment, in one pass."""
    found = con.execute(
        "SELECT kind, CAST(date_trunc('month', ts) AS VARCHAR), count(*), CAST(min(ts) AS VARCHAR), "
        f"CAST(max(ts) AS VARCHAR) FROM who_{one.n} GROUP BY kind, date_trunc('month', ts) ORDER BY 1, 2"
    ).fetchall()
    kinds: Counter[str] = Counter()
    months: Counter[str] = Counter()
    for code, month, count, *_ in found:
        kinds[KINDS[code]] += count
        months[month[:7]] += count
    first, last = min((row[3] for row in found), default=None), max((row[4] for row in found), default=None)
    by_month = [list(month) for month in sorted(months.items())[-MONTHS:]]
    return {"time": {"first": first, "last": last, "by_month": by_month}, "kinds": dict(kinds)}


def _one(con: duckdb.DuckDBPyConnection, query: str) -> Sequence[Any]:
    row = con.execute(query).fetchone()
    assert row is not None
    return row
