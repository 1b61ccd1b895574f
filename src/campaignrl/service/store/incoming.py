"""What comes back: hand-overs, outcomes and permissions, each once, in any order.

Rows come checked, as the ledger's own reader of files gives them. An unsubscribe takes the permission away first; one
that names no customer is its decision's. Not here: what a row may say (ledger/), the routes (api/).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, select

from campaignrl.service.store.decided import set_counted
from campaignrl.service.store.schema import decisions, handovers, outcomes, permissions, sends
from campaignrl.tables import same_spelling

NEW, REPEATED, HELD, CONFLICT = "new", "repeated", "held", "conflict"
SENT, COUNTED = "sent", ("sent", "unknown")
TOLD = ("decision_id", "customer_id", "day", "kind", "channel", "margin")  # what must not change of an outcome


class Told(NamedTuple):
    """What became of one row: new, repeated, held (its decision is not there yet), conflict; and a reason."""

    became: str
    why: str = ""


def add_outcomes(con: Connection, rows: Sequence[Mapping[str, Any]], today: int) -> list[Told]:
    """Add outcomes, each once; what became of each.

    rows: outcome_id and the columns of `TOLD`; today: day of arrival.
    """
    ids = [row["outcome_id"] for row in rows]
    known = _known_outcomes(con, ids)
    owners = _owners(con, [row["decision_id"] for row in rows if row["decision_id"]])
    found, fresh = [], []
    for row in rows:
        before = known.get(row["outcome_id"])
        told = {name: row[name] for name in TOLD}
        if before is not None:
            same = before == told
            why = "" if same else "It was told before and said something else: correct an order by a refund."
            found.append(Told(REPEATED if same else CONFLICT, why))
            continue
        known[row["outcome_id"]] = told
        fresh.append({**told, "outcome_id": row["outcome_id"], "arrived": today})
        owner = owners.get(row["decision_id"], "")
        held = bool(row["decision_id"]) and not owner
        found.append(Told(HELD, "Its decision is not known (yet): it counts for nothing.") if held else Told(NEW))
    if fresh:
        con.execute(insert(outcomes), fresh)
    left = [row for row in fresh if row["kind"] == "unsubscribe"]
    said = [_withdrawal(row, owners) for row in left]
    add_permissions(con, [one for one in said if one["customer_id"]], today)
    return found


def _known_outcomes(con: Connection, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    found = {}
    for start in range(0, len(ids), 500):
        asked = select(outcomes).where(outcomes.c.outcome_id.in_(list(ids[start : start + 500])))
        for row in con.execute(asked).mappings():
            found[row["outcome_id"]] = {name: row[name] for name in TOLD}
    return found


def _owners(con: Connection, ids: Sequence[str]) -> dict[str, str]:
    """Whose decisions are: by id, those that are there."""
    found: dict[str, str] = {}
    for start in range(0, len(ids), 500):
        asked = select(decisions.c.decision_id, decisions.c.customer_id)
        asked = asked.where(decisions.c.decision_id.in_(list(ids[start : start + 500])))
        found |= {one: customer for one, customer in con.execute(asked).all()}
    return found


def _withdrawal(row: Mapping[str, Any], owners: Mapping[str, str]) -> dict[str, Any]:
    whose = row["customer_id"] or owners.get(row["decision_id"], "")
    said = {"customer_id": whose, "channel": row["channel"] or "*", "allowed": False}
    return {**said, "day": row["day"], "source": "unsubscribe"}


def add_permissions(con: Connection, rows: Sequence[Mapping[str, Any]], today: int) -> list[Told]:
    """Add words of permission, each once."""
    key = ("customer_id", "channel", "allowed", "day")
    ids = list(dict.fromkeys(row["customer_id"] for row in rows))
    spelled = dict(zip(ids, same_spelling(ids), strict=True)) if ids else {}
    known = set()
    for start in range(0, len(ids), 500):
        asked = select(*(permissions.c[name] for name in key))
        asked = asked.where(permissions.c.customer_id.in_(ids[start : start + 500]))
        known |= {(c, w, bool(a), d) for c, w, a, d in con.execute(asked).all()}
    found, fresh = [], []
    for row in rows:
        told = tuple(row[name] for name in key)
        found.append(Told(REPEATED if told in known else NEW))
        if told not in known:
            known.add(told)
            own = {name: row[name] for name in key} | {"source": row.get("source", "")}
            fresh.append({**own, "spelled": spelled[row["customer_id"]], "arrived": today})
    if fresh:
        con.execute(insert(permissions), fresh)
    return found


def add_handovers(con: Connection, rows: Sequence[Mapping[str, Any]], today: int) -> list[Told]:
    """Add what became of sends: one that failed gives back what it had reserved, unless it is said to be sent."""
    ids = [row["decision_id"] for row in rows]
    there, said = _sent_ids(con, ids), _statuses(con, ids)
    found, fresh = [], []
    for row in rows:
        one, status = row["decision_id"], row["status"]
        if one not in there:
            found.append(Told(HELD, "No send of this id is known here."))
        elif status in said.setdefault(one, set()):
            found.append(Told(REPEATED))
        else:
            said[one].add(status)
            fresh.append({"decision_id": one, "status": status, "day": row["day"], "arrived": today})
            found.append(Told(NEW))
    if fresh:
        con.execute(insert(handovers), fresh)
    for one in dict.fromkeys(row["decision_id"] for row in fresh):
        failed = bool(said[one] - set(COUNTED)) and SENT not in said[one]
        set_counted(con, [one], not failed)
    return found


def _sent_ids(con: Connection, ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(ids), 500):
        asked = select(sends.c.decision_id).where(sends.c.decision_id.in_(list(ids[start : start + 500])))
        found |= set(con.execute(asked).scalars())
    return found


def _statuses(con: Connection, ids: Sequence[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for start in range(0, len(ids), 500):
        asked = select(handovers.c.decision_id, handovers.c.status)
        for one, status in con.execute(asked.where(handovers.c.decision_id.in_(list(ids[start : start + 500])))).all():
            found.setdefault(one, set()).add(status)
    return found
