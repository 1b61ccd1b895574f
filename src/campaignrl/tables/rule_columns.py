"""Columns of a customers table that only rules read, by kind: what an empty cell means, and which text is refused.

An unknown is never a zero and never a yes. Not here: which of them a world asks for (guard/columns.py), features and
contact counts on channels (customers.py).
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from campaignrl.arrays import Bool, Int
from campaignrl.errors import DataError, Problem
from campaignrl.tables.files import as_text, numbers, row_problems
from campaignrl.tables.suppression import NOT_SUPPRESSED, READABLE

Kind = Literal["count", "depth", "consent", "day", "zone", "key", "held"]

FULL = 1 << 53  # what an unknown count stands for, above any cap
NO_DAY = -(1 << 31)  # what an unknown day stands for
MILLIONTHS = 1_000_000  # of a share off
NOT_HELD, HELD, UNCLEAR = 0, 1, 2


class RuleColumn(NamedTuple):
    """A column that rules ask for: its name, kind, whether it is needed (yes, no, counted by a ledger), meaning."""

    name: str
    kind: Kind
    needed: Literal["yes", "no", "counted"]
    meaning: str


class Known(NamedTuple):
    """What a column says of n customers.

    values: (n,) by kind: count, whole; depth, millionths; consent, bool; day, since 1970-01-01; zone, key, text; held,
    0, 1 or 2 for unclear.
    """

    kind: Kind
    values: npt.NDArray[Any]

    def to_cells(self) -> Any:
        """As a customers table holds it."""
        if self.kind in ("count", "depth"):
            unit = MILLIONTHS if self.kind == "depth" else 1
            return np.where(self.values >= FULL, np.nan, self.values / unit)
        if self.kind == "day":
            days = pd.Series(np.where(self.values == NO_DAY, 0, self.values).astype("datetime64[D]").astype(str))
            return days.where(self.values != NO_DAY, None)
        return np.array(["no", "yes", ""], dtype=object)[self.values] if self.kind == "held" else self.values


def read_known(
    table: pa.Table, columns: Sequence[RuleColumn], where: str, notes: dict[str, int]
) -> tuple[dict[str, Known], list[Problem]]:
    """What the table says in those of the columns that it has, and its faults; notes: what was repaired, counted."""
    found, problems = {}, []
    for column in columns:
        if column.name in table.column_names:
            values, wrong = _READERS[column.kind](table[column.name], column.name, where, notes)
            found[column.name] = Known(column.kind, values)
            problems += wrong
    return found, problems


def counts(column: pa.ChunkedArray, name: str, where: str) -> tuple[npt.NDArray[np.int64], list[Problem]]:
    """(n,) whole numbers; one that is not known counts as full."""
    values, problems = numbers(column, name, where)
    broken = (values < 0) | (values != np.floor(values)) & ~np.isnan(values)
    problems = problems + row_problems(broken, name, values, "a whole number of at least 0", "", where)
    return np.where(np.isnan(values), FULL, np.clip(values, 0, FULL)).astype(np.int64), problems


def _count(column: pa.ChunkedArray, name: str, where: str, notes: dict[str, int]) -> tuple[Int, list[Problem]]:
    return counts(column, name, where)


def _depth(column: pa.ChunkedArray, name: str, where: str, notes: dict[str, int]) -> tuple[Int, list[Problem]]:
    values, problems = numbers(column, name, where)
    problems = problems + row_problems(~(values >= 0) & ~np.isnan(values), name, values, "at least 0", "", where)
    exact = np.clip(np.round(np.nan_to_num(values, posinf=0.0) * MILLIONTHS), 0, FULL)
    return np.where(np.isfinite(values), exact, FULL).astype(np.int64), problems


def _consent(column: pa.ChunkedArray, name: str, where: str, notes: dict[str, int]) -> tuple[Bool, list[Problem]]:
    values, problems = numbers(column, name, where)
    _note(notes, f"{name}: missing", np.isnan(values))
    return values == 1.0, problems


def _day(column: pa.ChunkedArray, name: str, where: str, notes: dict[str, int]) -> tuple[Int, list[Problem]]:
    try:
        text = as_text(column.cast(pa.date32()) if pa.types.is_temporal(column.type) else column)
    except pa.ArrowException:
        raise DataError(Problem(where, "column", name, "a day, as in 2026-11-21")) from None
    cells = pd.Series(text.to_pylist(), dtype=object).fillna("").str.strip().str.slice(0, 10)
    days = pd.to_datetime(cells.where(cells != ""), format="%Y-%m-%d", errors="coerce")
    problems = row_problems(
        (days.isna() & (cells != "")).to_numpy(), name, cells.to_numpy(), "a day, as in 2026-11-21", "", where
    )
    _note(notes, f"{name}: missing, taken as too old", (cells == "").to_numpy())
    since = days.fillna(pd.Timestamp(0)).to_numpy().astype("datetime64[D]").astype(np.int64)
    return np.where(days.isna().to_numpy(), NO_DAY, since), problems


@cache
def is_zone(name: str) -> bool:
    """Whether the IANA database knows it."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _zone(column: pa.ChunkedArray, name: str, where: str, notes: dict[str, int]) -> tuple[Any, list[Problem]]:
    cells = _texts(column)
    known = np.array([is_zone(cell) for cell in cells], dtype=bool)
    _note(notes, f"{name}: not known, taken as the sender's", ~known)
    return np.where(known, cells, "").astype(object), []


def _key(column: pa.ChunkedArray, name: str, where: str, notes: dict[str, int]) -> tuple[Any, list[Problem]]:
    return np.array([cell.casefold() for cell in _texts(column)], dtype=object), []


def _held(column: pa.ChunkedArray, name: str, where: str, notes: dict[str, int]) -> tuple[Int, list[Problem]]:
    text = pc.utf8_lower(pc.utf8_trim_whitespace(as_text(column)))
    no, readable = (pc.is_in(text, words).to_numpy() for words in (NOT_SUPPRESSED, READABLE))
    _note(notes, f"{name}: neither yes nor no, taken as held out", ~readable)
    return np.where(no, NOT_HELD, np.where(readable, HELD, UNCLEAR)).astype(np.int8), []


def _texts(column: pa.ChunkedArray) -> npt.NDArray[np.object_]:
    return np.array([*("" if cell is None else cell.strip() for cell in as_text(column).to_pylist()), None])[:-1]


def _note(notes: dict[str, int], text: str, hit: Bool) -> None:
    notes[text] = int(hit.sum())


_READERS = {
    "count": _count,
    "depth": _depth,
    "consent": _consent,
    "day": _day,
    "zone": _zone,
    "key": _key,
    "held": _held,
}
