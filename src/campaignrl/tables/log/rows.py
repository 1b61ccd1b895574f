"""Columns of a file -> DecisionLog: every promise of the contract checked, all bad rows reported at once.

Not here: the file (files.py), how columns are laid out (columns.py), tables of other people (log.py).
n rows, k actions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from campaignrl.actions import Catalog
from campaignrl.arrays import Bool, Int
from campaignrl.errors import SHOWN, DataError, Problem, nearest
from campaignrl.features import UNKNOWN, Context, Feature, FeatureSchema
from campaignrl.tables.files import (
    ROW_GROUP,
    Converted,
    as_text,
    category_codes,
    days,
    numbers,
    require_columns,
    row_problems,
    truths,
    whole_numbers,
)
from campaignrl.tables.log.columns import OPTIONAL, RESERVED, context_column
from campaignrl.tables.log.decision_log import DecisionLog, repeated


class Facts(NamedTuple):
    """What the file says about its rows as a whole."""

    catalog: Catalog
    features: FeatureSchema
    meta: dict[str, Any]


def log_from(table: pa.Table, facts: Facts, where: str) -> DecisionLog:
    """The decision log of a table; DataError with the row numbers of everything that is wrong."""
    _require(table, facts, where)
    catalog, problems = facts.catalog, []
    customers, customer = numbered(as_text(table["customer_id"]))
    action, found = _action(table, catalog, where)
    problems += found

    def take(result: Converted) -> npt.NDArray[Any]:
        problems.extend(result.problems)
        return result.values

    step = take(whole_numbers(table["step"], "step", where))
    columns = {f.name: take(feature_values(table, f, where)) for f in facts.features.features}
    eligible = (
        take(eligible_masks(table["eligible"], len(catalog), where)) if "eligible" in table.column_names else None
    )
    body: dict[str, Any] = {
        "day": take(days(table["ts"], "ts", where)),
        "propensity": take(numbers(table["propensity"], "propensity", where)),
        "reward": take(numbers(table["reward"], "reward", where)),
        "cost": take(whole_numbers(table["cost"], "cost", where)),
        "matured": take(truths(table["matured"], "matured", where)),
        "wave": take(whole_numbers(table["wave"], "wave", where)) if "wave" in table.column_names else None,
    }
    problems += _row_facts(table, facts, customer, step, where)
    context = Context(facts.features, columns)
    blamed = {p.field for p in problems}
    blamed |= {"action"} if blamed & {"offer", "channel"} else set()  # it is made of them
    return built(
        problems,
        where,
        blamed,
        **{"catalog": catalog, "customers": customers, "customer": customer, "step": step, "context": context},
        **{"action": action, "eligible": eligible, "meta": facts.meta, **body},
    )


def built(problems: list[Problem], where: str, blamed: Iterable[str], /, **parts: Any) -> DecisionLog:
    """DecisionLog(**parts), unless it or `problems` finds fault: then one DataError with everything.

    Fields that are `blamed` in `problems` already are not complained of twice.
    """
    try:
        log = DecisionLog(**parts)
    except DataError as wrong:
        own = (p for p in wrong.problems if p.field not in blamed)
        problems = problems + [p._replace(where=p.where.replace("decision log", where, 1)) for p in own]
    if problems:
        raise DataError(problems)
    return log


def numbered(texts: pa.ChunkedArray) -> tuple[npt.NDArray[np.object_], Int]:
    """The distinct texts in order of their first row, and (n,) index into them."""
    coded = pa.chunked_array(texts.chunks, pa.string()).combine_chunks().dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    names: npt.NDArray[np.object_] = np.array([*coded.dictionary.to_pylist(), None], dtype=object)[:-1]
    return names, coded.indices.to_numpy().astype(np.int64)


def _require(table: pa.Table, facts: Facts, where: str) -> None:
    named = tuple(facts.catalog.dimensions) if "action" not in table.column_names else ("action",)
    own = [c for c in RESERVED if c not in (*OPTIONAL, "action", *facts.catalog.dimensions)]
    features = [context_column(name) for name in facts.features.names]
    if len(set(named) & set(table.column_names)) < len(named):
        named = ("action",)
    require_columns(where, [*own, *named, *features], table.column_names)


def _action(table: pa.Table, catalog: Catalog, where: str) -> tuple[Int, list[Problem]]:
    """(n,) action ids, from ids or from offer, channel and further dimensions; where a file has both, they agree."""
    problems: list[Problem] = []
    codes = {}
    for name, (known, _) in catalog.dimensions.items():
        if name in table.column_names:
            texts = as_text(table[name])
            codes[name] = category_codes(texts, known)
            named = np.where(_truth(pc.equal(texts, "")), 0, codes[name])  # `none` has neither
            problems += unknown_names(texts, named, name, known, where, f"a known {name}")
    if "action" in table.column_names:
        action, bad = whole_numbers(table["action"], "action", where)
        return action, problems + (bad or _disagreements(action, codes, catalog, where))
    action = _made_of(codes, catalog)
    if not problems and (action == UNKNOWN).any():
        texts = [as_text(table[name]) for name in catalog.dimensions]
        words = pc.binary_join_element_wise(*texts[:2], "@")
        words = pc.binary_join_element_wise(words, *texts[2:], "/").to_numpy()
        problems = row_problems(action == UNKNOWN, "action", words, "an offer on a channel of the catalog", "", where)
    return action, problems


def _made_of(codes: dict[str, Any], catalog: Catalog) -> Int:
    """(n,) the action made of these, UNKNOWN where the catalog has none."""
    named = catalog.dimensions
    table = np.full([len(names) + 1 for names, _ in named.values()], UNKNOWN, dtype=np.int64)
    table[tuple(of for _, of in named.values())] = np.arange(len(catalog))  # -1, without, is the last of each axis
    action: Int = table[tuple(codes[name] for name in named)]
    return action


def unknown_names(
    texts: pa.ChunkedArray, codes: Int, name: str, known: Sequence[str], where: str, allowed: str
) -> list[Problem]:
    """One problem per distinct text whose code is UNKNOWN, with its rows."""
    lost = np.flatnonzero(codes == UNKNOWN)
    words = np.array([*texts.take(pa.array(lost)).to_pylist(), None], dtype=object)[:-1]
    problems = []
    distinct = sorted(set(words))
    for word in distinct[:SHOWN]:
        bad = np.zeros(len(codes), dtype=bool)
        bad[lost[words == word]] = True
        problems += row_problems(bad, name, np.full(len(bad), word, dtype=object), allowed, nearest(word, known), where)
    if len(distinct) > SHOWN:
        problems.append(Problem(where, name, f"{len(distinct) - SHOWN} more values", allowed))
    return problems


def _truth(column: pa.ChunkedArray) -> Bool:
    flags: Bool = column.to_numpy()
    return flags


def _disagreements(action: Int, codes: dict[str, Any], catalog: Catalog, where: str) -> list[Problem]:
    known = (action >= 0) & (action < len(catalog))
    safe = np.where(known, action, 0)
    problems: list[Problem] = []
    for name, (_, of) in catalog.dimensions.items():
        if name in codes:
            wrong = known & (codes[name] != of[safe])
            problems += row_problems(wrong, "action", action, f"an action with the {name} of its row", "", where)
    return problems


def feature_values(table: pa.Table, feature: Feature, where: str) -> Converted:
    """(n,) values of one feature: a number's own, a category's codes."""
    column = table[context_column(feature.name)]
    if not feature.levels:
        values, problems = numbers(column, feature.name, where)
        return Converted(values.astype(np.float32) if column.type == pa.float32() else values, problems)
    return Converted(category_codes(as_text(column), feature.levels), [])


def eligible_masks(column: pa.ChunkedArray, k: int, where: str) -> Converted:
    """(n, k) mask from lists of ids, or from ids with blanks between them; a missing list means all."""
    mask: Bool = np.zeros((len(column), k), dtype=bool)
    strange = np.zeros(len(column), dtype=bool)
    for start in range(0, len(column), ROW_GROUP):
        piece = column.slice(start, ROW_GROUP).combine_chunks()
        _fill(piece, mask[start : start + ROW_GROUP], strange[start : start + ROW_GROUP])
    shown = np.full(len(column), None, dtype=object)
    for row in np.flatnonzero(strange)[:1]:
        shown[row] = column[int(row)].as_py()
    return Converted(
        mask, row_problems(strange, "eligible", shown, f"a list of action ids from 0 to {k - 1}", "", where)
    )


def _fill(lists: pa.Array, mask: Bool, strange: Bool) -> None:
    """Set `mask` (n, k) where the lists say so, and `strange` (n,) where a list holds what is no id."""
    if pa.types.is_string(lists.type):
        trimmed = pc.utf8_trim_whitespace(lists)
        lists = pc.split_pattern_regex(pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed), r"\s+")
    missing = lists.is_null().to_numpy(zero_copy_only=False)
    lengths = lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    row = np.repeat(np.arange(len(lists)), lengths)
    ids = _ids(lists.flatten())  # without what null lists may hide
    good = (ids >= 0) & (ids < mask.shape[1])
    if not good.all():
        strange[row[~good]] = True
        row, ids = row[good], ids[good]
    mask.reshape(-1)[row * mask.shape[1] + ids] = True
    mask[missing] = True


def _ids(values: pa.Array) -> Int:
    """Action ids; what is not one becomes UNKNOWN."""
    try:
        whole = values if pa.types.is_integer(values.type) else values.cast(pa.int64())
        ids: Int = whole.fill_null(UNKNOWN).to_numpy(zero_copy_only=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        words = [str(v) for v in values.to_pylist()]
        return np.array([int(w) if w.isascii() and w.isdigit() else UNKNOWN for w in words], dtype=np.int64)
    return ids


def _row_facts(table: pa.Table, facts: Facts, customer: Int, step: Int, where: str) -> list[Problem]:
    """Decisions that come twice, and rows that belong to another catalog or policy than the file."""
    problems = []
    for name in ("customer_id", "decision_id"):
        missing = _truth(table[name].is_null())
        problems += row_problems(missing, name, np.full(len(missing), None, dtype=object), "given", "", where)
    ids = as_text(table["decision_id"])
    _, at = numbered(ids)
    twice = repeated(at, np.zeros(len(at), dtype=np.int64))
    texts = ids.to_numpy() if twice.any() else at
    problems += row_problems(twice, "decision_id", texts, "used once", "", where)
    problems += row_problems(repeated(customer, step) & ~twice, "step", step, "used once by each customer", "", where)
    policy = str(facts.meta.get("policy_id", "unknown"))
    for name, right, what in (
        ("catalog_hash", facts.catalog.hash, "the catalog of the file"),
        ("policy_id", policy, "the policy of the file"),
    ):
        texts = as_text(table[name])
        other = pc.not_equal(texts, right).to_numpy()
        if other.any():
            problems += row_problems(other, name, texts.to_numpy(), f"{right!r}, {what}", "", where)
    return problems
