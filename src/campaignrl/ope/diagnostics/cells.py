"""What rows of a log have in common, in words: a number in its lowest quarter, a level, a wave, a stretch of days.

Here: cutting every column into few cells, naming them, and sums over their rows. Not here: what is compared in them
(balance.py). m rows, k actions, J cells of all columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Array, Float
from campaignrl.features import Feature
from campaignrl.ope.data import LogSample

QUARTERS = (0.25, 0.5, 0.75)
LEVELS = 24  # of a category or a wave that are told apart; the rarest share a cell
DAYS = tuple(np.arange(1, 8) / 8)
LOOKED_AT = 2_048  # rows at most that quantiles are read off
FEW = 30  # rows: a cell of fewer has nothing to say
CROSSED = 1 << 12  # cells of several columns, each by action, that are counted together: they stay in the cache


class Cells(NamedTuple):
    """One column: the cell of each row, and what each cell is called (`where recency is above 12`)."""

    name: str
    cell: Array  # (m,)
    called: tuple[str, ...]


class CellSums:
    """Sums over the rows of each cell, of all columns and by action; several columns are crossed and counted."""

    def __init__(self, columns: Sequence[Cells], action: Array, k: int) -> None:
        """action: (m,) of the rows, below k."""
        self.cells = [(column, cell) for column in columns for cell in range(len(column.called))]  # (J,)
        self._crossed = list(_crossed(columns, np.asarray(action, dtype=np.int32), k))
        self._members = [_members(shape) for _, shape in self._crossed]

    def by_action(self, x: Float | None = None) -> Float:
        """(J, k) sums of x (m,), or numbers of rows."""
        whole = (np.bincount(code, x, math.prod(shape)).reshape(-1, shape[-1]) for code, shape in self._crossed)
        return np.concatenate([members @ sums for members, sums in zip(self._members, whole, strict=True)])

    def of(self, x: Float) -> Float:
        """(J,) sums of x (m,)."""
        return np.asarray(self.by_action(x).sum(axis=1))


def cells_of(sample: LogSample) -> list[Cells]:
    """Every context column, wave and day that differs between rows."""
    found = [_of_feature(feature, sample.columns[feature.name]) for feature in sample.schema.features]
    if sample.wave is not None:
        found.append(_of_waves(sample.wave))
    if sample.day is not None and (sample.day[1:] != sample.day[:-1]).any():
        found.append(_of_numbers("day", np.asarray(sample.day, dtype=np.float64), DAYS))
    return [cells for cells in found if len(cells.called) > 1]


def _of_feature(feature: Feature, column: Array) -> Cells:
    if not feature.levels:
        return _of_numbers(feature.name, column, QUARTERS)
    called = [f"`{feature.name}` is {level}" for level in feature.levels]
    code = np.where(column < 0, len(called), column) if (column < 0).any() else column
    return _of_codes(feature.name, code, [*called, f"`{feature.name}` is missing"])


def _of_numbers(name: str, column: Array, shares: tuple[float, ...]) -> Cells:
    """Between quantiles; a number that takes few values has a cell for each."""
    known = np.isfinite(column)
    values = column if known.all() else column[known]
    seen = values[:: max(1, len(values) // LOOKED_AT)]
    edges = np.sort(seen)[(np.array(shares) * (len(seen) - 1)).astype(np.intp)] if len(seen) else seen
    if (edges[1:] <= edges[:-1]).any():
        edges = np.unique(edges)
    above = [column > edge for edge in edges]
    cell = np.zeros(len(column), dtype=np.int8)
    for one in above:
        cell += one.view(np.int8)
    called, missing = _between(name, edges), len(column) - len(values)
    if missing:
        cell[~known] = len(called)
    beyond = [len(values), *(int(np.count_nonzero(one)) for one in above), 0]
    count = [more - less for more, less in pairwise(beyond)]
    if not missing and min(count) >= FEW:
        return Cells(name, cell, tuple(called))
    return _of_codes(name, cell, [*called, f"`{name}` is missing"], np.array([*count, missing]))


def _between(name: str, edges: Float) -> list[str]:
    if not len(edges):
        return [f"`{name}` is known"]
    ends = [f"{edge:.4g}" for edge in edges]
    middle = [f"`{name}` is above {low} and at most {high}" for low, high in pairwise(ends)]
    return [f"`{name}` is low (at most {ends[0]})", *middle, f"`{name}` is high (above {ends[-1]})"]


def _of_waves(wave: Array) -> Cells:
    there, code = np.unique(wave, return_inverse=True)
    return _of_codes("wave", code, [f"`wave` is {number}" for number in there])


def _of_codes(name: str, code: Array, called: list[str], count: Array | None = None) -> Cells:
    """The cells that have rows, numbered anew, those of few rows put together. count: rows of each, where known."""
    if count is None:
        count = np.bincount(code, minlength=len(called))
    kept = np.flatnonzero(count >= FEW)
    if len(kept) > LEVELS:
        kept = np.sort(kept[np.argsort(-count[kept], kind="stable")[:LEVELS]])
    rest = [f"`{name}` is something rare"] if count.sum() > count[kept].sum() else []
    names = (*(called[i] for i in kept), *rest)
    if len(kept) and kept[-1] == len(kept) - 1 and not rest:
        return Cells(name, code.astype(np.int8, copy=False), names)
    new = np.full(len(called), len(kept), dtype=np.int8)
    new[kept] = np.arange(len(kept))
    return Cells(name, new[code], names)


def _crossed(columns: Sequence[Cells], action: Array, k: int) -> Iterator[tuple[Array, tuple[int, ...]]]:
    """Columns that follow each other, as one: each row's cell in all of them and its action, and how many of each."""
    code, shape = action, tuple([k])  # of any length
    for column in columns:
        count = len(column.called)
        if len(shape) > 1 and count * math.prod(shape) > CROSSED:
            yield code.astype(np.intp), shape
            code, shape = action, (k,)
        if count > 1:
            code = code + column.cell * np.int32(math.prod(shape))  # cells are bytes, and these are not
        shape = (count, *shape)
    yield code.astype(np.intp), shape


def _members(shape: tuple[int, ...]) -> Float:
    """(cells of all columns, crossed cells) 1 where one is part of the other, of the first column first.

    shape: (cells of the last column, ..., of the first, k).
    """
    counts = shape[-2::-1]
    crossed = np.arange(math.prod(counts))
    found = []
    for count in counts:
        found.append(crossed % count == np.arange(count)[:, None])
        crossed //= count
    return np.concatenate(found, dtype=np.float64)
