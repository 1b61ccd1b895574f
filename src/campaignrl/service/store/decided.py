"""What was decided: rows, reservations and totals, in the transaction that decides.

A send is reserved at once: it counts for caps, budget, capacity and stock until its hand-over fails for good. Not
here: what is read before (standing.py), how it is decided (deciding/).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select, update

from campaignrl.service.store.database import put_rows
from campaignrl.service.store.schema import decisions, sends, shadows, totals
from campaignrl.service.store.standing import OF_OFFER, ON_DAY, SPENT

Columns = Mapping[str, Sequence[Any]]


def keep(con: Connection, decided: Columns, sent: Columns) -> None:
    """Write decisions, and reserve what those of them that send something use; rows of both, column by column."""
    put_rows(con, decisions, decided)
    if sent["decision_id"]:
        put_rows(con, sends, sent)
        add_to_totals(con, _uses(sent))


def set_counted(con: Connection, decision_ids: Iterable[str], counted: bool) -> int:
    """Let reservations count again, or no more; how many changed."""
    changed = []
    for one in decision_ids:
        hit = (sends.c.decision_id == one) & (sends.c.counted != counted)
        row = con.execute(select(sends).where(hit)).mappings().first()
        if row is not None:
            con.execute(update(sends).where(sends.c.decision_id == one).values(counted=counted))
            changed.append(dict(row))
    sign = 1 if counted else -1
    used = _uses({name: [row[name] for row in changed] for name in ("cost", "day", "channel", "offer")})
    add_to_totals(con, {name: sign * value for name, value in used.items()})
    return len(changed)


def add_to_totals(con: Connection, changes: Mapping[str, int]) -> None:
    """Add to totals, which begin at 0."""
    told = {name: value for name, value in sorted(changes.items()) if value}
    put_rows(con, totals, {"name": list(told), "value": list(told.values())}, add_up="value")


def _uses(rows: Columns) -> Counter[str]:
    found = Counter({SPENT: sum(rows["cost"])})
    for (day, channel), many in Counter(zip(rows["day"], rows["channel"], strict=True)).items():
        found[f"{ON_DAY}:{day}:{channel}"] += many
    for offer, many in Counter(rows["offer"]).items():
        found[f"{OF_OFFER}:{offer}"] += many
    return found


def keep_shadows(con: Connection, rows: Columns) -> None:
    """What a policy that only watches would have done beside decisions that stand."""
    put_rows(con, shadows, rows)
