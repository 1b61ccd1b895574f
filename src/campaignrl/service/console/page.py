"""How every page is made: template, language, who is signed in, and headers that let nothing else in.

Every text from data is escaped by the template; no page has a style or script of its own, so that the content policy
can forbid both. Not here: what a page says (the other modules).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache, partial, wraps
from importlib import resources
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from campaignrl.monitor import figure
from campaignrl.report.pages import charts_style, style
from campaignrl.service.api import service_of
from campaignrl.service.console.language import LANGUAGES, language_of, said
from campaignrl.service.console.sentences import told
from campaignrl.service.console.session import FIELD, FORM, Visitor, fields_of, remember, require_own_form, visitor_of
from campaignrl.service.ground import Refused

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
}
PARTS = ("today", "audience", "policies", "plan", "experiments", "system")
PATHS = {"today": "/", **{part: f"/console/{part}" for part in PARTS[1:]}}

Shown = Callable[[Request, Visitor], Awaitable[Response]]
Done = Callable[[Request, Visitor, dict[str, str]], Awaitable[Response]]


@cache
def templates() -> Environment:
    """The templates; a figure that nobody gave is an error, not a blank."""
    found = Environment(
        loader=PackageLoader(__package__, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["figure"] = figure
    return found


@cache
def style_sheet() -> str:
    """The reports' style, the charts' and the console's own."""
    own = resources.files(__package__).joinpath("console.css").read_text(encoding="utf-8")
    return "\n".join([str(style()), str(charts_style()), own])


@cache
def script() -> str:
    """What keeps live figures live; every page works without it."""
    return resources.files(__package__).joinpath("console.js").read_text(encoding="utf-8")


def shown(request: Request, visitor: Visitor | None, name: str, status: int = 200, **facts: Any) -> Response:
    """A page of ours."""
    language = language_of(request)
    text = (
        templates()
        .get_template(f"{name}.html.j2")
        .render(
            t=partial(said, language),
            told=partial(told, language),
            language=language,
            languages=LANGUAGES,
            here=request.url.path,
            part=name,
            paths=PATHS,
            visitor=visitor,
            field=FIELD,
            world=service_of(request).settings.world.name,
            **facts,
        )
    )
    made = Response(text.encode("utf-8", "replace"), status, HEADERS, "text/html; charset=utf-8")
    if visitor is not None and request.cookies.get(FORM) != visitor.form:
        remember(made, request, FORM, visitor.form)
    return made


def signed_in(handler: Shown) -> Callable[[Request], Awaitable[Response]]:
    """A page for people who are signed in; others are led to the door."""

    @wraps(handler)
    async def guarded(request: Request) -> Response:
        visitor = await visitor_of(request)
        if visitor is None:
            return to(f"/console/sign-in?next={quote(request.url.path)}")
        try:
            return await handler(request, visitor)
        except Refused as wrong:
            return shown(request, visitor, "wrong", wrong.status, detail=wrong.detail)

    del guarded.__wrapped__  # a framework would read the handler's own arguments
    return guarded


def changing(role: str, handler: Done) -> Callable[[Request], Awaitable[Response]]:
    """A form of people who are signed in, of a page of ours, and confirmed."""

    async def posted(request: Request, visitor: Visitor) -> Response:
        fields = await fields_of(request)
        require_own_form(request, visitor, fields)
        visitor.caller.require(role)
        if fields.get("sure") != "yes":
            raise Refused(400, said(language_of(request), "form.confirm_first"))
        return await handler(request, visitor, fields)

    return signed_in(posted)


def to(path: str) -> Response:
    """On to another page of ours."""
    return RedirectResponse(path, 303, HEADERS)


def own_path(text: str) -> str:
    """A path of ours, else the first page: nobody is led to another host."""
    inside = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()
    return text if inside else "/"
