"""`/v1/policies`: who decides, who only watches; promote, roll back, shadow. `/v1/halt`: the kill switch.

Every change names who made it and why. Not here: the check of a policy (deciding/parties.py).
"""

from __future__ import annotations

import asyncio
import datetime
import time
from typing import Any

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from campaignrl.policies import doubts_of
from campaignrl.service.api.models import Facts, PolicyRequest, WhyRequest
from campaignrl.service.api.requests import PROBLEMS, as_json, body_schema, let_in, parsed, service_of
from campaignrl.service.deciding import Party
from campaignrl.service.ground import Refused
from campaignrl.service.store import (
    CHAMPION,
    SHADOW,
    champion,
    dismiss,
    halt,
    note,
    place,
    places,
    predecessor,
    release,
    shadow_matches,
)
from campaignrl.service.worker import Caller, Service

router = APIRouter(tags=["policies"])
ANSWER: dict[int | str, dict[str, Any]] = {200: {"model": Facts}, **PROBLEMS}


@router.get("/v1/policies", response_model=None, responses=ANSWER)
async def policies(request: Request) -> Response:
    """Every policy with its place, the fallback, and how often shadows would have done the same."""
    service, _ = service_of(request), await let_in(request, "viewer")

    def read() -> dict[str, Any]:
        with service.store.reading() as con:
            return {"policies": places(con), "shadows": shadow_matches(con)}

    parties = service.decider.parties
    now = None if parties.champion is None else parties.champion.hash
    more = {"deciding": now, "fallback": parties.fallback.name, "wrong": parties.why}
    return as_json(orjson.dumps({**await asyncio.to_thread(read), **more}))


@router.post("/v1/policies/promote", response_model=None, responses=ANSWER, openapi_extra=body_schema(PolicyRequest))
async def promote(request: Request) -> Response:
    """Let a policy decide from now on; one that fails its check is refused, and the one before goes on."""
    service, caller = service_of(request), await let_in(request, "marketer")
    asked = parsed(PolicyRequest, await request.body())
    party = await asyncio.to_thread(service.checked, asked.policy)
    doubts = list(doubts_of(party.policy))
    if doubts and not asked.accept_doubts:
        raise Refused(409, "The policy is not shown to be better than sending nothing.", doubts=doubts)
    return await _placed(service, caller, party, CHAMPION, "policy promoted", asked.why)


@router.post("/v1/policies/rollback", response_model=None, responses=ANSWER, openapi_extra=body_schema(WhyRequest))
async def roll_back(request: Request) -> Response:
    """Let the champion before this one decide again."""
    service, caller = service_of(request), await let_in(request, "marketer")
    asked = parsed(WhyRequest, await request.body())

    def read() -> str | None:
        with service.store.reading() as con:
            return predecessor(con)

    name = await asyncio.to_thread(read)
    if name is None:
        raise Refused(409, "No other policy was champion before.")
    party = await asyncio.to_thread(service.checked, name)
    return await _placed(service, caller, party, CHAMPION, "policy rolled back", asked.why)


@router.post("/v1/policies/shadow", response_model=None, responses=ANSWER, openapi_extra=body_schema(PolicyRequest))
async def shadow(request: Request) -> Response:
    """Let a policy watch: what it would have done is written beside every decision."""
    service, caller = service_of(request), await let_in(request, "marketer")
    asked = parsed(PolicyRequest, await request.body())
    party = await asyncio.to_thread(service.checked, asked.policy)
    return await _placed(service, caller, party, SHADOW, "policy shadows", asked.why)


@router.post("/v1/policies/dismiss", response_model=None, responses=ANSWER, openapi_extra=body_schema(PolicyRequest))
async def dismiss_shadow(request: Request) -> Response:
    """Let a shadow watch no longer."""
    service, caller = service_of(request), await let_in(request, "marketer")
    asked = parsed(PolicyRequest, await request.body())
    name = await asyncio.to_thread(service.reference, asked.policy)

    def change(con: Connection, day: datetime.date, now: float) -> None:
        if not dismiss(con, name):
            raise Refused(409, "No shadow goes by that name.")
        note(con, caller.name, "shadow dismissed", now, {"policy": asked.policy, "why": asked.why})

    await service.ask(change)
    await asyncio.to_thread(service.catch_up)
    return as_json(orjson.dumps({"dismissed": asked.policy}))


async def _placed(service: Service, caller: Caller, party: Party, role: str, what: str, why: str) -> Response:
    def change(con: Connection, day: datetime.date, now: float) -> None:
        if role == SHADOW and champion(con) == party.name:
            raise Refused(409, "It decides already.")
        place(con, party.name, party.hash, role, now)
        note(con, caller.name, what, now, {"policy": party.policy.name, "hash": party.hash, "why": why})

    await service.ask(change)
    await asyncio.to_thread(service.catch_up)
    return as_json(orjson.dumps({"policy": party.policy.name, "hash": party.hash, "role": role}))


@router.post("/v1/halt", response_model=None, responses=ANSWER, openapi_extra=body_schema(WhyRequest))
async def stop(request: Request) -> Response:
    """The kill switch: nothing is decided from the answer on, by any worker."""
    service, caller = service_of(request), await let_in(request, "marketer")
    asked = parsed(WhyRequest, await request.body())

    def change(con: Connection, day: datetime.date, now: float) -> None:
        halt(con, caller.name, asked.why, time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(now)))
        note(con, caller.name, "halted", now, {"why": asked.why})

    await service.ask(change)
    return as_json(b'{"halted":true}')


@router.post("/v1/release", response_model=None, responses=ANSWER, openapi_extra=body_schema(WhyRequest))
async def go_on(request: Request) -> Response:
    """Let the service decide again."""
    service, caller = service_of(request), await let_in(request, "admin")
    asked = parsed(WhyRequest, await request.body())

    def change(con: Connection, day: datetime.date, now: float) -> None:
        release(con)
        note(con, caller.name, "released", now, {"why": asked.why})

    await service.ask(change)
    return as_json(b'{"halted":false}')
