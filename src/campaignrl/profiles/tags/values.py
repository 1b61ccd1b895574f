"""The values of tags, one array a tag: statistics by one query, attributes, lists, rules, scores, cuts into names.

Numbers are float64 with NaN where unknown, texts objects with None, truths pandas' nullable booleans. n customers in
order of their id. Not here: model tags (order_models.py), the file of tags (tag_set.py), files of profiles (build.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from campaignrl.arrays import Float, Objects
from campaignrl.errors import Problem, SpecError, UsageError, nearest
from campaignrl.features import UNKNOWN, Context, FeatureSchema
from campaignrl.profiles.events import Connection, by_customer, permission_column, quoted
from campaignrl.profiles.tags.history_statistics import OrderHistory
from campaignrl.profiles.tags.statistics import DERIVED, STATISTICS, Scope
from campaignrl.profiles.tags.tag_set import Tag, TagSet, rule_feature, rules_of, texts_in
from campaignrl.specs import LARGEST, compile_condition

Values = Any  # (n,) float64, object of text, or pandas BooleanArray

CONSENT = "consent"  # the phrase that is no aggregate of events: see events/permissions.py
ORDER_BOOK = {"last": "days since the last order", "first": "days since the first order", "orders": "number of orders",
              "spend": "spend"}  # fmt: skip


def statistic_columns(
    connection: Connection, wanted: Mapping[str, tuple[str, Scope]], ids: Objects, source: str = "known"
) -> dict[str, Values]:
    """(n,) of each wanted statistic: name -> (phrase, scope); one pass over the events and one a favourite."""
    own_way = {n for n, (phrase, _) in wanted.items() if phrase == CONSENT or STATISTICS[phrase].favourite}
    plain = {n: w for n, w in wanted.items() if w[0] not in DERIVED and n not in own_way}
    columns: dict[str, Values] = {}
    if plain:
        chosen = []
        for name, (phrase, scope) in plain.items():
            kind = "boolean" if STATISTICS[phrase].kind == "truth" else "double"
            chosen.append(f"cast({STATISTICS[phrase].sql(scope)} as {kind}) as {quoted(name)}")
        asked = f"select customer_id, {', '.join(chosen)} from {source} group by customer_id"
        found = by_customer(connection, asked, ids)
        for name, (phrase, _) in plain.items():
            columns[name] = _typed(found[name], STATISTICS[phrase].kind, STATISTICS[phrase].empty)
    for name, (phrase, scope) in wanted.items():
        if STATISTICS[phrase].favourite:
            columns[name] = _favourite(connection, phrase, scope, ids)
        elif phrase == CONSENT:
            may = permission_column(connection, scope.channel, ids)
            columns[name] = pd.Series(may == 1.0).astype("boolean").mask(np.isnan(may)).array
    return columns


def derived_columns(
    connection: Connection, wanted: Mapping[str, tuple[str, Scope]], as_of: date, ids: Objects
) -> dict[str, Values]:
    """(n,) of the statistics of history_statistics.py and process_statistics.py: name -> (phrase, scope)."""
    if not wanted:
        return {}
    scope = Scope(as_of)
    book = statistic_columns(connection, {k: (phrase, scope) for k, phrase in ORDER_BOOK.items()}, ids)
    history = OrderHistory(connection, as_of, ids, **book)
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
    named = [text for rule in rules_of(tag) for text in texts_in(rule)]
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


def _typed(column: pd.Series[Any], kind: str, empty: float | None) -> Values:
    if kind == "truth":
        return column.astype("boolean").array
    values: Float = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return values if empty is None else np.where(np.isnan(values), empty, values)


def _favourite(connection: Connection, phrase: str, scope: Scope, ids: Objects) -> Values:
    """(n,) the level of most events; among equals the first in order of text."""
    statistic = STATISTICS[phrase]
    counted = (
        f"select customer_id, {statistic.favourite} as level, count(*) as n from known "
        f"where {statistic.sql(scope)} and {statistic.favourite} is not null group by all"
    )
    most = f"select customer_id, arg_min(level, {{'n': -n, 'level': level}}) as level from ({counted}) group by 1"
    return _natural(by_customer(connection, most, ids)["level"])


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
