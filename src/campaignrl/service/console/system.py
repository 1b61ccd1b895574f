"""The engine room: health, rules, the audit trail, and the kill switch.

Not here: what halting does (service/api/policies.py, loop/approval.py).
"""

from __future__ import annotations

import asyncio
import datetime
import time
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from campaignrl.errors import CampaignError
from campaignrl.loop import halt, halted, release
from campaignrl.monitor import UNKNOWN
from campaignrl.service.api import service_of
from campaignrl.service.console.inside import ask
from campaignrl.service.console.language import language_of
from campaignrl.service.console.page import changing, shown, signed_in, to
from campaignrl.service.console.session import Visitor
from campaignrl.service.console.today import alarm, check_name
from campaignrl.service.console.watch import Watch
from campaignrl.service.ground import Refused


@signed_in
async def system(request: Request, visitor: Visitor) -> Response:
    """The page."""
    watch: Watch = request.app.state.watch
    service, language = service_of(request), language_of(request)
    plan = await ask(request, visitor, "GET", "/v1/plan")
    ready = await ask(request, visitor, "GET", "/readyz")
    trail = await ask(request, visitor, "GET", "/v1/trail") if visitor.may("admin") else None
    health = await asyncio.to_thread(watch.newest)
    every = () if health is None else health.checks
    return shown(
        request,
        visitor,
        "system",
        halt=plan.facts["halted"],
        rules=plan.facts["rules"],
        ready=ready.facts,
        checks=[(one, alarm(language, one)) for one in every if one.state != UNKNOWN],
        unknown=[check_name(language, one.name) for one in every if one.state == UNKNOWN],
        trail=None if trail is None or not trail.is_fine else _trail(trail.facts),
        customers=len(service.decider.customers),
        store=service.settings.store.partition("://")[0],
        now=time.strftime("%Y-%m-%d %H:%M"),
    )


async def _halt(request: Request, visitor: Visitor, fields: dict[str, str]) -> Response:
    told = await ask(request, visitor, "POST", "/v1/halt", {"why": fields.get("why", "")})
    if not told.is_fine:
        raise Refused(told.status, told.detail)
    await asyncio.to_thread(_folder, request, visitor, fields.get("why", ""), True)
    return to("/console/system")


async def _release(request: Request, visitor: Visitor, fields: dict[str, str]) -> Response:
    told = await ask(request, visitor, "POST", "/v1/release", {"why": fields.get("why", "")})
    if not told.is_fine:
        raise Refused(told.status, told.detail)
    await asyncio.to_thread(_folder, request, visitor, fields.get("why", ""), False)
    return to("/console/system")


halt_all = changing("marketer", _halt)
release_all = changing("admin", _release)


def _folder(request: Request, visitor: Visitor, why: str, stop: bool) -> None:
    """The campaign's own kill switch, so that its mornings stop as well."""
    folder = service_of(request).settings.campaign
    if folder is None or (halted(Path(folder)) is not None) == stop:
        return
    act = halt if stop else release
    try:
        act(folder, who=visitor.caller.name, why=why, now=datetime.datetime.now())
    except CampaignError as wrong:
        raise Refused(409, str(wrong)) from None


def _trail(facts: dict[str, Any]) -> dict[str, Any]:
    entries = [
        {
            "when": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one["at"])),
            "who": one["who"],
            "what": one["what"],
            "detail": " · ".join(f"{name}: {value}" for name, value in one["detail"].items()),
        }
        for one in facts["entries"][:40]
    ]
    return {"entries": entries, "broken": facts["broken_at"]}
