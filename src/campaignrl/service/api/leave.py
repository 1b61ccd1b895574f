"""Leave to hand a send over, asked for right before: go, or stop.

A decision that has expired, whose permission was taken away since, or whose offer is gone, is not sent: what it had
reserved is given back. Not here: what is said of a hand-over after it (incoming.py).
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from sqlalchemy import Connection, select

from campaignrl.guard import is_valid
from campaignrl.ledger import EPOCH
from campaignrl.service.store import ERASED, Told, add_handovers, note, read_facts, sends, standing_of
from campaignrl.service.worker import Service
from campaignrl.tables import same_spelling

GO, STOP = "go", "stop"


def ask_leave(
    service: Service, con: Connection, decision_ids: Sequence[str], day: datetime.date, now: float
) -> list[tuple[Told, bool]]:
    """(what is said, go) of each, in their order."""
    facts = read_facts(con)
    halted = service.decider.stopped(facts) is not None
    return [_one(service, con, one, day, now, halted, bool(facts.get(ERASED))) for one in decision_ids]


def _one(
    service: Service, con: Connection, decision: str, day: datetime.date, now: float, halted: bool, any_erased: bool
) -> tuple[Told, bool]:
    row = con.execute(select(sends).where(sends.c.decision_id == decision)).mappings().first()
    if row is None:
        return Told(STOP, "No send of this id is known here."), False
    if not row["counted"]:
        return Told(STOP, "It was given back already."), False
    if halted:
        return Told(STOP, "Sending was stopped."), False
    today, world = (day - EPOCH).days, service.settings.world
    status = why = ""
    if row["day"] < today:
        status, why = "expired", "The decision has expired: ask again."
    elif _withdrawn(service, con, row["customer_id"], row["channel"], today, any_erased):
        status, why = "withdrawn", "The permission was taken away since."
    elif row["offer"] not in world.offers or not is_valid(world.offers[row["offer"]], today):
        status, why = "withdrawn", "The offer is out of date."
    if not status:
        return Told(GO), True
    add_handovers(con, [{"decision_id": decision, "status": status, "day": today}], today)
    note(con, "service", f"send {status}", now, {"decision": decision.partition("-")[0]})
    return Told(STOP, why), False


def _withdrawn(service: Service, con: Connection, customer: str, channel: str, day: int, any_erased: bool) -> bool:
    channels = list(service.settings.world.channels)
    found = standing_of(
        con,
        day,
        [customer],
        [str(same_spelling([customer])[0])],
        hashes=service.store.hashes_of([customer]) if any_erased else None,
        addresses=None,
        channels=channels,
        offers=[],
        days=1,
    )
    return bool(found.suppressed[0] or found.consent[channels.index(channel), 0] == 0)
