"""Answers that something is wrong, as problem JSON (RFC 9457), and the exceptions that become them.

Not here: who raises them (api/, gate.py). A problem never holds a customer's data beyond the id that was sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastapi.responses import Response

MEDIA = "application/problem+json"
TITLES: Mapping[int, str] = {
    400: "The request cannot be read",
    401: "No valid token",
    403: "The token's role does not allow this",
    404: "There is no such thing",
    405: "The method is not allowed here",
    408: "The request took too long to arrive",
    409: "It does not fit what is there",
    410: "It was erased",
    411: "The length of the body must be told",
    413: "The body is too large",
    415: "The content type is not application/json",
    422: "The request does not say what is needed",
    429: "Too many requests",
    431: "A header is too large",
    500: "Something is broken here",
    503: "Not now: nothing was decided, nothing may be sent",
}
RETRY = 1  # seconds


class Refused(Exception):
    """A request that is answered with a problem."""

    def __init__(self, status: int, detail: str, *, retry: int | None = None, **more: Any) -> None:
        """detail: one sentence; more: further members of the problem."""
        super().__init__(detail)
        self.status, self.detail, self.more = status, detail, more
        self.retry = RETRY if retry is None and status == 503 else retry


def problem_bytes(status: int, detail: str, more: Mapping[str, Any] | None = None) -> bytes:
    """The body of a problem."""
    about = {"type": "about:blank", "title": TITLES.get(status, "Refused"), "status": status, "detail": detail}
    return json.dumps({**about, **(more or {})}, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def problem(wrong: Refused) -> Response:
    """The response to a refused request."""
    headers = {} if wrong.retry is None else {"Retry-After": str(wrong.retry)}
    if wrong.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    body = problem_bytes(wrong.status, wrong.detail, wrong.more)
    return Response(body, wrong.status, headers, MEDIA)
