"""Budget, capacity and stock: the rules that tie customers together, enforced over a whole wave.

When a channel, the stock of an offer or the budget is too small for a day's sends, customers are served in an order
drawn by chance, the same for every policy, until it is full; the others are sent nothing. Everybody below the cut is
served, so the chance of being served is the cut itself, and propensities stay exact given it. Actions that share their
cuts are one lane: those of a channel; where offers have a stock, each of these on a channel is a lane of its own. Money
is whole minor units. Not here: rules that look at one customer (rules.py). n customers, c channels, o offers, l lanes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from campaignrl.actions import NONE, Catalog
from campaignrl.arrays import Bool, Float, Int
from campaignrl.specs import World


class Limits(NamedTuple):
    """What one day may hold."""

    sends: Float  # (c,) by channel; inf: without limit
    money: float  # minor units; inf: without limit
    stock: Float | None = None  # (o,) sends by offer, of all days to come; inf, or None: without limit
    at_least: Mapping[str, Int] | None = None  # sends there shall be by dimension of actions; a lot cannot heed them

    @property
    def bind(self) -> bool:
        """Whether anything is limited at all."""
        return bool(np.isfinite(self.money) or np.isfinite(self.sends).any() or self.stock is not None)


class Lanes(NamedTuple):
    """Which actions share their cuts."""

    of: Int  # (k,) lane of each action; -1: `none`
    channel: Int  # (l,)
    offer: Int  # (l,) the offer with a stock that it is of; -1: all others
    actions: Sequence[Int]  # of each lane


class Throttled(NamedTuple):
    """What is left of a day's sends, and the chance of being served by lane."""

    action: Int  # (n,) with `none` where nothing could be served
    served: Float  # (l,) in [0, 1]; without stocks (c,), by channel
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
        self._stock = stock_of(world)

    @property
    def is_limited(self) -> bool:
        """Whether anything can ever be refused."""
        return self._budget is not None or bool(np.isfinite(self._sends).any()) or self._stock is not None

    def limits(self, day: int) -> Limits:
        """What `day` may hold: capacity by channel, the money released so far that is not spent, the stock left."""
        stock = None if self._stock is None else np.maximum(self._stock, 0.0)
        if self._budget is None:
            return Limits(self._sends, np.inf, stock)
        return Limits(self._sends, float(self._budget * (day + 1) // self._days - self.spent), stock)

    @property
    def budget(self) -> int | None:
        """Of the whole campaign, minor units; None: without limit."""
        return self._budget

    def room(self, catalog: Catalog, day: int) -> Bool:
        """(k,) actions of which at least one can still be served on `day`; `none` always can."""
        limits = self.limits(day)
        sends = np.append(limits.sends, np.inf)  # channel -1, of `none`
        room = (sends[catalog.channel_of] >= 1) & (catalog.cost_of <= limits.money)
        if limits.stock is not None:
            room &= np.append(limits.stock, np.inf)[catalog.offer_of] >= 1
        return np.asarray(room)

    def serve(self, catalog: Catalog, action: Int, u: Float, day: int) -> Throttled:
        """What of the sends of `day` can be served, in the order of u (n,); it is booked."""
        served = throttle(catalog, action, u, self.limits(day))
        self.book(served.cost, sends_by_offer(catalog, served.action))
        return served

    def book(self, cost: int, sends: Int | None = None) -> None:
        """Write down what a day has cost, in minor units, and its sends by offer (o,)."""
        self.spent += cost
        if self._stock is not None and sends is not None:
            self._stock = self._stock - sends


def stock_of(world: World) -> Float | None:
    """(o,) sends by offer over the whole campaign; None where no offer has a stock."""
    stock = np.array([np.inf if o.stock is None else o.stock for o in world.offers.values()], dtype=np.float64)
    return stock if np.isfinite(stock).any() else None


def sends_by_offer(catalog: Catalog, action: Int) -> Int:
    """(o,) how many of these actions are of each offer."""
    return np.bincount(catalog.offer_of[action] + 1, minlength=len(catalog.offers) + 1)[1:]


def lanes_of(catalog: Catalog, stock: Float | None) -> Lanes:
    """The lanes of a catalog where offers have these stocks (o,)."""
    channels = np.arange(len(catalog.channels))
    without = np.full(len(channels), -1)
    if stock is None:
        return Lanes(catalog.channel_of, channels, without, _actions(catalog.channel_of, len(channels)))
    own = np.append(np.isfinite(stock), False)[catalog.offer_of]  # offer -1, of `none`
    pairs = np.unique(np.stack([catalog.offer_of[own], catalog.channel_of[own]]), axis=1)
    of = catalog.channel_of.astype(np.int64)
    for i, (offer, channel) in enumerate(pairs.T):
        of[(catalog.offer_of == offer) & (catalog.channel_of == channel)] = len(channels) + i
    lanes = np.append(channels, pairs[1]), np.append(without, pairs[0])
    return Lanes(of, *lanes, _actions(of, len(lanes[0])))


def _actions(of: Int, lanes: int) -> tuple[Int, ...]:
    return tuple(np.flatnonzero(of == lane) for lane in range(lanes))


def by_lane(p: Float, lanes: Lanes) -> Float:
    """(n, l) chance of a send by lane. p: (n, k) of every action."""
    found = np.empty((len(p), len(lanes.actions)))
    for lane, actions in enumerate(lanes.actions):
        found[:, lane] = p[:, actions].sum(axis=1)
    return found


def throttle(catalog: Catalog, action: Int, u: Float, limits: Limits) -> Throttled:
    """Serve sends in the order of u (n,): within each channel's capacity, then each offer's stock, then the money.

    A channel's cut is the u of the first customer who is not served; an offer's cut likewise, of those whose channel
    serves them; the budget's cut lies below all of them.
    """
    cut = cuts_of(catalog, action, u, limits)
    kept = below(cut, action, u, lanes_of(catalog, limits.stock))
    return Throttled(np.where(kept, action, NONE), cut, int(catalog.cost_of[action[kept]].sum()))


def below(cut: Float, action: Int, u: Float, lanes: Lanes) -> Bool:
    """(n,) whose send is served at these cuts (l,): each customer by itself, whoever else there is."""
    return np.asarray((action != NONE) & (u < np.append(cut, 0.0)[lanes.of[action]]))  # lane -1 is that of `none`


def cuts_of(catalog: Catalog, action: Int, u: Float, limits: Limits) -> Float:
    """(l,) below which u a send is served, by lane: all that customers have to know of each other."""
    channel, cost = catalog.channel_of[action], catalog.cost_of
    cut = np.ones(len(catalog.channels))
    for c, most in enumerate(limits.sends):
        waiting = u[channel == c] if np.isfinite(most) else u[:0]
        if len(waiting) > most:
            cut[c] = np.partition(waiting, int(most))[int(most)]
    lanes = lanes_of(catalog, limits.stock)
    cut = cut[lanes.channel]
    for offer, most in () if limits.stock is None else enumerate(limits.stock):
        waiting = u[below(cut, action, u, lanes) & (catalog.offer_of[action] == offer)]
        if len(waiting) > most:
            own = lanes.offer == offer
            cut[own] = np.minimum(cut[own], np.partition(waiting, int(most))[int(most)])
    kept = below(cut, action, u, lanes)
    if cost[action[kept]].sum() > limits.money:
        order = np.flatnonzero(kept)[np.argsort(u[kept], kind="stable")]
        over = int(np.searchsorted(np.cumsum(cost[action[order]]), limits.money, side="right"))
        cut = np.minimum(cut, u[order[over]])
    return cut


def propensity_after(
    propensity: Float,
    by_channel: Float,
    none: Float,
    taken: Int,
    catalog: Catalog,
    served: Float,
    lanes: Lanes | None = None,
) -> Float:
    """(n,) chance of the action taken, after serving: p x cut for a send; for `none` also every unserved send.

    propensity: (n,) before, of the action taken; by_channel: (n, l) chance of a send by lane; none: (n,) of `none`;
    served: (l,) the cuts; lanes: None where they are the channels.
    """
    lane = (catalog.channel_of if lanes is None else lanes.of)[taken]
    sends = propensity * served[lane]
    nothing = none + by_channel @ (1.0 - served)
    return np.where(taken == NONE, nothing, sends)
