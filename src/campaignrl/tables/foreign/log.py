"""Foreign logs: any table, read as a decision log by a mapping.

Here: propensities, rewards, customers and days of a table. Not here: its actions (actions.py), its contexts
(contexts.py), rows that stand twice (repeated_rows.py), what a mapping may say (mapping.py). What one must know to
judge an estimate goes into `meta`: where the actions and the propensities come from. n rows, k actions.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from campaignrl.actions import NONE, NONE_NAME, Catalog
from campaignrl.arrays import Bool, Int
from campaignrl.errors import Problem, SpecError, nearest, unknown
from campaignrl.features import Context, FeatureSchema
from campaignrl.tables.files import (
    Converted,
    as_text,
    column_names,
    compile_expression,
    numbers,
    read_table,
    reading,
    require_columns,
    row_problems,
    truths,
    whole_numbers,
)
from campaignrl.tables.foreign.actions import actions_of
from campaignrl.tables.foreign.as_written import as_written, plain_numbers
from campaignrl.tables.foreign.contexts import category_feature, expanded, number_feature
from campaignrl.tables.foreign.mapping import ContextPart, CostPart, LogMapping, PropensityPart, RewardPart
from campaignrl.tables.foreign.repeated_rows import KEPT_ONCE, once_each, repeated_rows
from campaignrl.tables.log import DecisionLog, built, numbered, repeated

MICROSECONDS = 86_400_000_000  # in a day
NOT_IN_YET = "Write `[matured]` with `reward_given = true` in the mapping if a missing reward is not in yet."
MOST_COST = 2.0**53  # minor units; what is larger is no exact number


def foreign_log(
    path: Path, mapping: LogMapping, reward: str | None = None, *, encoding: str | None = None
) -> DecisionLog:
    """The decision log that `mapping` sees in the file; `reward` names one of its rewards (default: the first).

    encoding: of the file and of the tables beside it, where they are CSV and not UTF-8.
    """
    chosen = reward or next(iter(mapping.reward))
    if chosen not in mapping.reward:
        raise unknown("reward", chosen, mapping.reward, f"The rewards are named in {mapping.source}.")
    written = as_written(path, mapping, encoding)
    here = {"encoding": written.encoding, "separator": written.separator}
    present = column_names(path, **here)
    context = expanded(mapping.contexts, present, path)
    part = mapping.reward[chosen]
    needed = list(_own_columns(mapping, part))
    require_columns(path, [*needed, *context.numbers, *context.categories], present)
    table = read_table(path, list(dict.fromkeys([*needed, *context.numbers, *context.categories])), **here)
    with reading(path, written.encoding):
        table, commas = written.plain(table, [*_numbers_of(mapping, part), *context.numbers])
        found = (*written.found, *([f"decimal comma in {', '.join(commas)}"] if commas else []))
        facts = {"read_as": ", ".join(found)} if found else {}
        return _log(table, mapping, context, chosen, path, written.encoding, facts)


def _log(
    table: pa.Table,
    mapping: LogMapping,
    context: ContextPart,
    chosen: str,
    path: Path,
    encoding: str | None,
    facts: dict[str, Any],
) -> DecisionLog:
    where, rows_there = str(path), table.num_rows
    problems: list[Problem] = []
    if mapping.decision is not None:
        table, left_out, problems = once_each(table, mapping.decision.column, where)
        if left_out:
            facts, where = facts | {KEPT_ONCE: left_out}, f"{where}, {left_out:,} repeated rows not counted,"
    catalog, action, origin, strange = actions_of(table, mapping.action, path, encoding)
    problems = problems + strange
    blamed = {"action"} if strange else set()

    def take(result: Converted, part: str = "") -> npt.NDArray[Any]:
        problems.extend(result.problems)
        blamed.update([part] if result.problems else [])
        return result.values

    customers, customer = _customers(table, mapping)
    if mapping.whose is not None:
        nobody = (customers == "")[customer]
        problems += row_problems(nobody, mapping.whose.column, customers[customer], "a customer", "", where)
    time = _time(table, mapping, where)
    moment = take(time.moment)
    step = take(_steps(table, mapping, customer, moment, where))
    problems += row_problems(repeated(customer, step), "step", step, "used once by each customer", "", where)
    columns = [number_feature(table, name, context, where) for name in context.numbers]
    columns += [category_feature(table, name, where) for name in context.categories]
    values = {feature.name: take(result) for feature, result in columns}
    offered = _none_offered(mapping, action)
    part = mapping.reward[chosen]
    read = _reward(table, part, where)
    reward, missing = take(read, "reward"), np.isnan(read.values) & (not read.problems)
    reward, matured = _known_rewards(table, mapping, reward, missing, moment // time.per_day, where)
    if mapping.decision is None and mapping.whose is not None:
        facts = facts | repeated_rows(table, tuple(_reward_columns(part)), reward)
    rows: dict[str, Any] = {
        **{"customer": customer, "step": step, "day": moment // time.per_day, "action": action},
        "propensity": take(_known(table, mapping.propensity, catalog, action, mapping.source, where), "propensity"),
        "reward": reward,
        "cost": take(_known(table, mapping.cost, catalog, action, mapping.source, where)),
        "matured": take(matured, "reward"),
    }
    return built(
        problems,
        where,
        blamed,
        catalog=catalog,
        customers=customers,
        context=Context(FeatureSchema(tuple(feature for feature, _ in columns)), values),
        eligible=None if offered else _all_but_none(table.num_rows, len(catalog)),
        meta=_meta(mapping, chosen, origin, offered, path, rows_there) | facts,
        **rows,
    )


def _own_columns(mapping: LogMapping, reward: RewardPart) -> Iterator[str]:
    """Columns the mapping names outright, contexts apart."""
    action = mapping.action
    single = (mapping.whose, mapping.decision, mapping.step, mapping.time, mapping.matured)
    names = [action.column, action.offer_column, action.channel_column, *(p.column for p in single if p is not None)]
    yield from (name for name in (*names, mapping.propensity.column, mapping.cost.column) if name is not None)
    yield from _reward_columns(reward)


def _reward_columns(reward: RewardPart) -> Iterator[str]:
    yield from (reward.column,) if reward.column is not None else ()
    yield from reward.formula.columns if reward.formula else ()


def _numbers_of(mapping: LogMapping, reward: RewardPart) -> Iterator[str]:
    """Columns that are numbers, contexts apart."""
    texts = reward.formula.texts if reward.formula else ()
    names = (mapping.propensity.column, mapping.cost.column, *_reward_columns(reward))
    yield from (name for name in names if name is not None and name not in texts)


def _customers(table: pa.Table, mapping: LogMapping) -> tuple[npt.NDArray[np.object_], Int]:
    if mapping.whose is not None:
        return numbered(as_text(table[mapping.whose.column]))
    n = table.num_rows
    return np.arange(n).astype(str).astype(object), np.arange(n)


class _Time(NamedTuple):
    """(n,) whole moments, `per_day` of them a day."""

    moment: Converted
    per_day: int


def _time(table: pa.Table, mapping: LogMapping, where: str) -> _Time:
    """Days where the column holds whole numbers, else microseconds since 1970-01-01 UTC; all 0 without a column."""
    if mapping.time is None:
        return _Time(Converted(np.zeros(table.num_rows, dtype=np.int64), []), 1)
    name, column = mapping.time.column, table[mapping.time.column]
    if pa.types.is_integer(column.type) or _all_digits(column):
        return _Time(whole_numbers(column, name, where), 1)
    stamps = pd.to_datetime(pd.Series(column.to_pandas()), utc=True, format="ISO8601", errors="coerce")
    bad = stamps.isna().to_numpy()
    shown = as_text(column).to_numpy() if bad.any() else bad
    problems = row_problems(bad, name, shown, "a whole day or an ISO 8601 date or time", "", where)
    moment = stamps.fillna(pd.Timestamp(0, tz="UTC")).dt.as_unit("us").astype(np.int64).to_numpy()
    return _Time(Converted(moment, problems), MICROSECONDS)


def _all_digits(column: pa.ChunkedArray) -> bool:
    if not pa.types.is_string(column.type):
        return False
    return bool(pc.all(pc.match_substring_regex(column, r"^\s*-?[0-9]{1,9}\s*$"), min_count=0).as_py())


def _steps(table: pa.Table, mapping: LogMapping, customer: Int, moment: Int, where: str) -> Converted:
    """The step column, else each customer's rows counted in order of time, then of the file."""
    if mapping.step is not None:
        return whole_numbers(table[mapping.step.column], mapping.step.column, where)
    order = np.argsort(moment, kind="stable")
    step = np.empty(len(customer), dtype=np.int64)
    step[order] = pd.Series(customer[order]).groupby(customer[order]).cumcount().to_numpy()
    return Converted(step, [])


