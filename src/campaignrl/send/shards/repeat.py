"""A run that is in the ledger already: what it decided then, laid out shard by shard.

The rows of the ledger are gone through once, whatever their order. Not here: what is made of them (steps.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from campaignrl import rng
from campaignrl.errors import DataError, Problem
from campaignrl.send.shards.arrays_file import write_arrow
from campaignrl.send.shards.between import keys_of
from campaignrl.send.shards.job import Job, Shard
from campaignrl.send.shards.steps import BEFORE


def lay_out(job: Job, shards: Sequence[Shard]) -> None:
    """Leave in the folder, by shard, what the run decided.

    Raises:
        DataError: it decided for somebody who is not in the table.
    """
    assert job.ledger is not None
    keys = keys_of(job, shards)
    order = np.argsort(keys)
    known, firsts = keys[order], np.array([shard.first for shard in shards])
    (job.folder.path / BEFORE).mkdir(exist_ok=True)
    for number, batch in enumerate(job.ledger.batches_of(job.name)):
        if not len(batch):
            continue
        own = rng.customer_keys(np.array(batch["customer_id"].to_pylist(), dtype=object))
        place = np.minimum(np.searchsorted(known, own), len(known) - 1)
        if (known[place] != own).any():
            raise DataError(Problem("ledger", "run", job.name, "with the customers of this table"))
        of = np.searchsorted(firsts, order[place], side="right") - 1
        rows = pa.Table.from_batches([batch])
        for index in np.unique(of):
            some = rows.filter(pa.array(of == index))
            write_arrow(job.folder.path / BEFORE / f"{index:05d}-{number:07d}.part", some)
    for shard in shards:  # of whom nothing is kept any more: no rows, and the kinds of them
        if not any((job.folder.path / BEFORE).glob(f"{shard.index:05d}-*")):
            schema = job.ledger.table("decisions").to_pyarrow_dataset().schema
            write_arrow(job.folder.path / BEFORE / f"{shard.index:05d}-none.part", schema.empty_table())
