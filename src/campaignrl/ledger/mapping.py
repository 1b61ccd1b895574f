"""How an export of another tool reads as rows of ours: a TOML file that renames and translates.

    [columns]            ours = theirs
    decision_id = "Message ID"
    day = "Sent at"
    status = "State"
    [values.status]      theirs = ours; compared without case and blanks at the ends
    "delivered" = "sent"
    [constants]          of every row, where they have no such column
    kind = "order"
    [formats]            of days that are not written 2026-11-21
    day = "%d.%m.%Y"

A value that the mapping does not name stays as it is, and is refused later if it is none of ours. Not here: what the
columns mean and may hold (incoming.py).
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from campaignrl.errors import DataError, Problem, SpecError, nearest
from campaignrl.specs import Spec, check, read_toml
from campaignrl.tables.files import as_text, row_problems


class ColumnMapping(Spec):
    """Columns, values, constants and formats of another tool's export."""

    columns: dict[str, str] = Field(default_factory=dict)
    values: dict[str, dict[str, str]] = Field(default_factory=dict)
    constants: dict[str, str] = Field(default_factory=dict)
    formats: dict[str, str] = Field(default_factory=dict)


def read_column_mapping(path: str | Path, known: Sequence[str]) -> ColumnMapping:
    """A mapping from its file. known: the columns that the table can have.

    Raises:
        UnknownName: there is no such file.
        SpecError: it names columns that are none of ours, or one column twice.
    """
    found = check(ColumnMapping, read_toml(Path(path)), str(path))
    problems = [
        Problem(f"{path} [{part}]", "column", name, f"one of {', '.join(known)}", nearest(name, known))
        for part in ("columns", "values", "constants", "formats")
        for name in getattr(found, part)
        if name not in known
    ]
    twice = sorted(found.columns.keys() & found.constants.keys())
    problems += [Problem(str(path), "column", name, "read or constant, not both") for name in twice]
    problems += [
        Problem(f"{path} [formats]", name, written, "a format of days", "Write it as %d.%m.%Y.")
        for name, written in found.formats.items()
        if not _is_format(written)
    ]
    if problems:
        raise SpecError(problems)
    return found


def _is_format(written: str) -> bool:
    try:
        datetime.datetime.strptime(datetime.date(2026, 11, 21).strftime(written), written)
    except ValueError:
        return False
    return "%" in written


def mapped(table: pa.Table, mapping: ColumnMapping, where: str) -> pa.Table:
    """The table with our columns. Raises DataError where it lacks a column or a day is not in its format."""
    problems = [
        Problem(where, "column", theirs, "in the file", nearest(theirs, table.column_names))
        for theirs in mapping.columns.values()
        if theirs not in table.column_names
    ]
    if problems:
        raise DataError(problems)
    own = {theirs: ours for ours, theirs in mapping.columns.items()}
    rest = [name for name in table.column_names if name not in own and name not in mapping.columns]
    made = {ours: table[theirs] for ours, theirs in mapping.columns.items()} | {name: table[name] for name in rest}
    made |= {name: pa.chunked_array([pa.repeat(value, len(table))]) for name, value in mapping.constants.items()}
    for name, words in mapping.values.items():
        if name in made:
            made[name] = _translated(made[name], words)
    for name, written in mapping.formats.items():
        if name in made:
            made[name], wrong = _days(made[name], written, name, where)
            problems += wrong
    if problems:
        raise DataError(problems)
    return pa.table(made)


def _translated(column: pa.ChunkedArray, words: dict[str, str]) -> pa.ChunkedArray:
    text = as_text(column)
    plain = pc.utf8_lower(pc.utf8_trim_whitespace(text))
    known = {theirs.strip().lower(): ours for theirs, ours in words.items()}
    place = pc.index_in(plain, pa.array(list(known), pa.string()))
    ours = pa.array(list(known.values()), pa.string()).take(place.combine_chunks())
    return pc.coalesce(pa.chunked_array([ours]), text)


def _days(column: pa.ChunkedArray, written: str, name: str, where: str) -> tuple[pa.ChunkedArray, list[Problem]]:
    """Days in a format of theirs, as 2026-11-21."""
    text = pd.Series(as_text(column).to_pylist(), dtype=object).str.strip()
    found = pd.to_datetime(text, format=written, errors="coerce")
    fix = "Say how they are written in [formats]."
    problems = row_problems(found.isna().to_numpy(), name, text.to_numpy(), f"a day, as {written}", fix, where)
    return pa.chunked_array([pa.array(found.dt.strftime("%Y-%m-%d"), pa.string())]), problems
