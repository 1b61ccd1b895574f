"""New events and new attributes for the profiles of a folder, and new weights from what a campaign achieved.

What was cleaned once is not cleaned again: the new events join the old ones, and the tags are made anew in one pass
(a window that ends today moves for everybody, whether or not anything happened). So the result is the full rebuild's
to the last byte, late events included. Not here: the files (folder.py), the tags (build.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from campaignrl.arrays import Float
from campaignrl.errors import DataError, Problem, UsageError, nearest
from campaignrl.profiles.events import newest_day
from campaignrl.profiles.intake import keeps_lines
from campaignrl.profiles.segments import Segmentation
from campaignrl.profiles.store.build import Profiles
from campaignrl.profiles.store.folder import (
    EVENTS,
    content_hash,
    finish,
    forget_live,
    known_sources,
    pending_of,
    read_about,
    read_state,
    sources_of,
    with_snapshot,
    write_joined,
)
from campaignrl.profiles.table import SEGMENT
from campaignrl.profiles.tags import TagSet
from campaignrl.specs import World, check
from campaignrl.tables import ID
from campaignrl.tables.files import read_frame, write_frame
from campaignrl.tables.log import DecisionLog

ADDED, ADDED_ATTRIBUTES = "added.parquet", "added_attributes.parquet"  # beside exports: see exports.py
PARTS = 5  # groups of customers by the rank of a tag
LARGEST_WEIGHT = 20.0  # of a logged decision, 1 / propensity; beyond, a few rows would decide


class Update(NamedTuple):
    """The profiles of today, and the counts of what was new."""

    profiles: Profiles
    events: int
    late: int  # of them before the day of the old profiles
    customers: int  # of them not known before


def update_folder(
    folder: str | Path,
    events: Sequence[str | Path] = (),
    attributes: str | Path | None = None,
    as_of: date | None = None,
    *,
    world: World | None = None,
    encoding: str | None = None,
) -> Update:
    """Apply new events and attributes (Parquet; attributes also CSV) to the profiles of a folder.

    What `profile watch` took in since the last update is among the new events. as_of: default the day after the
    newest event of all, and never before the old one. Attributes that are given
    replace the old ones, customer by customer and column by column, as `merged_attributes` says. world: from
    now on also the features that its policies read, for a campaign that begins on `as_of`. encoding: of a CSV of
    attributes that is not UTF-8.
    """
    home = Path(folder)
    state = read_state(home)
    pending = pending_of(home)
    events = [*pending, *events]
    before = set(read_frame(home / "profiles.parquet", [ID], text=[ID])[ID])
    hashes = [content_hash(path) for path in events]
    _refuse_twice(events, hashes, state.sources)
    inside = sources_of(home / EVENTS)
    fresh = [path for path, code in zip(events, hashes, strict=True) if code not in inside]
    counts = [counts_of(path, state.as_of) for path in events]
    if fresh and keeps_lines(home):  # beside the exports, which may be read anew
        kept = [home / ADDED] if (home / ADDED).exists() else []
        write_joined([*kept, *fresh], home / ADDED, [*inside, *hashes])
    if fresh:
        write_joined([home / EVENTS, *fresh], home / EVENTS, [*inside, *hashes])
    day = max(state.as_of, newest_day(home / EVENTS)) if as_of is None else as_of
    if day < state.as_of:
        raise UsageError(Problem("profile update", "as-of", day.isoformat(), f"{state.as_of} or later"))
    about, seen = read_about(home)
    if attributes is not None:
        new = read_frame(attributes, text=[ID], encoding=encoding)
        seen = with_snapshot(seen, new, day)
        about = merged_attributes(about, new)
        if keeps_lines(home):
            added = home / ADDED_ATTRIBUTES
            write_frame(merged_attributes(read_frame(added, text=[ID]) if added.exists() else None, new), added)
    state = state if world is None else replace(state, world=world, start=day)
    made = finish(home, replace(state, as_of=day, sources=known_sources(home)), about, seen)
    forget_live(home, pending)
    new_ones = len(set(made.frame[ID]) - before)
    return Update(made, sum(n for n, _ in counts), sum(late for _, late in counts), new_ones)


def merged_attributes(old: pd.DataFrame | None, new: pd.DataFrame) -> pd.DataFrame:
    """One row a customer, by id: what the new table says of a customer (also that a value is missing), else the old."""
    if new[ID].duplicated().any():
        twice = str(new.loc[new[ID].duplicated(), ID].iloc[0])
        raise DataError(Problem("attributes", ID, twice, "given once"))
    if old is None:
        return new.sort_values(ID, kind="stable", ignore_index=True)
    order = [*old.columns, *(name for name in new.columns if name not in old.columns)]
    before, after = old.set_index(ID), new.set_index(ID)
    ids = before.index.union(after.index)
    columns = {}
    for name in (name for name in order if name != ID):
        kept = before[name].drop(after.index, errors="ignore") if name in after and name in before else before.get(name)
        parts = [part for part in (kept, after.get(name)) if part is not None and len(part)]
        columns[name] = pd.concat(parts).reindex(ids) if parts else pd.Series(index=ids, dtype="str")
    return pd.DataFrame(columns, index=ids).rename_axis(ID).reset_index()


def reweight(tags: TagSet, score: str, profiles: pd.DataFrame, log: DecisionLog) -> tuple[TagSet, pd.DataFrame]:
    """A tag set whose `score` has the weights that a campaign's results speak for, and the table they come from.

    For every tag of the score, customers are put in five equal groups by its rank; the response of a group is the mean
    reward of its sends less that of its decisions to send nothing, each weighted by 1 / propensity (at most 20). The
    weight is the slope of the response over the groups, signed; all together have size 1. profiles: the tags' values
    as they were before the campaign.
    """
    tag = tags.tags.get(score)
    if tag is None or tag.kind != "score":
        known = [name for name, one in tags.tags.items() if one.kind == "score"]
        raise UsageError(Problem("reweight", "score", score, "a score tag of the set", nearest(score, known)))
    rows = [_responses(name, profiles, log) for name in tag.weights]
    table = pd.DataFrame(rows, columns=["tag", *(f"group {k + 1}" for k in range(PARTS)), "slope"])
    size = float(table["slope"].abs().sum())
    if not size > 0.0:
        raise DataError(Problem("reweight", "responses", 0.0, "different between groups of customers"))
    table["old weight"] = [tag.weights[name] for name in tag.weights]
    table["weight"] = table["slope"] / size
    words = tags.model_dump(exclude_unset=True)
    words["tags"][score]["weights"] = {
        n: round(float(w), 6) for n, w in zip(table["tag"], table["weight"], strict=True)
    }
    return check(TagSet, words, tags.name), table


def reweight_folder(folder: str | Path, score: str, log: DecisionLog) -> tuple[Profiles, pd.DataFrame]:
    """New weights for a score tag of a folder, kept for all updates to come; the profiles are made anew."""
    home = Path(folder)
    state = read_state(home)
    tags, table = reweight(state.tags, score, read_frame(home / "profiles.parquet", text=[ID]), log)
    about, seen = read_about(home)
    return finish(home, replace(state, tags=tags), about, seen), table


def keep_segments(folder: str | Path, segments: Segmentation | None) -> Profiles:
    """Segments for all customers of a folder, in the column `segment`, now and at every update; None: no longer.

    They are a feature like any other: `calibrate --segments segment` makes a world of them, whose policies then read
    that column. A segmentation that reads the column itself is refused.
    """
    home = Path(folder)
    if segments is not None and SEGMENT in [tag.name for tag in segments.tags]:
        fix = "Make them from other tags."
        raise UsageError(Problem("profile segment --keep", "tags", SEGMENT, "other than the segment itself", fix))
    state = read_state(home)
    about, seen = read_about(home)
    return finish(home, replace(state, segments=segments), about, seen)


def _responses(name: str, profiles: pd.DataFrame, log: DecisionLog) -> list[object]:
    """[tag, response of each group, slope]; a group without sends or without sendless decisions has NaN."""
    values = pd.to_numeric(profiles[name].astype("float64")).rank(method="average", pct=True).fillna(0.5)
    group = np.minimum((values.to_numpy() * PARTS).astype(int), PARTS - 1)
    of_customer = pd.Series(group, index=profiles[ID]).reindex(log.customers)
    if of_customer.isna().all():
        raise DataError(Problem("reweight", "customers", "none of the log's", "customers of the profiles"))
    part = of_customer.to_numpy()[log.customer]
    weight = np.minimum(1.0 / log.propensity, LARGEST_WEIGHT)
    response = [
        _mean(log.reward, weight, (part == k) & (log.action > 0) & log.matured)
        - _mean(log.reward, weight, (part == k) & (log.action == 0) & log.matured)
        for k in range(PARTS)
    ]
    known = np.flatnonzero(~np.isnan(response))
    slope = float(np.polyfit(known, np.array(response)[known], 1)[0]) if len(known) > 1 else 0.0
    return [name, *response, slope]


def _mean(values: Float, weight: Float, rows: npt.NDArray[np.bool_]) -> float:
    return float(np.average(values[rows], weights=weight[rows])) if rows.any() else float("nan")


def _refuse_twice(paths: Sequence[str | Path], hashes: Sequence[str], known: Sequence[str]) -> None:
    problems = [
        Problem("profile update", "events", str(path), "new", "These very events are in the profiles already.")
        for k, (path, code) in enumerate(zip(paths, hashes, strict=True))
        if code in known or code in hashes[:k]
    ]
    if problems:
        raise UsageError(problems)


def counts_of(path: str | Path, as_of: date) -> tuple[int, int]:
    """Events of a file, and how many of them are from before a day."""
    ts = read_frame(path, ["ts"])["ts"]
    return len(ts), int((ts < pd.Timestamp(as_of)).sum())
