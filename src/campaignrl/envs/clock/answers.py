"""When a customer answers: the times within the day of what `Panel.step` says happened on it.

An answer comes after what caused it: opening after delivery, a click after opening, an order of a day with a click or
an opening after that (the day's hazard holds both), any other order at an hour of activity. Not here: whether it
happens (dynamics/).
"""

from __future__ import annotations

import numpy as np

from campaignrl import rng
from campaignrl.arrays import Float, Int
from campaignrl.dynamics import Outcome
from campaignrl.envs.clock.event_log import EventLog
from campaignrl.envs.clock.queues import DAY
from campaignrl.envs.clock.response_times import CLICK_DELAY, OPEN_DELAY, ORDER_DELAY, Draw, active_hour, delayed
from campaignrl.envs.panel import Panel
from campaignrl.rng import Purpose


def write_answers(log: EventLog, panel: Panel, outcome: Outcome, action: Int, held: Int, reached: Float) -> None:
    """Write down the answers of the day that has just been stepped.

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
