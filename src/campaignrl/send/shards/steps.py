"""What is done to one shard of customers: looked at, offered something, told. Pure functions of a job and a shard.

Each reads what it needs from the run's folder and leaves files there, whole or not at all; done twice, by whomever, it
leaves the same (but for the salts of a ledger's rows, which are random). Not here: what is made of all shards together
(between.py), who calls these functions (engines.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from campaignrl import rng
from campaignrl.arrays import UInt64
from campaignrl.errors import DataError, Problem
from campaignrl.guard import ADDRESS, cap_windows, rule_columns
from campaignrl.ledger import EPOCH, sealed
from campaignrl.send.customers import without_contacts
from campaignrl.send.decisions import Decisions
from campaignrl.send.draw import Drawn
from campaignrl.send.facts import SHARES, stale_rows
from campaignrl.send.ledger_run import LedgerRun, count_in, decided_before, rows_of
from campaignrl.send.plans import figures_of
from campaignrl.send.shards.arrays_file import read_arrays, read_arrow, read_note, write_arrays, write_arrow
from campaignrl.send.shards.customers_file import KEYS, arrays_of, table_of
from campaignrl.send.shards.job import Job, Reading, Shard
from campaignrl.send.stages import Offered, offer, tell, wanted
from campaignrl.send.value_plan import Terms, Wishes
from campaignrl.tables import CustomerTable, Known, same_spelling
from campaignrl.tables import read_customers as read_table
from campaignrl.tables.files import csv_bytes, needs_quotes, parquet_file, reading, write_whole
from campaignrl.tables.log import log_rows

LOOKED, OFFERED, TOLD, SENDS, ROWS, LOG = "looked", "offered", "told", "sends", "rows", "log"
MARKS, PLAN, BEFORE = "marks.arrow", "plan.arrow", "before"
ON_LIST, BARRED, WANTED = "on list", "barred", "wanted"


def look(job: Job, part: Reading) -> list[Problem]:
    """Read some row groups, check them, and keep each of their shards; what is wrong, where something is."""
    if all(job.folder.has(LOOKED, shard.index) for shard in part.shards):
        return []
    wrong, shards, rest = list[Problem](), list(part.shards), list[pa.RecordBatch]()
    for batch in _batches(job, part):
        rest.append(batch)
        while shards and sum(map(len, rest)) >= shards[0].rows:
            table = pa.Table.from_batches(rest)
            wrong += _look(job, shards[0], table.slice(0, shards[0].rows))
            rest = table.slice(shards.pop(0).rows).to_batches()
    return wrong


def _batches(job: Job, part: Reading) -> Iterator[pa.RecordBatch]:
    """The rows of some row groups, at most a shard at a time."""
    with reading(job.source), parquet_file(job.source) as file:
        yield from file.iter_batches(part.shards[0].rows, list(part.groups), use_threads=False)


def _look(job: Job, shard: Shard, rows: pa.Table) -> list[Problem]:
    try:
        table = _read(job, rows, f"{job.source}, rows counted from {shard.first:,}: customers")
    except DataError as wrong:
        return list(wrong.problems)
    found = {**arrays_of(table), KEYS: rng.customer_keys(table.ids)}
    if job.listed.size:
        place = pd.Index(_listed(job.folder.path / job.list_file)).get_indexer(pd.Index(same_spelling(table.ids)))
        on = place >= 0
        table = replace(table, suppressed=on if table.suppressed is None else table.suppressed | on)
        found |= {**arrays_of(table), ON_LIST: place}
    stale = stale_rows(table, job.world, (job.day - EPOCH).days)
    if ADDRESS in table.known:
        started = job.start()
        counted = table if started is None else count_in(started, table, job.world, job.day).customers
        found |= {} if counted.suppressed is None else {BARRED: counted.suppressed}
    note = {"notes": table.notes, "stale": -1 if stale is None else int(stale.sum())}
    write_arrays(job.folder.file(LOOKED, shard.index), found, note)
    pa.default_memory_pool().release_unused()
    return []


def _read(job: Job, rows: pa.Table, where: str) -> CustomerTable:
    world = job.world
    rows = rows if job.ledger is None else without_contacts(rows, world)
    rules, windows = rule_columns(world), cap_windows(world)
    return read_table(rows, world.features, list(world.channels), windows, rules=rules, where=where, all_notes=True)


@lru_cache(maxsize=1)
def _listed(path: Path) -> npt.NDArray[np.object_]:
    return read_arrays(path)["ids"]


class Present(NamedTuple):
    """A shard's customers as the run sees them."""

    table: CustomerTable
    keys: UInt64
    begun: LedgerRun | None


