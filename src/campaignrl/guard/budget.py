"""Budget and capacity: the rules that tie customers together, enforced over a whole wave.

When a channel or the budget is too small for a day's sends, customers are served in an order drawn by chance, the same
for every policy, until it is full; the others are sent nothing. Everybody below the cut is served, so the chance of
being served is the cut itself, and propensities stay exact given it. Money is whole minor units. Not here: rules that
look at one customer (rules.py). n customers, c channels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from campaignrl.actions import NONE, Catalog
from campaignrl.arrays import Bool, Float, Int
from campaignrl.specs import World


class Limits(NamedTuple):
    """What one day may hold."""

    sends: Float  # (c,) by channel; inf: without limit
    money: float  # minor units; inf: without limit


class Throttled(NamedTuple):
    """What is left of a day's sends, and the chance of being served by channel."""

    action: Int  # (n,) with `none` where nothing could be served
    served: Float  # (c,) in [0, 1]
    cost: int  # minor units


class Spending:
    """Spending of one campaign day by day; the only state of this module.

    capacities: False counts the money alone, as for a single customer, of whom no channel serves a hundredth.
    """

    def __init__(self, world: World, customers: int, *, capacities: bool = True) -> None:
        limits = [c.capacity if capacities else None for c in world.channels.values()]
        sends = [np.inf if c is None else c.sends_per_day_per_1000_customers * customers // 1000.0 for c in limits]
        self._sends = np.array(sends, dtype=np.float64)
        budget = world.guard.budget
        self._budget = None if budget is None else world.minor(budget.amount_per_1000_customers) * customers // 1000
        self._days, self.spent = world.horizon, 0

    @property
    def is_limited(self) -> bool:
        """Whether anything can ever be refused."""
        return self._budget is not None or bool(np.isfinite(self._sends).any())

    def limits(self, day: int) -> Limits:
        """What `day` may hold: the capacity of each channel, and the money released so far that is not spent."""
        if self._budget is None:
            return Limits(self._sends, np.inf)
        return Limits(self._sends, float(self._budget * (day + 1) // self._days - self.spent))

    @property
    def budget(self) -> int | None:
        """Of the whole campaign, minor units; None: without limit."""
        return self._budget

    def room(self, catalog: Catalog, day: int) -> Bool:
        """(k,) actions of which at least one can still be served on `day`; `none` always can."""
        limits = self.limits(day)
        sends = np.append(limits.sends, np.inf)  # channel -1, of `none`
        return np.asarray((sends[catalog.channel_of] >= 1) & (catalog.cost_of <= limits.money))

    def serve(self, catalog: Catalog, action: Int, u: Float, day: int) -> Throttled:
        """What of the sends of `day` can be served, in the order of u (n,); it is booked."""
        served = throttle(catalog, action, u, self.limits(day))
        self.book(served.cost)
        return served

    def book(self, cost: int) -> None:
        """Write down what a day has cost, in minor units."""
        self.spent += cost


def throttle(catalog: Catalog, action: Int, u: Float, limits: Limits) -> Throttled:
    """Serve sends in the order of u (n,), first within each channel's capacity, then within the money.

    A channel's cut is the u of the first customer who is not served; the budget's cut lies below all of them.
    """
    channel, cost = catalog.channel_of[action], catalog.cost_of[action]
    cut = np.ones(len(catalog.channels))
    for c, most in enumerate(limits.sends):
        waiting = np.sort(u[channel == c])
        if len(waiting) > most:
            cut[c] = waiting[int(most)]
    kept = (action != NONE) & (u < np.where(channel >= 0, cut[channel], 0.0))
    if cost[kept].sum() > limits.money:
        order = np.flatnonzero(kept)[np.argsort(u[kept], kind="stable")]
        over = int(np.searchsorted(np.cumsum(cost[order]), limits.money, side="right"))
        cut = np.minimum(cut, u[order[over]])
        kept &= u < u[order[over]]
    served = np.where(kept, action, NONE)
    return Throttled(served, cut, int(cost[kept].sum()))


def propensity_after(
    propensity: Float, by_channel: Float, none: Float, taken: Int, catalog: Catalog, served: Float
) -> Float:
    """(n,) chance of the action taken, after serving: p x cut for a send; for `none` also every unserved send.

    propensity: (n,) before, of the action taken; by_channel: (n, c) chance of a send by channel; none: (n,) of `none`.
    """
    channel = catalog.channel_of[taken]
    sends = propensity * served[channel]
    nothing = none + by_channel @ (1.0 - served)
    return np.where(taken == NONE, nothing, sends)
