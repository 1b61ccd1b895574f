"""Serving on a socket: one process or several over one store, what a slow client may cost, and a quiet end.

The parent of several workers starts those that die again, and on SIGTERM lets all of them finish what is under way.
Not here: the application (app.py).
"""

from __future__ import annotations

import asyncio
import gc
import logging
import multiprocessing
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.process import BaseProcess
from typing import Any

from campaignrl.errors import MissingExtra, Problem, UsageError
from campaignrl.policies import keep_one_blas_thread
from campaignrl.service.api import Answer, Express
from campaignrl.service.app import as_served, create_app
from campaignrl.service.deciding import Wish
from campaignrl.service.ground import Settings
from campaignrl.service.worker import Service

try:
    import uvicorn
    from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
except ImportError as missing:  # pragma: no cover
    raise MissingExtra("the service needs uvicorn and httptools: pip install 'campaignrl[serve]'") from missing

LOG = logging.getLogger("campaignrl.service")
IDLE = 15.0  # seconds for which a connection may say nothing
LARGEST_HEAD = 65_536  # bytes of a request before its body
BACKLOG = 1_024
PAUSE = 1.0  # seconds before a worker that died is started again


class Plain:
    """A request that no parser has read, to whoever asks a connection about the one under way."""

    more_body = False

    def __init__(self) -> None:
        self.response_complete = self.disconnected = False
        self.keep_alive, self.message_event = True, asyncio.Event()


class Impatient(HttpToolsProtocol):
    """Closes a connection whose request does not get as far as its body within the time."""

    def connection_made(self, transport: Any) -> None:
        """The clock starts."""
        super().connection_made(transport)
        self._lane: Express | None = getattr(self.config.app, "express", None)
        self._hurry, self._head = self.loop.call_later(IDLE, self._give_up), 0

    def data_received(self, data: bytes) -> None:
        """A plain request for one decision takes the express lane, whole as it is; a parser reads all others."""
        if not (self._between_requests() and self._taken(data)):
            self._parse(data)

    def _between_requests(self) -> bool:
        """Whether the next byte is the first of a request."""
        if self.cycle is None:
            return not self._head
        done: bool = self.cycle.response_complete and not self.cycle.more_body and self._hurry.cancelled()
        return done and not self.pipeline

    def _taken(self, data: bytes) -> bool:
        """Whether these bytes are a request that has lined up; where they are not, nothing has happened."""
        if self._lane is None or self.flow.write_paused:
            return False
        cycle, began = Plain(), time.perf_counter()
        if not self._lined_up(cycle, lambda lane: lane.read(data), began):
            return False
        self._unset_keepalive_if_required()
        self._hurry.cancel()
        self.cycle = cycle  # type: ignore[assignment]
        return True

    def _parse(self, data: bytes) -> None:
        """A further request on the same connection has as long as the first, and no head is endless."""
        if self._hurry.cancelled() and (self.cycle is None or self.cycle.response_complete):
            self._hurry, self._head = self.loop.call_later(IDLE, self._give_up), 0
        super().data_received(data)
        self._head += len(data)
        if not self._hurry.cancelled() and self._head > LARGEST_HEAD:
            self._give_up()

    def on_headers_complete(self) -> None:
        """It got there."""
        self._hurry.cancel()
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """A request that took a parser may yet be a plain one, once its body is here."""
        if self._lane is None or cycle.waiting_for_100_continue or not self._lane.takes(cycle.scope):
            super()._start_asgi_task(cycle, app)
        else:
            self.loop.call_soon(self._by_express, cycle, app, time.perf_counter())

    def _by_express(self, cycle: RequestResponseCycle, app: Any, began: float) -> None:
        def wish(lane: Express) -> Wish | None:
            return lane.wish_of(dict(cycle.scope["headers"]), bytes(cycle.body))

        plain = not (cycle.more_body or cycle.disconnected or self.flow.write_paused)
        if not (plain and self._lined_up(cycle, wish, began)):
            super()._start_asgi_task(cycle, app)

    def _lined_up(self, cycle: Any, wish_of: Callable[[Express], Wish | None], began: float) -> bool:
        """Whether a wish has taken the express lane; its answer is written and counted when it comes."""
        lane = self._lane
        assert lane is not None
        try:
            wish = wish_of(lane)
        except Exception:  # nobody would be answered; the route says what is wrong
            LOG.exception("a request left the express lane")
            return False

        def answered(answer: Answer) -> None:
            lane.count(answer[0], time.perf_counter() - began)
            self._write(cycle, *answer)

        return wish is not None and lane.ask(wish, answered)

    def _write(self, cycle: Any, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """A whole response at once, as a cycle writes it in parts."""
        if cycle.disconnected:
            return
        own = self.server_state.default_headers
        lines = [*own, *headers, *([] if cycle.keep_alive else [(b"connection", b"close")])]
        head = [part for name, value in lines for part in (name, b": ", value, b"\r\n")]
        cycle.response_started = cycle.response_complete = True
        self.transport.write(b"".join((STATUS_LINE[status], *head, b"\r\n", body)))
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing to wait for."""
        self._hurry.cancel()
        super().connection_lost(exc)

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; UsageError where it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
    except (OSError, OverflowError) as wrong:
        found.close()
        fix = "Take another --port, or stop what listens there."
        raise UsageError(Problem("serve", "address", f"{host}:{port}", f"free: {wrong}", fix)) from None
    found.listen(BACKLOG)
    found.set_inheritable(True)
    return found


def serve(settings: Settings, place: socket.socket, workers: int, service: Service) -> None:
    """Serve until SIGTERM or Ctrl-C. service: opened already; it serves alone, or has opened the way for several."""
    if workers == 1:
        _serve_one(settings, place, service)
        return
    service.decider.close()
    service.store.close()
    _serve_several(replace(settings, customers=None, prices=None), place, workers)  # the store has both


def _serve_one(settings: Settings, place: socket.socket, service: Service | None = None) -> None:
    app = create_app(settings, service)
    keep_one_blas_thread()
    gc.collect()
    gc.freeze()  # what is there now stays, and need not be looked at again and again while requests wait
    config = uvicorn.Config(
        as_served(app),
        http=Impatient,
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=int(IDLE),
        timeout_graceful_shutdown=max(int(settings.drain_seconds), 1),
    )
    signal.signal(signal.SIGTERM, lambda *_: None)  # what uvicorn raises again once everybody is answered
    uvicorn.Server(config).run(sockets=[place])
    gc.unfreeze()  # libraries that count what is left at the end would take it for lost


def _worker(settings: Settings, place: socket.socket) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    _serve_one(settings, place)


def _serve_several(settings: Settings, place: socket.socket, workers: int) -> None:
    spawn, stopping = multiprocessing.get_context("spawn"), False

    def stop(*_: Any) -> None:
        nonlocal stopping
        stopping = True

    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, stop)

    def begun() -> BaseProcess:
        process = spawn.Process(target=_worker, args=(settings, place), daemon=False)
        process.start()
        return process

    running = [begun() for _ in range(workers)]
    while not stopping:
        time.sleep(PAUSE / 5)
        for i, process in enumerate(running):
            if not process.is_alive() and not stopping:
                LOG.error("a worker ended with code %s and is started again", process.exitcode)
                time.sleep(PAUSE)
                running[i] = begun()
    for process in running:
        process.terminate()
    until = time.monotonic() + settings.drain_seconds + 5.0
    for process in running:
        process.join(max(until - time.monotonic(), 0.1))
        if process.is_alive():
            process.kill()
