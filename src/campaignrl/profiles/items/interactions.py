"""Who had to do with which item, and when: a table of any shop's lines as arrays, and the catalogue beside it.

One row a customer, item and day, for a second line of the same day says nothing new. Here: reading, codes, checks. Not
here: what follows for a customer (recommender.py). m rows, n customers, k items.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from campaignrl.arrays import Int64, Objects
from campaignrl.errors import DataError, Problem, nearest
from campaignrl.tables import ID
from campaignrl.tables.files import column_names, read_frame

ITEM, WHEN = "item_id", "ts"
NAMES = (ID, ITEM, WHEN)
MOST_ATTRIBUTES = 8  # columns of a catalogue that are compared


@dataclass(frozen=True)
class Interactions:
    """Rows by customer, item and day, each once, in that order.

    customers (n,), items (k,): ids; customer, item, day: (m,) codes into them, and days since 1970.
    """

    customers: Objects
    items: Objects
    customer: Int64
    item: Int64
    day: Int64

    def __len__(self) -> int:
        return len(self.day)

    def before(self, day: int) -> Interactions:
        """Those of earlier days; the same codes."""
        return self._of(self.day < day)

    def within(self, first: int, end: int) -> Interactions:
        """Those of the days from `first` to before `end`; the same codes."""
        return self._of((self.day >= first) & (self.day < end))

    def _of(self, rows: np.ndarray) -> Interactions:
        return Interactions(self.customers, self.items, self.customer[rows], self.item[rows], self.day[rows])


def interactions_of(
    frame: pd.DataFrame, columns: Mapping[str, str] | None = None, where: str = "items"
) -> Interactions:
    """Interactions of a frame with customer_id, item_id and ts, or the columns that stand for them.

    columns: by those names, what they are called here. A row without one of the three is a DataError.

    >>> frame = pd.DataFrame({"customer_id": ["a", "a"], "item_id": ["x", "x"], "ts": ["2026-01-01 10:00"] * 2})
    >>> len(interactions_of(frame))
    1
    """
    names = {name: (columns or {}).get(name, name) for name in NAMES}
    present = [str(c) for c in frame.columns]
    problems = [
        Problem(where, name, called, "a column", nearest(called, present) or f"Give --columns {name}=COLUMN.")
        for name, called in names.items()
        if called not in present
    ]
    if problems:
        raise DataError(problems)
    if not len(frame):
        raise DataError(Problem(where, "rows", 0, "at least one interaction"))
    lacking = [Problem(where, name, None, "given in every row") for name, c in names.items() if frame[c].isna().any()]
    if lacking:
        raise DataError(lacking)
    when = pd.to_datetime(frame[names[WHEN]], errors="coerce", format="ISO8601" if _texts(frame[names[WHEN]]) else None)
    if when.isna().any():
        bad = frame.loc[when.isna(), names[WHEN]].iloc[0]
        raise DataError(Problem(where, WHEN, bad, "a day or time, such as 2026-01-31"))
    customer, customers = _codes(frame[names[ID]])
    item, items = _codes(frame[names[ITEM]])
    day = when.to_numpy().astype("datetime64[D]").astype(np.int64)
    rows = np.unique(np.column_stack([customer, item, day]), axis=0)
    return Interactions(customers, items, *(np.ascontiguousarray(column) for column in rows.T))


def read_interactions(path: str | Path, columns: Mapping[str, str] | None = None) -> Interactions:
    """Interactions of a Parquet or CSV file; only the three columns are read."""
    source = Path(path)
    named = [(columns or {}).get(name, name) for name in NAMES]
    there = column_names(source)
    wanted = [name for name in dict.fromkeys(named) if name in there]
    frame = read_frame(source, wanted or None, text=[n for n in named[:2] if n in there])
    return interactions_of(frame, columns, str(source))


def read_catalogue(path: str | Path, key: str = ITEM) -> pd.DataFrame:
    """A catalogue: `item_id` (the column `key`) first, then its attributes as text; one row an item."""
    source = Path(path)
    frame = read_frame(source, text=[key] if key in column_names(source) else [])
    if key not in frame.columns:
        fix = nearest(key, map(str, frame.columns)) or "Give --columns item_id=COLUMN."
        raise DataError(Problem(str(source), "column", key, "in the catalogue", fix))
    if frame[key].duplicated().any():
        twice = frame.loc[frame[key].duplicated(), key].iloc[0]
        raise DataError(Problem(str(source), key, twice, "given once"))
    texts = [c for c in frame.columns if c != key and not pd.api.types.is_numeric_dtype(frame[c].dtype)]
    return frame[[key, *texts[:MOST_ATTRIBUTES]]].rename(columns={key: ITEM})


def _texts(column: pd.Series) -> bool:
    return not pd.api.types.is_datetime64_any_dtype(column.dtype)


def _codes(column: pd.Series) -> tuple[Int64, Objects]:
    """Codes into sorted ids, which are text to the letter; whole numbers stored as floats lose their `.0`."""
    if pd.api.types.is_float_dtype(column.dtype) and (column == np.floor(column)).all():
        column = column.astype("int64")
    codes, ids = pd.factorize(column.astype(str), sort=True)
    return codes.astype(np.int64), np.asarray(ids, dtype=object)
