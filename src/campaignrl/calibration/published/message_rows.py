"""What a world makes of published figures of messages: one channel alone, sent at 1, 2, 4 and 7 a week for 90 days.

The fleet is scripted: the plainest offer of the channel to everybody who allows it, customers who are gone for good
included, as on a real list. Not here: what a campaign causes (promotion_rows.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Float
from campaignrl.calibration.published.measured import Measured
from campaignrl.calibration.published.plays import paced, plain_action, unguarded
from campaignrl.calibration.published.statistics import share
from campaignrl.envs import Panel
from campaignrl.specs import World

DAYS = 90
PACES = (1, 2, 4, 7)  # messages a week
USUAL = 2  # a week: at which published averages hold
SELDOM = 0.25  # a week, on channels with a capacity: nobody calls a customer twice a week
CREDIT = 5  # days in which an order counts for the last click; published windows are 3 to 7


class Fleet(NamedTuple):
    """What became of n customers' messages on one channel; totals over the days, (n,) each."""

    sent: Float
    delivered: Float
    opened: Float
    clicked: Float
    unsubscribed: Float
    ordered: Float  # orders within 5 days of the last click, or the outcome window on channels with a capacity
    weeks: Float  # with consent
    stays: Float  # 1 where consent is left in the end


def message_rows(world: World, customers: int, seed: int) -> Iterator[Measured]:
    """Every figure of every channel, as they are measured."""
    world = unguarded(world, horizon=DAYS, season=None)  # published averages are of whole years
    for channel, spec in world.channels.items():
        if spec.capacity is not None:
            yield from _usual_rows(channel, fleet(world, channel, SELDOM, customers, seed), SELDOM)
            continue
        for a_week in PACES:
            played = fleet(world, channel, a_week, customers, seed)
            yield from _paced_rows(channel, played, a_week)
            if a_week == USUAL:
                yield from _usual_rows(channel, played, a_week)


def fleet(world: World, channel: str, a_week: float, customers: int, seed: int) -> Fleet:
    """The channel's plainest offer so many times a week, to everybody who allows the channel on day 0."""
    panel, code = Panel(world, customers, seed), list(world.channels).index(channel)
    panel = panel.take(np.flatnonzero(panel.state.consent[code]))
    decide, n = paced(plain_action(world, channel), a_week), len(panel)
    totals = Fleet(*(np.zeros(n) for _ in Fleet._fields))
    credit = CREDIT if a_week > SELDOM else max(CREDIT, world.outcome_days)  # a call's outcome has no published window
    clicked_on = np.full(n, -np.inf)
    while not panel.done:
        day = panel.day
        totals.weeks[...] += panel.state.consent[code] / 7.0
        outcome = panel.step(decide(panel))
        for name in ("sent", "delivered", "opened", "clicked", "unsubscribed"):
            getattr(totals, name)[...] += getattr(outcome, name)
        clicked_on[outcome.clicked] = day
        totals.ordered[...] += outcome.bought & (day - clicked_on <= credit)
    totals.stays[...] = panel.state.consent[code]
    return totals


def _paced_rows(channel: str, f: Fleet, a_week: int) -> Iterator[Measured]:
    for figure, part, whole in (
        ("opened", f.opened, f.delivered),
        ("clicked", f.clicked, f.delivered),
        ("unsubscribed", f.unsubscribed, f.delivered),
        ("unsubscribed a week", f.unsubscribed, f.weeks),
        ("list left", f.stays, np.ones_like(f.stays)),
    ):
        yield Measured(f"{figure}@{channel}", share(part, whole), a_week)


def _usual_rows(channel: str, f: Fleet, a_week: float) -> Iterator[Measured]:
    yield Measured(f"delivered@{channel}", share(f.delivered, f.sent))
    yield Measured(f"ordered/clicked@{channel}", share(f.ordered, f.clicked))
    yield Measured(f"ordered/delivered@{channel}", share(f.ordered, f.delivered))
    if a_week == SELDOM:
        yield Measured(f"opened@{channel}", share(f.opened, f.delivered))
        yield Measured(f"clicked@{channel}", share(f.clicked, f.delivered))
        yield Measured(f"unsubscribed@{channel}", share(f.unsubscribed, f.delivered))
        yield Measured(f"ordered/opened@{channel}", share(f.ordered, f.opened))