def _known(
    table: pa.Table, part: PropensityPart | CostPart, catalog: Catalog, action: Int, source: str, where: str
) -> Converted:
    """(n,) propensities (float64) or costs (int64): of a column, the same for all, or by action."""
    money = isinstance(part, CostPart)
    if part.column is not None and isinstance(part, CostPart) and part.scale > 1:
        return _minor_units(numbers(table[part.column], part.column, where), part, where)
    if part.column is not None:
        return (whole_numbers if money else numbers)(table[part.column], part.column, where)
    if isinstance(part, PropensityPart) and part.estimate:  # shares, until an evaluation estimates them by context
        share = np.bincount(action, minlength=len(catalog)) / max(len(action), 1)
        return Converted(share[action], [])
    dtype = np.int64 if money else np.float64
    if part.per_action is None:
        return Converted(np.full(len(action), part.constant, dtype=dtype), [])
    place = f"{source} [{'cost' if money else 'propensity'}.per_action]"
    strange = [name for name in part.per_action if name not in catalog.names]
    if strange:
        raise SpecError([Problem(place, "action", n, "in the catalog", nearest(n, catalog.names)) for n in strange])
    missing = [name for i, name in enumerate(catalog.names) if name not in part.per_action and (action == i).any()]
    if missing:
        raise SpecError([Problem(place, "action", name, "given a value", "Add it.") for name in missing])
    of_action = np.array([part.per_action.get(name, 0) for name in catalog.names], dtype=dtype)
    return Converted(of_action[action], [])


