"""Who decides and who would like to: values, verdicts, promote, roll back, shadow.

What a policy is worth is told by its own proof (against sending nothing, business as usual, the best fixed action) and
by the campaign's ledger, read off the log. Not here: the change itself, which is the service's route.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from campaignrl.errors import CampaignError
from campaignrl.ledger import Ledger
from campaignrl.loop import CampaignFile, Judged, judge
from campaignrl.policies import PROOF, Gain, doubts_of, load_policy
from campaignrl.service.api import service_of
from campaignrl.service.console.inside import Told, ask
from campaignrl.service.console.page import changing, shown, signed_in, to
from campaignrl.service.console.session import Visitor
from campaignrl.service.console.watch import Watch
from campaignrl.service.ground import Refused
from campaignrl.service.worker import Service


@signed_in
async def policies(request: Request, visitor: Visitor) -> Response:
    """The page."""
    told = await ask(request, visitor, "GET", "/v1/policies")
    service = service_of(request)
    rows = await asyncio.to_thread(_rows, service, told.facts)
    log = await asyncio.to_thread(_off_the_log, request.app.state.watch, service)
    former = any(one["role"] == "former" for one in told.facts["policies"])
    return shown(
        request,
        visitor,
        "policies",
        rows=rows,
        fallback=told.facts["fallback"],
        trouble=told.facts["wrong"],
        log=log,
        former=former,
        candidates=await asyncio.to_thread(_candidates, service, told.facts),
    )


async def _promote(request: Request, visitor: Visitor, fields: dict[str, str]) -> Response:
    body: dict[str, Any] = {"policy": fields.get("policy", ""), "why": fields.get("why", "")}
    body |= {"accept_doubts": fields.get("accept_doubts") == "yes"}
    return _done(await ask(request, visitor, "POST", "/v1/policies/promote", body))


async def _roll_back(request: Request, visitor: Visitor, fields: dict[str, str]) -> Response:
    return _done(await ask(request, visitor, "POST", "/v1/policies/rollback", {"why": fields.get("why", "")}))


async def _shadow(request: Request, visitor: Visitor, fields: dict[str, str]) -> Response:
    body = {"policy": fields.get("policy", ""), "why": fields.get("why", "")}
    return _done(await ask(request, visitor, "POST", "/v1/policies/shadow", body))


promote = changing("marketer", _promote)
roll_back = changing("marketer", _roll_back)
shadow = changing("marketer", _shadow)


def _done(told: Told) -> Response:
    if not told.is_fine:
        raise Refused(told.status, told.detail)
    return to("/console/policies")


def _rows(service: Service, facts: dict[str, Any]) -> list[dict[str, Any]]:
    """Each policy with its place and what its own proof says."""
    shadows = {one["policy"]: one for one in facts["shadows"]}
    found = []
    for one in facts["policies"]:
        match = shadows.get(one["name"])
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(one["at"]))
        proof, doubts = _proof(service, str(one["name"]))
        row = {"role": one["role"], "name": one["name"], "hash": str(one["hash"])[:8], "when": when, "match": match}
        found.append({**row, "proof": proof, "doubts": doubts, "short": str(one["name"]).rpartition("/")[2]})
    order = {"champion": 0, "shadow": 1, "former": 2, "dismissed": 3}
    return sorted(found, key=lambda row: order.get(row["role"], 3))


def _proof(service: Service, name: str) -> tuple[str, list[str]]:
    """What a policy's own proof says of it, and what speaks against it."""
    try:
        policy = load_policy(name, service.settings.world)
    except CampaignError as wrong:
        return "", [str(wrong).partition("\n")[0]]
    facts = getattr(policy, "trained_on", {}).get(PROOF) or {}
    over = [f"{Gain(*gain).said(facts['unit'])} over {other}" for other, gain in facts.get("over", {}).items()]
    return " · ".join(over), list(doubts_of(policy))


def _candidates(service: Service, facts: dict[str, Any]) -> list[str]:
    """Bundles of the folder of policies that do not decide now."""
    folder = service.settings.policies
    there = [] if folder is None else sorted(path.name for path in folder.glob("*.bundle"))
    before = [str(one["name"]) for one in facts["policies"] if one["role"] != "champion"]
    return list(dict.fromkeys([*there, *before]))


def _off_the_log(watch: Watch, service: Service) -> list[Judged | str]:
    """What the campaign's log says of champion and challengers; [] without a ledger. Kept for as long as it stands."""
    place, folder = watch.ledger, service.settings.campaign
    champion = service.decider.parties.champion
    if place is None or folder is None or champion is None:
        return []
    try:
        ledger = Ledger.open(place)
        key = (ledger.head, champion.hash, service.settings.clock())
        if watch.kept is None or watch.kept[0] != key:
            watch.kept = key, judge(CampaignFile(folder), ledger, service.settings.clock(), champion.policy)
        return watch.kept[1]
    except CampaignError as wrong:
        return [str(wrong).partition("\n")[0]]
