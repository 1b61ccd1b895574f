"""The line of requests: of the loop and the rounds one works while the other rests, and neither for long."""

import asyncio
import contextlib
import datetime
import threading
import time
from types import SimpleNamespace

import pytest

pytest.importorskip("sqlalchemy")

from campaignrl.service.deciding import Line, queue
from campaignrl.service.ground import Metrics

LONG = 20.0  # seconds; nothing here takes as long unless it hangs


class Ticks:
    """How often the loop has come round."""

    def __init__(self):
        self.seen = 0

    async def count(self):
        while True:
            self.seen += 1
            await asyncio.sleep(0)

    def moved(self, since):
        """Whether it goes on, within the time."""
        end = time.monotonic() + LONG
        while self.seen == since and time.monotonic() < end:
            time.sleep(0.001)
        return self.seen > since


@pytest.fixture
def served(monkeypatch):
    """Runs a coroutine function of (line, ticks) beside a line whose commits call `at_disk`."""

    def run(body, *, rest, at_disk=lambda: None):
        monkeypatch.setattr(queue, "REST", rest)
        monkeypatch.setattr(queue, "GIVE_WAY", LONG)

        @contextlib.contextmanager
        def writing():
            yield None
            at_disk()

        store = SimpleNamespace(writing=writing, database=SimpleNamespace(is_sqlite=False))
        settings = SimpleNamespace(clock=lambda: datetime.date(2026, 1, 1))
        line = Line(SimpleNamespace(store=store, settings=settings, metrics=Metrics()), waiting=10)

        async def whole():
            ticks = Ticks()
            counting = asyncio.create_task(ticks.count())
            line.start()
            try:
                return await asyncio.wait_for(body(line, ticks), LONG)
            finally:
                counting.cancel()
                line.close(LONG)

        return asyncio.run(whole())

    return run


async def behind(line, work):
    """What comes of `work`, in a round that begins while it waits already."""
    begun, free = threading.Event(), threading.Event()

    def hold(*_):
        begun.set()
        return free.wait(LONG)

    first = asyncio.create_task(line.ask(hold))
    while not begun.is_set():
        await asyncio.sleep(0)
    second = asyncio.create_task(line.ask(work))
    while not line._tickets.qsize():
        await asyncio.sleep(0)
    free.set()
    assert await first
    return await second


def test_the_loop_rests_while_a_round_is_made_and_goes_on_while_it_is_written(served):
    seen = {}

    async def body(line, ticks):
        def work(*_):
            before = ticks.seen
            time.sleep(0.05)
            seen["made"] = ticks.seen - before
            seen["ticks"] = ticks
            return "done"

        return await behind(line, work)

    def at_disk():
        if "ticks" in seen and "written" not in seen:
            seen["written"] = seen["ticks"].moved(seen["ticks"].seen)

    assert served(body, rest=LONG, at_disk=at_disk) == "done"
    assert (seen["made"], seen["written"]) == (0, True)


def test_a_long_round_does_not_stop_the_loop(served):
    async def body(line, ticks):
        return await behind(line, lambda *_: ticks.moved(ticks.seen))

    assert served(body, rest=0.01)


def test_nobody_rests_where_nobody_waits(served):
    async def body(line, ticks):
        await line.ask(lambda *_: None)
        since = time.monotonic()
        for _ in range(3):
            await asyncio.sleep(0)
        return time.monotonic() - since

    assert served(body, rest=LONG) < LONG / 2


def test_a_round_that_fails_lets_the_loop_go_on(served):
    async def body(line, ticks):
        def work(*_):
            raise queue.StoreDown("gone")

        with pytest.raises(queue.Refused):
            await behind(line, work)
        return await line.ask(lambda *_: "next")

    assert served(body, rest=0.01) == "next"
