"""What rows of a log have in common, in words: a number in its lowest quarter, a level, a wave, a stretch of days.

Here: cutting every column into few cells and naming them. Not here: what is compared in them (balance.py). m rows.
"""

from __future__ import annotations

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


class Cells(NamedTuple):
    """One column: the cell of each row, and what each cell is called (`where recency is above 12`)."""

    name: str
    cell: Array  # (m,)
    called: tuple[str, ...]


def cells_of(sample: LogSample) -> list[Cells]:
    """Every context column, wave and day that differs between rows."""
    found = [_of_feature(feature, sample.columns[feature.name]) for feature in sample.schema.features]
    if sample.wave is not None:
        found.append(_of_waves(sample.wave))
    if sample.day is not None:
        found.append(_of_numbers("day", np.asarray(sample.day, dtype=np.float64), DAYS))
    return [cells for cells in found if len(cells.called) > 1]


def _of_feature(feature: Feature, column: Array) -> Cells:
    if not feature.levels:
        return _of_numbers(feature.name, column, QUARTERS)
    called = [f"`{feature.name}` is {level}" for level in feature.levels]
    return _of_codes(feature.name, np.where(column < 0, len(called), column), [*called, f"`{feature.name}` is missing"])


def _of_numbers(name: str, column: Array, shares: tuple[float, ...]) -> Cells:
    """Between quantiles; a number that takes few values has a cell for each."""
    known = np.isfinite(column)
    all_known = bool(known.all())
    values = column if all_known else column[known]
    seen = values[:: max(1, len(values) // LOOKED_AT)]
    edges = np.unique(np.sort(seen)[(np.array(shares) * (len(seen) - 1)).astype(np.intp)]) if len(seen) else seen
    cell = np.zeros(len(column), dtype=np.intp)
    for edge in edges:
        cell += column > edge
    called = _between(name, edges)
    if not all_known:
        cell[~known] = len(called)
    return _of_codes(name, cell, [*called, f"`{name}` is missing"])


def _between(name: str, edges: Float) -> list[str]:
    if not len(edges):
        return [f"`{name}` is known"]
    ends = [f"{edge:.4g}" for edge in edges]
    middle = [f"`{name}` is above {low} and at most {high}" for low, high in pairwise(ends)]
    return [f"`{name}` is low (at most {ends[0]})", *middle, f"`{name}` is high (above {ends[-1]})"]


def _of_waves(wave: Array) -> Cells:
    there, code = np.unique(wave, return_inverse=True)
    return _of_codes("wave", code, [f"`wave` is {number}" for number in there])


def _of_codes(name: str, code: Array, called: list[str]) -> Cells:
    """The cells that have rows, numbered anew, those of few rows put together."""
    code = np.asarray(code, dtype=np.intp)  # codes of levels come as bytes, and are multiplied later
    count = np.bincount(code, minlength=len(called))
    kept = np.flatnonzero(count >= FEW)
    if len(kept) > LEVELS:
        kept = np.sort(kept[np.argsort(-count[kept], kind="stable")[:LEVELS]])
    rest = [f"`{name}` is something rare"] if count.sum() > count[kept].sum() else []
    names = (*(called[i] for i in kept), *rest)
    if len(kept) and kept[-1] == len(kept) - 1 and not rest:
        return Cells(name, code, names)
    new = np.full(len(called), len(kept))
    new[kept] = np.arange(len(kept))
    return Cells(name, new[code], names)
