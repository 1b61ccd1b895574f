"""The audit trail: every change that somebody made, in a chain that shows when one is taken out or altered.

Entries are only ever added. Not here: decisions, which the ledger's own chain holds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, select

from campaignrl.service.store.schema import trail

FIRST = ""


class Entry(NamedTuple):
    """One change: seq, when (seconds since 1970), who, what was done, and to what."""

    seq: int
    at: float
    who: str
    what: str
    detail: dict[str, Any]


def note(con: Connection, who: str, what: str, at: float, detail: Mapping[str, Any] | None = None) -> None:
    """Add an entry. detail: plain JSON without personal data, but for a keyed hash."""
    before = con.execute(select(trail.c.entry).order_by(trail.c.seq.desc()).limit(1)).scalar() or FIRST
    text = json.dumps(detail or {}, ensure_ascii=False, sort_keys=True)
    row = {"at": at, "who": who, "what": what, "detail": text, "before": before}
    con.execute(insert(trail).values(**row, entry=_entry(row)))


def read_trail(con: Connection, last: int = 100) -> list[Entry]:
    """The newest entries, newest first."""
    rows = con.execute(select(trail).order_by(trail.c.seq.desc()).limit(last)).mappings()
    return [Entry(row["seq"], row["at"], row["who"], row["what"], json.loads(row["detail"])) for row in rows]


def broken_trail(con: Connection) -> int | None:
    """Seq of the first entry that is not as it was written, or does not follow the one before; None: all are whole."""
    before = FIRST
    for row in con.execute(select(trail).order_by(trail.c.seq)).mappings():
        if row["before"] != before or _entry(dict(row)) != row["entry"]:
            return int(row["seq"])
        before = row["entry"]
    return None


def _entry(row: Mapping[str, Any]) -> str:
    told = json.dumps([row[name] for name in ("before", "at", "who", "what", "detail")], ensure_ascii=False)
    return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()
