"""Events and attributes -> a profiles table: every tag of a set for every customer, with the freshness of each.

A profile is a function of the events, the attributes, the tag set and the day, and of nothing else: not of the order of
the rows, of threads, or of how many steps brought the events together. Here: that function, and its folder of files.
Not here: the tags' own values (tag_columns.py), new events for an old folder (update.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from campaignrl.arrays import Objects
from campaignrl.features import Feature
from campaignrl.profiles.events import (
    Events,
    customers,
    newest_day,
    reach,
    spoken_of,
)
from campaignrl.profiles.events.database import database
from campaignrl.profiles.segments import Segmentation
from campaignrl.profiles.store.tag_columns import asked_for, tag_columns
from campaignrl.profiles.table import SEGMENT, Facts, write_profiles
from campaignrl.profiles.tags import (
    STATISTICS,
    Aggregates,
    Evidence,
    TagSet,
    Values,
    aggregates,
    columns_of,
    evidence,
    features_frame,
    kinds_of,
    load_tags,
    rests_on,
    rule_in_words,
    unheard,
)
from campaignrl.specs import World
from campaignrl.tables import ID
from campaignrl.tables.files import write_frame

Table = pd.DataFrame | str | Path
REFRESHED = "refreshed"  # column of the attributes: when they were last looked up


@dataclass(frozen=True)
class Profiles:
    """One row a customer, in order of id.

    frame: customer_id and a column per tag; facts: of the set and of each tag, plain JSON types; freshness: the time of
    each customer's newest event of every kind that any tag rests on, and of the attributes.
    """

    frame: pd.DataFrame
    facts: Facts
    freshness: pd.DataFrame

    def write(self, folder: str | Path) -> None:
        """`profiles.parquet`, which other verbs read, and `freshness.parquet` beside it."""
        write_frame(self.freshness, Path(folder) / "freshness.parquet")
        write_profiles(self.frame, self.facts, Path(folder) / "profiles.parquet")


def build_profiles(
    events: Events,
    attributes: Table | None = None,
    tags: str | Path | TagSet = "shop",
    as_of: date | None = None,
    *,
    refreshes: pd.DataFrame | None = None,
    world: World | None = None,
    start: date | None = None,
    never_contacted: bool = False,
    segments: Segmentation | None = None,
) -> Profiles:
    """The profiles of everybody with an event or an attribute, as known on the morning of `as_of`.

    as_of: default the day after the newest event. refreshes: every observation of an attribute so far (customer_id, ts,
    name, value), for tags that settle on the most frequent. world: also bring the features that its policies read, for
    a campaign that begins on `start`; a tag of the same name gives way. never_contacted: that the data hold no
    contacts means that there were none, instead of that they are unknown. segments: found again from the tags
    and features, in a column `segment`, which is also what the world's policies read.
    """
    chosen, day = load_tags(tags), as_of if as_of is not None else newest_day(events)
    with database(events, attributes, day) as connection:
        ids = customers(connection)
        about = connection.execute("select * from attributes").df()
        there = evidence(connection)
        rests = {name: kinds_of(chosen, name) for name in chosen.tags}
        rests |= {} if world is None else {name: rests_on(name) for name in world.features.names}
        asked = [*asked_for(chosen, day, there), *(_newest(kind) for kind in _kinds(rests))]
        found = aggregates(connection, asked, ids)
        freshness = _freshness(rests, about, ids, found)
        made, says = tag_columns(connection, chosen, about, refreshes, day, ids, there, found)
        channels = spoken_of(connection) if world is None else tuple(world.channels)
        reached = reach(connection, channels, ids)
    columns = {ID: pd.Series(ids, dtype="str"), **{name: _column(made[name]) for name in chosen.tags}}
    frame = pd.DataFrame(columns, copy=False)
    facts = {
        "as_of": day.isoformat(),
        "tag_set": {"name": chosen.name, "hash": chosen.hash, "title": chosen.title},
        "customers": len(frame),
    }
    facts["permissions"] = {one.channel: {**one._asdict()} for one in reached}
    about_tags = {name: _about_tag(chosen, name, says.get(name), there) for name in chosen.tags}
    if world is not None:
        known = about if attributes is not None else pd.DataFrame({ID: pd.Series([], dtype="str")})
        frame = _with_features(frame, features_frame(events, known, world, day, start, never_contacted=never_contacted))
        facts["world"] = world.name
        about_tags |= {feature.name: _about_feature(feature) for feature in world.features.features}
    heard_of = about
    if segments is not None:
        frame = with_segments(frame, segments)
        about_tags[SEGMENT] = {"level": "segment", "kind": "segment", "title": f"segments by {segments.method}"}
        about_tags[SEGMENT] |= {"unit": "", "levels": list(segments.names)}
        rests[SEGMENT] = tuple(dict.fromkeys(k for t in segments.tags for k in rests.get(t.name, ())))
        heard_of = about.drop(columns=SEGMENT, errors="ignore").join(frame.set_index(ID)[SEGMENT], on=ID, how="right")
    if world is not None:
        facts["unheard"] = unheard(heard_of, world)
    newest = {kind: freshness[kind].max() for kind in freshness.columns if kind != ID}
    facts["tags"] = {name: {**told, **_seen(frame[name], rests[name], newest)} for name, told in about_tags.items()}
    return Profiles(frame, facts, freshness)


def _column(values: Values) -> pd.Series[Any]:
    if isinstance(values, np.ndarray) and values.dtype == object:
        return pd.Series(values, dtype="str")
    return pd.Series(values)


def _kinds(rests: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Of events that anything rests on."""
    return sorted({kind for kinds in rests.values() for kind in kinds} - {"attributes"})


