"""A Parquet decision log read a piece at a time, in bounded memory, with the promises of the contract kept in each.

A sum over a customer can only be made in passing if the customer's rows stand together, as `simulate` writes them:
so here rows of a customer must follow each other, with ascending steps. A piece that breaks any rule is read again
with all its columns by rows.py, which says what is wrong with which rows. Decision ids are not read: an id stands
for a customer's step, and no step comes twice where they ascend.
Here: pieces as decision logs. Not here: joining a customer's rows across pieces (ope/streaming/sums.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from campaignrl.arrays import Array
from campaignrl.errors import DataError, Problem, UsageError
from campaignrl.features import UNKNOWN, Context, Feature
from campaignrl.tables.files import (
    ROW_GROUP,
    Converted,
    as_text,
    category_codes,
    days,
    is_parquet,
    numbers,
    parquet_file,
    reading,
    require_columns,
    row_problems,
    truths,
    whole_numbers,
)
from campaignrl.tables.log.columns import context_column
from campaignrl.tables.log.decision_log import DecisionLog
from campaignrl.tables.log.files import facts_of
from campaignrl.tables.log.rows import Facts, eligible_masks, feature_values, log_from

READ = ("customer_id", "step", "action", "propensity", "reward", "matured")
READ_IF_THERE = ("eligible", "ts", "wave", "offer", "channel", "creative", "slot", "policy_id", "catalog_hash")
ONE_VALUE = ("policy_id", "catalog_hash")


class LogStream(NamedTuple):
    """A log that stays on disk."""

    path: Path
    facts: Facts
    rows: int
    groups: tuple[int, ...]  # rows of each row group; the unit of work
    columns: tuple[str, ...]  # read
    texts: tuple[str, ...]  # of these, what comes as codes and a dictionary


class LogInMemory(NamedTuple):
    """A log that is held already, to be gone through in the same pieces."""

    log: DecisionLog
    path: str = "decision log"

    @property
    def facts(self) -> Facts:
        """What holds of all rows."""
        return Facts(self.log.catalog, self.log.context.schema, self.log.meta)

    @property
    def rows(self) -> int:
        """How many."""
        return len(self.log)

    @property
    def groups(self) -> tuple[int, ...]:
        """Rows of each piece."""
        return tuple(min(ROW_GROUP, self.rows - start) for start in range(0, self.rows, ROW_GROUP))


class Piece(NamedTuple):
    """Some consecutive rows. Cost is not read and stands as 0."""

    log: DecisionLog
    first: int  # number of its first row in the file
    starts: Array  # (C,) rows within the piece at which the next customer begins


def open_log(path: str | Path) -> LogStream:
    """Read what the file says of itself; no row yet."""
    source = Path(path)
    if not is_parquet(source):
        raise UsageError(f"{source}: only Parquet can be read a piece at a time; evaluate it without --stream.")
    facts, rows = facts_of(source)
    with reading(source), parquet_file(source) as file:
        present = file.schema_arrow.names
        groups = tuple(file.metadata.row_group(g).num_rows for g in range(file.num_row_groups))
    if sum(groups) != rows:
        raise DataError(Problem(str(source), "rows", sum(groups), f"the {rows} that were written"))
    features = facts.features.features
    own = [context_column(f.name) for f in features]
    require_columns(source, [*READ, *own], present)
    columns = (*READ, *own, *(name for name in READ_IF_THERE if name in present))
    categories = [context_column(f.name) for f in features if f.levels]
    texts = [name for name in ("customer_id", *facts.catalog.dimensions, *ONE_VALUE, *categories) if name in columns]
    return LogStream(source, facts, rows, groups, columns, tuple(texts))


def pieces(stream: LogStream | LogInMemory, group: int, masks: bool = True) -> Iterator[Piece]:
    """The rows of one row group in order, at most ROW_GROUP at a time; DataError with all that is wrong with some.

    masks: False leaves what was eligible in the file, unread and unchecked, for who does not ask.
    """
    first = sum(stream.groups[:group])
    if isinstance(stream, LogInMemory):
        log = stream.log.take(slice(first, first + stream.groups[group]))
        starts = starts_of(log.customer)
        yield Piece(_in_order(log, starts, f"rows counted from {first:,}: decision log"), first, starts)
        return
    with (
        reading(stream.path),
        parquet_file(stream.path, codes=stream.texts) as file,
    ):
        columns = [name for name in stream.columns if masks or name != "eligible"]
        for batch in file.iter_batches(ROW_GROUP, [group], columns, use_threads=False):
            yield _piece(stream, pa.Table.from_batches([batch]), group, first)
            first += len(batch)


def starts_of(customer: Array) -> Array:
    """(C,) rows at which another customer than in the row before begins."""
    begins = np.ones(len(customer), dtype=bool)
    np.not_equal(customer[1:], customer[:-1], out=begins[1:])
    return np.arange(len(begins)) if begins.all() else np.flatnonzero(begins)


def _piece(stream: LogStream, table: pa.Table, group: int, first: int) -> Piece:
    where = f"{stream.path}, rows counted from {first:,}: decision log"
    try:
        log, sound = _log(table, stream.facts, where)
    except DataError:
        log, sound = None, False
    if log is None or not sound:
        _say_what_is_wrong(stream, group, first, len(table), where)
    assert log is not None
    starts = starts_of(log.customer)
    return Piece(_in_order(log, starts, where), first, starts)


def _log(table: pa.Table, facts: Facts, where: str) -> tuple[DecisionLog | None, bool]:
    """The log of a piece, and whether nothing is wrong with it."""
    catalog, wrong = facts.catalog, []

    def take(result: Converted) -> Array:
        wrong.extend(result.problems)
        return result.values

    ids, customer = _coded(table["customer_id"])
    action = take(whole_numbers(table["action"], "action", where))
    rows = len(table)
    names = ids.to_numpy(zero_copy_only=False)
    columns = {f.name: _feature(table, f, where, take) for f in facts.features.features}
    log = DecisionLog(
        catalog=catalog,
        customers=names.astype(object, copy=False),
        customer=customer,
        step=take(whole_numbers(table["step"], "step", where)),
        day=take(days(table["ts"], "ts", where)) if "ts" in table.column_names else np.zeros(rows, dtype=np.int8),
        context=Context(facts.features, columns),
        action=action,
        propensity=take(numbers(table["propensity"], "propensity", where)),
        reward=take(numbers(table["reward"], "reward", where)),
        cost=np.zeros(rows, dtype=np.int8),
        matured=take(truths(table["matured"], "matured", where)),
        eligible=take(eligible_masks(table["eligible"], len(catalog), where))
        if "eligible" in table.column_names
        else None,
        wave=take(whole_numbers(table["wave"], "wave", where)) if "wave" in table.column_names else None,
        meta=facts.meta,
    )
    return log, not wrong and rows > 0 and int(customer.min()) >= 0 and _agrees(table, facts, log.action)


def _feature(table: pa.Table, feature: Feature, where: str, take: Any) -> Array:
    if feature.levels:
        return _codes(table[context_column(feature.name)], feature.levels)
    values: Array = take(feature_values(table, feature, where))
    return values


def _agrees(table: pa.Table, facts: Facts, action: Array) -> bool:
    """Whether what the file says more than once is said alike: offer and channel, the catalog, the policy."""
    catalog = facts.catalog
    expected = {"policy_id": str(facts.meta.get("policy_id", "unknown")), "catalog_hash": catalog.hash}
    alike = [
        bool((_codes(table[name], [expected[name]]) == 0).all()) for name in ONE_VALUE if name in table.column_names
    ]
    for name, (known, of) in catalog.dimensions.items():
        if name in table.column_names:
            alike.append(bool((_codes(table[name], known) == of[action]).all()))
    return all(alike)


def _coded(column: pa.ChunkedArray) -> tuple[pa.Array, Array]:
    """The distinct texts of a column and (n,) index into them, -1 where missing."""
    if not pa.types.is_dictionary(column.type):
        column = as_text(column).dictionary_encode()
    one = column.chunk(0) if column.num_chunks == 1 else column.unify_dictionaries().combine_chunks()
    return one.dictionary.cast(pa.string()), one.indices.fill_null(-1).to_numpy()


def _codes(column: pa.ChunkedArray, known: Sequence[str]) -> Array:
    """(n,) code of each text among `known`, UNKNOWN where it is missing or not one of them."""
    words, index = _coded(column)
    of = np.append(category_codes(pa.chunked_array([words]), known), UNKNOWN)
    found: Array = of[index]  # -1, missing, is the last
    return found


def _in_order(log: DecisionLog, starts: Array, where: str) -> DecisionLog:
    """The same log, unless a customer's rows are apart or steps do not ascend."""
    begun = log.customer if len(starts) == len(log) else log.customer[starts]
    apart, back = (np.zeros(len(log), dtype=bool) for _ in range(2))
    if not (begun[1:] > begun[:-1]).all():  # ascending numbers cannot come twice
        _, once = np.unique(begun, return_index=True)
        apart[np.delete(starts, once)] = True
    if len(starts) < len(log):
        np.less_equal(log.step[1:], log.step[:-1], out=back[1:])
        back[starts] = False
    fix = "Sort the log by customer_id and step, or evaluate it without --stream."
    ids = log.customers[log.customer] if apart.any() else log.step
    problems = row_problems(apart, "customer_id", ids, "next to the customer's other rows", fix, where)
    problems += row_problems(back, "step", log.step, "above the customer's step before", fix, where)
    if problems:
        raise DataError(problems)
    return log


def _say_what_is_wrong(stream: LogStream, group: int, first: int, rows: int, where: str) -> None:
    """Read the same rows with all columns by the book, which raises."""
    with parquet_file(stream.path) as file:
        start = first - sum(stream.groups[:group])
        log_from(file.read_row_group(group).slice(start, rows), stream.facts, where.removesuffix(": decision log"))
    raise DataError(f"{where} is damaged. Write the log again.")
