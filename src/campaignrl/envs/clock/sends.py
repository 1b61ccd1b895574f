"""Decided sends that are not yet queueing, and the servers that a channel has for them.

Here: two small records and the arithmetic of capacity. Not here: the queue (queues.py), the day (simulation.py). m
sends.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy.typing as npt

from campaignrl.arrays import Float, Int
from campaignrl.specs import ChannelSpec

MINUTES = 60.0


class Sends(NamedTuple):
    """m decided sends that have not joined a queue; times are hours since day 0."""

    row: Int
    action: Int
    decided: Float
    leaves: Float  # planned, or when the quiet hours end

    def take(self, which: npt.NDArray[Any]) -> Sends:
        """Some of them."""
        return Sends(*(values[which] for values in self))


class Service(NamedTuple):
    """The servers of one channel for n customers, whole ones, and the hours each takes for a send."""

    servers: int
    hours: float
    varies: bool


def service(spec: ChannelSpec, customers: int, open_hours: float) -> Service:
    """As many servers as the length of a send asks for, and a length that gives exactly the capacity with them.

    capacity per day = servers x open hours / hours per send; rounding to whole servers stretches or shortens a send.
    """
    if spec.capacity is None:
        return Service(1, 0.0, varies=False)
    per_day = spec.capacity.sends_per_day_per_1000_customers * customers / 1000.0
    if per_day <= 0.0:
        return Service(0, 0.0, varies=False)
    wanted = per_day * (spec.capacity.minutes_per_send or 0.0) / MINUTES / open_hours
    servers = max(1, round(wanted))
    return Service(servers, servers * open_hours / per_day, spec.capacity.service == "exponential")
