"""Why one customer would get what it would get now: the policy's own reasons, and what the rules refuse.

Decided as the next request would be, and written nowhere; others of the table are what it is held against. Not here:
how reasons are found (send/explain.py), what was decided before (the store).
"""

from __future__ import annotations

import numpy as np

from campaignrl.errors import CampaignError
from campaignrl.ledger import EPOCH
from campaignrl.send import Explanation, counted_in, decide_in_turn, explained, limits_left
from campaignrl.service.deciding import Party
from campaignrl.service.ground import Refused
from campaignrl.service.store import ERASED, read_facts, standing_of
from campaignrl.service.worker import Service

OTHERS = 60  # customers it is held against
LONGEST = 400  # days of contacts that are counted, more than any rule looks back


def why_now(service: Service, customer: str) -> Explanation | None:
    """The explanation; None where the customer is not in the table, or no policy can explain itself."""
    people, party = service.decider.customers, service.decider.parties.champion or service.decider.parties.fallback
    try:
        own = people.places([customer])[0]
    except Refused:
        return None
    rows = [own, *(int(i) for i in np.linspace(0, len(people) - 1, min(OTHERS, len(people))) if int(i) != own)]
    try:
        return _explained(service, party, rows)
    except (CampaignError, ValueError, ArithmeticError):
        return None


def _explained(service: Service, party: Party, rows: list[int]) -> Explanation:
    settings, world = service.settings, service.settings.world
    day, people = settings.clock(), service.decider.customers
    assert people.table is not None
    assert people.spelled is not None
    table, since = people.table.take(np.array(rows)), (day - service.store.start).days
    ids = [str(one) for one in table.ids]
    with service.store.reading() as con:
        standing = standing_of(
            con,
            (day - EPOCH).days,
            ids,
            people.spelled[np.array(rows)].tolist(),
            hashes=service.store.hashes_of(ids) if read_facts(con).get(ERASED) else None,
            addresses=None,
            channels=list(world.channels),
            offers=list(world.offers),
            days=LONGEST,
        )
    counted = counted_in(table, standing, world, since)
    limits = limits_left(standing, world, service.store.customers, since)
    turns = [slice(0, 1), slice(1, len(rows))] if len(rows) > 1 else [slice(0, 1)]
    found = decide_in_turn(
        party.policy, world, counted, limits, turns, day=day, about=party.about, send_at=settings.send_at
    )
    return explained(found, party.policy, world, str(table.ids[0]))
