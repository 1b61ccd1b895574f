"""Purchase models by segment: every segment has its own parameters, small ones lean on those of all customers.

A segment with fewer customers than `small` is fitted with a penalty that says: its log parameters lie around the global
ones with a standard deviation of `spread`. The larger the segment, the less that weighs. Not here: the fits
(models.py), the segments, which come as a column of labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from campaignrl.errors import DataError, Problem

Model = TypeVar("Model")

SMALL = 500  # customers
SPREAD = 0.5  # standard deviation of log parameters between segments: a factor of 1.65 either way
FAINT = 1e-3  # penalty of large segments: only keeps flat directions from running off


class BySegment(NamedTuple, Generic[Model]):
    """One model for all customers, one a segment, and which segments leaned on the first."""

    everybody: Model
    segments: Mapping[str, Model]
    leaning: tuple[str, ...]


def fit_by_segment(
    fit: Callable[..., Model],
    columns: Mapping[str, npt.ArrayLike],
    labels: npt.ArrayLike,
    small: int = SMALL,
    spread: float = SPREAD,
) -> BySegment[Model]:
    """`fit` called on all customers and on each segment.

    columns: what `fit` takes, each (n,), as in {"x": .., "t_x": .., "T": ..}; labels: (n,) a name a customer.
    """
    arrays = {name: np.asarray(column) for name, column in columns.items()}
    names = np.asarray(labels, dtype=object)
    if any(len(column) != len(names) for column in arrays.values()) or not len(names):
        raise DataError(Problem("segments", "labels", len(names), "one for each row of the other columns"))
    everybody: Any = fit(**arrays)
    found, leaning = {}, []
    for name in sorted(set(names.tolist()), key=str):
        rows = names == name
        few = int(rows.sum()) < small
        l2 = 0.5 / spread**2 if few else FAINT
        part = {column: values[rows] for column, values in arrays.items()}
        found[str(name)] = fit(**part, l2=l2, toward=everybody.parameters)
        leaning += [str(name)] if few else []
    return BySegment(everybody, found, tuple(leaning))
