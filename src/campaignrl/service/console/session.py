"""Who is signed in, and that a form came from a page of ours: cookies that scripts cannot read.

The session's cookie holds the service's own token, so that a revoked one is out at once and every worker knows it.
A form holds a keyed hash of a random cookie, which no other site can read or make. Not here: what a role may do
(service/worker/security.py).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from typing import NamedTuple
from urllib.parse import parse_qs

from fastapi import Request
from fastapi.responses import Response

from campaignrl.service.api import service_of
from campaignrl.service.ground import Refused
from campaignrl.service.worker import ROLES, Caller

SESSION, FORM = "crl_session", "crl_form"
HOURS = 12
FIELD = "form_key"
MOST_FIELDS = 30


class Visitor(NamedTuple):
    """Who looks at a page. token: "" where the service is open; form: the random cookie of its forms."""

    caller: Caller
    token: str
    form: str

    @property
    def form_key(self) -> str:
        """What a form of this visitor holds."""
        return hmac.new(self.form.encode(), f"form\0{self.token}".encode(), hashlib.sha256).hexdigest()

    def may(self, role: str) -> bool:
        """Whether the role is enough."""
        return ROLES.index(self.caller.role) >= ROLES.index(role)


async def visitor_of(request: Request) -> Visitor | None:
    """Who is signed in; None: nobody."""
    token = request.cookies.get(SESSION, "")
    form = request.cookies.get(FORM, "") or secrets.token_urlsafe(24)
    caller = await caller_of(request, token)
    return None if caller is None else Visitor(caller, token, form)


async def caller_of(request: Request, token: str) -> Caller | None:
    """Whose token it is; without one, anybody where the service is open."""
    door = service_of(request).door
    header = f"Bearer {token}" if token else None
    try:
        return door.known(header) or await asyncio.to_thread(door.caller, header)
    except Refused:
        return None


async def fields_of(request: Request) -> dict[str, str]:
    """The fields of a form, the last of each name."""
    try:
        found = parse_qs((await request.body()).decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Refused(400, "The form cannot be read.") from None
    return {name: values[-1] for name, values in found.items()}


def require_own_form(request: Request, visitor: Visitor, fields: dict[str, str]) -> None:
    """Refused (403) for a form that did not come from a page of this visitor's."""
    same = hmac.compare_digest(fields.get(FIELD, "").encode(), visitor.form_key.encode())
    own = bool(request.cookies.get(FORM)) and same
    if not own or request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Refused(403, "This form did not come from a page of the console: load the page again.")


def remember(response: Response, request: Request, name: str, value: str) -> None:
    """A cookie of ours, which scripts and other sites never get."""
    response.set_cookie(
        name, value, max_age=HOURS * 3600, httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )
