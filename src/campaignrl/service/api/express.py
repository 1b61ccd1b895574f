"""The express lane: a plain request for one decision goes from the socket's bytes into the line, and its answer back.

It needs no task, no request object and no framework, which together cost more than to decide. Whatever is unusual (a
body that comes in parts, a header twice, features, a token that has to be looked up, anything wrong) is left to the
route of the same path, which says what is wrong with it. Not here: the socket (serving.py), the route (decide.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from campaignrl.service.api.decide import wish_for
from campaignrl.service.api.models import DecideRequest
from campaignrl.service.api.requests import KEY, key_from, parsed
from campaignrl.service.deciding import Given, Wish
from campaignrl.service.ground import Refused, problem
from campaignrl.service.worker import Service

PATH = "/v1/decide"
JSON = b"application/json"
Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


class Express:
    """The lane of one worker."""

    def __init__(self, service: Service) -> None:
        """service: whose line it leads to."""
        self._service = service
        self._open = math.isinf(service.settings.per_second)

    def takes(self, scope: Mapping[str, Any]) -> bool:
        """Whether a request is for this lane, by its first line alone."""
        return self._open and scope["path"] == PATH and scope["method"] == "POST"

    def wish_of(self, scope: Mapping[str, Any], body: bytes) -> Wish | None:
        """What is asked for; None where it is not plain."""
        headers = dict(scope["headers"])
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        whole = 0 < len(body) <= self._service.settings.largest_body
        if len(headers) != len(scope["headers"]) or kind != JSON or not whole:
            return None
        said = headers.get(b"authorization")
        try:
            caller = self._service.door.known(None if said is None else said.decode("latin-1"))
            if caller is None:
                return None
            caller.require("sender")
            key = key_from(headers.get(KEY.encode(), b"").decode("latin-1"), caller)
            asked = parsed(DecideRequest, body)
            return None if asked.features is not None else wish_for(self._service, key, body, asked)
        except Refused:
            return None

    def ask(self, wish: Wish, done: Callable[[Answer], None]) -> bool:
        """Line up; False where the line is full or closed. done: called with the answer, by the loop that asks."""
        return self._service.line.ask_for(wish, lambda found: done(_as_answer(found)))

    def count(self, status: int, seconds: float) -> None:
        """As every request is counted."""
        self._service.metrics.requests.labels(PATH, str(status)).inc()
        self._service.metrics.seconds.labels(PATH).observe(seconds)


def _as_answer(found: Given | Refused) -> Answer:
    if isinstance(found, Refused):
        made = problem(found)
        return made.status_code, list(made.raw_headers), bytes(made.body)
    headers = [(b"content-length", b"%d" % len(found.body)), (b"content-type", JSON)]
    return found.status, [*([(b"idempotency-replayed", b"true")] if found.replayed else []), *headers], found.body
