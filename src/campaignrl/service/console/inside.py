"""Requests of the console to the service's own routes, in this process: the same checks, roles and audit trail.

Not here: what the routes do (service/api/).
"""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from typing import Any, NamedTuple
from urllib.parse import quote

from fastapi import Request

from campaignrl.service.console.session import Visitor


class Told(NamedTuple):
    """What a route answered."""

    status: int
    facts: dict[str, Any]

    @property
    def is_fine(self) -> bool:
        """Whether it did what was asked."""
        return self.status < 400

    @property
    def detail(self) -> str:
        """Why it did not, in the service's words."""
        more = [str(one) for name in ("doubts", "errors") for one in self.facts.get(name, ())]
        return " ".join([str(self.facts.get("detail", "")), *more]).strip()


async def ask(request: Request, visitor: Visitor, method: str, path: str, body: dict[str, Any] | None = None) -> Told:
    """One request with the visitor's own token."""
    content = b"" if body is None else json.dumps(body).encode()
    headers = [(b"host", b"console"), (b"content-type", b"application/json")]
    if visitor.token:
        headers.append((b"authorization", f"Bearer {visitor.token}".encode("latin-1", "replace")))
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": quote(path).encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": request.scope.get("client"),
        "server": request.scope.get("server"),
    }
    return await _answered(request, scope, content)


async def _answered(request: Request, scope: dict[str, Any], content: bytes) -> Told:
    status, parts = 500, []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = int(message["status"])
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    await request.app(scope, receive, send)
    try:
        facts = json.loads(b"".join(parts) or b"{}")
    except ValueError:
        facts = {}
    return Told(status, facts if isinstance(facts, dict) else {})
