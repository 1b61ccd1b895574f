"""What the clock writes down: one row an event, and the load of each channel by the hour.

Here: the two tables and how they are put together. Not here: when things happen (response_times.py, queues.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from campaignrl.actions import Catalog
from campaignrl.arrays import Float, Int
from campaignrl.envs.clock.queues import Queue

# In the order in which they follow each other where times are equal.
EVENTS = (
    "dropped",  # decided, but an earlier send to the customer was still on its way
    "withdrawn",  # the guard no longer allows a send that is still on its way
    "held",  # planned in quiet hours; `hours` until they end
    "queued",  # joined the queue of its channel
    "abandoned",  # gave up waiting; `hours` waited
    "expired",  # the offer ran out before it was sent; `hours` waited
    "waited",  # a server is free at last; `hours` waited
    "sent",  # `hours`: of service
    "retried",  # a further attempt of the same send; `hours`: of service
    "failed",  # not delivered by the last attempt
    "delivered",
    "opened",
    "clicked",
    "unsubscribed",
    "purchased",
    "redeemed",  # the offer that the order used
)
_CODE = {name: i for i, name in enumerate(EVENTS)}


class EventLog:
    """Collects events and makes one table of them."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._single: list[tuple[float, int, int, int, float]] = []  # time, row, event, action, hours
        self._arrays: list[tuple[npt.NDArray[Any], ...]] = []  # time, row, event, offer, channel, hours; each (m,)

    def one(self, event: str, time: float, row: int, action: int, hours: float = np.nan) -> None:
        """One event of one customer."""
        self._single.append((time, row, _CODE[event], action, hours))

    def many(self, event: str, time: Float, row: Int, action: Int, hours: Float | None = None) -> None:
        """The same event for many customers: all (m,)."""
        self._add(event, time, row, self._catalog.offer_of[action], self._catalog.channel_of[action], hours)

    def orders(self, event: str, time: Float, row: Int, offer: Int) -> None:
        """The same event for many orders, which have an offer (-1: none) but no channel: all (m,)."""
        self._add(event, time, row, offer, np.full(len(row), -1), None)

    def _add(self, event: str, time: Float, row: Int, offer: Int, channel: Int, hours: Float | None) -> None:
        length = np.full(len(row), np.nan) if hours is None else hours
        self._arrays.append((time, row, np.full(len(row), _CODE[event]), offer, channel, length))

    def _from_singles(self) -> tuple[npt.NDArray[Any], ...]:
        columns = list(zip(*self._single, strict=True)) or [()] * 5
        time, hours = (np.array(columns[i], dtype=np.float64) for i in (0, 4))
        row, event, action = (np.array(columns[i], dtype=np.int64) for i in (1, 2, 3))
        return time, row, event, self._catalog.offer_of[action], self._catalog.channel_of[action], hours

    def frame(self, ids: Int) -> pd.DataFrame:
        """One row an event, in order: time (hours since day 0), customer, event, offer, channel, hours.

        offer and channel are missing where an event belongs to none.
        """
        parts = zip(self._from_singles(), *self._arrays, strict=True)
        time, row, event, offer, channel, hours = (np.concatenate(part) for part in parts)
        order = np.lexsort((event, row, time))

        def named(codes: Int, names: list[str]) -> Any:
            return pd.Categorical.from_codes(codes[order], categories=pd.Index(names))

        return pd.DataFrame(
            {
                "time": time[order],
                "customer": ids[row[order]],
                "event": named(event, list(EVENTS)),
                "offer": named(offer, [o.name for o in self._catalog.offers]),
                "channel": named(channel, [c.name for c in self._catalog.channels]),
                "hours": hours[order],
            }
        )


def channel_load(queues: Mapping[str, Queue], end: float) -> pd.DataFrame:
    """One row an hour and channel: hour, channel, joined, begun, waiting, busy, servers, wait.

    joined, begun: how many in the hour; waiting: in the queue when it ends; busy: mean servers at work;
    wait: mean hours in the queue of those begun in it (missing where none was).
    """
    edges = np.arange(0.0, end + 1.0)
    frames = [_load(name, queue, edges) for name, queue in queues.items()]
    columns = ["hour", "channel", "joined", "begun", "waiting", "busy", "servers", "wait"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def _load(name: str, queue: Queue, edges: Float) -> pd.DataFrame:
    spells = [*queue.spells, *((job.joined, np.inf) for job in queue.waiting)]
    joined, left = np.array(spells, dtype=np.float64).reshape(-1, 2).T
    begun, waited, hours = np.array(queue.services, dtype=np.float64).reshape(-1, 3).T
    arrivals, _ = np.histogram(joined, edges)
    starts, _ = np.histogram(begun, edges)
    total, _ = np.histogram(begun, edges, weights=waited)
    return pd.DataFrame(
        {
            "hour": edges[:-1],
            "channel": name,
            "joined": arrivals,
            "begun": starts,
            "waiting": np.searchsorted(np.sort(joined), edges[1:], "right")
            - np.searchsorted(np.sort(left), edges[1:], "right"),
            "busy": np.diff(_worked(begun, begun + hours, edges)),
            "servers": queue.servers,
            "wait": np.divide(total, starts, out=np.full(len(total), np.nan), where=starts > 0),
        }
    )


def _worked(begun: Float, ended: Float, at: Float) -> Float:
    """(b,) server-hours done by each time of `at`: the sum over services of min(at, ended) - min(at, begun)."""

    def minima(times: Float) -> Float:
        ordered = np.sort(times)
        sums = np.concatenate([[0.0], np.cumsum(ordered)])
        below = np.searchsorted(ordered, at)
        result: Float = sums[below] + at * (len(ordered) - below)
        return result

    return minima(ended) - minima(begun)
