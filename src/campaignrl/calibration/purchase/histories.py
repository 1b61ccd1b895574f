"""What purchase models are fitted on, all counted since the first order: repeat orders, time of the last, time watched.

Here: checking these three and putting identical customers together. Not here: making them from events (rfm.py).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Bool, Float
from campaignrl.errors import SHOWN, DataError, Problem


class Histories(NamedTuple):
    """Distinct histories of n kinds of customers, each (n,)."""

    x: Float  # repeat orders, whole
    t_x: Float  # time of the last order since the first; 0 where x is 0
    T: Float  # time watched since the first order
    weight: Float  # customers with this history

    def rows(self, part: slice) -> Histories:
        """Some of them, as views."""
        return Histories._make(field[part] for field in self)


def histories(
    x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> Histories:
    """Checked histories, identical ones put together (their weights add up), ascending by x, t_x, T."""
    columns = [
        np.asarray(c, dtype=np.float64) for c in (x, t_x, T, np.ones(np.shape(x)) if weights is None else weights)
    ]
    if len({c.shape for c in columns}) > 1 or columns[0].ndim != 1 or not len(columns[0]):
        shapes = ", ".join(str(c.shape) for c in columns)
        raise DataError(Problem("histories", "x, t_x, T, weights", shapes, "arrays of one length, at least 1"))
    given = Histories(*columns)
    _refuse(given)
    order, new = _grouped(given.x, given.t_x, given.T)
    first = np.flatnonzero(new)
    x, t_x, T, _ = (column[order[first]] for column in given)
    return Histories(x, t_x, T, np.add.reduceat(given.weight[order], first))


def distinct(*columns: Float) -> tuple[list[Float], npt.NDArray[np.intp]]:
    """The distinct rows of columns (n,), ascending, and the place of each row among them (n,)."""
    order, new = _grouped(*columns)
    place = np.empty(len(order), dtype=np.intp)
    place[order] = np.cumsum(new) - 1
    return [column[order[new]] for column in columns], place


def _grouped(*columns: Float) -> tuple[npt.NDArray[np.intp], Bool]:
    """(n,) order of rows by their columns, and whether each of them, in that order, is another than the one before."""
    order = np.lexsort(columns[::-1])
    new = np.ones(len(order), dtype=bool)
    new[1:] = np.any([np.diff(column[order]) != 0 for column in columns], axis=0)
    return order, new


def _refuse(given: Histories) -> None:
    x, t_x, T, weight = given
    rules: tuple[tuple[str, Float, Bool, str], ...] = (
        ("x", x, np.isfinite(x) & (x >= 0) & (x == np.floor(x)), "a whole number, at least 0"),
        ("T", T, np.isfinite(T) & (T >= 0), "a finite time, at least 0"),
        ("t_x", t_x, (t_x >= 0) & (t_x <= T), "a time from 0 to T"),
        ("t_x", t_x, (x > 0) | (t_x == 0), "0 where there is no repeat order"),
        ("weight", weight, np.isfinite(weight) & (weight > 0), "above 0"),
    )
    found = []
    for field, values, good, allowed in rules:
        bad = np.flatnonzero(~good)
        found += [Problem(f"history {row}", field, float(values[row]), allowed) for row in bad[: SHOWN + 1]]
    if found:
        raise DataError(found)


def as_given(x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike) -> Histories:
    """Histories of the customers a model is asked about, in their order, checked."""
    columns = [np.atleast_1d(np.asarray(column, dtype=np.float64)) for column in (x, t_x, T)]
    given = Histories(*np.broadcast_arrays(*columns, 1.0))
    _refuse(given)
    return given
