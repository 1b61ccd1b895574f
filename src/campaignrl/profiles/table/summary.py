"""What to say of a profiles table, and of one customer: coverage, quantiles, most frequent values, freshness.

Plain records for a terminal or JSON. Not here: printing them (cli/profiles/), pictures (report/).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from campaignrl.errors import unknown
from campaignrl.profiles.table.profile_file import LIVE_FRESHNESS, Facts, profile_path, read_profiles_file
from campaignrl.tables import ID
from campaignrl.tables.files import read_frame

QUANTILES = (0.05, 0.5, 0.95)
SHOWN = 3  # most frequent values
LEVELS = ("basic", "behaviour", "preference", "mind", "value", "lifecycle", "segment", "feature")  # of a tree
NEAR = 2_000  # ids that a mistyped one is compared with


class TagSummary(NamedTuple):
    """One tag over all customers; quantiles of a number, most frequent values with their shares of the known."""

    name: str
    level: str
    kind: str
    title: str
    unit: str
    known: float  # share of customers
    quantiles: tuple[float, ...] | None
    top: tuple[tuple[str, float], ...]
    freshness: str | None  # time of the newest event it rests on


class CustomerTag(NamedTuple):
    """One tag of one customer."""

    name: str
    level: str
    value: Any  # number, text, truth or None
    unit: str
    freshness: str | None  # newest event of this customer that it rests on


def summarise_tags(frame: pd.DataFrame, facts: Facts) -> list[TagSummary]:
    """Every column but the id, in the order of the table."""
    found = []
    for column in map(str, frame.columns):
        if column == ID:
            continue
        about = facts.get("tags", {}).get(column, {})
        values = frame[column].dropna()
        number = pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype)
        level, kind, title, unit = (str(about.get(key) or "") for key in ("level", "kind", "title", "unit"))
        quantiles = tuple(float(q) for q in np.quantile(values, QUANTILES)) if number and len(values) else None
        top = () if number else _top(values)
        known = len(values) / max(len(frame), 1)
        found.append(TagSummary(column, level, kind, title, unit, known, quantiles, top, about.get("freshness")))
    return found


def tag_tree(tags: Iterable[TagSummary]) -> dict[str, tuple[TagSummary, ...]]:
    """Tags by level, the levels in the order of the field's tag systems; `other` for a table that does not say."""
    by_level: dict[str, list[TagSummary]] = {}
    for tag in tags:
        by_level.setdefault(tag.level or "other", []).append(tag)
    order = [*LEVELS, *(level for level in by_level if level not in LEVELS)]
    return {level: tuple(by_level[level]) for level in order if level in by_level}


def customer_tags(profiles: str | Path, customer: str, *, encoding: str | None = None) -> list[CustomerTag]:
    """The tags of one customer, each with the newest event that it rests on; an unknown id is an UnknownName."""
    frame, facts = read_profiles_file(profiles, encoding=encoding)
    row = _row_of(frame, customer)
    beside = profile_path(profiles)
    live = _times_of(beside.with_name(LIVE_FRESHNESS), customer) if Path(profiles).is_dir() else {}
    times = live or _times_of(beside.with_name("freshness.parquet"), customer)
    found = []
    for column in map(str, frame.columns):
        if column == ID:
            continue
        about = facts.get("tags", {}).get(column, {})
        newest = [times[kind] for kind in about.get("rests_on", ()) if kind in times]
        value = _plain(frame[column].iloc[row])
        fresh = max(newest).isoformat() if newest else None
        found.append(CustomerTag(column, str(about.get("level", "")), value, str(about.get("unit", "")), fresh))
    return found


def _top(values: pd.Series[Any]) -> tuple[tuple[str, float], ...]:
    texts = values.map({True: "yes", False: "no"}) if pd.api.types.is_bool_dtype(values.dtype) else values.astype(str)
    counts = texts.value_counts().sort_index(kind="stable").sort_values(ascending=False, kind="stable")
    return tuple((str(level), float(n) / len(values)) for level, n in counts.head(SHOWN).items())


def _row_of(frame: pd.DataFrame, customer: str) -> int:
    rows = np.flatnonzero((frame[ID] == customer).to_numpy())
    if not len(rows):
        raise unknown("customer", customer, frame[ID].astype(str).head(NEAR), "Ids are text, to the letter.")
    return int(rows[0])


def _times_of(path: Path, customer: str) -> dict[str, pd.Timestamp]:
    """Newest event of each kind of one customer; {} where the file is not there."""
    if not path.exists():
        return {}
    frame = read_frame(path, text=[ID])
    row = frame[frame[ID] == customer]
    return {} if row.empty else {str(k): v for k, v in row.iloc[0].items() if k != ID and not pd.isna(v)}


def _plain(value: Any) -> Any:
    if pd.isna(value):
        return None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    return float(value) if isinstance(value, float | np.floating | int | np.integer) else str(value)
