"""The files and the ledger of a run in shards, written part by part: the bytes are those of a run over the whole table.

Not here: what each shard leaves (steps.py), when it is written (run.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import pandas as pd
import pyarrow as pa

from campaignrl.send.decisions import Decisions
from campaignrl.send.plans import Figures, together
from campaignrl.send.shards.arrays_file import read_arrays, read_arrow, read_note
from campaignrl.send.shards.between import rows_of_all
from campaignrl.send.shards.job import Job, Shard
from campaignrl.send.shards.steps import LOG, ROWS, SENDS, TOLD
from campaignrl.tables.files import Writer, csv_bytes, frame_writer, write_parquet_parts
from campaignrl.tables.log import parts_writer


def figures_of_all(job: Job, shards: Sequence[Shard]) -> Figures:
    """What was decided for everybody, counted."""

    def parts() -> Iterator[Figures]:
        for shard in shards:
            path = job.folder.file(TOLD, shard.index)
            yield Figures.from_dict(read_note(path)["figures"], read_arrays(path)["gains"])

    found = together(parts())
    found.notes = {text: many for text, many in found.notes.items() if many}
    return found


def barred_of_all(job: Job, shards: Sequence[Shard]) -> tuple[str, ...]:
    """Decisions of earlier runs of the day to send to somebody who may no longer be contacted."""
    found = {one for shard in shards for one in read_note(job.folder.file(TOLD, shard.index))["barred"]}
    return tuple(sorted(found))


def needs_quotes_at_all(job: Job, shards: Sequence[Shard]) -> bool:
    """Whether a text of any shard's sends asks for quotes, which then all have."""
    return any(read_note(job.folder.file(TOLD, shard.index))["quotes"] for shard in shards)


def commit(job: Job, shards: Sequence[Shard], head: int) -> None:
    """Add everybody's decisions to the ledger, in one commit."""
    assert job.ledger is not None
    files = [job.folder.file(ROWS, shard.index) for shard in shards]
    digests = b"".join(_digests(path) for path in files)
    pa.default_memory_pool().release_unused()  # the writer below takes most of what a run ever holds
    job.ledger.append_sealed(map(_plain, files), digests, job.name, head)


def _digests(path: Path) -> bytes:
    return b"".join(read_arrow(path, ["row_digest"])["row_digest"].to_pylist())


def _plain(path: Path) -> pa.Table:
    return read_arrow(path).replace_schema_metadata(None)


def log_writer(job: Job, shards: Sequence[Shard], some: Decisions) -> Writer:
    """What writes the decision log. some: decisions of the run."""
    files = [job.folder.file(LOG, shard.index) for shard in shards]
    return parts_writer(some.to_log(), rows_of_all(shards), lambda: map(_plain, files))


def sends_writer(job: Job, shards: Sequence[Shard], some: Decisions, path: Path) -> Writer:
    """What writes the send list, as `path` by its suffix."""
    nobody: pd.DataFrame = some.to_frame().iloc[:0]
    files = [job.folder.file(SENDS, shard.index) for shard in shards]
    if job.made["sends"] == "parquet":
        sent = [file for file in files if read_note(file)["rows"]]
        if not sent:
            return frame_writer(nobody, path)
        return lambda out: write_parquet_parts(map(_plain, sent), out)

    def write(out: BinaryIO) -> None:
        out.write(csv_bytes(nobody, path, quoted=job.quoted))
        for file in files:
            out.write(file.read_bytes())

    return write
