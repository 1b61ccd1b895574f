"""The values of tags, one array a tag: statistics by one query, attributes, lists, rules, scores, cuts into names.

Numbers are float64 with NaN where unknown, texts objects with None, truths pandas' nullable booleans. n customers in
order of their id. Not here: model tags (order_models.py), the file of tags (tag_set.py), files of profiles (build.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from campaignrl.arrays import Float, Int64, Objects
from campaignrl.errors import Problem, SpecError, UsageError, nearest
from campaignrl.features import UNKNOWN, Context, FeatureSchema
from campaignrl.profiles.events import Connection, by_customer, permission_column, text
from campaignrl.profiles.tags.history_statistics import OrderHistory, days_before
from campaignrl.profiles.tags.statistics import DERIVED, STATISTICS, Scope
from campaignrl.profiles.tags.tag_set import Tag, TagSet, rule_feature, rules_of, texts_in
from campaignrl.specs import LARGEST, compile_condition

Values = Any  # (n,) float64, object of text, or pandas BooleanArray

CONSENT = "consent"  # the phrase that is no aggregate of events: see events/permissions.py
ORDER_BOOK = {"last": "days since the last order", "first": "days since the first order", "orders": "number of orders",
              "spend": "spend"}  # fmt: skip
SEVERAL = 8  # levels that are counted side by side
LEVELS = 1 << 32  # more than there are of anything

Wanted = Mapping[str, tuple[str, Scope]]  # name -> (phrase, scope)
Aggregates = Mapping[str, npt.NDArray[Any]]  # SQL -> (n,) of each customer's events


def aggregates(
    connection: Connection, wanted: Iterable[str], ids: Objects, source: str = "known", made: Aggregates | None = None
) -> Aggregates:
    """(n,) of SQL aggregates of one customer's events, all in one pass; those of `made` are not made again."""
    there = {} if made is None else made
    missing = [sql for sql in dict.fromkeys(wanted) if sql not in there]
    if not missing:
        return there
    chosen = ", ".join(f"{sql} as a{i}" for i, sql in enumerate(missing))
    found = by_customer(connection, f"select customer_id, {chosen} from {source} group by customer_id", ids)
    return {**there, **dict(zip(missing, found.values(), strict=True))}


def aggregates_of(wanted: Wanted) -> dict[str, str]:
    """The SQL of every statistic that is an aggregate of one customer's events, by name."""
    return {
        name: f"cast({STATISTICS[phrase].sql(scope)} as double)"
        for name, (phrase, scope) in wanted.items()
        if phrase != CONSENT and not STATISTICS[phrase].favourite and phrase not in DERIVED
    }


def aggregates_of_history(as_of: date) -> dict[str, str]:
    """The SQL of what every order history is made of, by field of OrderHistory."""
    book = {field: (phrase, Scope(as_of)) for field, phrase in ORDER_BOOK.items()}
    return {**aggregates_of(book), "seen": days_before(as_of, "min(ts)")}


def statistic_columns(
    connection: Connection, wanted: Wanted, ids: Objects, source: str = "known", made: Aggregates | None = None
) -> dict[str, Values]:
    """(n,) of each wanted statistic; one pass over the events, but for aggregates made before, and one a favourite."""
    plain, columns = aggregates_of(wanted), {}
    found = aggregates(connection, plain.values(), ids, source, made)
    for name, sql in plain.items():
        statistic = STATISTICS[wanted[name][0]]
        columns[name] = _typed(found[sql], statistic.kind, statistic.empty)
    for name, (phrase, scope) in wanted.items():
        if STATISTICS[phrase].favourite:
            columns[name] = _favourite(connection, phrase, scope, ids)
        elif phrase == CONSENT:
            may = permission_column(connection, scope.channel, ids)
            columns[name] = pd.Series(may == 1.0).astype("boolean").mask(np.isnan(may)).array
    return columns


def derived_columns(
    connection: Connection, wanted: Wanted, as_of: date, ids: Objects, made: Aggregates | None = None
) -> dict[str, Values]:
    """(n,) of the statistics of history_statistics.py and process_statistics.py."""
    if not wanted:
        return {}
    book = {field: (phrase, Scope(as_of)) for field, phrase in ORDER_BOOK.items()}
    parts = aggregates_of_history(as_of)
    found = aggregates(connection, parts.values(), ids, made=made)
    columns = statistic_columns(connection, book, ids, made=found)
    history = OrderHistory(connection, as_of, ids, **columns, seen=found[parts["seen"]], scores={})
    return {
        name: DERIVED[phrase](history._replace(days=asked.days, timed=asked.timed or ()))
        for name, (phrase, asked) in wanted.items()
    }


