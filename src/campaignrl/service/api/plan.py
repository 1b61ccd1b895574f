"""`/v1/plan`: what today has brought, and what is left of money, capacity and stock. `/v1/trail`: who changed what.

Not here: the plan of a morning (loop/).
"""

from __future__ import annotations

import asyncio
import math
from functools import partial
from typing import Any

import numpy as np
import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response

from campaignrl.guard import rules_said
from campaignrl.ledger import EPOCH
from campaignrl.send import limits_left
from campaignrl.service.api.models import Facts
from campaignrl.service.api.requests import PROBLEMS, as_json, let_in, service_of
from campaignrl.service.store import (
    PRICED_BY,
    PRICES,
    SHARED,
    broken_trail,
    figures_of_day,
    read_facts,
    read_trail,
    standing_of,
)
from campaignrl.service.worker import Service

router = APIRouter(tags=["plan"])
ANSWER: dict[int | str, dict[str, Any]] = {200: {"model": Facts}, **PROBLEMS}


@router.get("/v1/plan", response_model=None, responses=ANSWER)
async def plan(request: Request) -> Response:
    """Decisions and sends of the day, what was spent, what is left, and the rules."""
    service, _ = service_of(request), await let_in(request, "viewer")
    return as_json(orjson.dumps(await asyncio.to_thread(plan_of_today, service)))


def plan_of_today(service: Service) -> dict[str, Any]:
    """The same as plain JSON."""
    world, day = service.settings.world, service.settings.clock()
    channels, offers = list(world.channels), list(world.offers)
    today = (day - EPOCH).days
    with service.store.reading() as con:
        told, figures = read_facts(con, (*SHARED, PRICES, PRICED_BY)), figures_of_day(con, today)
        nobody = partial(standing_of, hashes=None, addresses=None, days=1)
        found = nobody(con, today, [], [], channels=channels, offers=offers)
    left = limits_left(found, world, service.store.customers, (day - service.store.start).days)
    stock = np.full(len(offers), np.inf) if left.stock is None else left.stock
    money = None if math.isinf(left.money) else left.money / world.money.minor_per_unit
    return {
        "day": day.isoformat(),
        "currency": world.money.currency,
        **figures,
        "left": {
            "money": money,
            "sends": {name: int(many) for name, many in zip(channels, left.sends, strict=True) if math.isfinite(many)},
            "stock": {name: int(many) for name, many in zip(offers, stock, strict=True) if math.isfinite(many)},
        },
        "prices": orjson.loads(told[PRICES]) if told.get(PRICES) else None,
        "priced_by": told.get(PRICED_BY) or None,
        "halted": service.decider.stopped(told),
        "rules": [rule._asdict() for rule in rules_said(world)],
    }


@router.get("/v1/trail", response_model=None, responses=ANSWER)
async def trail(request: Request) -> Response:
    """The newest changes, and whether the trail is whole."""
    service, _ = service_of(request), await let_in(request, "admin")

    def read() -> dict[str, Any]:
        with service.store.reading() as con:
            return {"entries": [entry._asdict() for entry in read_trail(con)], "broken_at": broken_trail(con)}

    return as_json(orjson.dumps(await asyncio.to_thread(read)))
