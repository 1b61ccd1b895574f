"""The reduced model backward in time: what each type is worth at each point of the lattice, and each action there.

It is for planning: typical values of what the lattice leaves out, and offers with conditions not counted on for days
to come. Not here: running the plan (far_sighted_oracle.py), bounds (optimistic_model.py). m types, k actions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Array, Bool, Float, Float32
from campaignrl.dynamics import Parameters
from campaignrl.dynamics.parameters import parameters
from campaignrl.effects import AdStockEffect, SatisfactionEffect
from campaignrl.envs.truth.followed_effects import refuse_unfollowed
from campaignrl.envs.truth.oracles import one_day_values as payoff
from campaignrl.envs.truth.oracles.one_day_values import After, Rates, Types
from campaignrl.envs.truth.oracles.reduced_state import AXIS_C, AXIS_F, AXIS_R, Lattice, Size, lattice
from campaignrl.envs.truth.oracles.stocks import Effects, Prices, effects, no_prices, prices_before
from campaignrl.envs.truth.shadow_prices import ShadowPrices
from campaignrl.specs import World


class Values(NamedTuple):
    """What a day and all after it are worth at every point."""

    alive: Float32  # (m, C, F, R, L)
    dead: Float32  # (m, C, F, R)
    prices: Prices


@dataclass(frozen=True)
class ReducedModel:
    """The reduced model of a world for some types."""

    world: World
    types: Types
    lat: Lattice
    p: Parameters
    e: Effects
    rates: Rates
    charge: Float  # (k,) cost of a send with its shadow price, currency
    counted: Bool  # (k,) actions that plans count on

    @property
    def last(self) -> Values:
        """After the last day."""
        shape = (len(self.types.traits.rate), *self.lat.shape)
        return Values(np.zeros(shape, np.float32), np.zeros(shape[:-1], np.float32), no_prices(shape[0]))

    def backward(self) -> Iterator[tuple[int, Values]]:
        """(day, values of that day), from the last day to the first."""
        values = self.last
        for day in range(self.world.horizon - 1, -1, -1):
            values = self.before(values, day)
            yield day, values

    def before(self, later: Values, day: int) -> Values:
        """The values of `day` from those of the next."""
        step = _Day(self, later, day)
        alive, dead = step.best()
        at_rest = self.rates.hazard[:, -1, -1] * self.p.season[day] * self.rates.margin
        return Values(alive, dead, prices_before(later.prices, at_rest, self.e))

    def action_values(self, later: Values, day: int) -> Iterator[tuple[Float32, Float32]]:
        """What each action is worth on `day`, given the values of the next: (m, C, F, R, L) alive, (m, C, F, R) dead.

        Action by action; -inf where permission or caps forbid it.
        """
        step = _Day(self, later, day)
        for a in range(len(self.charge)):
            yield step.action(a)


def reduced_model(
    world: World, types: Types, size: Size | None = None, shadow_prices: ShadowPrices | None = None
) -> ReducedModel:
    """The reduced model of `world` for these customers."""
    p, shadow_prices = parameters(world), shadow_prices or ShadowPrices()
    refuse_unfollowed(world, p, "the far-sighted oracle")
    e, lat = effects(world, p), lattice(world, p, False, size or Size())
    charge = p.send_cost.astype(np.float64) + shadow_prices.on(world)
    conditional = np.array([name in world.conditions for name in world.offers] + [False])
    counted = ~conditional[p.offer_of]
    return ReducedModel(world, types, lat, p, e, payoff.rates(types, lat, p), charge, counted)


class _Day:
    """One step of the recursion; what depends on the channel alone is worked out once."""

    def __init__(self, model: ReducedModel, later: Values, day: int) -> None:
        self._m, self._prices, self._day = model, later.prices, day
        self._after = payoff.after_tonight(later.alive, later.dead, model.rates, model.lat)
        self._dead = later.dead
        self._known: dict[int | None, _Group] = {}

    def best(self) -> tuple[Float32, Float32]:
        """Values of the best counted action; alive and dead."""
        alive, dead = self.action(0)
        for a in np.flatnonzero(self._m.counted)[1:]:
            other = self.action(int(a))
            np.maximum(alive, other[0], out=alive)
            np.maximum(dead, other[1], out=dead)
        return alive, dead

    def action(self, a: int) -> tuple[Float32, Float32]:
        """Values of one action, (m, C, F, R, L) alive and (m, C, F, R) dead."""
        model = self._m
        if a == 0:
            idle = self._group(None)
            return idle.held.copy(), idle.dead.copy()
        r, p, c, o = model.rates, model.p, int(model.p.channel_of[a]), int(model.p.offer_of[a])
        g = self._group(c)
        opens, opens_dead = (table[a][:, None, :, None] for table in (r.opened, r.opened_dead))
        clicks = r.clicked[a][:, None, None, None]
        seen = clicks * g.clicked[..., o] + (1 - clicks) * g.unclicked[..., o]
        shown = p.effect(AdStockEffect)
        if shown is not None:
            seen = seen + (self._prices.adstock * shown.units[c])[:, None, None, None]
        unsubscribed = r.unsubscribed[a][:, None] * np.float32(p.unsubscribe_cost)
        cost = np.float32(model.charge[a]) + unsubscribed[None, None]
        alive = g.held + opens[..., None] * (seen[..., None] - g.held) - (cost + self._ignored(a))[..., None]
        revived = p.revives[o] * seen + (1 - p.revives[o]) * g.dead_seen[..., o]
        dead = g.dead + opens_dead * (revived - g.dead) - cost
        forbidden = ~(model.types.consent[c][:, None] & g.fits)[:, :, None, None]
        return np.where(forbidden[..., None], -np.inf, alive), np.where(forbidden, -np.inf, dead)

    def _ignored(self, a: int) -> Float32 | float:
        """What satisfaction loses by a send that stays unopened."""
        p, r = self._m.p, self._m.rates
        trust = p.effect(SatisfactionEffect)
        if trust is None:
            return 0.0
        unopened = p.deliver[p.channel_of[a]] - r.opened[a]
        lost = self._prices.satisfaction[:, None] * np.float32(trust.spec.ignored) * unopened
        return np.asarray(lost[:, None, :, None], dtype=np.float32)

    def _group(self, channel: int | None) -> _Group:
        """What is the same for all actions of a channel (None: no send)."""
        if channel not in self._known:
            self._known[channel] = _group(self._m, self._after, self._dead, self._prices, self._day, channel)
        return self._known[channel]


class _Group(NamedTuple):
    """All that can happen on a day on which `channel` is used."""

    fits: Bool  # (C,)
    held: Float32  # (m, C, F, R, L) not opened
    dead: Float32  # (m, C, F, R) not opened
    unclicked: Float32  # (m, C, F, R, o)
    clicked: Float32
    dead_seen: Float32  # (m, C, F, R, o) opened by a customer who dropped out and stays so


def _group(model: ReducedModel, after: After, dead: Float32, prices: Prices, day: int, channel: int | None) -> _Group:
    lat, r, p = model.lat, model.rates, model.p
    to, fits = lat.cap_move(day, channel)
    tired = lat.fatigue_moves[-1 if channel is None else channel]

    def moved(values: Array) -> Array:
        return tired(np.take(values, to, axis=AXIS_C), AXIS_F)

    after, dead = After(*(moved(v) for v in after)), moved(dead)
    season, rested = float(p.season[day]), lat.price.recovery(dead, AXIS_R)
    held = payoff.held_value(after, r, lat, p, prices, season)
    if channel is None:
        return _Group(fits, held, rested, held, held, rested)
    unclicked, clicked = (payoff.opened_value(after, clicks, r, lat, p, prices, season) for clicks in (False, True))
    dead_seen = [move(dead, AXIS_R) for move in lat.price.seen]
    return _Group(fits, held, rested, unclicked, clicked, np.stack(dead_seen, axis=-1))
