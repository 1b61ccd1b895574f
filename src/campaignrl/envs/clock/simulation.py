"""The panel on a clock of hours: sends queue, wait for the morning, are retried, given up or expire.

One behaviour model: by day this is `Panel.step`, given the sends that reached a server that day. What the clock adds
is when, and whether at all, a decided send leaves. A channel with neither `capacity` nor `retry` needs no events: its
sends leave when they are planned. With no delays in the world the run equals the panel customer by customer.

An action with a slot is planned at an hour of its slot, any other at an hour of activity. Where the world has [hours],
a send is answered by the hour at which it arrives.

A send counts on the day it leaves. Until then its customer is busy: later decisions for it are dropped, so nobody is
sent two things a day, and each morning the guard looks again at what is still on its way. The budget is charged
when a send is decided and gets the money back if it never leaves; further attempts take time, not money.

Not here: who decides (a function from the panel to actions), the queue (queues.py), the hours (response_times.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import simpy

from campaignrl import rng
from campaignrl.actions import NONE
from campaignrl.arrays import Bool, Float, Int
from campaignrl.dynamics import Outcome, delivery_probability
from campaignrl.dynamics.parameters import parameters
from campaignrl.envs.clock.event_log import EventLog, channel_load
from campaignrl.envs.clock.queues import DAY, Closed, Job, Queue, Quiet, Sends, service, service_hours
from campaignrl.envs.clock.response_times import Draw, planned_hour, write_responses
from campaignrl.envs.panel import Panel
from campaignrl.guard import Spending, sends_by_offer
from campaignrl.rng import Purpose
from campaignrl.specs import World

Decide = Callable[[Panel], Int]  # (n,) actions for today, as the guard allows
Progress = Callable[[int, int], None]  # (days done, days in all)


@dataclass(frozen=True)
class Hours:
    """A campaign by the hour.

    events, load: as `EventLog.frame` and `channel_load` describe them. totals: per field of Outcome the sum over the
    days, (n,); daily: the same summed over customers, (T,).
    """

    world: World
    seed: int
    events: pd.DataFrame
    load: pd.DataFrame
    totals: dict[str, Float]
    daily: dict[str, Float]


def run_clock(panel: Panel, decide: Decide, progress: Progress | None = None) -> Hours:
    """Run the panel to its horizon by the hour."""
    clock = Clock(panel, decide)
    horizon = panel.world.horizon
    totals = {name: np.zeros(len(panel)) for name in Outcome._fields}
    daily = {name: np.zeros(horizon) for name in Outcome._fields}
    while not panel.done:
        day = panel.day
        outcome = clock.next_day()
        for name, values in zip(Outcome._fields, outcome, strict=True):
            totals[name] += values.astype(np.float64)
            daily[name][day] = values.sum(dtype=np.float64)
        if progress is not None:
            progress(day + 1, horizon)
    names = list(panel.world.channels)
    load = channel_load({names[c]: queue for c, queue in clock.queues.items()}, DAY * panel.day)
    return Hours(panel.world, panel.seed, clock.log.frame(panel.ids), load, totals, daily)


class Clock:
    """A panel, its queues, and the sends on their way.

    hour: of the day at which sends that choose no slot are planned to leave; None: each at its customer's own.
    """

    def __init__(self, panel: Panel, decide: Decide, hour: float | None = None) -> None:
        world, n = panel.world, len(panel)
        self.panel, self.decide, self.log, self.hour = panel, decide, EventLog(world.catalog), hour
        self.quiet = Quiet.of(world.guard.quiet_hours)
        self._env = simpy.Environment()
        self._spending, self._parameters = Spending(world, n, capacities=False), parameters(world)
        self._specs = list(world.channels.values())
        self._closed = [Closed.of(self.quiet, spec) for spec in self._specs]
        self._service = [
            service(spec, n, closed.open_hours) for spec, closed in zip(self._specs, self._closed, strict=True)
        ]
        self.queues = {c: self._queue(c) for c, spec in enumerate(self._specs) if spec.capacity or spec.retry}
        self._busy = np.zeros(n, dtype=bool)  # has a send on its way
        nobody, never = np.empty(0, dtype=np.int64), np.empty(0)
        self._over = Sends(nobody, nobody, never, never)
        expires = [offer.expires_after_hours or np.inf for offer in world.offers.values()]
        self._expires = np.array([*expires, np.inf])  # hours by offer; the last for `none`
        self._begun_day = -1
        self._today: dict[int, Job] = {}  # sends that a server took up today, by row
        self._luck = np.empty(0, dtype=np.float32)  # (n,) today's draw of delivery

    def _queue(self, channel: int) -> Queue:
        spec = self._specs[channel]
        servers = self._service[channel].servers
        closed = self._closed[channel]
        return Queue(self._env, servers, self._begun, self._ended, self._lost, closed, spec.patience_hours)

    @property
    def busy(self) -> Bool:
        """(n,) who has a send on its way."""
        return self._busy.copy()

    def room(self) -> Bool:
        """(k,) actions for one of which there is money today; channels that are full make sends wait."""
        return self._spending.room(self.panel.world.catalog, self.panel.day)

    def expected_waits(self) -> dict[str, float]:
        """Hours by channel with a queue, of a send that joins now: those before it, at the servers' mean pace."""
        names = list(self.panel.world.channels)
        found = {}
        for c, queue in self.queues.items():
            servers, hours, _ = self._service[c]
            found[names[c]] = len(queue.waiting) * hours / servers if servers else np.inf
        return found

    def begin_day(self) -> None:
        """Before anything is decided today: withdraw what waits in vain, so that its customers are due; once a day."""
        panel = self.panel
        if self._begun_day == panel.day:
            return
        self._begun_day = panel.day
        if any(spec.retry for spec in self._specs):
            (self._luck,) = rng.uniforms(panel.traits.key, panel.seed, panel.day, Purpose.FUNNEL, 1)
        self._look_again(DAY * panel.day)

    def next_day(self) -> Outcome:
        """Decide, let the day pass, and live it."""
        panel, start = self.panel, DAY * self.panel.day
        self.begin_day()
        sends = self._still_valid(self._decided(start))
        leaving = sends.leaves < start + DAY
        self._over, sends = sends.take(~leaving), sends.take(leaving)
        queued = np.isin(panel.world.catalog.channel_of[sends.action], list(self.queues))
        self._feed(sends.take(queued))
        self._env.run(until=start + DAY)
        return self._live(sends.take(~queued), start)

    def _look_again(self, start: float) -> None:
        """Withdraw what waits in vain or what the guard no longer allows."""
        for queue in self.queues.values():
            for job in queue.take_out(lambda job: job.attempts > 0 or job.deadline <= start, start):
                if not job.attempts:
                    self._lost(job, job.deadline)
        rows = np.flatnonzero(self._busy)
        if not len(rows):
            return
        part = self.panel.take(rows)
        allowed = np.zeros((len(self._busy), len(self.panel.world.catalog)), dtype=bool)
        allowed[rows] = part.allowed(part.observe())
        for queue in self.queues.values():
            for job in queue.take_out(lambda job: not allowed[job.row, job.action], start):
                self._give_up("withdrawn", start, job.row, job.action)
        kept = allowed[self._over.row, self._over.action]
        for row, action in zip(self._over.row[~kept], self._over.action[~kept], strict=True):
            self._give_up("withdrawn", start, int(row), int(action))
        self._over = self._over.take(kept)

    def _decided(self, start: float) -> Sends:
        """What was held over, and today's new sends to customers who are not busy, as far as the money goes."""
        panel, catalog = self.panel, self.panel.world.catalog
        action = np.array(self.decide(panel))
        dropped = np.flatnonzero(self._busy & (action != NONE))
        self.log.many("dropped", np.full(len(dropped), start), dropped, action[dropped])
        action[dropped] = NONE
        if self._spending.is_limited:
            u = rng.uniform(panel.traits.key, panel.seed, panel.day, Purpose.THROTTLE)
            action = self._spending.serve(catalog, action, u, panel.day).action
        rows = np.flatnonzero(action != NONE)
        planned = start + self._planned(rows, action[rows])
        leaves = self.quiet.release(planned)
        late = leaves > planned
        self.log.many("held", planned[late], rows[late], action[rows[late]], (leaves - planned)[late])
        self._busy[rows] = True
        new = Sends(rows, action[rows], np.full(len(rows), start), leaves)
        return Sends(*(np.concatenate(pair) for pair in zip(self._over, new, strict=True)))

    def _planned(self, rows: Int, action: Int) -> Float:
        """(m,) hour of today at which the sends (m,) to these customers should leave."""
        panel, catalog = self.panel, self.panel.world.catalog
        hours = planned_hour(panel.traits.key[rows], panel.seed, panel.day, catalog, action)
        return hours if self.hour is None else np.where(catalog.slot_of[action] < 0, self.hour, hours)

    def _still_valid(self, sends: Sends) -> Sends:
        """Without those whose offer runs out before they could leave."""
        ends = sends.decided + self._expires[self.panel.world.catalog.offer_of[sends.action]]
        gone = sends.leaves >= ends
        for row, action, time in zip(sends.row[gone], sends.action[gone], ends[gone], strict=True):
            self._give_up("expired", float(time), int(row), int(action), 0.0)
        return sends.take(~gone)

    def _feed(self, sends: Sends) -> None:
        """Let today's sends join the queues of their channels at their times."""
        world, panel = self.panel.world, self.panel
        sends = sends.take(np.lexsort((panel.traits.key[sends.row], sends.leaves)))
        self.log.many("queued", sends.leaves, sends.row, sends.action)
        channels = world.catalog.channel_of[sends.action]
        for c, queue in self.queues.items():
            part = sends.take(channels == c)
            ends = part.decided + self._expires[world.catalog.offer_of[part.action]]
            columns = (part.row.tolist(), part.action.tolist(), self._lengths(c, part.row), ends.tolist())
            queue.feed(list(zip(part.leaves.tolist(), map(Job, *columns), strict=True)))

    def _lengths(self, channel: int, rows: Int) -> list[list[float]]:
        """Hours of service of sends to these customers today, by attempt."""
        panel, retry, served = self.panel, self._specs[channel].retry, self._service[channel]
        keys, attempts = panel.traits.key[rows], 1 if retry is None else 1 + retry.at_most
        draws = [rng.uniform(keys, panel.seed, panel.day, Purpose.CLOCK, Draw.SERVICE + k) for k in range(attempts)]
        lengths: list[list[float]] = np.array([service_hours(served.hours, served.varies, u) for u in draws]).T.tolist()
        return lengths

    def _begun(self, job: Job) -> None:
        now = self._env.now
        waited, hours = now - job.joined, job.service[job.attempts - 1]
        if job.attempts == 1:
            job.sent = now
            self._today[job.row] = job
            self._busy[job.row] = False
        if waited > 0:
            self.log.one("waited", now, job.row, job.action, waited)
        self.log.one("sent" if job.attempts == 1 else "retried", now, job.row, job.action, hours)

    def _ended(self, job: Job) -> None:
        """Plan a further attempt if this one failed and there is time left today."""
        channel = int(self.panel.world.catalog.channel_of[job.action])
        retry = self._specs[channel].retry
        if retry is None or self._today.get(job.row) is not job or job.attempts > retry.at_most:
            return
        reached = delivery_probability(np.array([channel]), np.array([job.attempts]), self._parameters)[0]
        again = self._env.now + retry.after_hours
        if self._luck[job.row] < reached or again >= DAY * (self.panel.day + 1) or self._closed[channel].wait(again):
            return
        job.expires = np.inf
        timer = self._env.timeout(retry.after_hours)
        timer.callbacks.append(lambda _: self.queues[channel].join(job))

    def _lost(self, job: Job, time: float) -> None:
        """A send left its queue at its deadline; one that had been tried before has had its day."""
        if not job.attempts:
            event = "expired" if job.expires <= time else "abandoned"
            self._give_up(event, time, job.row, job.action, time - job.joined)

    def _give_up(self, event: str, time: float, row: int, action: int, waited: float = np.nan) -> None:
        self.log.one(event, time, row, action, waited)
        self._busy[row] = False
        catalog = self.panel.world.catalog
        self._spending.book(-int(catalog.cost_of[action]), -sends_by_offer(catalog, np.array([action])))

    def _live(self, at_once: Sends, start: float) -> Outcome:
        """The day's sends as actions of the panel, and everything that followed from them in the log."""
        n, jobs = len(self.panel), list(self._today.values())
        action, attempts = np.full(n, NONE), np.ones(n, dtype=np.int64)
        reached = np.full(n, np.nan)  # when the last attempt was over
        action[at_once.row], reached[at_once.row] = at_once.action, at_once.leaves
        self._busy[at_once.row] = False
        self.log.many("sent", at_once.leaves, at_once.row, at_once.action, np.zeros(len(at_once.row)))
        rows = np.array([job.row for job in jobs], dtype=np.int64)
        action[rows] = [job.action for job in jobs]
        attempts[rows] = [job.attempts for job in jobs]
        over = np.array([job.begun + job.service[job.attempts - 1] for job in jobs], dtype=np.float64)
        reached[rows] = np.minimum(over, np.nextafter(start + DAY, 0.0))
        self._today = {}
        held = self.panel.state.live_offer.copy()
        outcome = self.panel.step(action, attempts if (attempts > 1).any() else None, reached % DAY)
        write_responses(self.log, self.panel, outcome, action, held, reached)
        return outcome