def _newest(kind: str) -> str:
    return f"max(ts) filter (kind = '{kind}')"


def _freshness(
    rests: Mapping[str, tuple[str, ...]], about: pd.DataFrame, ids: Objects, found: Aggregates
) -> pd.DataFrame:
    columns: dict[str, Any] = {ID: pd.Series(ids, dtype="str")}
    columns |= {kind: found[_newest(kind)].astype("datetime64[us]") for kind in _kinds(rests)}
    if REFRESHED in about.columns:
        told = pd.to_datetime(about.set_index(ID)[REFRESHED].reindex(ids))
        columns["attributes"] = told.to_numpy().astype("datetime64[us]")
    return pd.DataFrame(columns, copy=False)


def _about_tag(chosen: TagSet, name: str, fit: Mapping[str, Any] | None, there: Evidence) -> Facts:
    """What a tag is and how it is made; `lacking`: what its data would need and nobody exported."""
    tag, levels = chosen.tags[name], chosen.levels_of(name)
    unit = STATISTICS[tag.of].unit if tag.kind == "statistic" and not tag.names else ""
    told: Facts = {"level": tag.level, "kind": tag.kind, "title": tag.title or tag.of, "unit": unit}
    told |= {"of": tag.of} if tag.of else {}
    told |= {"levels": list(levels)} if levels else {}
    told |= {"rule": rule_in_words(tag), "columns": list(columns_of(chosen, name))}
    lacking = there.lacks(tag.of, STATISTICS[tag.of].kinds) if tag.kind == "statistic" else ()
    told |= {"lacking": list(lacking)} if lacking else {}
    return told if fit is None else {**told, "fit": fit}


def with_segments(frame: pd.DataFrame, segments: Segmentation) -> pd.DataFrame:
    """The table with the segment of each customer in the column `segment`, in its old place or last."""
    labels = pd.Series(segments.assign(frame.drop(columns=SEGMENT, errors="ignore")), index=frame.index, dtype="str")
    return frame.assign(**{SEGMENT: labels})


def _about_feature(feature: Feature) -> Facts:
    return {"level": "feature", "kind": "feature", "title": feature.meaning, "unit": feature.unit}


def _seen(values: pd.Series[Any], kinds: tuple[str, ...], newest: Mapping[str, Any]) -> Facts:
    """What a tag rests on, the time of the newest such event of anybody, and the share of customers it is known of."""
    times = [newest[kind] for kind in kinds if kind in newest and not pd.isna(newest[kind])]
    known = round(float(values.notna().mean()), 6) if len(values) else 0.0
    newest_of_all = _iso(max(times)) if times else None
    return {"rests_on": list(kinds), "freshness": newest_of_all, "known": known, "known_of": int(values.notna().sum())}


def _iso(moment: Any) -> str:
    stamp: datetime = pd.Timestamp(moment).to_pydatetime()
    return stamp.isoformat()


def _with_features(frame: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """The tags, then the features under their own names; ids of both are the same, in the same order."""
    kept = [name for name in frame.columns if name == ID or name not in features.columns]
    return pd.concat([frame[kept], features.drop(columns=ID)], axis=1)
