"""The console in an application: its routes, and its figures in `/metrics`.

None of its paths is part of the OpenAPI description, which is for machines. Not here: the pages.
"""

from __future__ import annotations

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response

from campaignrl.service.api import service_of
from campaignrl.service.console import audience, experiments, live, plan, policies, system, today
from campaignrl.service.console.language import COOKIE, LANGUAGES, language_of, said
from campaignrl.service.console.page import HEADERS, own_path, script, shown, style_sheet, to
from campaignrl.service.console.session import SESSION, caller_of, fields_of, remember
from campaignrl.service.console.watch import Watch, WatchCollector
from campaignrl.service.worker import Service

ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#0072b2"/>'
    '<path d="M7 22l6-7 5 4 7-10" fill="none" stroke="#fff" stroke-width="3" stroke-linecap="round"/></svg>'
)
KEPT = {**HEADERS, "Cache-Control": "max-age=300"}

PAGES = {
    "/": today.today,
    "/console/audience": audience.audience,
    "/console/customer": audience.customer,
    "/console/policies": policies.policies,
    "/console/plan": plan.plan,
    "/console/experiments": experiments.experiments,
    "/console/system": system.system,
    "/console/live": live.live,
}
FORMS = {
    "/console/policies/promote": policies.promote,
    "/console/policies/roll-back": policies.roll_back,
    "/console/policies/shadow": policies.shadow,
    "/console/plan/approve": plan.approve_plan,
    "/console/system/halt": system.halt_all,
    "/console/system/release": system.release_all,
}


def install(app: FastAPI, service: Service) -> None:
    """Give the application its console."""
    app.state.watch = watch = Watch(service.settings)
    service.metrics.registry.register(WatchCollector(watch))
    routes = APIRouter(include_in_schema=False)
    for path, page in PAGES.items():
        routes.add_api_route(path, page, methods=["GET"], response_model=None)
    for path, form in FORMS.items():
        routes.add_api_route(path, form, methods=["POST"], response_model=None)
    routes.add_api_route("/console/sign-in", door, methods=["GET"], response_model=None)
    routes.add_api_route("/console/sign-in", sign_in, methods=["POST"], response_model=None)
    routes.add_api_route("/console/sign-out", sign_out, methods=["POST"], response_model=None)
    routes.add_api_route("/console/language/{language}", choose, methods=["GET"], response_model=None)
    routes.add_api_route("/console/static/{name}", static, methods=["GET"], response_model=None)
    app.include_router(routes)


async def door(request: Request) -> Response:
    """Where one signs in."""
    return shown(request, None, "sign_in", onward=own_path(request.query_params.get("next", "/")), wrong="")


async def sign_in(request: Request) -> Response:
    """A token that holds becomes a session."""
    fields = await fields_of(request)
    token, onward = fields.get("token", "").strip(), own_path(fields.get("next", "/"))
    if await caller_of(request, token) is None:
        wrong = said(language_of(request), "door.refused")
        return shown(request, None, "sign_in", 401, onward=onward, wrong=wrong)
    made = to(onward)
    remember(made, request, SESSION, token)
    return made


async def sign_out(request: Request) -> Response:
    """The session ends. Nothing else can be done with this, so that it needs no key."""
    made = to("/console/sign-in")
    made.delete_cookie(SESSION)
    return made


async def choose(request: Request, language: str) -> Response:
    """Another language, and back."""
    made = to(own_path(request.query_params.get("back", "/")))
    if language in LANGUAGES:
        remember(made, request, COOKIE, language)
    return made


async def static(request: Request, name: str) -> Response:
    """Style, script, icon."""
    service_of(request)
    files = {
        "console.css": (style_sheet, "text/css; charset=utf-8"),
        "console.js": (script, "text/javascript; charset=utf-8"),
        "icon.svg": (lambda: ICON, "image/svg+xml"),
    }
    if name not in files:
        return Response(b"", 404, HEADERS)
    content, kind = files[name]
    return Response(content().encode(), 200, KEPT, kind)
