"""Lives of a world's customers that are measured: who is sent what on which day, and what came of it, day by day.

Caps and the holdout are off: published figures are of what is sent, not of what a guard allows. Consent and the
offers' own conditions hold. Not here: what the figures are (the row files). n customers, d days.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from campaignrl.actions import NONE
from campaignrl.arrays import Bool, Float32, Int
from campaignrl.dynamics.parameters import parameters
from campaignrl.envs import Panel, expected_orders, morning
from campaignrl.envs.truth import Decide, nothing
from campaignrl.specs import World, load_world

FREE = {"caps": [], "holdout": 0.0}


class Lives(NamedTuple):
    """Days of n customers."""

    expected: Float32  # (d, n) chance of an order, given the state it began with and what was opened and clicked
    bought: Bool  # (d, n)
    redeemed: Bool  # (d, n)
    discount: Float32  # (d, n) given away, currency
    sent: Bool  # (d, n)
    delivered: Bool  # (d, n)
    clicked: Bool  # (d, n)
    alive: Bool  # (d, n) before the day

    def orders(self, first: int, last: int) -> Float32:
        """(n,) expected orders from day `first` to day `last`, both included."""
        total: Float32 = self.expected[first : last + 1].sum(axis=0, dtype=np.float32)
        return total


def unguarded(world: World, **changes: object) -> World:
    """The same world without caps, holdout and limits."""
    return load_world(world, guard=FREE, **changes)


def lives(world: World, decide: Decide, customers: int | Int, seed: int, days: int) -> Lives:
    """The first days of these customers under one way of deciding."""
    panel, p = Panel(world, customers, seed), parameters(world)
    n = len(panel)
    expected, discount = np.zeros((days, n), np.float32), np.zeros((days, n), np.float32)
    bought, redeemed, sent, delivered, clicked, alive = (np.zeros((days, n), dtype=bool) for _ in range(6))
    for day in range(days):
        action, was = decide(panel), morning(panel.state)
        outcome = panel.step(action)
        expected[day] = expected_orders(was, panel.traits, action, outcome, day, p)
        bought[day], redeemed[day], discount[day] = outcome.bought, outcome.redeemed, outcome.discount
        sent[day], delivered[day], clicked[day] = outcome.sent, outcome.delivered, outcome.clicked
        alive[day] = was.alive
    return Lives(expected, bought, redeemed, discount, sent, delivered, clicked, alive)


def may_get(panel: Panel, action: int) -> Bool:
    """(n,) who may be sent the action today; the guard is asked only where the offer has a condition."""
    catalog = panel.world.catalog
    name = catalog.offers[int(catalog.offer_of[action])].name
    if panel.world.offers[name].only_if:
        return panel.allowed(panel.observe())[:, action]
    allowed: Bool = panel.state.consent[int(catalog.channel_of[action])] & ~panel.traits.held_out
    return allowed


def once(action: int, day: int) -> Decide:
    """The action to everybody who may get it, on one day."""

    def decide(panel: Panel) -> Int:
        return np.where(may_get(panel, action), action, NONE) if panel.day == day else nothing(panel)

    return decide


def falls_due(day: int, a_week: float) -> bool:
    """Whether a send of so many a week is due: as evenly as whole days allow, from day 0 on."""
    return day == 0 or int(day * a_week / 7.0 + 1e-9) != int((day - 1) * a_week / 7.0 + 1e-9)


def paced(action: int, a_week: float) -> Decide:
    """The action to everybody who may get it, so many times a week."""

    def decide(panel: Panel) -> Int:
        due = falls_due(panel.day, a_week)
        return np.where(may_get(panel, action), action, NONE) if due else nothing(panel)

    return decide


def plain_action(world: World, channel: str) -> int:
    """The action of a channel that promises least: free of conditions if possible, then the smallest cut and gift."""
    catalog, order = world.catalog, list(world.offers)

    def promise(action: int) -> tuple[bool, float, float, int]:
        name = catalog.offers[int(catalog.offer_of[action])].name
        offer = world.offers[name]
        return bool(offer.only_if), offer.discount + offer.feels_like, offer.face_value, order.index(name)

    code = list(world.channels).index(channel)
    return min((k for k in range(1, len(catalog)) if catalog.channel_of[k] == code), key=promise)


def main_channel(world: World) -> str:
    """The channel of a plain campaign: e-mail where there is one, else the first that has no capacity."""
    if "email" in world.channels:
        return "email"
    free = [name for name, channel in world.channels.items() if channel.capacity is None]
    return (free or list(world.channels))[0]
