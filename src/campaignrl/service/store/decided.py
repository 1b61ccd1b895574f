"""What was decided: rows, reservations and totals, in the transaction that decides.

A send is reserved at once: it counts for caps, budget, capacity and stock until its hand-over fails for good. Not
here: what is read before (standing.py), how it is decided (deciding/).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, select, update

from campaignrl.service.store.database import put_rows
from campaignrl.service.store.schema import decisions, sends, shadows, totals
from campaignrl.service.store.standing import OF_OFFER, ON_DAY, SPENT


def keep(con: Connection, decided: list[dict[str, Any]], sent: list[dict[str, Any]]) -> None:
    """Write decisions, and reserve what those of them that send something use."""
    put_rows(con, decisions, decided)
    if sent:
        put_rows(con, sends, sent)
        add_to_totals(con, _uses(sent, 1))


def set_counted(con: Connection, decision_ids: Iterable[str], counted: bool) -> int:
    """Let reservations count again, or no more; how many changed."""
    changed = []
    for one in decision_ids:
        hit = (sends.c.decision_id == one) & (sends.c.counted != counted)
        row = con.execute(select(sends).where(hit)).mappings().first()
        if row is not None:
            con.execute(update(sends).where(sends.c.decision_id == one).values(counted=counted))
            changed.append(dict(row))
    add_to_totals(con, _uses(changed, 1 if counted else -1))
    return len(changed)


def add_to_totals(con: Connection, changes: Mapping[str, int]) -> None:
    """Add to totals, which begin at 0."""
    rows = [{"name": name, "value": value} for name, value in sorted(changes.items()) if value]
    put_rows(con, totals, rows, add_up="value")


def _uses(rows: Iterable[Mapping[str, Any]], sign: int) -> Counter[str]:
    found: Counter[str] = Counter()
    for row in rows:
        found[SPENT] += sign * row["cost"]
        found[f"{ON_DAY}:{row['day']}:{row['channel']}"] += sign
        found[f"{OF_OFFER}:{row['offer']}"] += sign
    return found


def keep_shadows(con: Connection, rows: list[dict[str, Any]]) -> None:
    """What a policy that only watches would have done beside decisions that stand."""
    put_rows(con, shadows, rows)
