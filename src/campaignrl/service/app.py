"""The front door: `create_app` makes the application of one worker.

Not here: the routes (api/), what they share (running.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from campaignrl.errors import MissingExtra

try:
    from fastapi import FastAPI, Request
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import Response
except ImportError as missing:  # pragma: no cover
    raise MissingExtra("the service needs FastAPI: pip install 'campaignrl[serve]'") from missing

from campaignrl.service.api import ROUTES, description, methods_of
from campaignrl.service.console import install
from campaignrl.service.gate import Gate, Straight
from campaignrl.service.ground import Refused, Settings, problem
from campaignrl.service.worker import Service

VERSION = "1"
ABOUT = "Decisions in milliseconds, by the same guard, policies and ledger as `campaignrl decide`."


def create_app(settings: Settings, service: Service | None = None) -> FastAPI:
    """The application of one worker; it opens its store at once and serves from its start to its end.

    `app.state.service` is what routes share: settings, store, metrics, door, decider, line.

    Raises:
        CampaignError: store, customers or policy cannot be used.
    """
    running = service or Service.begin(settings)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        running.start()
        watch = asyncio.create_task(running.keep_up())
        yield
        watch.cancel()
        await asyncio.to_thread(running.close)

    app = FastAPI(title="campaignrl", version=VERSION, description=ABOUT, lifespan=life, docs_url=None, redoc_url=None)
    app.state.service = running
    for routes in ROUTES:
        app.include_router(routes)
    install(app, running)
    app.openapi = lambda: description(app)  # type: ignore[method-assign]
    _answer_problems(app)
    app.add_middleware(Gate, service=running, routers=ROUTES)
    return app


def as_served(app: FastAPI) -> Straight:
    """The application for a socket: what is asked most comes straight to its route."""
    return Straight(app, ROUTES)


def _answer_problems(app: FastAPI) -> None:
    @app.exception_handler(Refused)
    async def refused(_: Request, wrong: Refused) -> Response:
        return problem(wrong)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, wrong: RequestValidationError) -> Response:
        errors = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in wrong.errors()]
        return problem(Refused(422, "The request does not say what is needed.", errors=errors[:20]))

    @app.exception_handler(404)
    async def nowhere(request: Request, _: Exception) -> Response:
        return problem(Refused(404, "There is nothing at this path."))

    @app.exception_handler(405)
    async def not_so(request: Request, wrong: Exception) -> Response:
        found = problem(Refused(405, f"{request.method[:10]} is not allowed at this path."))
        found.headers["Allow"] = ", ".join(methods_of(app, request.url.path)) or "GET"
        return found
