"""From a request to what a route works with: who asks, its key, its body.

Not here: the limits that every request passes (gate.py), what a body may say (models.py).
"""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import Response
from pydantic import ValidationError

from campaignrl.errors import CampaignError
from campaignrl.service.api.models import Body, Problem
from campaignrl.service.ground import MEDIA, Refused, read_json
from campaignrl.service.worker import Caller, Service

KEY = "idempotency-key"
LONGEST_KEY = 128
SHOWN = 20
T = TypeVar("T", bound=Body)
REFUSALS = (400, 401, 403, 404, 408, 409, 410, 413, 415, 422, 429, 503)
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "content": {MEDIA: {}}, "description": "Problem JSON"} for status in REFUSALS
}


def service_of(request: Request) -> Service:
    """The worker's service."""
    found: Service = request.app.state.service
    return found


async def let_in(request: Request, role: str) -> Caller:
    """Who asks; Refused (401, 403) where nobody known does, or the role does not allow it."""
    door, header = service_of(request).door, request.headers.get("authorization")
    known = door.known(header)
    caller = known if known is not None else await asyncio.to_thread(door.caller, header)
    caller.require(role)
    return caller


def key_of(request: Request, caller: Caller) -> str:
    """The caller's Idempotency-Key; Refused (400) without one, or with one that is too long."""
    return key_from(request.headers.get(KEY, ""), caller)


def key_from(said: str, caller: Caller) -> str:
    """The same of what the header says."""
    key = said.strip()
    if not key:
        raise Refused(400, "Send the header Idempotency-Key: a name of your own for this request, the same on a retry.")
    if len(key) > LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise Refused(400, f"An Idempotency-Key has at most {LONGEST_KEY} printable ASCII characters.")
    return f"{caller.name}:{key}"


def parsed(model: type[T], body: bytes) -> T:
    """The body as a model; Refused (400, 422) where it is none, every fault at once."""
    if not body:
        raise Refused(400, "The body is missing.")
    try:
        return model.model_validate(read_json(body))
    except ValidationError as wrong:
        found = [f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in wrong.errors(include_url=False)]
        more = len(found) - SHOWN
        shown = [one.encode("utf-8", "replace").decode() for one in found[:SHOWN]]
        errors = [*shown, *([f"and {more} more"] if more > 0 else [])]
        raise Refused(422, "The body does not say what is needed.", errors=errors) from None


def refused(wrong: CampaignError) -> Refused:
    """Rows that cannot be understood, as a problem (422)."""
    said = [str(one) for one in wrong.problems] or [str(wrong)]
    return Refused(422, "The rows cannot be understood; nothing was taken.", errors=said[:SHOWN])


def body_schema(model: type[Body]) -> dict[str, Any]:
    """The part of an OpenAPI operation that says what its body is."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


KEYED: dict[str, Any] = {
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": True,
            "description": "a name for this request, the same on a retry",
            "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[!-~]+$"},
        }
    ]
}


def as_json(body: bytes, status: int = 200, **headers: str) -> Response:
    """A response of JSON that is written already."""
    return Response(body, status, headers, "application/json")
