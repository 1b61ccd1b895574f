"""The result folder: events, attributes, rejects, links, figures and, last of all, the manifest.

Here: the queries of the result tables, files moved into place. Not here: what the rows are (deduplication.py).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import pandas as pd

from campaignrl.errors import UsageError
from campaignrl.profiles.events import ALL_OUT, AT, NEWEST, OLDEST, is_date_of_permission, is_permission
from campaignrl.profiles.intake.deduplication import DOUBLE, Staged, mark_doubles
from campaignrl.profiles.intake.mapping import IntakeMapping
from campaignrl.profiles.intake.sql_text import identifier, literal
from campaignrl.tables import COLUMNS, KINDS, NUMBERS, REQUIRED
from campaignrl.tables.files import ROW_GROUP, write_frame, write_whole

TABLES = ("events.parquet", "attributes.parquet", "rejects.parquet", "links.parquet")
MANIFEST = "manifest.json"


def write_tables(
    con: duckdb.DuckDBPyConnection, plan: IntakeMapping, staged: Sequence[Staged], links: pd.DataFrame, scratch: Path
) -> None:
    """All tables into the scratch folder, their rows in an order that depends on nothing but the rows."""
    for one in staged:
        if one.source.rows == "attributes":
            _lay_down_permissions(con, one)
            # now that it is known who is who
            mark_doubles(con, one, f"who_{one.n}", "customer_id", newest=True)
    _copy(con, _events(staged), scratch / "events.parquet")
    _copy(con, _attributes(staged), scratch / "attributes.parquet")
    _copy(con, _rejects(staged), scratch / "rejects.parquet")
    ordered = links.sort_values(["kind", "id"], kind="stable", ignore_index=True)
    write_frame(ordered.astype({"shared": bool}), scratch / "links.parquet")


def move_into(
    scratch: Path,
    target: Path,
    quality: Mapping[str, Any],
    page: Callable[[Mapping[str, Any]], str] | None,
    more: Sequence[str] = (),
) -> None:
    """Put the finished files (`more` beside the tables) into the target; without its manifest a folder is no result."""
    names = [*more, *TABLES]
    _write_text(scratch / "quality.json", json.dumps(_plain(quality), ensure_ascii=False, indent=2, sort_keys=True))
    names.append("quality.json")
    if page is not None:
        _write_text(scratch / "quality.html", page(quality))
        names.append("quality.html")
    files = {name: _fingerprint(scratch / name) for name in names}
    manifest = {"made_by": "campaignrl intake", "as_of": quality["as_of"], "files": files}
    try:
        target.mkdir(parents=True, exist_ok=True)
        (target / MANIFEST).unlink(missing_ok=True)
        for name in names:
            with open(scratch / name, "rb") as file:
                os.fsync(file.fileno())
            os.replace(scratch / name, target / name)
    except OSError as wrong:
        raise UsageError(f"{target}: cannot be written: {wrong.strerror or wrong}.") from wrong
    _write_text(target / MANIFEST, json.dumps(manifest, indent=2, sort_keys=True))


def tell_tags(folder: Path, tags: Mapping[str, Any], page: Callable[[Mapping[str, Any]], str]) -> None:
    """Add to the quality figures and their page what each tag rests on; the manifest says the new files.

    Of a folder whose events came ready there are no such figures, and nothing is done.
    """
    try:
        quality = json.loads((folder / "quality.json").read_text(encoding="utf-8"))
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = manifest["files"]
    except (OSError, ValueError, KeyError, TypeError):  # not there, or half of an intake that was cut off
        return
    quality["tags"] = tags
    (folder / MANIFEST).unlink()
    _write_text(folder / "quality.json", json.dumps(quality, ensure_ascii=False, indent=2, sort_keys=True))
    _write_text(folder / "quality.html", page(quality))
    for name in (name for name in files if (folder / name).is_file()):  # the tags came with attributes of their own
        files[name] = _fingerprint(folder / name)
    _write_text(folder / MANIFEST, json.dumps(manifest, indent=2, sort_keys=True))


def _events(staged: Sequence[Staged]) -> str:
    parts, told = [], set(REQUIRED)
    known = [one for one in staged if one.source.rows == "events"]
    for one in known:
        given = set(one.source.fields)
        told |= given
        values = ["customer_id", "ts", "kind"]
        for name in (c for c in COLUMNS if c not in (*REQUIRED, "source")):
            kind = "DOUBLE" if name in NUMBERS else "VARCHAR"
            values.append(name if name in given else f"CAST(NULL AS {kind}) AS {name}")
        values.append(f"{literal(one.source.name)} AS source")
        parts.append(f"SELECT {', '.join(values)} FROM who_{one.n}")
    if not parts:
        empty = [f"CAST(NULL AS {'TIMESTAMP' if c == 'ts' else 'DOUBLE' if c in NUMBERS else 'VARCHAR'}) AS {c}"
                 for c in COLUMNS]  # fmt: skip
        return f"SELECT {', '.join(empty)} WHERE FALSE"
    words = " ".join(f"WHEN {code} THEN {literal(kind)}" for code, kind in enumerate(KINDS))
    columns = ", ".join(f"CASE kind {words} END AS kind" if c == "kind" else c for c in COLUMNS)
    rows = f"SELECT {columns} FROM ({' UNION ALL '.join(parts)}) AS e"
    # Of all columns in turn; one that is the same everywhere orders nothing, and costs as much.
    order = [c for c in COLUMNS if c in told or (c == "source" and len(known) > 1)]
    return f"SELECT * FROM ({rows}) ORDER BY {', '.join(order)}"


def _attributes(staged: Sequence[Staged]) -> str:
    known = [one for one in staged if one.source.rows == "attributes"]
    if not known:
        return "SELECT CAST(NULL AS VARCHAR) AS customer_id WHERE FALSE"
    ids = " UNION ".join(f"SELECT customer_id FROM who_{one.n}" for one in known)
    columns = ["c.customer_id"]
    joins = ""
    for one in known:
        told = _permissions(one)
        for name in one.source.attributes:
            table = "p" if name in told or name.removesuffix(AT) in told else "w"
            columns.append(f"{table}{one.n}.{identifier('a_' + name)} AS {identifier(name)}")
        joins += f" LEFT JOIN who_{one.n} w{one.n} ON w{one.n}.customer_id = c.customer_id"
        joins += f" LEFT JOIN may_{one.n} p{one.n} ON p{one.n}.customer_id = c.customer_id" if told else ""
    return f"SELECT {', '.join(columns)} FROM ({ids}) c{joins} ORDER BY c.customer_id"


def _permissions(one: Staged) -> list[str]:
    return [name for name in one.source.attributes if is_permission(name)]


def _lay_down_permissions(con: duckdb.DuckDBPyConnection, one: Staged) -> None:
    """Table may_n: of several rows about one customer the newest word on each permission, and where it is open, the no.

    A word without a date is as new as its file: of a newer file's and an older one's the newer one's counts.
    """
    if not _permissions(one):
        return
    dates = [name for name in one.source.attributes if is_date_of_permission(name)]
    columns = []
    for name in _permissions(one):
        value, at = (identifier(f"a_{part}") for part in (name, name + AT))
        no = value if name.startswith(ALL_OUT) else f"NOT {value}"
        when = f"CAST({at} AS TIMESTAMP)" if name + AT in dates else "NULL"
        moment = f"coalesce({when}, CASE WHEN {no} THEN {NEWEST} ELSE {OLDEST} END)"
        newest = f"{{'at': {moment}, 'no': {no}}}"
        told = f"FILTER ({value} IS NOT NULL AND (part = newest OR {when} IS NOT NULL))"
        columns.append(f"arg_max({value}, {newest}) {told} AS {value}")
        if name + AT in dates:
            columns.append(f"(arg_max({{'at': {at}}}, {newest}) {told}).at AS {at}")
    rows = f"(SELECT *, max(part) OVER (PARTITION BY customer_id) AS newest FROM who_{one.n})"
    selected = f"SELECT customer_id, {', '.join(columns)} FROM {rows} GROUP BY customer_id"
    con.execute(f"CREATE TEMP TABLE may_{one.n} AS {selected}")


def _rejects(staged: Sequence[Staged]) -> str:
    """Rows are counted from 1 among those that could be taken apart; lines that could not carry their line number."""
    parts = []
    for one in staged:
        name = literal(one.source.name)
        fields = _by_code([field for field, _ in one.reasons])
        reasons = _by_code([reason for _, reason in one.reasons])
        files = _by_code([part.file for part in one.parts], "r.part + 1")
        place = f"{one.n} AS n, r.part AS part, {name} AS source, {files} AS file, r.line + 1 AS row"
        parts.append(
            f"SELECT {place}, {fields} AS field, bad AS value, {reasons} AS reason FROM {one.rows} r "
            f"WHERE problem BETWEEN 1 AND {DOUBLE - 1}"
        )
        other = _by_code([part.file for part in one.parts], "o.part + 1")
        elsewhere = f"CASE WHEN o.part <> r.part THEN ' of ' || {other} ELSE '' END"
        parts.append(
            f"SELECT {place}, '(row)' AS field, NULL AS value, 'duplicate of row ' || CAST(o.line + 1 AS VARCHAR) || "
            f"{elsewhere} AS reason FROM doubles_{one.n} d JOIN {one.rows} r ON d.row = r.row "
            f"JOIN {one.rows} o ON d.of = o.row"
        )
    columns = "source, file, CAST(row AS BIGINT) AS row, field, value, reason"
    return f"SELECT {columns} FROM ({' UNION ALL '.join(parts)}) r ORDER BY r.n, r.part, r.row, r.field, r.reason"


def _by_code(words: Sequence[str], code: str = "problem") -> str:
    cases = " ".join(f"WHEN {one} THEN {literal(word)}" for one, word in enumerate(words, 1))
    return f"CASE {code} {cases} END" if cases else "CAST(NULL AS VARCHAR)"


def _copy(con: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    options = f"FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP}"
    con.execute(f"COPY ({query}) TO {literal(str(path))} ({options})")


def _write_text(path: Path, text: str) -> None:
    def write(out: BinaryIO) -> None:
        out.write(text.encode("utf-8", "replace"))

    write_whole(path, write)


def _fingerprint(path: Path) -> dict[str, Any]:
    with open(path, "rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _plain(value: Any) -> Any:
    """JSON has no infinity: an open bound is null."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and abs(value) == float("inf") else value
