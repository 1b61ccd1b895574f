"""`/v1/customers/{id}`: what is known of one customer and what was decided; and its erasure.

An id may hold slashes, plain or as %2F: whatever follows is the id.

Not here: who they are in a round (deciding/customers.py).
"""

from __future__ import annotations

import asyncio
import datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from campaignrl.ledger import EPOCH
from campaignrl.service.api.models import Facts
from campaignrl.service.api.past import Customer, as_told
from campaignrl.service.api.requests import PROBLEMS, as_json, let_in, service_of
from campaignrl.service.ground import Refused
from campaignrl.service.store import erased_among, forget, history_of_one, note, row_of, spellings_of

router = APIRouter(tags=["customers"])
CustomerId = Annotated[str, Path(min_length=1, max_length=256)]


def _whole(customer: str) -> str:
    """An id that can be looked for; Refused (404) for others."""
    if "\x00" in customer or "\ufffd" in customer or not customer.strip():
        raise Refused(404, "Nobody goes by that id here.")
    return customer


@router.get("/v1/customers/{customer_id:path}", response_model=None, responses={200: {"model": Customer}, **PROBLEMS})
async def customer(request: Request, customer_id: CustomerId) -> Response:
    """The profile, all decisions with their reasons, what came of them, and words of permission."""
    service, _ = service_of(request), await let_in(request, "viewer")
    _whole(customer_id)

    def read() -> dict[str, Any]:
        with service.store.reading() as con:
            profile, history = row_of(con, customer_id), history_of_one(con, customer_id)
            gone = bool(erased_among(con, [service.store.hash_of(customer_id)]))
        if gone:
            raise Refused(410, "This customer was erased.")
        if profile is None and not any(history.values()):
            raise Refused(404, "Nobody goes by that id here.")
        return {"customer_id": customer_id, "profile": profile, **as_told(history, service.settings.world)}

    return as_json(orjson.dumps(await asyncio.to_thread(read)))


@router.delete("/v1/customers/{customer_id:path}", response_model=None, responses={200: {"model": Facts}, **PROBLEMS})
async def erase(request: Request, customer_id: CustomerId) -> Response:
    """Erase a customer: suppressed from the answer on, and gone but for a keyed hash."""
    service, caller = service_of(request), await let_in(request, "admin")
    _whole(customer_id)
    digest, flows = service.store.hash_of(customer_id), bool(service.settings.salt)

    def read() -> list[str]:
        with service.store.reading() as con:
            return spellings_of(con, customer_id)

    names = await asyncio.to_thread(read)

    def change(con: Connection, day: datetime.date, now: float) -> bool:
        forget(con, customer_id, names, digest, (day - EPOCH).days, flows=flows)
        note(con, caller.name, "customer erased", now, {"customer": digest})
        return True

    await service.ask(change)
    return as_json(orjson.dumps({"erased": True, "ledger": "at the next flow" if flows else "none"}))
