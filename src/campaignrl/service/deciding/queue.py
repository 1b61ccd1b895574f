"""The line of requests: one thread that takes all who wait into the next round.

While a round is written to the disk, others line up for the next one: so one flush of the disk serves many requests,
and none of them is answered before it is there. Changes (permissions, outcomes, hand-overs) come in the same rounds,
before the decisions. Of the two threads, the one that reads and writes requests and the one of the rounds, one works
while the other rests: one interpreter has one core for both, and to change between them in the middle of a round
made it half as long again. Not here: how a round decides (rounds.py).
"""

from __future__ import annotations

import asyncio
import datetime
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection

from campaignrl.service.deciding.rounds import Decider
from campaignrl.service.deciding.wishes import Wish
from campaignrl.service.ground import Refused
from campaignrl.service.store import Checkpoints, StoreDown

LOG = logging.getLogger("campaignrl.service")
MOST = 256  # requests of one round
MOST_CUSTOMERS = 5_000
GIVE_WAY = 0.005  # seconds at most for which a round waits until answers are written
REST = 0.006  # seconds at most for which a loop reads nothing while a round is made
Change = Callable[[Connection, datetime.date, float], Any]


class Ticket(NamedTuple):
    """One who waits."""

    work: Wish | Change
    loop: asyncio.AbstractEventLoop
    done: Callable[[Any], None]  # called by the loop with what came of it


class Line:
    """All who wait in one worker."""

    def __init__(self, decider: Decider, *, waiting: int) -> None:
        """waiting: how many may; more are told to come again."""
        self._decider, self._most = decider, waiting
        self._tickets: queue.SimpleQueue[Ticket | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="rounds", daemon=True)
        self._checkpoints = Checkpoints(decider.store.database)
        self._closing = False
        self._ahead: Ticket | None = None
        self._made = threading.Event()  # a round is, and on its way to the disk

    def start(self) -> None:
        """Begin to serve."""
        self._checkpoints.start()
        self._thread.start()

    async def ask(self, work: Wish | Change) -> Any:
        """What came of it, once it is on the disk; a Refused is raised."""
        if self._closing:
            raise Refused(503, "The service is about to stop.")
        if self._tickets.qsize() >= self._most:
            raise Refused(503, "Too many requests wait already.")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._tickets.put(Ticket(work, loop, partial(_resolve, future)))
        found = await future
        if isinstance(found, Exception):
            raise found
        return found

    def ask_for(self, wish: Wish, done: Callable[[Any], None]) -> bool:
        """Line up without waiting; False where one cannot. done: called by the running loop with what came of it."""
        if self._closing or self._tickets.qsize() >= self._most:
            return False
        self._tickets.put(Ticket(wish, asyncio.get_running_loop(), done))
        return True

    def close(self, seconds: float) -> bool:
        """Serve who waits, then stop; False where that took too long."""
        self._closing = True
        self._tickets.put(None)
        self._thread.join(seconds)
        self._checkpoints.close()
        return not self._thread.is_alive()

    def _serve(self) -> None:
        while (tickets := self._next()) is not None:
            began = time.perf_counter()
            found = self._together(tickets)
            self._made.clear()
            told = self._answer(tickets, found)
            self._decider.metrics.rounds.observe(time.perf_counter() - began)
            self._decider.metrics.together.observe(len(tickets))
            self._decider.metrics.waiting.set(self._tickets.qsize())
            self._checkpoints.between_rounds()
            told.wait(GIVE_WAY)

    def _next(self) -> list[Ticket] | None:
        """All who wait, up to a round full of them; None at the end."""
        first = self._ahead if self._ahead is not None else self._tickets.get()
        self._ahead = None
        if first is None:
            return None
        found, size = [first], _size(first)
        while len(found) < MOST and not self._tickets.empty():
            ticket = self._tickets.get()
            if ticket is None:
                self._tickets.put(None)
                break
            if size + _size(ticket) > MOST_CUSTOMERS:
                self._ahead = ticket
                break
            found.append(ticket)
            size += _size(ticket)
        return found

    def _together(self, tickets: Sequence[Ticket]) -> list[Any]:
        """What came of each, all in one transaction; where one breaks it, each in its own."""
        try:
            return self._one_transaction(tickets)
        except StoreDown as down:
            self._decider.metrics.store_down.inc()
            LOG.error("store down: %s", type(down.__cause__).__name__ if down.__cause__ else "busy")
            return [Refused(503, "The store does not answer: nothing was decided, nothing may be sent.")] * len(tickets)
        except Exception as wrong:  # whatever it is, it must not take the others with it
            if len(tickets) > 1:
                return [self._together([one])[0] for one in tickets]
            if isinstance(wrong, Refused):
                return [wrong]
            LOG.exception("a request could not be served")
            return [Refused(500, "Something is broken here; it was written down, and nothing was decided.")]

    def _one_transaction(self, tickets: Sequence[Ticket]) -> list[Any]:
        day, now = self._decider.settings.clock(), time.time()
        found: dict[int, Any] = {}
        with self._decider.store.writing() as con:
            for i, ticket in enumerate(tickets):
                if not isinstance(ticket.work, Wish):
                    found[i] = ticket.work(con, day, now)
            wishes = [i for i, ticket in enumerate(tickets) if isinstance(ticket.work, Wish)]
            if wishes:
                asked = [ticket.work for ticket in tickets if isinstance(ticket.work, Wish)]
                found |= dict(zip(wishes, self._decider.decide(con, asked, day, now), strict=True))
            self._made.set()
        return [found[i] for i in range(len(tickets))]

    def _answer(self, tickets: Sequence[Ticket], found: Sequence[Any]) -> threading.Event:
        """Wake all who waited, with one call for each of their loops; set once they have answered and read anew.

        The next round would else be made while answers wait to be written and requests to be read, all of them in turn.
        Then the loops rest until that round is made, if anybody waits for one.
        """
        told = threading.Event()
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Callable[[Any], None], Any]]] = {}
        for ticket, one in zip(tickets, found, strict=True):
            by_loop.setdefault(ticket.loop, []).append((ticket.done, one))
        for loop, pairs in by_loop.items():
            try:
                loop.call_soon_threadsafe(self._wake, pairs, loop, told)
            except RuntimeError:  # the loop is gone, and with it whoever asked
                told.set()
        return told

    def _wake(
        self, pairs: list[tuple[Callable[[Any], None], Any]], loop: asyncio.AbstractEventLoop, told: threading.Event
    ) -> None:
        for done, one in pairs:
            try:
                done(one)
            except Exception:  # of one who asked, and nobody else's business
                LOG.exception("an answer could not be given")
        loop.call_soon(self._change_over, told)  # after what has come in meanwhile

    def _change_over(self, told: threading.Event) -> None:
        """Let the next round be made, and the loop rest meanwhile."""
        waited_for = self._ahead is not None or not self._tickets.empty()
        told.set()
        if waited_for:
            self._made.wait(REST)


def _resolve(future: asyncio.Future[Any], one: Any) -> None:
    if not future.done():
        future.set_result(one)


def _size(ticket: Ticket) -> int:
    return len(ticket.work.ids) if isinstance(ticket.work, Wish) else 1
