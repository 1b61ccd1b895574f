"""Figures of today as they change, as server-sent events.

A stream ends after a while and the browser asks again, so that a worker that stops is not held up. Not here: what the
figures are (service/api/plan.py).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from campaignrl.service.api import plan_of_today, service_of
from campaignrl.service.console.page import HEADERS
from campaignrl.service.console.session import visitor_of
from campaignrl.service.worker import Service

EVERY, ROUNDS = 2.0, 5  # seconds; figures of one stream


async def live(request: Request) -> Response:
    """The stream; nobody who is not signed in gets one."""
    if await visitor_of(request) is None:
        return Response(b"", 401, HEADERS)
    return StreamingResponse(_events(request), 200, HEADERS, "text/event-stream")


async def _events(request: Request) -> AsyncIterator[bytes]:
    service = service_of(request)
    for _ in range(ROUNDS):
        figures = await asyncio.to_thread(figures_now, service)
        yield f"retry: 1000\ndata: {json.dumps(figures, ensure_ascii=False)}\n\n".encode()
        if await request.is_disconnected():
            return
        await asyncio.sleep(EVERY)


def figures_now(service: Service) -> dict[str, str]:
    """What a page shows live, as it shows it."""
    return figures_of(plan_of_today(service), service.settings.world.money.minor_per_unit)


def figures_of(plan: dict[str, Any], minor_per_unit: int) -> dict[str, str]:
    """The same of a plan that was read already."""
    cost = sum(one["cost_minor"] for one in plan["sends"]) / minor_per_unit
    left = plan["left"]["money"]
    return {
        "decisions": f"{plan['decisions']:,}",
        "sends": f"{sum(one['sends'] for one in plan['sends']):,}",
        "spent": f"{cost:,.2f}",
        "budget": "∞" if left is None else f"{cost + left:,.2f}",
        "fallback": f"{plan['fallback']:,}",
        "halted": "yes" if plan["halted"] else "",
    }
