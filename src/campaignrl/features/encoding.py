"""Features as numbers from 0 to 1: the tables of a schema, and filling a matrix from columns with them.

A number is clipped to its range and scaled, after log1p where the schema says so; a category becomes one column of 0
and 1 for each level. Here: arrays only. Not here: what a feature is and how columns meet a schema (context.py).
n rows, D encoded columns, F numbers.
"""

from __future__ import annotations

from functools import lru_cache
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Float, Float32, Int
from campaignrl.features.feature import Feature

Arrays = list[npt.NDArray[Any]]
Numbers = Arrays | Float32  # F arrays (n,), or (F, n) in single precision

ENCODED_AT_ONCE = 1 << 18  # numbers; rows are encoded in blocks of about so many, which stay in the cache
TABLE = 1 << 14  # numbers; a larger table of levels would crowd the first cache
FEW = 64  # customers whose numbers are all clipped at once, since a step for each column costs more
ZERO, ONE = np.float32(0.0), np.float32(1.0)


class Levels(NamedTuple):
    """Categories whose encoded columns stand side by side: a row of zeros and ones for each combination of levels.

    The row of the codes c is number `sum(c * weight)`, counted from the end if negative, as it is where a code is -1.
    """

    categories: slice  # which of all
    weights: tuple[np.int16, ...]
    rows: npt.NDArray[np.void] | None  # (combinations,) each a whole row; None: too many, one category of many levels
    columns: slice  # of the encoded ones


class Encoding(NamedTuple):
    """A schema as tables: numbers (log ones first) and categories, and where they go."""

    numbers: tuple[Feature, ...]  # F
    row: dict[str, int]  # the place of each among them by name
    logs: int  # how many of them are log features
    scaled: int  # how many of them, from the first, do not just range from 0 to 1
    capped: int  # how many of them, from the first, rounding may lift above 1
    low: Float32  # (F, 1) range in the unit
    high: Float32  # (F, 1)
    base: Float32  # (F, 1) what encodes to 0, after the log
    shifted: bool  # whether any of that is not 0
    span: Float32  # (F, 1) how far from it encodes to 1
    longest: float  # 2-norm of an encoded row at most
    rough: float  # how far a row may be from what it is roughly, in the same (`_rough`)
    within: tuple[Float, Float]  # (F, 1) each, range in the unit before it is rounded to single precision
    number_at: Int  # (F,) encoded column
    number_columns: slice | Int  # the same, as a slice where they stand side by side
    nullable: Int  # which of the numbers may be missing
    categories: tuple[Feature, ...]
    category_of: Int  # (L,) index into categories, of all their levels
    code_of: Int  # (L, 1) code of the level within its category
    level_at: Int  # (L,) encoded column
    places: tuple[tuple[slice, slice], ...]  # by category, which of these levels are its own, and their columns
    levels: tuple[Levels, ...]


@lru_cache(maxsize=64)
def encoding(features: tuple[Feature, ...]) -> Encoding:
    """The tables of a list of features; the same ones for equal lists."""
    at = dict(zip((f.name for f in features), np.cumsum([0, *(len(f.encoded) for f in features)]), strict=False))
    numbers = sorted((f for f in features if not f.levels), key=lambda f: not f.log)
    logs = sum(f.log for f in numbers)
    low, high = _column([f.low for f in numbers]), _column([f.high for f in numbers])
    base = low.copy()
    np.log1p(low[:logs], out=base[:logs])  # as columns are encoded: what is at the low end becomes exactly 0
    span = _column([np.log1p(f.high) - np.log1p(f.low) if f.log else f.high - f.low for f in numbers])
    number_at = np.array([at[f.name] for f in numbers], dtype=np.intp)
    categories = [f for f in features if f.levels]
    level = [(c, j, at[f.name] + j) for c, f in enumerate(categories) for j in range(len(f.levels))]
    return Encoding(
        numbers=tuple(numbers),
        row={f.name: i for i, f in enumerate(numbers)},
        logs=logs,
        scaled=_up_to_last([(f.low, f.high, f.log) != (0.0, 1.0, False) for f in numbers]),
        capped=_up_to_last([f.log or bool(h - b > s) for f, h, b, s in zip(numbers, high, base, span, strict=True)]),
        low=low,
        high=high,
        base=base,
        shifted=bool(base.any()),
        span=span,
        # Numbers are from 0 to 1, and 0 where a column of their own says 1: missing; a category has one 1 at most.
        longest=sqrt(len(features)),
        rough=_rough(high[:logs].astype(np.float64), span[:logs].astype(np.float64)),
        within=(_column([f.low for f in numbers], np.float64), _column([f.high for f in numbers], np.float64)),
        number_at=number_at,
        number_columns=_as_slice(number_at),
        nullable=np.array([i for i, f in enumerate(numbers) if f.nullable], dtype=np.intp),
        categories=tuple(categories),
        category_of=np.array([c for c, _, _ in level], dtype=np.intp),
        code_of=_column([j for _, j, _ in level], np.int16 if len(level) < 2**15 else np.int64),
        level_at=np.array([column for _, _, column in level], dtype=np.intp),
        places=tuple(_places([len(f.levels) for f in categories], [int(at[f.name]) for f in categories])),
        levels=tuple(_level_tables(categories, [int(at[f.name]) for f in categories])),
    )


