"""A channel as a queue: whole servers, first come first served, and nobody served in quiet hours.

Here: quiet hours, decided sends that are not yet queueing, the servers that a channel has for them, waiting and serving
on a SimPy clock, and what queueing theory says of it. Not here: which sends join and what a served one means
(simulation.py). Time in hours, those of the day from 0 to 24 and local; m sends.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import simpy

from campaignrl.arrays import Float, Int
from campaignrl.specs import ChannelSpec, QuietHours

DAY = 24.0
SOON = 1e-9  # hours; closer than this is now: sums of hours are rounded
MINUTES = 60.0  # of an hour


class Quiet(NamedTuple):
    """Hours in which nothing leaves, from `start` for `length` hours; length 0: none."""

    start: float = 0.0
    length: float = 0.0

    @classmethod
    def of(cls, spec: QuietHours | None) -> Quiet:
        """The quiet hours of a world, which may go over midnight."""
        return cls() if spec is None else cls(spec.from_hour, (spec.to_hour - spec.from_hour) % DAY)

    @property
    def open_hours(self) -> float:
        """Hours of a day in which sends may leave."""
        return DAY - self.length

    def wait(self, time: float) -> float:
        """Hours from `time` until sends may leave; 0 if they may."""
        into = (time - self.start) % DAY
        left = self.length - into
        return left if left > SOON and into < DAY - SOON else 0.0

    def release(self, time: Float) -> Float:
        """(m,) the same for many times: when each may leave."""
        into = (time - self.start) % DAY
        left = self.length - into
        return time + np.where((left > SOON) & (into < DAY - SOON), left, 0.0)


NEVER_QUIET = Quiet()


class Closed(NamedTuple):
    """Hours in which a channel serves nobody: those that are quiet, and those outside its shift."""

    parts: tuple[Quiet, ...]

    @classmethod
    def of(cls, quiet: Quiet, spec: ChannelSpec) -> Closed:
        """The hours of a channel in a world with these quiet hours."""
        if spec.shift is None:
            return cls((quiet,))
        start, end = spec.shift
        return cls((quiet, Quiet(end % DAY, (start - end) % DAY)))

    @property
    def open_hours(self) -> float:
        """Hours of a day in which it serves."""
        edges = {0.0, DAY, *(p.start for p in self.parts), *((p.start + p.length) % DAY for p in self.parts)}
        return sum(
            b - a for a, b in pairwise(sorted(edges)) if all(part.wait((a + b) / 2.0) == 0.0 for part in self.parts)
        )

    def wait(self, time: float) -> float:
        """Hours from `time` until it serves; 0 if it does."""
        at = time
        while more := max(part.wait(at) for part in self.parts):
            at += more
        return at - time


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
    """The channel's servers, or as many as a send's length asks for; and the length that gives its capacity with them.

    capacity per day = servers x open hours / hours per send; rounding to whole servers stretches or shortens a send.
    """
    if spec.capacity is None:
        return Service(1, 0.0, varies=False)
    per_day = spec.capacity.sends_per_day_per_1000_customers * customers / 1000.0
    if per_day <= 0.0:
        return Service(0, 0.0, varies=False)
    wanted = per_day * (spec.capacity.minutes_per_send or 0.0) / MINUTES / open_hours
    servers = spec.servers if spec.servers is not None else max(1, round(wanted))
    return Service(servers, servers * open_hours / per_day, spec.capacity.service == "exponential")


def service_hours(mean: float, varies: bool, u: Float) -> Float:
    """(m,) time that a server takes for each send: exponential if it varies, else the mean."""
    return -mean * np.log1p(-u) if varies else np.full(len(u), mean)


@dataclass(slots=True, eq=False)
class Job:
    """One send on its way; times are hours since day 0."""

    row: int  # of the customer
    action: int
    service: list[float]  # time a server takes, by attempt
    expires: float = math.inf  # must have been sent by then
    deadline: float = math.inf  # leaves the queue then
    attempts: int = 0  # that a server has begun
    joined: float = math.nan  # last time
    begun: float = math.nan  # last time a server took it up
    sent: float = math.nan  # first time


@dataclass(eq=False)
class Queue:
    """One channel.

    begin(job): a server takes it up now; end(job): it has finished; lost(job, time): it left unserved at its deadline.
    spells: (joined, left) of every wait that is over; services: (begun, waited, hours) of every service.
    """

    env: simpy.Environment
    servers: int
    begin: Callable[[Job], None]
    end: Callable[[Job], None]
    lost: Callable[[Job, float], None]
    quiet: Quiet | Closed = NEVER_QUIET
    patience: float = math.inf  # hours
    waiting: deque[Job] = field(default_factory=deque)
    spells: list[tuple[float, float]] = field(default_factory=list)
    services: list[tuple[float, float, float]] = field(default_factory=list)
    _idle: list[simpy.Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        for _ in range(self.servers):
            self.env.process(self._serve())

    def feed(self, jobs: list[tuple[float, Job]]) -> None:
        """Let jobs join at their times, which ascend; one process for all of them."""
        if jobs:
            self.env.process(self._arrive(jobs))

    def join(self, job: Job) -> None:
        """Queue up now: at the end, or at the head for a further attempt, whose turn it was before."""
        job.joined = self.env.now
        job.deadline = min(job.joined + self.patience, max(job.expires, job.joined))
        if job.attempts:
            self.waiting.appendleft(job)
        else:
            self.waiting.append(job)
        if self._idle:
            self._idle.pop().succeed()

    def take_out(self, unwanted: Callable[[Job], bool], time: float) -> list[Job]:
        """Remove and return the waiting jobs that are `unwanted`; they leave at `time`, or at an earlier deadline."""
        out = [job for job in self.waiting if unwanted(job)]
        if out:
            self.waiting = deque(job for job in self.waiting if not unwanted(job))
            self.spells += [(job.joined, min(time, job.deadline)) for job in out]
        return out

    def _arrive(self, jobs: list[tuple[float, Job]]) -> Generator[simpy.Event, Any, None]:
        for time, job in jobs:
            if time > self.env.now:
                yield self.env.timeout(time - self.env.now)
            self.join(job)

    def _serve(self) -> Generator[simpy.Event, Any, None]:
        env = self.env
        while True:
            if not self.waiting:
                bell = env.event()
                self._idle.append(bell)
                yield bell
                continue
            closed = self.quiet.wait(env.now)
            if closed:
                yield env.timeout(closed)
                continue
            job = self.waiting.popleft()
            if env.now >= job.deadline:
                self.spells.append((job.joined, job.deadline))
                self.lost(job, job.deadline)
                continue
            self.spells.append((job.joined, env.now))
            hours = job.service[job.attempts]
            self.services.append((env.now, env.now - job.joined, hours))
            job.begun = env.now
            job.attempts += 1
            self.begin(job)
            yield env.timeout(hours)
            self.end(job)


def waiting_probability(servers: int, offered: float) -> float:
    """Chance that an arrival of M/M/c waits (Erlang 1917, formula C). offered: arrival rate x mean service, < servers.

    By the recursion of formula B: B(0) = 1, B(c) = a B(c - 1) / (c + a B(c - 1)), C = B / (1 - (a / c) (1 - B)).
    """
    if not 0.0 <= offered < servers:
        return 1.0  # the queue grows without end
    blocked = 1.0
    for c in range(1, servers + 1):
        blocked = offered * blocked / (c + offered * blocked)
    return blocked / (1.0 - offered / servers * (1.0 - blocked))


def mean_wait(servers: int, arrivals: float, service: float) -> float:
    """Mean hours in the queue of M/M/c. arrivals: per hour; service: mean hours of one."""
    offered = arrivals * service
    if offered >= servers:
        return math.inf
    return waiting_probability(servers, offered) * service / (servers - offered)
