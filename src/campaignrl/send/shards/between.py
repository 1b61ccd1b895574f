"""What only all shards together say: ids that come twice, a list or rows of another day, shared addresses, a name.

Of each customer no more is held than that takes: a key, a text at a time. Not here: what is done to a shard (steps.py).
m customers in all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from campaignrl.arrays import Bool, Int64, UInt64
from campaignrl.errors import DataError, Problem
from campaignrl.guard import ADDRESS, at_address_of, shares_address
from campaignrl.send.facts import SHARES, require_few_stale
from campaignrl.send.plans import notes_together
from campaignrl.send.run_name import content_digest
from campaignrl.send.shards.arrays_file import read_arrays, read_arrow, read_note, write_arrays
from campaignrl.send.shards.customers_file import IDS, KEYS, KNOWN, SEEN, names_in_order
from campaignrl.send.shards.job import Job, Shard
from campaignrl.send.shards.steps import BARRED, LOOKED, MARKS, OFFERED, ON_LIST, WANTED, shard_table
from campaignrl.send.stages import Asked
from campaignrl.tables import ID, require_known
from campaignrl.tables.files import row_problems

SHOWN = 20  # problems of shards that are told


def require_sound(job: Job, shards: Sequence[Shard], problems: Sequence[Problem]) -> dict[str, int]:
    """What was repaired on reading, counted; a note that counts nobody keeps its place.

    Raises:
        DataError: rows are wrong, ids come twice, the list is another one, or the rows are of another day.
    """
    if problems:
        raise DataError(sorted(problems, key=lambda one: str(one.where))[:SHOWN])
    notes = [read_note(job.folder.file(LOOKED, shard.index)) for shard in shards]
    _require_once(job, shards)
    if job.listed.size:
        places = np.unique(np.concatenate([column(job, shard, LOOKED, ON_LIST) for shard in shards]))
        require_known(int((places >= 0).sum()), job.listed.size, str(job.source), job.listed.least_known)
    stale = [note["stale"] for note in notes if note["stale"] >= 0]
    if stale:
        require_few_stale(sum(stale), rows_of_all(shards), job.world, job.day)
    return notes_together(note["notes"] for note in notes)


def rows_of_all(shards: Sequence[Shard]) -> int:
    """How many customers there are."""
    return sum(shard.rows for shard in shards)


def column(job: Job, shard: Shard, step: str, name: str) -> npt.NDArray[Any]:
    """One array of a shard."""
    return read_arrays(job.folder.file(step, shard.index), [name])[name]


def keys_of(job: Job, shards: Sequence[Shard]) -> UInt64:
    """(m,) keys of all customers."""
    return np.concatenate([column(job, shard, LOOKED, KEYS) for shard in shards])


def texts(job: Job, shards: Sequence[Shard], name: str) -> pa.ChunkedArray:
    """(m,) a column of texts, as Arrow keeps them."""
    parts = [read_arrow(job.folder.file(LOOKED, shard.index), [name])[name].cast(pa.string()) for shard in shards]
    return pa.chunked_array([chunk for part in parts for chunk in part.chunks], pa.string())


def _require_once(job: Job, shards: Sequence[Shard]) -> None:
    """DataError where an id comes twice; who has a key of its own has an id of its own."""
    keys = keys_of(job, shards)
    if len(np.unique(keys)) == len(keys):
        return
    ids = np.array(texts(job, shards, IDS).to_pylist(), dtype=object)
    once = np.unique(ids.astype(str), return_index=True)[1]
    twice = np.ones(len(ids), dtype=bool)
    twice[once] = False
    fix = "One row a customer, or the same person is contacted twice."
    found = row_problems(twice, ID, ids, "unique", fix, str(job.source))
    if found:
        raise DataError(found)


def mark_addresses(job: Job, shards: Sequence[Shard]) -> bool:
    """Leave in the folder who stands for each address, and who is barred with it; whether any address is known."""
    names = shard_table(job, shards[0]).known
    if ADDRESS not in names:
        return False
    address = np.array(texts(job, shards, KNOWN + ADDRESS).to_pylist(), dtype=object)
    marks: dict[str, Bool] = {SHARES: shares_address(keys_of(job, shards), address)}
    first = read_arrow(job.folder.file(LOOKED, shards[0].index)).column_names
    if BARRED in first:
        barred = np.concatenate([column(job, shard, LOOKED, BARRED) for shard in shards])
        marks[BARRED] = at_address_of(barred, address)
    write_arrays(job.folder.path / MARKS, marks)
    return True


def asked_names(job: Job, shards: Sequence[Shard]) -> tuple[str, ...]:
    """Earlier names of customers, as the ledger knows them, that stand in the table as well."""
    aliases = {} if job.ledger is None else job.ledger.aliases
    if not aliases:
        return ()
    ids = texts(job, shards, IDS)
    return tuple(sorted(set(ids.filter(pc.is_in(ids, pa.array(sorted(aliases), pa.string()))).to_pylist())))


def content_of(job: Job, shards: Sequence[Shard]) -> str:
    """A digest of all that is known of all customers, whatever the order of the rows."""
    first = shard_table(job, shards[0])
    channels, numbered = list(job.world.channels), first.known

    def columns() -> Iterator[npt.NDArray[Any] | pa.ChunkedArray]:
        for name in names_in_order(first):
            if isinstance(name, int):
                values = _whole(job, shards, f"{SEEN}consent_{channels[name]}")
                yield values == 1.0
            elif name.startswith(KNOWN) and numbered[name.removeprefix(KNOWN)].values.dtype == object:
                yield texts(job, shards, name)
            else:
                yield _whole(job, shards, name)

    return content_digest(texts(job, shards, IDS).combine_chunks(), columns())


def _whole(job: Job, shards: Sequence[Shard], name: str) -> npt.NDArray[Any]:
    return np.concatenate([column(job, shard, LOOKED, name) for shard in shards])


def asked_of(job: Job, shards: Sequence[Shard]) -> Asked:
    """What is scarce is shared by: keys, what each drew or would try and, of a plan by value, gains shard by shard."""
    wanted: Int64 = np.concatenate([column(job, shard, OFFERED, WANTED) for shard in shards]).astype(np.int64)

    def parts() -> Iterator[tuple[Any, Any]]:
        for shard in shards:
            arrays = read_arrays(job.folder.file(OFFERED, shard.index), ["gains", "eligible"])
            yield arrays["gains"], arrays["eligible"]

    assert job.run is not None
    return Asked(keys_of(job, shards), wanted, () if job.run.explore is None else parts())
