"""The chain over runs: shows that rows of decisions were changed, added or removed behind its back.

Every row has a random salt and a digest of both; every run an entry, a hash of its rows' digests and of the entry
before; every erasure an entry too, which keeps the digests of the rows that went, without their salts. Whatever is
added to any table remembers the entry that stood last, so that the last run cannot go alone. Whoever may write the
folder may also make all of it anew: a head that was written down elsewhere (`ledger show` prints it) is what shows
that. Construction: linked time stamps, Haber & Stornetta 1991, J. Cryptology 3(2). Pure: tables in, tables out. Not
here: the folder (folder.py), what is erased (erasure.py).
"""

from __future__ import annotations

import datetime
import hashlib
import secrets
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

CHAINED = ("row_salt", "row_digest", "chain", "chain_before")
SIZE = 16  # bytes of a salt and of a digest
FIRST = ""  # before the first entry
SEPARATOR = "\x1f"
EPOCH = datetime.date(1970, 1, 1)
SHOWN = 5
AT_A_TIME = 16_384  # rows written out as text, of which each has a kilobyte or more


class Tampered(NamedTuple):
    """Something that is not as it was written. where: the first of it, in words."""

    what: str
    many: int
    where: tuple[str, ...]


def linked(rows: pa.Table, run_id: str, before: str) -> pa.Table:
    """Rows of one run with salts, digests and the run's entry. before: the entry it follows."""
    made, digests = sealed(rows)
    return linked_parts([made], run_id, digests, before).read_all()


def sealed(rows: pa.Table) -> tuple[pa.Table, bytes]:
    """Some rows of a run with salts and digests, and their digests one after the other: all that the chain needs."""
    rows = rows.drop_columns([name for name in CHAINED if name in rows.column_names])
    random = secrets.token_bytes(SIZE * len(rows))
    salts = [random[i : i + SIZE] for i in range(0, len(random), SIZE)]
    digests = digests_of(rows, salts)
    rows = rows.append_column("row_salt", pa.array(salts, pa.binary()))
    return rows.append_column("row_digest", pa.array(digests, pa.binary())), b"".join(digests)


def linked_parts(parts: Iterable[pa.Table], run_id: str, digests: bytes, before: str) -> pa.RecordBatchReader:
    """The sealed rows of one run with its entry, part by part. digests: of all rows, one after the other."""
    tables = iter(parts)
    first = next(tables)
    entry = entry_of_sealed(run_id, digests, before)
    schema = first.schema.append(pa.field("chain", pa.string())).append(pa.field("chain_before", pa.string()))

    def batches() -> Iterator[pa.RecordBatch]:
        for table in chain((first,), tables):
            links = [pa.repeat(pa.scalar(text, pa.string()), len(table)) for text in (entry, before)]
            whole = table.append_column("chain", links[0]).append_column("chain_before", links[1])
            yield from whole.cast(schema).to_batches()

    return pa.RecordBatchReader.from_batches(schema, batches())


def digests_of(rows: pa.Table, salts: Iterable[bytes | None]) -> list[bytes]:
    """A digest of each row and its salt; columns that hold nothing do not count, whatever their order."""
    pairs = list(salts)
    if len(pairs) != len(rows):
        raise ValueError(f"{len(pairs)} salts of {len(rows)} rows")
    starts = range(0, len(rows), AT_A_TIME)
    return [one for i in starts for one in _digests(rows.slice(i, AT_A_TIME), pairs[i : i + AT_A_TIME])]


def _digests(rows: pa.Table, salts: Iterable[bytes | None]) -> list[bytes]:
    names = sorted(set(rows.column_names) - set(CHAINED))
    texts = [_named(name, rows[name]) for name in names]
    joined = pc.binary_join_element_wise(*texts, "", null_handling="replace", null_replacement="")
    pairs = zip(joined.to_pylist(), salts, strict=True)
    return [hashlib.blake2b((salt or b"") + text.encode(), digest_size=SIZE).digest() for text, salt in pairs]


def entry_of(run_id: str, digests: Iterable[bytes], before: str) -> str:
    """The entry of a run: 32 hex digits of its id, its rows' digests in any order, and the entry before."""
    return _entry(run_id, sorted(one or b"" for one in digests), before)


def entry_of_sealed(run_id: str, digests: bytes, before: str) -> str:
    """The same of digests that stand one after the other."""
    return _entry(run_id, [np.sort(np.frombuffer(digests, dtype=f"S{SIZE}")).tobytes()], before)


def _entry(run_id: str, in_order: Iterable[bytes], before: str) -> str:
    body = hashlib.blake2b(digest_size=SIZE)
    body.update(SEPARATOR.join((before or "", run_id or "")).encode())
    for digest in in_order:
        body.update(digest)
    return body.hexdigest()


def head_of(decisions: pa.Table, erasures: pa.Table) -> str:
    """The last entry: the one that none follows. Of a chain that is broken, any such."""
    links = links_of(decisions, erasures)
    followed = set(links.values())
    ends = [entry for entry in links if entry not in followed]
    return min(ends) if ends else FIRST


