"""The express lane: a plain request for one decision goes from the socket's bytes into the line, and its answer back.

It needs no task, no request object and no framework, which together cost more than to decide. Whatever is unusual (a
body that comes in parts, a header twice, features, a token that has to be looked up, anything wrong) is left to the
route of the same path, which says what is wrong with it. Not here: the socket (serving.py), the route (decide.py).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from prometheus_client import Counter, Histogram

from campaignrl.service.api.decide import wish_for
from campaignrl.service.api.models import DecideRequest
from campaignrl.service.api.requests import KEY, key_from, parsed
from campaignrl.service.deciding import Given, Wish
from campaignrl.service.ground import Refused, problem
from campaignrl.service.store import hash_of_body
from campaignrl.service.worker import Service

PATH = "/v1/decide"
JSON = b"application/json"
FIRST = b"POST /v1/decide HTTP/1.1\r\n"
PLAIN = re.compile(re.escape(FIRST) + rb"(?:[A-Za-z-]+: ?[!-~][ -~]*\r\n){1,12}\r\n")
# A body that names a customer and says nothing else, in plain signs: what any other says is read as JSON.
ALONE = re.compile(rb'\{"customer_id": ?"([!#-\[\]-~][ !#-\[\]-~]{0,255})"\}')
READ = {b"host", b"user-agent", b"accept", b"accept-encoding", b"content-type", b"content-length"}
READ |= {b"connection", b"authorization", KEY.encode()}
Headers = Mapping[bytes, bytes]
Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


def plain_request(data: bytes) -> tuple[Headers, bytes] | None:
    """Headers and body of bytes that are one whole request for a decision, with nothing to it; None: a parser's work.

    Only headers that are known here, each once, say nothing about how the bytes are to be read but their length.
    """
    found = PLAIN.match(data)
    if found is None:
        return None
    lines = data[len(FIRST) : found.end() - 4].split(b"\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    body, length = data[found.end() :], headers.get(b"content-length", b"")
    if len(headers) != len(lines) or not headers.keys() <= READ or b"host" not in headers:
        return None
    if headers.get(b"connection", b"keep-alive").lower() != b"keep-alive" or length != b"%d" % len(body):
        return None
    return headers, body


class Express:
    """The lane of one worker."""

    def __init__(self, service: Service) -> None:
        """service: whose line it leads to."""
        self._service = service
        self._open = math.isinf(service.settings.per_second)
        self._counted: dict[int, tuple[Counter, Histogram]] = {}

    def takes(self, scope: Mapping[str, Any]) -> bool:
        """Whether a request is for this lane, by its first line and by no header that stands twice."""
        if not (self._open and scope["path"] == PATH and scope["method"] == "POST"):
            return False
        return len(dict(scope["headers"])) == len(scope["headers"])

    def read(self, data: bytes) -> Wish | None:
        """What is asked for by the bytes of a whole request; None where a parser must read them."""
        found = plain_request(data) if self._open else None
        return None if found is None else self.wish_of(*found)

    def wish_of(self, headers: Headers, body: bytes) -> Wish | None:
        """What is asked for; None where it is not plain."""
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind != JSON or not 0 < len(body) <= self._service.settings.largest_body:
            return None
        said = headers.get(b"authorization")
        try:
            caller = self._service.door.known(None if said is None else said.decode("latin-1"))
            if caller is None:
                return None
            caller.require("sender")
            key = key_from(headers.get(KEY.encode(), b"").decode("latin-1"), caller)
            alone = ALONE.fullmatch(body)
            if alone is not None:
                return Wish(key, hash_of_body(body), (alone[1].decode(),))
            asked = parsed(DecideRequest, body)
            return None if asked.features is not None else wish_for(self._service, key, body, asked)
        except Refused:
            return None

    def ask(self, wish: Wish, done: Callable[[Answer], None]) -> bool:
        """Line up; False where the line is full or closed. done: called with the answer, by the loop that asks."""
        return self._service.line.ask_for(wish, lambda found: done(_as_answer(found)))

    def count(self, status: int, seconds: float) -> None:
        """As every request is counted. What a label stands for is looked up once."""
        kept = self._counted.get(status)
        if kept is None:
            metrics = self._service.metrics
            kept = self._counted[status] = metrics.requests.labels(PATH, str(status)), metrics.seconds.labels(PATH)
        kept[0].inc()
        kept[1].observe(seconds)


def _as_answer(found: Given | Refused) -> Answer:
    if isinstance(found, Refused):
        made = problem(found)
        return made.status_code, list(made.raw_headers), bytes(made.body)
    headers = [(b"content-length", b"%d" % len(found.body)), (b"content-type", JSON)]
    return found.status, [*([(b"idempotency-replayed", b"true")] if found.replayed else []), *headers], found.body