def customers_of(job: Job, shard: Shard) -> Present:
    """The customers of a shard, with what the ledger counts in and who stands for their addresses."""
    table, begun = shard_table(job, shard), None
    keys = read_arrays(job.folder.file(LOOKED, shard.index), [KEYS])[KEYS]
    started = job.start()
    if started is not None:
        begun = count_in(started, table, job.world, job.day, job.asked)
        table = begun.customers
    if job.marked:
        marks = {name: values[shard.places] for name, values in read_arrays(job.folder.path / MARKS).items()}
        known = {**table.known, SHARES: Known("consent", marks[SHARES])}
        table = replace(table, known=known, suppressed=marks.get(BARRED, table.suppressed))
    return Present(table, keys, begun)


def make_offer(job: Job, shard: Shard) -> int:
    """Guard, policy and draw of a shard; how many customers."""
    path = job.folder.file(OFFERED, shard.index)
    if not path.exists():
        assert job.run is not None
        table, keys, begun = customers_of(job, shard)
        offered = offer(job.run, table, keys, None if begun is None else begun.standing.decided_today)
        arrays = {**offered.drawn.__dict__, WANTED: wanted(offered).astype(np.int16)}
        gains = {} if offered.wishes is None else offered.wishes._asdict()
        write_arrays(path, arrays | gains)
        pa.default_memory_pool().release_unused()
    return shard.rows


def offered_of(job: Job, shard: Shard) -> Offered:
    """What `make_offer` left."""
    arrays = read_arrays(job.folder.file(OFFERED, shard.index))
    drawn = Drawn(**{name: arrays[name] for name in Drawn.__dataclass_fields__})
    wishes = Wishes(arrays["gains"], arrays["tried"]) if "gains" in arrays else None
    return Offered(drawn, wishes)


def decisions_of(job: Job, shard: Shard, first: int | None = None) -> tuple[Decisions, LedgerRun | None]:
    """The decisions on a shard; first: on so many of its customers alone."""
    assert job.run is not None
    (table, keys, begun), offered, shared = customers_of(job, shard), offered_of(job, shard), job.shared
    if isinstance(shared, Terms):
        action = read_arrays(job.folder.path / PLAN)["action"][shard.places].astype(np.int64)
        shared = shared._replace(plan=replace(shared.plan, action=action))
    if first is not None:
        some = slice(0, first)
        table, keys, offered = table.take(some), keys[some], _some(offered, some)
        if isinstance(shared, Terms):
            shared = shared._replace(plan=replace(shared.plan, action=shared.plan.action[some]))
    found = replace(tell(job.run, table, keys, offered, shared), run=job.name)
    if begun is not None:
        found = replace(found, barred_today=begun.barred_today)
    if job.repeated and first is None:
        found = decided_before(_before(job, shard), table.ids, found, job.world)
    return found, begun


def _before(job: Job, shard: Shard) -> pa.Table:
    """What the run decided before for a shard."""
    files = sorted((job.folder.path / BEFORE).glob(f"{shard.index:05d}-*"))
    return pa.concat_tables(read_arrow(file).replace_schema_metadata(None) for file in files)


def shard_table(job: Job, shard: Shard) -> CustomerTable:
    """The customers of a shard as they were read."""
    path = job.folder.file(LOOKED, shard.index)
    return table_of(read_arrays(path), read_note(path)["notes"], job.world, job.listed)


def _some(offered: Offered, rows: slice) -> Offered:
    drawn = Drawn(**{name: values[rows] for name, values in offered.drawn.__dict__.items()})
    wishes = offered.wishes
    return Offered(drawn, None if wishes is None else Wishes(wishes.gains[rows], wishes.tried[rows]))


def make_told(job: Job, shard: Shard) -> int:
    """Decide for a shard, and leave all that the run's files need of it; how many customers."""
    path = job.folder.file(TOLD, shard.index)
    if not path.exists():
        found, begun = decisions_of(job, shard)
        if job.ledger is not None and not job.repeated:
            rows, _ = sealed(rows_of(found, job.name, job.world, begun))
            write_arrow(job.folder.file(ROWS, shard.index), rows)
        if "log" in job.made:
            write_arrow(job.folder.file(LOG, shard.index), log_rows(found.to_log()))
        note: dict[str, Any] = {"barred": found.barred_today, "quotes": _write_sends(job, shard, found)}
        figures = figures_of(found, job.before())
        write_arrays(path, {"gains": figures.gains[0]}, {**note, "figures": figures.to_dict()})
        pa.default_memory_pool().release_unused()
    return shard.rows


def _write_sends(job: Job, shard: Shard, found: Decisions) -> bool:
    """Leave the shard's part of the send list; whether all of its text has to be quoted."""
    if "sends" not in job.made:
        return False
    path, sends = job.folder.file(SENDS, shard.index), found.sends()
    if job.made["sends"] == "parquet":
        table = pa.Table.from_pandas(sends, preserve_index=False)
        write_arrow(path, table.replace_schema_metadata(None), {"rows": len(sends)})
        return False
    plain = csv_bytes(sends, Path(job.made["sends"]), header=False)
    text = csv_bytes(sends, Path(job.made["sends"]), header=False, quoted=True) if job.quoted else plain
    write_whole(path, lambda out: out.write(text))
    return needs_quotes(plain)
