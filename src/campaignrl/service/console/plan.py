"""The plan of the morning, and its release.

Not here: making a plan (loop/morning.py), what releasing does (loop/approval.py).
"""

from __future__ import annotations

import asyncio
import datetime
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from campaignrl.errors import CampaignError
from campaignrl.loop import CampaignFile, approve, read_state
from campaignrl.service.api import service_of
from campaignrl.service.console.page import changing, shown, signed_in, to
from campaignrl.service.console.session import Visitor
from campaignrl.service.ground import Refused
from campaignrl.tables.files import read_frame

SHOWN = 25


@signed_in
async def plan(request: Request, visitor: Visitor) -> Response:
    """The page."""
    folder = service_of(request).settings.campaign
    if folder is None:
        return shown(request, visitor, "plan", campaign=None, plan=None)
    facts = await asyncio.to_thread(_planned, Path(folder))
    return shown(request, visitor, "plan", campaign=Path(folder).name, **facts)


async def _approve(request: Request, visitor: Visitor, fields: dict[str, str]) -> Response:
    folder = service_of(request).settings.campaign
    if folder is None:
        raise Refused(409, "This service has no campaign's folder.")
    try:
        day = datetime.date.fromisoformat(fields.get("day", ""))
    except ValueError:
        raise Refused(400, "The day of the plan is missing.") from None
    now = datetime.datetime.now()
    try:
        await asyncio.to_thread(approve, Path(folder), day=day, who=visitor.caller.name, now=now)
    except CampaignError as wrong:
        raise Refused(409, str(wrong)) from None
    return to("/console/plan")


approve_plan = changing("marketer", _approve)


def _planned(folder: Path) -> dict[str, Any]:
    """What state.json and the list of the plan say."""
    campaign, state = CampaignFile(folder), read_state(folder)
    made = state.get("plan")
    guesses = [f"{guess.says} ({guess.file})" for guess in campaign.spec.guess]
    path = None if made is None else folder / "plans" / f"{made['day']}.csv"
    frame = None if path is None or not path.is_file() else read_frame(path, text=["customer_id"])
    cells, rows = [], []
    if frame is not None and len(frame):
        counted = frame.groupby(["offer", "channel"]).size().sort_values(ascending=False)
        cells = [(str(offer), str(channel), int(many)) for (offer, channel), many in counted.items()]
        columns = [name for name in ("customer_id", "offer", "channel", "reason") if name in frame]
        rows = frame[columns].head(SHOWN).astype(str).to_dict("records")
    approved = state.get("approved")
    return {
        "plan": made,
        "approved": approved if made is not None and approved and approved["day"] == made["day"] else None,
        "cells": cells,
        "most": max((many for _, _, many in cells), default=1),
        "rows": rows,
        "guesses": guesses,
    }
