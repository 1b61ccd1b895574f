"""`/healthz`, `/readyz`, `/metrics`: is the process up, may it decide, what has it counted.

They ask for no token, and say nothing of any customer. Not here: what is counted (metrics.py).
"""

from __future__ import annotations

import asyncio

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from campaignrl.service.api.models import Facts
from campaignrl.service.api.requests import as_json, service_of

router = APIRouter(tags=["health"])
TEXT = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/healthz", response_model=None, responses={200: {"model": Facts}})
async def healthz(request: Request) -> Response:
    """The process is up."""
    return as_json(b'{"up":true}')


@router.get("/readyz", response_model=None, responses={200: {"model": Facts}, 503: {"model": Facts}})
async def readyz(request: Request) -> Response:
    """It may decide: the store takes a change, the champion is there, nobody stopped it."""
    wrong = await asyncio.to_thread(service_of(request).ready)
    return as_json(orjson.dumps({"ready": not wrong, "wrong": wrong}), 503 if wrong else 200)


@router.get("/metrics", response_model=None, response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """For Prometheus."""
    return Response(service_of(request).metrics.text(), 200, {}, TEXT)