def attribute_column(attributes: pd.DataFrame, refreshes: pd.DataFrame | None, tag: Tag, ids: Objects) -> Values:
    """(n,) a column of the attributes, or the value its refreshes showed most often (then the newest of them)."""
    if tag.of not in attributes.columns:
        known = [str(c) for c in attributes.columns if c != "customer_id"]
        raise SpecError(Problem("attributes", "column", tag.of, "in the table", nearest(tag.of, known)))
    newest = attributes.set_index("customer_id")[tag.of].reindex(ids)
    if not tag.settled or refreshes is None:
        return _natural(newest)
    seen = refreshes[(refreshes["name"] == tag.of) & refreshes["value"].notna()]
    counted = seen.groupby(["customer_id", "value"], sort=True)["ts"].agg(["size", "max"]).reset_index()
    counted = counted.sort_values(["customer_id", "size", "max", "value"], kind="stable")
    most = counted.groupby("customer_id", sort=True).last()["value"].reindex(ids)
    return _natural(most.where(most.notna(), newest))


def rule_column(name: str, chosen: TagSet, made: Mapping[str, Values], n: int) -> Values:
    """(n,) yes/no of one condition, or the name of the first of several that holds (`otherwise`, or None).

    A condition that would hold or not by what an unknown tag is, is unknown: then neither `no` nor `otherwise` is
    said, but `unknown` where the tag has such a word. Every mistake of every condition is in one SpecError.
    """
    tag = chosen.tags[name]
    context = _context(tag, chosen, made)
    holds: list[npt.NDArray[np.bool_]] = []
    open_: list[npt.NDArray[np.bool_]] = []
    problems: list[Problem] = []
    for rule in rules_of(tag):
        try:
            condition = compile_condition(rule, context.schema, f"[tags.{name}]")
        except SpecError as wrong:
            problems += wrong.problems
            continue
        told = [np.broadcast_to(condition.holds(one), n) for one in _suppositions(context, set(texts_in(rule)))]
        holds.append(np.all(told, axis=0))
        open_.append(np.any(told, axis=0) & ~holds[-1])
    if problems:
        raise SpecError(problems)
    if isinstance(tag.when, str):
        return pd.Series(holds[0]).astype("boolean").mask(open_[0]).array
    values = np.full(n, tag.otherwise, dtype=object)
    values[np.any(open_, axis=0)] = tag.unknown
    for level, hit in reversed(list(zip(tag.when, holds, strict=True))):  # the first that holds is written last
        values[hit] = level
    return values


def _suppositions(context: Context, named: set[str]) -> Iterator[Context]:
    """The same customers, supposing that what is unknown is least, largest, or one of the texts of a condition."""
    kinds = {feature.name: feature for feature in context.schema.features}
    for edge in (-LARGEST, LARGEST):
        columns = {
            name: column if kinds[name].levels else np.where(np.isnan(column), edge, column)
            for name, column in context.columns.items()
        }
        yield Context(context.schema, columns)
    for name, column in context.columns.items():
        levels = kinds[name].levels
        if levels and (column == UNKNOWN).any():
            for code in (levels.index(level) for level in sorted(named & set(levels))):
                yield Context(context.schema, {**columns, name: np.where(column == UNKNOWN, code, column)})


def nobody_knows(kind: str, n: int) -> Values:
    """(n,) unknown values of a number, a text or a truth."""
    if kind == "truth":
        return pd.array([None] * n, dtype="boolean")
    return np.full(n, None, dtype=object) if kind == "text" else np.full(n, np.nan)


def score_column(tag: Tag, made: Mapping[str, Values], n: int) -> Float:
    """(n,) in [0, 100]: weighted mean of each tag's rank among the customers; a negative weight turns a rank round.

    An unknown value has the middle rank, so that it speaks neither for nor against; with none known it is unknown.
    """
    total, known = np.zeros(n), np.zeros(n, dtype=bool)
    for name, weight in tag.weights.items():
        values = pd.Series(_as_number(made[name]))
        known |= values.notna().to_numpy()
        rank = values.rank(method="average", pct=True).fillna(0.5).to_numpy()
        total += abs(weight) * (rank if weight > 0 else 1.0 - rank)
    return np.where(known, 100.0 * total / max(sum(abs(w) for w in tag.weights.values()), 1e-12), np.nan)


