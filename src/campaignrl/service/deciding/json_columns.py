"""Rows as JSON, written column by column: the texts that orjson would write of each row, in less time.

A thousand rows of fifty cells are a thousand dictionaries to fill and to write one by one; here all numbers are written
at once, and all texts, and cut into cells. Not here: which columns a row has (answers.py, send/). n rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain, compress, repeat
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

from campaignrl.arrays import Bool

FEW = 8  # cells to a value, from which on values are written rather than cells


class Few(NamedTuple):
    """Cells of few values. keys: (n,) which of them each is; values: by key."""

    keys: Sequence[Any]
    values: Mapping[Any, Any]


Cells = list[Any] | npt.NDArray[Any] | Few


class Texts(NamedTuple):
    """Cells of n rows as JSON, by column: one text of all, or (n,)."""

    n: int
    same: Mapping[str, str]
    differ: Mapping[str, Sequence[str]]


def json_rows(texts: Texts, members: Mapping[str, str], last: Sequence[str] | None = None) -> list[str]:
    """(n,) each row as a JSON object. members: columns by key; last: (n,) what follows, as of `member`, or ""."""
    between, parts = "{", []  # what stands before the next cell that differs from row to row
    for key, name in members.items():
        between += _key(key)
        if name in texts.differ:
            parts += [repeat(between), texts.differ[name]]
            between = ","
        else:
            between += f"{texts.same[name]},"
    parts += [repeat(between.removesuffix(",")), repeat("") if last is None else last, repeat("}", texts.n)]
    return list(map("".join, zip(*parts, strict=False)))


def json_lists(texts: Texts, names: Iterable[str], head: str, last: Sequence[str] | None = None) -> list[str]:
    """(n,) each row as a JSON list behind a text. last: (n,) what stands behind the last cell, "" of nothing."""
    n, start = texts.n, _text(head)
    cells = [texts.differ[name] if name in texts.differ else repeat(texts.same[name], n) for name in names]
    rows = map(",".join, zip(*cells, strict=False))
    if last is None:
        return [f"[{start},{row}]" for row in rows]
    return [f"[{start},{row}{more}]" for row, more in zip(rows, last, strict=True)]


def member(name: str, value: object) -> str:
    """One more member of an object that has some already."""
    return f",{_key(name)}{_text(value)}"


def texts_of(columns: Mapping[str, Cells], n: int) -> Texts:
    """Columns of n cells, written. A mask (n, k) stands for the places that are True."""
    same: dict[str, str] = {}
    differ: dict[str, Sequence[str]] = {}
    texts: dict[str, list[str]] = {}
    floats: dict[str, npt.NDArray[Any]] = {}
    whole: dict[str, npt.NDArray[Any]] = {}
    for name, cells in columns.items():
        if isinstance(cells, list):
            first = cells[0] if n else None
            if isinstance(first, (str, int)) and cells.count(first) == n:
                same[name] = _text(first)
            elif isinstance(first, str) and n >= FEW and len(known := set(cells)) * FEW <= n:
                written = {one: _text(one) for one in known}
                differ[name] = [written[one] for one in cells]
            elif isinstance(first, str):
                texts[name] = cells
            else:
                differ[name] = [_text(one) for one in cells]
        elif isinstance(cells, Few):
            written = {key: _text(value) for key, value in cells.values.items()}
            differ[name] = [written[key] for key in cells.keys]
        elif cells.ndim == 2:
            differ[name] = _places(cells)
        else:
            (floats if cells.dtype.kind == "f" else whole)[name] = cells
    differ |= {**_cut(texts, n, _of_texts), **_cut(floats, n, _of_floats), **_cut(whole, n, _of_whole)}
    return Texts(n, same, differ)


def _cut(columns: Mapping[str, Any], n: int, written: Callable[[list[Any]], list[str]]) -> dict[str, list[str]]:
    """Columns that are written as one. written: of columns, the cells behind each other."""
    if not columns:
        return {}
    every = written(list(columns.values()))
    return {name: every[i * n : (i + 1) * n] for i, name in enumerate(columns)}


def _of_texts(columns: list[list[str]]) -> list[str]:
    cells = list(chain.from_iterable(columns))
    text = _text(cells)
    if text.count('"') == 2 * len(cells):  # no text holds one, so that they stand around texts alone
        inside = text[2:-2].replace('","', '"\0,"')  # from within the first text on: else '","' might be one of its own
        return f'"{inside}"'.split("\0,")
    return [_text(one) for one in cells]


def _of_floats(columns: list[npt.NDArray[Any]]) -> list[str]:
    """NaN is null."""
    return _numbers(np.concatenate(columns, dtype=np.float64))


def _of_whole(columns: list[npt.NDArray[Any]]) -> list[str]:
    return _numbers(np.concatenate(columns, dtype=np.int64))


def _numbers(cells: npt.NDArray[Any]) -> list[str]:
    return orjson.dumps(cells, option=orjson.OPT_SERIALIZE_NUMPY).decode()[1:-1].split(",")


def _places(mask: Bool) -> list[str]:
    """Lists of the places that are True; masks are few."""
    packed = np.packbits(mask, axis=1)
    places = range(mask.shape[1])
    width, bits = packed.shape[1], packed.tobytes()
    keys = [bits[i : i + width] for i in range(0, len(bits), width)]
    known = {
        key: _text([*compress(places, mask[i].tolist())]) for key, i in {key: i for i, key in enumerate(keys)}.items()
    }
    return [known[key] for key in keys]


@lru_cache(maxsize=1_024)
def _key(name: str) -> str:
    return f"{_text(name)}:"


def _text(value: object) -> str:
    return orjson.dumps(value).decode()