def _minor_units(found: Converted, part: CostPart, where: str) -> Converted:
    """(n,) int64 from amounts of which one is `scale` minor units."""
    amount = found.values * part.scale
    bad = ~np.isfinite(amount) | (np.abs(amount) > MOST_COST)
    missing = bad if not found.problems else np.zeros(len(bad), dtype=bool)
    problems = row_problems(missing, part.column or "cost", found.values, "an amount of money", "", where)
    return Converted(np.round(np.where(bad, 0.0, amount)).astype(np.int64), found.problems + problems)


def _known_rewards(
    table: pa.Table, mapping: LogMapping, reward: npt.NDArray[Any], missing: Bool, day: Int, where: str
) -> tuple[npt.NDArray[Any], Converted]:
    """(n,) rewards, 0 where they are not in yet, and which rows' outcomes are known. missing: rows without one."""
    part = mapping.matured
    if part is None:
        gaps = row_problems(missing, "reward", reward, "a finite number", NOT_IN_YET, where)
        return reward, Converted(np.ones(len(reward), dtype=bool), gaps)
    known = np.ones(len(reward), dtype=bool)
    problems: list[Problem] = []
    if part.column is not None:
        column, _ = plain_numbers(table[part.column], ".")
        known, problems = truths(column, part.column, where)
    if part.after_days is not None and len(day):
        known = known & (day <= day.max() - part.after_days)
    if part.reward_given:
        known = known & ~missing
    return np.where(known, reward, 0.0), Converted(known, problems)


def _reward(table: pa.Table, part: RewardPart, where: str) -> Converted:
    if part.column is not None:
        return numbers(table[part.column], part.column, where)
    formula = compile_expression(part.expression or "", where)
    columns = {name: numbers(table[name], name, where) for name in formula.columns if name not in formula.texts}
    values: dict[str, Any] = {name: result.values for name, result in columns.items()}
    values |= {n: pc.utf8_trim_whitespace(as_text(table[n])).to_numpy() for n in formula.texts}
    value = formula.of(values)
    return Converted(value, [p for result in columns.values() for p in result.problems])


def _none_offered(mapping: LogMapping, action: Int) -> bool:
    """Whether the logging policy could do nothing: as the mapping says, else if it ever names or shows it."""
    said = mapping.action.none_offered
    named = NONE_NAME in (mapping.action.values or {}).values()
    return bool(named or (action == NONE).any()) if said is None else said


def _all_but_none(n: int, k: int) -> npt.NDArray[np.bool_]:
    """(n, k) mask, a read-only view of one row."""
    return np.broadcast_to(np.arange(k) != NONE, (n, k))


def _meta(
    mapping: LogMapping, reward: str, actions_from: str, none_offered: bool, path: Path, rows: int
) -> dict[str, Any]:
    part = mapping.propensity
    source = "estimate" if part.estimate else f"column {part.column}" if part.column else "per action"
    source = f"constant {part.constant:.6g}" if part.constant is not None else source
    return {
        "policy_id": mapping.policy_id,
        "source": path.name,
        "mapping": mapping.source,
        "actions_from": actions_from,
        "none_offered": none_offered,
        "propensity_from": source,
        "reward": reward,
        "reward_unit": mapping.reward[reward].unit or reward,
        **({"currency": mapping.currency} if mapping.currency else {}),
        **_whose(mapping, path, rows),
        **({"day_zero": "1970-01-01"} if mapping.time is not None else {}),
    }


def _whose(mapping: LogMapping, path: Path, rows: int) -> dict[str, str]:
    if mapping.customer is not None:
        return {}
    said = f"each of {rows} rows" if mapping.cluster is None else f"each {mapping.cluster.column}"
    return {"customers_from": f"{said} of {path.name}"}