def into_names(values: Float, cuts: Sequence[float], names: Sequence[str]) -> Values:
    """(n,) the name of the interval: below the first cut, from the first on, ...; None where unknown."""
    code = np.searchsorted(np.asarray(cuts, dtype=np.float64), values, side="right")
    return np.array([*names, None], dtype=object)[np.where(np.isnan(values), len(names), code)]


def _context(tag: Tag, chosen: TagSet, made: Mapping[str, Values]) -> Context:
    """The tags a rule speaks of; the levels of an open text are those there are and those the rule names."""
    named = [word for rule in rules_of(tag) for word in texts_in(rule)]
    features, columns = [], {}
    for name in tag.needs:
        values, levels = made[name], chosen.levels_of(name)
        if isinstance(values, np.ndarray) and values.dtype == object:
            feature = rule_feature(name, levels, named, {str(v) for v in pd.unique(values) if v is not None})
            codes = pd.Index(feature.levels, dtype=object).get_indexer(
                pd.Index(values, dtype=object)
            )  # -1 where missing, as UNKNOWN is
            columns[name] = codes.astype(np.int64)
        else:
            feature = rule_feature(name, (), named)
            columns[name] = np.clip(_as_number(values), -LARGEST, LARGEST)
        features.append(feature)
    return Context(FeatureSchema(tuple(features)), columns)


def _as_number(values: Values) -> Float:
    if isinstance(values, np.ndarray) and values.dtype == object:
        raise UsageError(Problem("a score", "weights", "a tag of texts", "tags that are numbers or yes/no"))
    numbers: Float = pd.Series(values).to_numpy(dtype=np.float64, na_value=np.nan)
    return numbers


def _typed(values: Float, kind: str, empty: float | None) -> Values:
    if kind == "truth":
        return pd.Series(values).astype("boolean").array
    return values if empty is None else np.where(np.isnan(values), empty, values)


def _favourite(connection: Connection, phrase: str, scope: Scope, ids: Objects) -> Values:
    """(n,) the level of most events; among equals the first in order of text."""
    statistic = STATISTICS[phrase]
    events = (
        f"(select customer_id, {statistic.favourite} as level from known "
        f"where {statistic.sql(scope)} and {statistic.favourite} is not null)"
    )
    levels: npt.NDArray[Any] = np.array(sorted(statistic.levels), dtype=object)
    if not statistic.levels:
        found = connection.execute(f"select distinct level from {events} order by 1").fetchnumpy()
        levels = np.ma.getdata(found["level"])
    if len(levels) <= SEVERAL and all(isinstance(one, str) for one in levels):
        place = _most_of_few(connection, events, levels, ids)
    else:
        place = _most_of_many(connection, events, ids)
    if levels.dtype == object:
        values: Objects = np.full(len(levels) + 1, None, dtype=object)
        values[:-1] = levels
        return values[place]
    return _natural(pd.Series(levels).reindex(place).reset_index(drop=True))


def _most_of_few(connection: Connection, events: str, levels: Objects, ids: Objects) -> Int64:
    """(n,) place of the most frequent of these texts, the first of equals; -1 for none. Counted side by side."""
    place, most = np.full(len(ids), -1), np.zeros(len(ids))
    counts = [f"count(*) filter (level = {text(one)}) as n{i}" for i, one in enumerate(levels)]
    asked = f"select customer_id, {', '.join(counts)} from {events} group by customer_id"
    for i, many in enumerate(by_customer(connection, asked, ids).values() if counts else ()):
        more = many > most
        place[more], most[more] = i, many[more]
    return place


def _most_of_many(connection: Connection, events: str, ids: Objects) -> Int64:
    """(n,) the same of any levels: count and number are one figure, the largest of which is looked for."""
    asked = f"""with counted as materialized (select customer_id, level, count(*) as n from {events} group by all),
      levels as (select level, row_number() over (order by level) as number from (select distinct level from counted))
      select customer_id, {LEVELS} - max(n * {LEVELS} - number) % {LEVELS} as number
      from counted join levels using (level) group by customer_id"""
    return np.nan_to_num(by_customer(connection, asked, ids)["number"] - 1.0, nan=-1.0).astype(np.int64)


def _natural(column: pd.Series[Any]) -> Values:
    """Numbers as float64, truths as nullable booleans, dates as text, all else as text with None."""
    kind = column.dtype
    if pd.api.types.is_bool_dtype(kind):
        return column.astype("boolean").array
    if pd.api.types.is_numeric_dtype(kind):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    if pd.api.types.is_datetime64_any_dtype(kind):
        column = column.dt.strftime("%Y-%m-%d")
    values = column.astype(object)
    return values.where(values.notna(), None).to_numpy(dtype=object)
