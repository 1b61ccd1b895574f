"""A run in shards as its workers know it: which rows are whose, what holds of all, and where everything lies.

A job is small and travels to every worker; what is big lies in the run's folder. Not here: the steps (steps.py).
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa

from campaignrl.errors import UsageError
from campaignrl.guard import cap_windows, rule_columns
from campaignrl.ledger import EPOCH, Ledger
from campaignrl.policies import Policy
from campaignrl.send.ledger_run import LedgerStart, start
from campaignrl.send.limits import Cuts
from campaignrl.send.plans import Before, before
from campaignrl.send.shards.work_folder import WorkFolder
from campaignrl.send.stages import Run
from campaignrl.send.value_plan import Terms
from campaignrl.specs import World
from campaignrl.tables import ID, Listed, contact_column
from campaignrl.tables.files import parquet_file, reading

T = TypeVar("T")

SUPPRESSED = "suppressed"
SHARD = 32_768  # customers; what one worker holds at a time


@dataclass(frozen=True)
class Shard:
    """Consecutive rows of the customers. first: the number of its first row."""

    index: int
    first: int
    rows: int

    @property
    def places(self) -> slice:
        """Its rows among all."""
        return slice(self.first, self.first + self.rows)


class Reading(NamedTuple):
    """Row groups that are read together, and the shards that they are cut into."""

    groups: tuple[int, ...]
    shards: tuple[Shard, ...]


@dataclass(frozen=True)
class Job:
    """What holds of all shards.

    Attributes:
        folder, source: where the shards' files and the customers lie.
        policy, world, day: of the run.
        listed, list_file: the suppression list, and what it lies in, of which no other one has the name.
        ledger, versions: of the campaign, and how its tables stood; None: none.
        run: what is known once all were looked at; None: before that.
        name: of the run in the ledger; "" without one.
        asked: earlier names of customers by which others of the table are called.
        marked: whether who stands for an address lies in the folder.
        repeated: whether what the run decided before lies in the folder.
        shared: what is scarce, as it was shared; a plan's actions lie in the folder.
        made: which endings the files of the run have, by what they are: sends, log.
        quoted: whether texts of the send list are.
    """

    folder: WorkFolder
    source: Path
    policy: Policy
    world: World
    day: datetime.date
    listed: Listed
    ledger: Ledger | None
    versions: tuple[int, ...]
    made: Mapping[str, str]
    list_file: str = ""
    run: Run | None = None
    name: str = ""
    asked: tuple[str, ...] = ()
    marked: bool = False
    repeated: bool = False
    shared: Cuts | Terms | None = None
    quoted: bool = False

    def start(self) -> LedgerStart | None:
        """What the ledger holds of everybody, read once by every worker."""
        return self._once("start", self._start)

    def before(self) -> Before | None:
        """The run before, read once by every worker."""
        return self._once("before", self._before)

    def _once(self, kind: str, read: Callable[[], T]) -> T | None:
        """What was read of the ledger as it stood; of each kind a process keeps the last."""
        if self.ledger is None:
            return None
        aliases = hash(frozenset(self.ledger.aliases.items()))
        names = (self.ledger.folder, self.ledger.salt, self.versions, aliases, self.day, self.name)
        if kind not in _READ or _READ[kind][0] != names:
            _READ[kind] = names, read()
        found: T = _READ[kind][1]
        return found

    def _start(self) -> LedgerStart:
        assert self.ledger is not None
        return start(self.ledger, self.world, self.day, self.name)

    def _before(self) -> Before | None:
        assert self.ledger is not None
        return before(self.ledger, (self.day - EPOCH).days, len(self.world.catalog))


_READ: dict[str, tuple[tuple[Any, ...], Any]] = {}


def is_typed(source: Path, world: World) -> bool:
    """Whether each cell of a Parquet can be read without the others: no numbers as text, no texts as fractions."""
    with reading(source), parquet_file(source) as file:
        kinds = {field.name: field.type for field in file.schema_arrow}
    numbers = {feature.name for feature in world.features.features if not feature.levels}
    numbers |= {contact_column(window) for window in cap_windows(world)}
    numbers |= {column.name for column in rule_columns(world) if column.kind in ("count", "depth", "consent")}
    words = {f.name for f in world.features.features if f.levels} | {ID, SUPPRESSED}
    words |= {column.name for column in rule_columns(world)} - numbers
    typed = all(not _is_text(kinds[name]) for name in numbers & kinds.keys())
    return typed and not any(pa.types.is_floating(kinds[name]) for name in words & kinds.keys())


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def readings_of(source: Path, rows: int = SHARD) -> list[Reading]:
    """The shards of a Parquet file, of at most so many customers, in the order of its rows.

    Raises:
        UsageError: a shard of less than one customer is asked for.
    """
    if rows < 1:
        raise UsageError(f"shards of {rows} customers: give at least 1.")
    with reading(source), parquet_file(source) as file:
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    found, first, index = list[Reading](), 0, 0
    for groups in _together(sizes, rows):
        many = sum(sizes[group] for group in groups)
        shards = tuple(Shard(index + i, first + at, min(rows, many - at)) for i, at in enumerate(range(0, many, rows)))
        found.append(Reading(groups, shards))
        first, index = first + many, index + len(shards)
    return found


def _together(sizes: list[int], rows: int) -> Iterator[tuple[int, ...]]:
    """Neighbouring row groups as long as they fill no more than one shard."""
    some = list[int]()
    for group, size in enumerate(sizes):
        if some and sum(sizes[one] for one in some) + size > rows:
            yield tuple(some)
            some = []
        if size:
            some.append(group)
    if some:
        yield tuple(some)
