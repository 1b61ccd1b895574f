"""When within a day: planned sends, and the time of each response of a customer.

A response comes after what caused it: opening after delivery, a click after opening, an order of a day with a click or
an opening after that (the day's hazard holds both), any other order at an hour of activity.

Here: hours of the day from counter-based draws, and the responses of a day written down. Not here: whether something
happens at all (dynamics/), quiet hours and queues (queues.py). Hours are local time, 0 to 24; m sends or customers.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from campaignrl import rng
from campaignrl.actions import Catalog
from campaignrl.arrays import Float, Int, UInt64
from campaignrl.dynamics import Outcome
from campaignrl.envs.clock.event_log import EventLog
from campaignrl.envs.clock.queues import DAY
from campaignrl.envs.panel import Panel
from campaignrl.rng import Purpose

# Around noon and in the evening, as shops see their visits; a default of ours, the same for all customers.
_PEAKS = ((0.4, 12.5), (0.6, 20.0))  # share, hour of the day
_CONCENTRATION = 3.0  # of von Mises, a standard deviation of about 2.4 hours
OPEN_DELAY = 1.5  # hours from delivery to opening, mean before the day's end cuts it off
CLICK_DELAY = 0.05
ORDER_DELAY = 1.0  # from the click, or else the opening


class Draw(IntEnum):
    """The k of each draw of Purpose.CLOCK. Numbers are part of the format: append, never renumber."""

    PLAN = 0
    OPEN = 1
    CLICK = 2
    ORDER = 3
    UNSUBSCRIBE = 4
    SERVICE = 16  # and one more for each further attempt


def active_hour(u: Float) -> Float:
    """(m,) hour of the day at which a customer is reached, by inversion of the activity profile."""
    return np.interp(u, _SHARE, _GRID)


def planned_hour(keys: UInt64, seed: int, day: int, catalog: Catalog | None = None, action: Int | None = None) -> Float:
    """(m,) hour of the day at which the send of each action (m,) is planned: evenly within its slot, if it has one.

    A slot over midnight has its late hours at the end of the day and its early ones at the beginning of the same day.
    """
    u = rng.uniform(keys, seed, day, Purpose.CLOCK, Draw.PLAN)
    free = active_hour(u)
    if catalog is None or action is None or not catalog.slots:
        return free
    bands = np.array([(s.from_hour, (s.to_hour - s.from_hour) % DAY or DAY) for s in catalog.slots] + [(0.0, DAY)])
    slot = catalog.slot_of[action]
    begins, length = bands[slot].T  # of none, -1: the last
    return np.where(slot < 0, free, (begins + u * length) % DAY)


def delayed(start: Float, mean: float, end: float, u: Float) -> Float:
    """(m,) start plus an exponential delay with this mean, given that it ends before `end`.

    Inversion of the truncated exponential: -mean log(1 - u (1 - exp(-(end - start) / mean))).
    """
    within = -np.expm1(-(end - start) / mean)
    result: Float = np.minimum(start - mean * np.log1p(-u * within), np.nextafter(end, 0.0))
    return result


def write_responses(log: EventLog, panel: Panel, outcome: Outcome, action: Int, held: Int, reached: Float) -> None:
    """Write down the responses of the day that has just been stepped.

    action: (n,) what was sent; held: (n,) the offer held before it, or -1; reached: (n,) when the last attempt was
    over, hours since day 0.
    """
    day = panel.day - 1
    end = DAY * (day + 1)

    def u(rows: Int, k: Draw) -> Float:
        return rng.uniform(panel.traits.key[rows], panel.seed, day, Purpose.CLOCK, k)

    def after(start: Float, rows: Int, mean: float, k: Draw) -> Float:
        times = np.full(len(action), np.nan)
        times[rows] = delayed(start[rows], mean, end, u(rows, k))
        return times

    failed = np.flatnonzero(outcome.sent & ~outcome.delivered)
    log.many("failed", reached[failed], failed, action[failed])
    rows = np.flatnonzero(outcome.delivered)
    log.many("delivered", reached[rows], rows, action[rows])
    rows = np.flatnonzero(outcome.opened)
    opened = after(reached, rows, OPEN_DELAY, Draw.OPEN)
    log.many("opened", opened[rows], rows, action[rows])
    rows = np.flatnonzero(outcome.clicked)
    clicked = after(opened, rows, CLICK_DELAY, Draw.CLICK)
    log.many("clicked", clicked[rows], rows, action[rows])
    rows = np.flatnonzero(outcome.unsubscribed)
    left = after(np.where(outcome.opened, opened, reached), rows, OPEN_DELAY, Draw.UNSUBSCRIBE)
    log.many("unsubscribed", left[rows], rows, action[rows])
    rows = np.flatnonzero(outcome.bought)
    caused = after(np.where(outcome.clicked, clicked, opened), rows[outcome.opened[rows]], ORDER_DELAY, Draw.ORDER)
    spontaneous = end - DAY + active_hour(u(rows, Draw.ORDER))
    ordered = np.where(outcome.opened[rows], caused[rows], spontaneous)
    log.orders("purchased", ordered, rows, np.full(len(rows), -1))
    used = outcome.redeemed[rows]
    offer = np.where(outcome.opened, panel.world.catalog.offer_of[action], held)
    log.orders("redeemed", ordered[used], rows[used], offer[rows[used]])


def _profile() -> tuple[Float, Float]:
    """Cumulated share of activity at each minute of the day, and its hour; two von Mises bumps."""
    grid = np.linspace(0.0, DAY, 24 * 60 + 1)
    angle = 2.0 * np.pi / DAY
    density = np.zeros(len(grid))
    for share, at in _PEAKS:
        density += share * np.exp(_CONCENTRATION * (np.cos(angle * (grid - at)) - 1.0))
    steps = (density[1:] + density[:-1]) / 2.0
    return np.concatenate([[0.0], np.cumsum(steps) / steps.sum()]), grid


_SHARE, _GRID = _profile()