def links_of(decisions: pa.Table, erasures: pa.Table) -> dict[str, str]:
    """Every entry with the one before."""
    found: dict[str, str] = {}
    for table, entry, before in (
        (decisions, "chain", "chain_before"),
        (erasures, "run_entry", "run_before"),
        (erasures, "chain", "chain_before"),
    ):
        pairs = table.select([entry, before]).group_by([entry, before]).aggregate([])
        found |= {e: b for e, b in zip(pairs[entry].to_pylist(), pairs[before].to_pylist(), strict=True) if e}
    return found


def tampered(
    decisions: pa.Table, erasures: pa.Table, head: str | None = None, seen: Collection[str] = ()
) -> list[Tampered]:
    """Everything that is not as it was written; empty where nothing is.

    decisions, erasures: the whole tables; head: an entry that must be in the chain, as somebody wrote it down; seen:
    entries that must be in it, as what came in later remembers.
    """
    lost = [name for name in (*CHAINED, "run_id", "customer_id", "day") if name not in decisions.column_names]
    if lost:
        return [Tampered("columns of the decisions are gone", len(lost), tuple(lost[:SHOWN]))]
    kept = {digest: run for digest, run in _pairs(erasures, "row_digest", "run_id") if digest}
    made, stored = digests_of(decisions, decisions["row_salt"].to_pylist()), decisions["row_digest"].to_pylist()
    edited = [i for i, (now, then) in enumerate(zip(made, stored, strict=True)) if now != then]
    found = [_said("a row is not as it was written", (_row(decisions, i) for i in edited), len(edited))]
    again = [i for i, digest in enumerate(stored) if digest in kept]
    found.append(_said("an erasure was begun and not completed", (_row(decisions, i) for i in again), len(again)))
    found += [*_runs(decisions, erasures), *_order(links_of(decisions, erasures), head, seen)]
    return [one for one in found if one.many]


def _runs(decisions: pa.Table, erasures: pa.Table) -> Iterator[Tampered]:
    """Runs and erasures whose rows are not all there, or are more than there were."""
    digests: dict[tuple[str, str, str], list[bytes]] = defaultdict(list)
    keys = ("run_id", "chain", "chain_before", "row_digest")
    for run, entry, before, digest in _pairs(decisions, *keys):
        digests[run, entry, before].append(digest)
    for run, entry, before, digest in _pairs(erasures, "run_id", "run_entry", "run_before", "row_digest"):
        if entry:
            digests[run, entry, before].append(digest)
    for entry, before, digest in _pairs(erasures, "chain", "chain_before", "row_digest"):
        digests[ERASURE, entry, before].append(digest)
    wrong = [run for (run, entry, before), rows in digests.items() if entry_of(run, rows, before) != entry]
    names = (f"run {str(run)[:12]}" for run in wrong)
    yield _said("rows of a run were added, removed or changed", names, len(wrong))


ERASURE = "erasure"  # in place of the id of a run


def _order(links: dict[str, str], head: str | None, seen: Collection[str]) -> Iterator[Tampered]:
    """Entries that do not follow each other one by one from the first."""
    lost = sorted(entry for entry, before in links.items() if before != FIRST and before not in links)
    yield _said("the entry before is gone", (f"before entry {entry[:12]}" for entry in lost), len(lost))
    follow = defaultdict(list)
    for entry, before in links.items():
        follow[before].append(entry)
    forks = sorted(before for before, after in follow.items() if len(after) > 1)
    yield _said("two entries follow one", (f"after {before[:12] or 'the first'}" for before in forks), len(forks))
    gone = sorted(set(seen) - set(links) - set(lost))
    yield _said("a run or an erasure is gone that stood there", (f"entry {entry[:12]}" for entry in gone), len(gone))
    if head is not None and head not in links:
        yield Tampered("the head that was written down is not in the chain", 1, (f"entry {head[:12]}",))


def _pairs(table: pa.Table, *names: str) -> Iterator[tuple[Any, ...]]:
    return zip(*(table[name].to_pylist() for name in names), strict=True)


def _row(decisions: pa.Table, i: int) -> str:
    day = decisions["day"][i].as_py()
    on = "a day that is not told" if day is None else str(EPOCH + datetime.timedelta(days=day))
    return f"{decisions['customer_id'][i].as_py()} on {on}"


def _said(what: str, where: Iterable[str], many: int) -> Tampered:
    return Tampered(what, many, tuple(text for text, _ in zip(where, range(SHOWN), strict=False)))


def _named(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """`name=5:value` of every row, with the length, so that no two rows read alike; null where there is none."""
    kind = column.type
    if pa.types.is_floating(kind):
        known = pc.if_else(pc.is_nan(column), pa.scalar(None, kind), column).cast(pa.float64())
        column = pa.chunked_array([_bits(chunk) for chunk in known.chunks], pa.int64())
    elif pa.types.is_list(kind):
        column = pc.binary_join(column.cast(pa.list_(pa.string())), ",")
    text = column.cast(pa.string())
    return pc.binary_join_element_wise(f"{name}=", pc.binary_length(text).cast(pa.string()), ":", text, "")


def _bits(chunk: pa.DoubleArray) -> pa.Int64Array:
    """The bits of each number, so that no way of writing numbers matters."""
    return chunk.view(pa.int64())
