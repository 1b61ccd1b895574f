"""`/v1/decide` and `/v1/decide/batch`: what to send to a customer now, or to many.

Not here: how it is decided (deciding/).
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from fastapi import APIRouter, Request
from fastapi.responses import Response

from campaignrl.service.api.models import BatchRequest, DecideRequest, Decision, Decisions
from campaignrl.service.api.requests import KEYED, PROBLEMS, as_json, body_schema, key_of, let_in, parsed, service_of
from campaignrl.service.deciding import Given, Wish
from campaignrl.service.ground import Refused
from campaignrl.service.store import hash_of_body
from campaignrl.service.worker import Service

router = APIRouter(tags=["decide"])


@router.post(
    "/v1/decide",
    response_model=None,
    responses={200: {"model": Decision}, **PROBLEMS},
    openapi_extra={**KEYED, **body_schema(DecideRequest)},
)
async def decide(request: Request) -> Response:
    """Decide for one customer; a send is reserved until it is handed over."""
    service, caller = service_of(request), await let_in(request, "sender")
    key, body = key_of(request, caller), await request.body()
    asked = parsed(DecideRequest, body)
    wish = wish_for(service, key, body, asked)
    if asked.features is not None:
        people = service.decider.customers
        table = await asyncio.to_thread(people.with_features, asked.customer_id, asked.features)
        wish = replace(wish, table=table)
    return _answered(await service.ask(wish))


def wish_for(service: Service, key: str, body: bytes, asked: DecideRequest) -> Wish:
    """What a request wishes, its features apart; Refused (422) for a channel that the world does not have."""
    _require_channels(service, asked.channels)
    channels = None if asked.channels is None else tuple(asked.channels)
    return Wish(key, hash_of_body(body), (asked.customer_id,), None, channels, asked.ranking)


@router.post(
    "/v1/decide/batch",
    response_model=None,
    responses={200: {"model": Decisions}, **PROBLEMS},
    openapi_extra={**KEYED, **body_schema(BatchRequest)},
)
async def decide_batch(request: Request) -> Response:
    """Decide for many customers as one run, who are served by lot where there is too little for all."""
    service, caller = service_of(request), await let_in(request, "sender")
    key, body = key_of(request, caller), await request.body()
    asked = parsed(BatchRequest, body)
    _require_channels(service, asked.channels)
    most = service.settings.largest_batch
    if len(asked.customer_ids) > most:
        raise Refused(413, f"A batch may have {most} customers.")
    if len(set(asked.customer_ids)) != len(asked.customer_ids):
        raise Refused(422, "A customer stands twice in one batch.")
    channels = None if asked.channels is None else tuple(asked.channels)
    wish = Wish(key, hash_of_body(body), tuple(asked.customer_ids), None, channels, asked.ranking, many=True)
    return _answered(await service.ask(wish))


def _require_channels(service: Service, channels: list[str] | None) -> None:
    """Refused (422) for a channel that the world does not have."""
    unknown = [name for name in channels or () if name not in service.settings.world.channels]
    if unknown:
        known = ", ".join(service.settings.world.channels)
        raise Refused(422, f"There is no channel {unknown[0][:40]!r}; there are {known}.")


def _answered(found: Given | Refused) -> Response:
    if isinstance(found, Refused):
        raise found
    return as_json(found.body, found.status, **({"Idempotency-Replayed": "true"} if found.replayed else {}))
