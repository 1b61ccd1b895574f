"""The values of all tags of a set: what is asked of the events, one array a tag, and what models say of themselves.

Here: the order in which tags are made, and what is made beside what. Not here: the tags' own arithmetic (values.py,
order_models.py), the table of profiles (build.py). n customers in order of their id.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from campaignrl.arrays import Objects
from campaignrl.errors import Problem, SpecError
from campaignrl.profiles.events import Connection, histories
from campaignrl.profiles.tags import (
    DERIVED,
    NEXT_PURCHASE,
    STATISTICS,
    Aggregates,
    Book,
    Evidence,
    Outlook,
    Scope,
    Tag,
    TagSet,
    Values,
    Wanted,
    aggregates_of,
    aggregates_of_history,
    attribute_column,
    derived_columns,
    forecasts,
    inputs_of,
    into_names,
    learns,
    listed,
    model_column,
    next_purchase,
    nobody_knows,
    outlook,
    rule_column,
    score_column,
    statistic_columns,
    taught_customers,
    wanted_inputs,
)


def asked_for(chosen: TagSet, day: date, there: Evidence) -> list[str]:
    """The SQL of all that tags and their models ask of today's events, so that one pass answers it."""
    of_kind = _by_kind(chosen)
    wanted = _wanted(of_kind["statistic"], day, there)
    asked = [*aggregates_of(wanted).values()]
    if any(phrase in DERIVED for phrase, _ in wanted.values()):
        asked += aggregates_of_history(day).values()
    if any(learns(tag) for tag in of_kind["model"].values()):
        asked += aggregates_of(wanted_inputs(day)).values()
    return asked


def tag_columns(
    connection: Connection,
    chosen: TagSet,
    about: pd.DataFrame,
    refreshes: pd.DataFrame | None,
    day: date,
    ids: Objects,
    there: Evidence,
    found: Aggregates,
) -> tuple[dict[str, Values], dict[str, Any]]:
    """Every tag's values, and what models say of themselves. found: aggregates that were made for all of them."""
    of_kind = _by_kind(chosen)
    book = Book(
        cache(lambda: histories(connection, day, ids)),
        cache(lambda: inputs_of(connection, day, ids, made=found)),
        cache(lambda: taught_customers(connection, ids)),
    )
    # While the purchase model is chosen on one core, the other one reads and learns; sums of floats in one order.
    with ThreadPoolExecutor(1) as beside, threadpool_limits(1, user_api="blas"):
        ahead = _nothing_ahead
        if any(forecasts(tag) for tag in of_kind["model"].values()):
            ahead = outlook(connection, day, ids, book.histories(), beside)
        raw = _plain(connection, chosen, about, refreshes, day, ids, there, found)
        says: dict[str, Any] = {}
        for name, tag in sorted(of_kind["model"].items(), key=lambda item: forecasts(item[1])):  # those last
            if tag.of in NEXT_PURCHASE:
                raw[name], says[name] = next_purchase(connection, tag.of, day, ids)
            else:
                raw[name], says[name] = model_column(connection, tag, day, ids, book, ahead)
    return _resolved(chosen, raw, len(ids)), says


def _nothing_ahead() -> Outlook | None:
    return None


def _plain(
    connection: Connection,
    chosen: TagSet,
    about: pd.DataFrame,
    refreshes: pd.DataFrame | None,
    day: date,
    ids: Objects,
    there: Evidence,
    found: Aggregates,
) -> dict[str, Values]:
    """The values of statistics, attributes and lists."""
    of_kind = _by_kind(chosen)
    raw = _statistics(connection, of_kind["statistic"], day, ids, there, found)
    problems: list[Problem] = []
    for name, tag in of_kind["attribute"].items():
        try:
            raw[name] = attribute_column(about, refreshes, tag, ids)
        except SpecError as wrong:
            problems += wrong.problems
    if problems:
        raise SpecError([Problem(f"tag set {chosen.name}", *problem[1:]) for problem in problems])
    return raw | {name: listed(tag.file, ids, day) for name, tag in of_kind["manual"].items()}


def _by_kind(chosen: TagSet) -> defaultdict[str, dict[str, Tag]]:
    of_kind: defaultdict[str, dict[str, Tag]] = defaultdict(dict)
    for name, tag in chosen.tags.items():
        of_kind[tag.kind][name] = tag
    return of_kind


def _wanted(tags: Mapping[str, Tag], day: date, there: Evidence) -> Wanted:
    """The statistics whose data are there."""
    return {
        name: (tag.of, Scope(day, tag.days, tag.channel, tag.category, tag.brand, there.timed))
        for name, tag in tags.items()
        if not there.lacks(tag.of, STATISTICS[tag.of].kinds)
    }


def _statistics(
    connection: Connection, tags: Mapping[str, Tag], day: date, ids: Objects, there: Evidence, found: Aggregates
) -> dict[str, Values]:
    """Every statistic; one whose data nobody exported is unknown for everybody."""
    wanted = _wanted(tags, day, there)
    derived = {name: asked for name, asked in wanted.items() if asked[0] in DERIVED}
    plain = {name: asked for name, asked in wanted.items() if name not in derived}
    made = {
        **statistic_columns(connection, plain, ids, made=found),
        **derived_columns(connection, derived, day, ids, found),
        **{n: nobody_knows(STATISTICS[tag.of].kind, len(ids)) for n, tag in tags.items() if n not in wanted},
    }
    return {name: made[name] for name in tags}


def _resolved(chosen: TagSet, raw: dict[str, Values], n: int) -> dict[str, Values]:
    """Names for cuts, then rules and scores, each after the tags it is made from; bad rules are reported at once."""
    made: dict[str, Values] = {}
    problems: list[Problem] = []
    for name in chosen.order:
        tag = chosen.tags[name]
        if tag.kind == "rule":
            try:
                made[name] = rule_column(name, chosen, made, n)
            except SpecError as wrong:
                problems += wrong.problems
                made[name] = np.full(n, None, dtype=object)
            continue
        values = score_column(tag, made, n) if tag.kind == "score" else raw[name]
        made[name] = into_names(values, tag.cuts, tag.names) if tag.names else values
    if problems:
        raise SpecError(problems)
    return made