def encode_rows(tables: Encoding, numbers: Numbers, codes: Arrays, out: Float32) -> None:
    """Write the encoded columns of n customers into `out` (n, D), whose rows are contiguous."""
    rows = max(64, ENCODED_AT_ONCE // max(out.shape[1], 1))
    scratch = np.empty((len(tables.numbers), min(rows, len(out))), dtype=np.float32)
    for start in range(0, len(out), rows):
        part = slice(start, start + rows)
        to = out[part]
        for levels in tables.levels:
            _put_levels(levels, [c[part] for c in codes[levels.categories]], to[:, levels.columns])
        if not len(scratch):
            continue
        x = scratch[:, : len(to)]
        given = numbers[:, part] if isinstance(numbers, np.ndarray) else _side_by_side(tables, numbers, part, x)
        for i in tables.nullable:
            to[:, tables.number_at[i] + 1] = np.isnan(given[i])
        # Number by number and turned round at the end: several times faster than writing every D-th one of `out`.
        to[:, tables.number_columns] = _to_unit(tables, given, x).T


def encode_columns(tables: Encoding, numbers: Numbers, codes: Arrays, out: Float32, roughly: bool = False) -> None:
    """Write what `encode_rows` gives turned round, into `out` (D, n); roughly: within `tables.rough` of it."""
    if len(tables.numbers):
        at = tables.number_columns
        x = out[at] if isinstance(at, slice) else np.empty((len(at), out.shape[1]), dtype=np.float32)
        given = numbers if isinstance(numbers, np.ndarray) else _side_by_side(tables, numbers, slice(None), x)
        out[tables.number_at[tables.nullable] + 1] = np.isnan(given[tables.nullable])
        _to_unit(tables, given, x, roughly)
        if not isinstance(at, slice):
            out[at] = x
    if codes:
        code = np.empty((len(codes), out.shape[1]), dtype=tables.code_of.dtype)
        for c, values in enumerate(codes):
            code[c] = values
        if out.shape[1] <= FEW:
            out[tables.level_at] = code[tables.category_of] == tables.code_of
            return
        for values, (own, columns) in zip(code, tables.places, strict=True):
            out[columns] = values == tables.code_of[own]


def _side_by_side(tables: Encoding, numbers: Arrays, part: slice, out: Float32) -> Float32:
    """Columns as rows of `out` (F, m), in their units."""
    if out.shape[1] <= FEW:
        out[:] = np.clip(np.array([values[part] for values in numbers], dtype=np.float64), *tables.within)
        return out
    for row, feature, values in zip(out, tables.numbers, numbers, strict=True):
        # Wider numbers are clipped before they become single precision, which they might not fit.
        row[:] = values[part] if values.dtype == np.float32 else np.clip(values[part], feature.low, feature.high)
    return out


def _to_unit(tables: Encoding, numbers: Float32, out: Float32, roughly: bool = False) -> Float32:
    """Numbers (F, m) in their units to 0 at the low end and 1 at the high one, into `out`, which may be `numbers`."""
    logs, scaled, capped = out[: tables.logs], out[: tables.scaled], out[: tables.capped]
    np.fmax(numbers, tables.low, out=out)  # what is missing becomes the lowest
    np.minimum(out, tables.high, out=out)
    if roughly:
        np.log(np.add(logs, ONE, out=logs), out=logs)
    else:
        np.log1p(logs, out=logs)
    if tables.shifted:
        np.subtract(scaled, tables.base[: tables.scaled], out=scaled)
        np.maximum(scaled, ZERO, out=scaled)
    np.divide(scaled, tables.span[: tables.scaled], out=scaled)
    np.minimum(capped, ONE, out=capped)
    return out


def _rough(high: Float, span: Float) -> float:
    """How far, as a 2-norm, encoded rows are from what they are with log(1 + x) for log1p(x), which takes a sixth.

    high, span: of the log features. With u = 2^-24 the sum is within u (1 + x), so its log within u (a little over) of
    that of x; log and log1p are within 4 units in the last place, 8 u of a log; two differences from the base are
    within u of it, each, and two quotients of the unit.
    """
    u = 2.0**-24
    each = ((1.1 + 18.1 * np.log1p(high)) / span + 2.1) * u
    return float(np.linalg.norm(each))


def _put_levels(levels: Levels, codes: Arrays, out: Float32) -> None:
    """Write the columns of some categories, out (m, w): one 1 for each category whose level is known."""
    if levels.rows is None:
        known = np.flatnonzero(codes[0] >= 0)
        out[:] = ZERO
        out[known, codes[0][known]] = ONE
        return
    index = np.multiply(codes[0], levels.weights[0])
    for code, weight in zip(codes[1:], levels.weights[1:], strict=True):
        index += code if weight == 1 else code * weight
    out.view(levels.rows.dtype)[:, 0] = levels.rows.take(index, mode="wrap")


def _level_tables(categories: list[Feature], at: list[int]) -> list[Levels]:
    """Neighbours share a table as long as it stays small."""
    groups: list[list[int]] = []
    for c in range(len(categories)):
        group = [*groups[-1], c] if groups else [c]
        together = groups and at[c] == at[c - 1] + len(categories[c - 1].levels)
        if together and _numbers_of(categories[i] for i in group) <= TABLE:
            groups[-1] = group
        else:
            groups.append([c])
    return [_levels(slice(g[0], g[-1] + 1), categories[g[0] : g[-1] + 1], at[g[0]]) for g in groups]


def _levels(which: slice, categories: list[Feature], at: int) -> Levels:
    sizes = [len(f.levels) + 1 for f in categories]  # and one for unknown, last: -1 is counted from the end
    width = sum(sizes) - len(sizes)
    weights = tuple(np.int16(np.prod(sizes[i + 1 :])) for i in range(len(sizes)))
    columns = slice(at, at + width)
    if _numbers_of(categories) > TABLE:
        return Levels(which, (np.int16(1),), None, columns)
    blocks = [np.eye(size, size - 1, dtype=np.float32) for size in sizes]
    codes = np.indices([size for size in sizes]).reshape(len(sizes), -1) - 1  # of every combination, unknown too
    rows = np.concatenate([block[code] for block, code in zip(blocks, codes, strict=True)], axis=1)
    table = np.empty_like(rows)
    table[np.array(weights, dtype=np.intp) @ codes] = rows
    return Levels(which, weights, table.view(np.dtype((np.void, table.itemsize * width)))[:, 0], columns)


def _places(sizes: list[int], at: list[int]) -> list[tuple[slice, slice]]:
    """Of categories of these sizes, their levels among those of all, and their columns from `at` on."""
    ends = np.cumsum([0, *sizes]).tolist()
    return [(slice(end - w, end), slice(a, a + w)) for w, end, a in zip(sizes, ends[1:], at, strict=True)]


def _numbers_of(categories: Any) -> int:
    """How many numbers a table of all combinations holds."""
    sizes = [len(f.levels) for f in categories]
    return int(np.prod([size + 1.0 for size in sizes])) * sum(sizes)


def _up_to_last(flags: list[bool]) -> int:
    return max((i + 1 for i, flag in enumerate(flags) if flag), default=0)


def _as_slice(at: Int) -> slice | Int:
    return slice(int(at[0]), int(at[-1]) + 1) if len(at) and (np.diff(at) == 1).all() else at


def _column(values: list[Any], dtype: Any = np.float32) -> npt.NDArray[Any]:
    return np.array(values, dtype=dtype).reshape(-1, 1)
