"""One Arrow column -> one array of the wanted kind, with the rows that do not fit.

Columns come typed (Parquet) or as text (CSV); both end as the same arrays. A column that cannot be converted is
never repaired: its bad rows are reported together. n rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from campaignrl.arrays import Bool
from campaignrl.errors import SHOWN, Problem
from campaignrl.features import UNKNOWN

TRUTHS = {"true": True, "false": False, "1": True, "0": False}
WORDS = pa.array(["true", "false", "True", "False", "TRUE", "FALSE", None])


class Converted(NamedTuple):
    """(n,) values, and what was wrong with some; a wrong value stands as 0, NaN or False."""

    values: npt.NDArray[Any]
    problems: list[Problem]


def numbers(column: pa.ChunkedArray, name: str, table: str) -> Converted:
    """float64; missing is NaN, and a column of true and false is one of 1 and 0."""
    column = _blank_is_null(column)
    if pa.types.is_string(column.type) and pc.all(pc.is_in(column, WORDS), min_count=0).as_py():
        column = pc.equal(pc.utf8_lower(column), "true")
    return _converted(column, name, table, "a number", _float, np.float64, np.nan)


def whole_numbers(column: pa.ChunkedArray, name: str, table: str) -> Converted:
    """int64; missing is not allowed."""
    result = _converted(column, name, table, "a whole number", _int, np.int64, 0)
    missing = _mask(_blank_is_null(column).is_null())
    gaps = row_problems(missing, name, np.full(len(missing), None, dtype=object), "a whole number", "", table)
    return Converted(result.values, result.problems + gaps)


def days(column: pa.ChunkedArray, name: str, table: str) -> Converted:
    """int64 days: whole numbers as they are, dates and timestamps as days since 1970-01-01 UTC."""
    if not pa.types.is_temporal(column.type):
        return whole_numbers(column, name, table)
    missing = _mask(column.is_null())
    gaps = row_problems(missing, name, np.full(len(missing), None, dtype=object), "a day", "", table)
    stamps = column.cast(pa.timestamp("us"), safe=False).fill_null(0)
    day: npt.NDArray[Any] = stamps.to_numpy().astype("datetime64[D]").astype(np.int64)
    return Converted(day, gaps)


def truths(column: pa.ChunkedArray, name: str, table: str) -> Converted:
    """bool, from booleans, 0/1 or the words true and false."""
    return _converted(column, name, table, "true or false", _bool, np.bool_, False)


def _converted(
    column: pa.ChunkedArray, name: str, table: str, wanted: str, one: Callable[[Any], Any], dtype: Any, missing: Any
) -> Converted:
    column = _blank_is_null(column)
    kind = pa.from_numpy_dtype(np.dtype(dtype))
    try:
        values = _cast(column, kind).fill_null(pa.scalar(missing, kind))
        return Converted(values.to_numpy().astype(dtype, copy=False), [])
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return _row_by_row(column, name, table, wanted, one, dtype, missing)


def _row_by_row(
    column: pa.ChunkedArray, name: str, table: str, wanted: str, one: Callable[[Any], Any], dtype: Any, missing: Any
) -> Converted:
    """The slow way, taken only when some row does not fit, to say which."""
    raw = np.array([*column.to_pylist(), None], dtype=object)[:-1]
    values = np.full(len(raw), missing, dtype=dtype)
    bad = np.zeros(len(raw), dtype=bool)
    for row, value in enumerate(raw):
        try:
            values[row] = missing if value is None else one(value)
        except (ValueError, TypeError, KeyError, OverflowError):
            bad[row] = True
    return Converted(values, row_problems(bad, name, raw, wanted, "", table))


def _float(value: Any) -> float:
    return float(value)


def _int(value: Any) -> int:
    number = float(value)
    if number != int(number):
        raise ValueError(value)
    return int(value) if isinstance(value, int) else int(number)


def _bool(value: Any) -> bool:
    return TRUTHS[str(value).strip().casefold()]


def _cast(column: pa.ChunkedArray, kind: Any) -> pa.ChunkedArray:
    if pa.types.is_boolean(kind) and not (pa.types.is_boolean(column.type) or pa.types.is_string(column.type)):
        codes = column.cast(pa.int64())
        if not pc.all(pc.is_in(codes, value_set=pa.array([0, 1, None])), min_count=0).as_py():
            raise pa.ArrowInvalid("neither 0 nor 1")
        return codes.cast(kind)
    return column.cast(kind)


def _blank_is_null(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text without spaces around it, and nothing at all for a blank."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column
    trimmed = pc.utf8_trim_whitespace(column.cast(pa.string()))
    return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)


def _mask(column: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    flags: npt.NDArray[np.bool_] = column.to_numpy()
    return flags


def row_problems(
    bad: Bool, name: str, values: npt.NDArray[Any], allowed: str, fix: str = "", table: str = "decision log"
) -> list[Problem]:
    """One problem for all rows where `bad`, with their numbers (0-based, capped) and the first value; or none."""
    rows = np.flatnonzero(bad)
    if not len(rows):
        return []
    shown = ", ".join(str(r) for r in rows[:SHOWN]) + (f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else "")
    first = values[rows[0]]
    value = first.item() if isinstance(first, np.generic) else first
    return [Problem(f"{table} row{'s' if len(rows) > 1 else ''} {shown}", name, value, allowed, fix)]


def category_codes(texts: pa.ChunkedArray, levels: Sequence[str]) -> npt.NDArray[np.int32]:
    """(n,) code of each text among the levels, UNKNOWN where it is missing or not one of them."""
    found = pc.index_in(texts, value_set=pa.array(levels, pa.string()), skip_nulls=True)
    codes: npt.NDArray[np.int32] = found.fill_null(UNKNOWN).to_numpy()
    return codes
