"""The optimistic model backward in time: at least what any policy can earn from each customer, or know of it.

For customers whose traits are taken as given. Each step is at least as good as the best the full model allows at any
state that maps to the point or between points:

- caps are counted in fixed blocks of their window; offers expire at the end of a block of days; permissions are kept
- the expected price is rounded up to a point; fatigue and two linear stocks lie between points
  (piecewise_linear_bounds.py): pull (coming intent and ad-stock, by what they multiply the hazard with) and trust
  (satisfaction)
- an offer with a condition is closed where no history of orders could open it (eligible_offers.py)
- an order or an opened message that would harm is taken not to happen

So its value bounds every policy, also one that knows all traits, who is alive, and future tags. Not here: prices for
budgets and capacity (upper_bound.py). Axes of values: Y orders so far, W pull, S trust, m customers, C, F, R, L as in
reduced_state.py; k actions, o offers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Array, Bool, Float, Float32, Int
from campaignrl.dynamics import NO_OFFER, Parameters
from campaignrl.dynamics.parameters import parameters
from campaignrl.envs.truth.bounds.linear_stocks import Stocks, linear_stocks
from campaignrl.envs.truth.bounds.offer_validity import HeldOffers, held_points
from campaignrl.envs.truth.bounds.optimistic_tables import Tables, tables
from campaignrl.envs.truth.bounds.piecewise_linear_bounds import between, convex, falling, rising
from campaignrl.envs.truth.followed_effects import refuse_unfollowed
from campaignrl.envs.truth.oracles import Lattice, Move, Size, Types, clicks_of, fatigue_of, lattice, stock_most
from campaignrl.envs.truth.shadow_prices import ShadowPrices
from campaignrl.specs import World

Y, W, S, C, F, R, L = 0, 1, 2, 4, 5, 6, 7
F1 = np.float32(1.0)


@dataclass(frozen=True)
class Optimistic:
    """The optimistic model of a world for some customers."""

    world: World
    types: Types
    open: Bool  # (Y, T, o, m)
    p: Parameters
    lat: Lattice
    held: HeldOffers
    fatigue: Float  # (F,)
    stocks: Stocks
    t: Tables
    charge: Float  # (k,) of a send with its shadow price, currency

    @property
    def shape(self) -> tuple[int, ...]:
        """Points (Y, W, S, m, C, F, R, L)."""
        s, c, r = self.stocks, len(self.lat.used), len(self.lat.prices)
        m = len(self.types.traits.rate)
        return len(self.open), s.pull_points, s.trust_points, m, c, len(self.fatigue), r, len(self.held.offer)

    def start(self, alive: Bool) -> Float:
        """(m,) value on day 0, before anything is sent."""
        value = np.zeros(self.shape, dtype=np.float32)
        dead = np.zeros(self.shape[:-1], dtype=np.float32)
        for day in range(self.world.horizon - 1, -1, -1):
            value, dead = _Step(self, value, dead, day).best()
        living, gone = value[0, 0, 0, :, 0, 0, -1, 0], dead[0, 0, 0, :, 0, 0, -1]
        return np.where(alive, np.maximum(living, gone), gone).astype(np.float64)


def optimistic_model(
    world: World, types: Types, open_: Bool, size: Size, shadow_prices: ShadowPrices, usual: float = 0.0
) -> Optimistic:
    """The optimistic model of `world` for these customers. usual: see `linear_stocks`; any gives a bound."""
    p = parameters(world)
    refuse_unfollowed(world, p, "the upper bound")
    lat = lattice(world, p, True, size._replace(fatigue=1))
    fatigue, stocks = _fatigue_points(world, p, size.fatigue), linear_stocks(world, p, usual)
    charge = p.send_cost.astype(np.float64) + shadow_prices.on(world)
    held = held_points(p.valid_days)
    return Optimistic(world, types, open_, p, lat, held, fatigue, stocks, tables(types, lat, fatigue, p), charge)


def _fatigue_points(world: World, p: Parameters, points: int) -> Float:
    tired = fatigue_of(p)
    most = stock_most(world, float(tired.units.max()), tired.decay)
    if points < 2 or most <= 0.0 or not tired.matters:
        return np.zeros(1)
    return np.asarray(most * np.linspace(0.0, 1.0, points) ** 2)


class _Step:
    """One day of the recursion."""

    def __init__(self, model: Optimistic, alive: Float32, dead: Float32, day: int) -> None:
        self.m, self.day, self.t = model, day, model.t
        self.now, self.then = model.stocks.at(day), model.stocks.at(day + 1)
        if (day + 1) % model.lat.price.every == 0:  # a block of days begins
            alive, dead = (self._priced(values, model.lat.price.recovery) for values in (alive, dead))
        more = falling(rising(np.maximum(alive - dead[..., None], np.float32(0.0)), S), F)
        survives = self._survives()
        first, after = model.held.first(day, model.p.valid_days), model.held.after(day)
        gone = dead[..., None]

        def night(held: Array, points: Array) -> Float32:
            return convex(gone + survives[..., held] * more[..., points], model.fatigue, F)

        offers = np.arange(len(first) + 1)
        self.kept = night(model.held.offer, after)
        self.lost = night(offers, np.zeros_like(offers))
        self.seen = night(offers[:-1], first)
        self.dead = convex(dead, model.fatigue, F)
        fuller = np.minimum(np.arange(len(model.open)) + 1, len(model.open) - 1)
        self.fuller = fuller if len(fuller) > 1 else None
        pull = 1.0 + (model.stocks.idle if day else 0.0) + self.now.pull[:, None]
        self.excess = (pull * (1.0 + self.now.bought[None, :]) - 1.0).astype(
            np.float32
        )  # (W, S) what the stocks add to the hazard, as a share of it

    def _survives(self) -> Float32:
        """(1, 1, S, m, 1, F, 1, o + 1) chance to be alive tomorrow, at tomorrow's trust."""
        full = [self.t.survival + self.t.calmed[int(calm > 0.0)] * np.float32(calm) for calm in self.then.calm]
        return np.stack(full)[None, None, :, :, None, :, None, :]

    def best(self) -> tuple[Float32, Float32]:
        """Values of the best action at the points of today; alive and dead."""
        p = self.m.p
        idle = self._group(None)
        alive, dead = idle.held, idle.dead.copy()
        for c in range(len(p.deliver)):
            if not self.m.types.consent[c].any():
                continue
            g = self._group(c)
            for a in np.flatnonzero(p.channel_of == c):
                if self._may(int(a)).any():
                    self._add(int(a), g, alive, dead)
        return np.maximum(alive, dead[..., None]), dead

    def _may(self, a: int) -> Bool:
        """(Y, m)."""
        p = self.m.p
        may: Bool = self.m.open[:, self.day, p.offer_of[a]] & self.m.types.consent[p.channel_of[a]]
        return may

    def _add(self, a: int, g: _Group, alive: Float32, dead: Float32) -> None:
        """Raise alive and dead to what action `a` is worth there."""
        p, t = self.m.p, self.t
        c, o = int(p.channel_of[a]), int(p.offer_of[a])
        clicks = t.clicked[a][:, None, None, None]
        seen = g.unclicked[..., o] + clicks * (g.clicked[..., o] - g.unclicked[..., o])
        lost = np.stack([t.left[c] - t.trusted[int(x > 0.0)][c] * np.float32(x) for x in self.now.content])
        cost = np.float32(self.m.charge[a]) + np.float32(p.unsubscribe_cost) * lost  # (S, F)
        shut = np.where(self._may(a)[:, :, None] & g.fits, np.float32(0.0), np.float32(-np.inf))
        paid = shut[:, None, None, :, :, None, None] - cost[None, None, :, None, None, :, None]
        chance, back = (table[a][:, None, :, None] for table in (t.opened, t.opened_dead))
        gain = falling(np.maximum(seen[..., None] - g.held, np.float32(0.0)), F)
        gain *= chance[..., None]
        gain += g.held
        gain += paid[..., None]
        np.maximum(alive, gain, out=alive)
        revived = np.float32(p.revives[o]) * seen + np.float32(1.0 - p.revives[o]) * g.dead_seen[..., o]
        other = g.dead + back * falling(np.maximum(revived - g.dead, np.float32(0.0)), F) + paid
        np.maximum(dead, other, out=dead)

    def _group(self, channel: int | None) -> _Group:
        """All that can happen on a day on which `channel` is used (None: no send)."""
        model, p = self.m, self.m.p
        to, fits = model.lat.cap_move(self.day, channel)
        tired = fatigue_of(p)
        added = 0.0 if channel is None else float(tired.units[channel])

        def moved(values: Float32) -> Float32:
            if len(to) > 1:
                values = np.take(values, to, axis=C)
            return _tired(values, model.fatigue, tired.decay, added)

        kept, lost, dead = moved(self.kept), moved(self.lost), moved(self.dead)
        ignored = 0.0 if channel is None else -float(self.t.ignored[channel])
        held = self._ordering(kept, lost, model.held.offer, 0.0, ignored, 1.0, False)
        rest = self._shifted(dead, 0.0, ignored)
        if channel is None:
            return _Group(fits, held, rest, held, held, rest)
        seen, offers, trust = moved(self.seen), np.arange(len(p.discount) - 1), model.stocks.gained
        spec, worth = clicks_of(p).spec, []
        for clicks in (False, True):
            pull = model.stocks.opened[channel] + clicks * model.stocks.clicked
            lift = float(np.exp(spec.open_lift + spec.click_lift * spec.same_day * clicks))
            visit = spec.open_visit + clicks * spec.click_visit
            worth.append(self._ordering(seen, lost, offers, pull, trust, lift, True, visit))
        shown = np.stack([self._priced(dead, move) for move in model.lat.price.seen], axis=-1)
        pull = model.stocks.opened[channel] + model.stocks.clicked
        return _Group(fits, held, rest, worth[0], worth[1], self._shifted(shown, pull, trust))

    def _shifted(self, values: Float32, pull: float, trust: Float | float) -> Float32:
        """Tomorrow's values at today's points of pull and trust, after so much was added to them."""
        s = self.m.stocks
        values = between(values, W, self.then.pull_share(s.pull_decay * self.now.pull + pull))
        added = np.asarray(trust)
        return between(values, S, self.then.trust_share(np.add.outer(s.trust_decay * self.now.trust, added)))

    def _priced(self, values: Float32, move: Move) -> Float32:
        """Values after the expected price made a move."""
        return values if len(self.m.lat.prices) == 1 else move(values, R)

    def _ordering(
        self,
        tomorrow: Float32,
        lost: Float32,
        offers: Int,
        pull: float,
        trust: Float | float,
        lift: float,
        seen: bool,
        visit: float = 0.0,
    ) -> Float32:
        """Value with the chance of an order. tomorrow: without one; lost: with what is held gone, by offer.

        pull, trust: what today adds to them; lift: on the hazard; seen: each offer is seen today, so its price is;
        visit: orders per day that today adds to a customer's own rate.
        """
        p, s, lat = self.m.p, self.m.stocks, self.m.lat
        if seen and len(lat.prices) > 1:
            idle = np.stack([move(tomorrow[..., o], R) for o, move in enumerate(lat.price.seen)], -1)
        else:
            idle = tomorrow
        idle = self._shifted(idle, pull, trust)
        full = self._priced(tomorrow, lat.price.paid[NO_OFFER])
        used = np.stack([self._priced(lost[..., o], move) for o, move in enumerate(lat.price.paid)], -1)[..., offers]
        redeem = p.redeem[offers]
        ordered = full + redeem * (used - full)
        if self.fuller is not None:
            ordered = np.take(ordered, self.fuller, axis=Y)
        ordered = self._shifted(ordered, pull, np.asarray(trust) + s.order)
        gain = ordered - idle
        gain += self.t.today[:, None, None, None, offers]
        gain = rising(rising(np.maximum(gain, np.float32(0.0)), W), S)
        hazard = self.t.hazard[..., offers] * p.season[self.day] + self.t.lift[..., offers] * (
            p.brings[offers] + np.float32(visit)
        )
        hazard *= np.float32(lift)
        orders = -np.expm1(-hazard) + hazard * np.exp(-hazard) * self.excess[:, :, None, None, None]
        gain *= orders[None, :, :, :, None, None]
        gain += idle
        return gain


class _Group(NamedTuple):
    fits: Bool  # (C,)
    held: Float32  # (Y, W, S, m, C, F, R, L) not opened
    dead: Float32  # (Y, W, S, m, C, F, R) not opened
    unclicked: Float32  # (Y, W, S, m, C, F, R, o)
    clicked: Float32
    dead_seen: Float32  # (Y, W, S, m, C, F, R, o) opened by a customer who dropped out and stays so


def _tired(values: Float32, points: Float, decay: float, added: float) -> Float32:
    """Tomorrow's values at today's points of fatigue; lines run on beyond the last point."""
    if len(points) == 1:
        return values
    to = points * decay + added
    low = np.clip(np.searchsorted(points, to, side="right") - 1, 0, len(points) - 2)
    share = ((to - points[low]) / (points[low + 1] - points[low])).astype(np.float32)
    share = np.minimum(share, F1).reshape(-1, *[1] * (values.ndim - F - 1))
    below = np.take(values, low, axis=F)
    return np.asarray(below + share * (np.take(values, low + 1, axis=F) - below))
