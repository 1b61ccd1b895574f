"""What every request passes before any route: its size, its speed, its type, its share; and what is counted of it.

A body is read whole, up to the limit and within the time, before anybody looks at it; a slow or huge one costs no more
than that. A route of a fixed path is then called right from here: what a framework puts between costs more than to
decide. Not here: who may do what (security.py), what a body says (api/).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from prometheus_client import Counter, Histogram

from campaignrl.service.api import Express
from campaignrl.service.ground import Refused, problem
from campaignrl.service.worker import Service

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOG = logging.getLogger("campaignrl.service")
WITH_BODY = ("POST", "PUT", "PATCH", "DELETE")
BURST = 10.0  # seconds' worth of requests at once
LONGEST_PATH = 2_048
JSON = b"application/json"
FORM = b"application/x-www-form-urlencoded"  # of the console's pages
OTHER = "other"


class Gate:
    """ASGI middleware around the whole app."""

    def __init__(self, app: App, service: Service, routers: Sequence[APIRouter] = ()) -> None:
        """app: what lies behind; routers: of routes that take a request and give a response, and nothing else."""
        self._app, self._service = app, service
        self._direct = {
            (method, route.path): route
            for router in routers
            for route in router.routes
            if isinstance(route, APIRoute) and "{" not in route.path
            for method in route.methods or ()
        }
        self._shares = service.shares
        self._counted: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the app's own start and end."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            headers = dict(scope["headers"])
            self._require_share(headers.get(b"authorization", b""))
            if len(scope["path"]) > LONGEST_PATH:
                raise Refused(404, "No path is that long.")
            body = b""
            if scope["method"] in WITH_BODY:
                body = await self._body(headers, receive, scope["path"].startswith("/console/"))
                receive = _once(body, receive)
            route = self.route_of(scope)
            if route is None:
                await self._app(scope, receive, counted)
            else:
                scope["route"], request = route, Request(scope, receive)
                request._body = body  # where a request keeps what it has read
                answer: Response = await route.endpoint(request)
                await answer(scope, receive, counted)
        except Refused as wrong:
            await problem(wrong)(scope, receive, counted)
        finally:
            path = getattr(scope.get("route"), "path", OTHER)
            self._count(path, status, time.perf_counter() - began)

    def route_of(self, scope: Scope) -> APIRoute | None:
        """The route of a fixed path that is asked for; None where there is none."""
        return self._direct.get((scope["method"], scope["path"]))

    def _count(self, path: str, status: int, seconds: float) -> None:
        """Of one request. What a label stands for is looked up once."""
        kept = self._counted.get((path, status))
        if kept is None:
            metrics = self._service.metrics
            kept = metrics.requests.labels(path, str(status)), metrics.seconds.labels(path)
            self._counted[path, status] = kept
        kept[0].inc()
        kept[1].observe(seconds)

    async def _body(self, headers: dict[bytes, bytes], receive: Receive, console: bool = False) -> bytes:
        most, said = self._service.settings.largest_body, headers.get(b"content-length", b"")
        if said.isdigit() and int(said) > most:
            raise Refused(413, f"A body may have {most} bytes.")
        try:
            async with asyncio.timeout(self._service.settings.body_seconds):
                body = await _read(receive, most)
        except TimeoutError:
            raise Refused(408, "The body did not arrive in time.") from None
        kinds = (JSON, FORM) if console else (JSON,)
        if body and headers.get(b"content-type", b"").partition(b";")[0].strip().lower() not in kinds:
            raise Refused(415, "Send the body as application/json.")
        return body

    def _require_share(self, token: bytes) -> None:
        """Refused (429) for a token that asks more often than it may. Buckets that fill up again."""
        rate = self._service.settings.per_second
        if math.isinf(rate):
            return
        key, now = hashlib.blake2b(token, digest_size=16).digest(), time.monotonic()
        left, then = self._shares.get(key, (rate * BURST, now))
        left = min(left + (now - then) * rate, rate * BURST)
        if len(self._shares) > 10_000:  # forged tokens
            self._shares.clear()
        self._shares[key] = (left - 1.0 if left >= 1.0 else left), now
        if left < 1.0:
            raise Refused(429, "More requests than this token may send.", retry=max(1, math.ceil((1.0 - left) / rate)))


class Straight:
    """The application as a socket serves it: fixed routes of the API right from the gate, all else as it is."""

    def __init__(self, app: FastAPI, routers: Sequence[APIRouter]) -> None:
        """app: with its own gate, for what is not called from here."""
        self._app, self._gate = app, Gate(app, app.state.service, routers)
        self.express = Express(app.state.service)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the app's own start and end."""
        if scope["type"] != "http" or self._gate.route_of(scope) is None:
            await self._app(scope, receive, send)
            return
        scope["app"], begun = self._app, False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._gate(scope, receive, noted)
        except Exception:
            LOG.exception("a request could not be served")
            if begun:
                raise
            await problem(Refused(500, "Something is broken here; it was written down."))(scope, receive, send)


async def _read(receive: Receive, most: int) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "The connection ended within the body.")
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise Refused(413, f"A body may have {most} bytes.")
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _once(body: bytes, receive: Receive) -> Receive:
    """The body that was read already, then what comes."""
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
