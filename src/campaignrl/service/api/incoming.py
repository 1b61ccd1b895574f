"""`/v1/outcomes`, `/v1/permissions`, `/v1/handed-over`: what comes back, and holds from the answer on.

Rows are read by the ledger's own rules. Not here: what they change (store/incoming.py).
"""

from __future__ import annotations

import asyncio
import datetime
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import orjson
import pyarrow as pa
from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from campaignrl.errors import CampaignError
from campaignrl.ledger import EPOCH, checked_rows
from campaignrl.service.api.leave import ask_leave
from campaignrl.service.api.models import HandedOverRequest, OutcomesRequest, PermissionsRequest, Rows
from campaignrl.service.api.requests import PROBLEMS, as_json, body_schema, let_in, parsed, refused, service_of
from campaignrl.service.ground import Refused
from campaignrl.service.store import (
    ERASED,
    Told,
    add_handovers,
    add_outcomes,
    add_permissions,
    erased_among,
    read_facts,
)
from campaignrl.service.worker import Service

router = APIRouter(tags=["what comes back"])
Add = Callable[[Connection, Sequence[dict[str, Any]], int], list[Told]]
RUN_PREFIX = 13  # characters of a decision's id before the customer's
GONE = Told("erased", "Its customer was erased; it was not kept.")


@router.post(
    "/v1/outcomes",
    response_model=None,
    responses={200: {"model": Rows}, **PROBLEMS},
    openapi_extra=body_schema(OutcomesRequest),
)
async def outcomes(request: Request) -> Response:
    """Take outcomes in, each once by its id, in any order; what became of each."""
    service, _ = service_of(request), await let_in(request, "sender")
    asked = parsed(OutcomesRequest, await request.body())
    day = service.settings.clock()
    given = [{**row.model_dump(), "day": row.day or day.isoformat()} for row in asked.outcomes]
    rows = await asyncio.to_thread(_checked, service, "outcomes", given, day)
    told = await service.ask(_change(service, rows, add_outcomes))
    for row, one in zip(rows, told, strict=True):
        service.metrics.outcomes.labels(row["kind"], one.became).inc()
    return _said(told)


@router.post(
    "/v1/permissions",
    response_model=None,
    responses={200: {"model": Rows}, **PROBLEMS},
    openapi_extra=body_schema(PermissionsRequest),
)
async def permissions(request: Request) -> Response:
    """Take words of permission in; a refusal holds for every decision after the answer."""
    service, _ = service_of(request), await let_in(request, "sender")
    asked = parsed(PermissionsRequest, await request.body())
    day = service.settings.clock()
    given = [
        {**row.model_dump(), "day": row.day or day.isoformat(), "allowed": "yes" if row.allowed else "no"}
        for row in asked.permissions
    ]
    rows = await asyncio.to_thread(_checked, service, "permissions", given, day)
    told = await service.ask(_change(service, rows, add_permissions))
    for row in rows:
        service.metrics.permissions.labels("yes" if row["allowed"] else "no").inc()
    return _said(told)


@router.post(
    "/v1/handed-over",
    response_model=None,
    responses={200: {"model": Rows}, **PROBLEMS},
    openapi_extra=body_schema(HandedOverRequest),
)
async def handed_over(request: Request) -> Response:
    """Ask for leave right before a hand-over (`sending`), or say what became of it."""
    service, _ = service_of(request), await let_in(request, "sender")
    asked = parsed(HandedOverRequest, await request.body())
    day = service.settings.clock()
    given = [{**row.model_dump(), "day": row.day or day.isoformat()} for row in asked.handovers]
    said = [row for row in given if row["status"] != "sending"]
    rows = await asyncio.to_thread(_checked, service, "handovers", said, day) if said else []
    leave = [row["decision_id"] for row in given if row["status"] == "sending"]

    def change(con: Connection, today: datetime.date, now: float) -> list[tuple[Told, bool | None]]:
        told = iter(add_handovers(con, rows, (today - EPOCH).days))
        gone = iter(ask_leave(service, con, leave, today, now))
        return [next(gone) if row["status"] == "sending" else (next(told), None) for row in given]

    found = await service.ask(change)
    for row in given:
        service.metrics.handovers.labels(row["status"]).inc()
    return _said([one for one, _ in found], [go for _, go in found])


def _checked(service: Service, what: str, given: list[dict[str, Any]], day: datetime.date) -> list[dict[str, Any]]:
    """Rows as the ledger reads those of a file; Refused (422) where it would refuse the file, (409) of days to come."""
    late = [row["day"] for row in given if row["day"] > day.isoformat()]
    if late:
        raise Refused(409, f"{late[0]} is a day to come.")
    try:
        frame = checked_rows(what, pa.Table.from_pylist(given), "body", service.settings.world)
    except CampaignError as wrong:
        raise refused(wrong) from None
    whole = {"day": int, "margin": int, "arrived": int}
    rows = [{str(name): cell for name, cell in row.items()} for row in frame.to_dict("records")]
    return [{k: whole[k](v) if k in whole else v for k, v in row.items()} for row in rows]


def _change(service: Service, rows: list[dict[str, Any]], add: Add) -> Callable[..., list[Told]]:
    """What is to be written: rows of customers who were erased are left out, since they would bring the id back."""

    def change(con: Connection, today: datetime.date, now: float) -> list[Told]:
        gone = _of_erased(service, con, rows)
        told = iter(add(con, [row for row, out in zip(rows, gone, strict=True) if not out], (today - EPOCH).days))
        return [GONE if out else next(told) for out in gone]

    return change


def _of_erased(service: Service, con: Connection, rows: list[dict[str, Any]]) -> list[bool]:
    if not read_facts(con, (ERASED,)):
        return [False] * len(rows)
    names = [[row["customer_id"], row.get("decision_id", "")[RUN_PREFIX:]] for row in rows]
    hashes = service.store.hashes_of([one for pair in names for one in pair])
    gone = erased_among(con, hashes)
    return [not gone.isdisjoint(hashes[2 * i : 2 * i + 2]) for i in range(len(rows))]


def _said(told: Sequence[Told], go: Sequence[bool | None] = ()) -> Response:
    asked = list(go) or [None] * len(told)
    rows = [{"became": one.became, "why": one.why, "go": leave} for one, leave in zip(told, asked, strict=True)]
    return as_json(orjson.dumps({"rows": rows, "counts": dict(Counter(one.became for one in told))}))
