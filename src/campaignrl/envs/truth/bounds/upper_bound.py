"""An upper bound on what any policy can earn, with or without a budget or capacity, and the regret against it.

Each customer alone: the optimistic model's value (optimistic_model.py), a bound for every policy, also one that knows
all traits. Under a budget, the Lagrangian bound of weakly coupled decisions (Hawkins 2003; Adelman & Mersereau 2008):
what ties customers together is sold at a price, and the money for all of it is paid back; every price of at least 0
gives a valid bound, and the least over prices is taken. The budget is meant for the whole campaign, so its release by
day only tightens the truth. Not here: intervals of a mean over customers (true_value.py). n customers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Bool, Float, Int
from campaignrl.dynamics import Traits
from campaignrl.dynamics.parameters import parameters
from campaignrl.envs.panel import Panel
from campaignrl.envs.truth.bounds.eligible_offers import open_offers
from campaignrl.envs.truth.bounds.optimistic_model import optimistic_model
from campaignrl.envs.truth.oracles import Size, Types
from campaignrl.envs.truth.shadow_prices import ShadowPrices
from campaignrl.specs import World

CELLS = 400_000  # lattice points of all types worked on at once
USUAL = (0.0, 0.4, 1.2)  # ad-stocks
ROUGH = Size(fatigue=1, prices=1, caps=4)
MONEY = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
SENDS = (0.0, 0.05, 0.2, 0.8, 2.0, 5.0, 12.0, 30.0, 75.0)


class Bound(NamedTuple):
    """An upper bound per customer, at the price of money and sends that makes it least."""

    value: Float  # (n,) currency; its mean bounds the mean of any policy
    shadow_prices: ShadowPrices


def types_of(panel: Panel, rows: Int | slice = slice(None)) -> Types:
    """Customers as the reduced model sees them; those held out allow nothing."""
    traits = Traits._make(field[..., rows] for field in panel.traits)
    return Types(traits, panel.state.consent[:, rows] & ~traits.held_out)


def upper_bound(
    world: World,
    *,
    customers: int | Int,
    seed: int = 0,
    size: Size | None = None,
    candidate_prices: Iterable[ShadowPrices] | None = None,
    weights: Float | None = None,
    usual: Sequence[float] = USUAL,
) -> Bound:
    """The least bound over shadow prices.

    candidate_prices: None: prices that fit the world's own limits, one kind after the other.
    weights: (n,) how much each customer counts in the mean that is made least; None: all alike.
    usual: ad-stocks at which the line above its effect may come closest to it, for each customer the best; fewer are
    faster.
    """
    panel, size = Panel(world, customers, seed), size or Size()
    offers = open_offers(panel)
    known: dict[ShadowPrices, Bound] = {}

    def bound(shadow_prices: ShadowPrices) -> Bound:
        if shadow_prices not in known:
            known[shadow_prices] = Bound(_priced_bound(panel, offers, size, shadow_prices, usual), shadow_prices)
        return known[shadow_prices]

    def mean(shadow_prices: ShadowPrices) -> float:
        return float(np.average(bound(shadow_prices).value, weights=weights))

    for shadow_prices in [_least(world, mean)] if candidate_prices is None else candidate_prices:
        bound(shadow_prices)
    return known[min(known, key=mean)]


def _least(world: World, value: Callable[[ShadowPrices], float]) -> ShadowPrices:
    """Go through the prices of money, then of each channel with a capacity, and keep the best of each."""
    shadow_prices = ShadowPrices(0.0, tuple(0.0 for _ in world.channels))
    if world.guard.budget is not None:
        shadow_prices = min((shadow_prices._replace(money=price) for price in MONEY), key=value)
    for c, channel in enumerate(world.channels.values()):
        if channel.capacity is not None:
            ways = [tuple(price if i == c else s for i, s in enumerate(shadow_prices.sends)) for price in SENDS]
            shadow_prices = min((shadow_prices._replace(sends=sends) for sends in ways), key=value)
    return shadow_prices


def _priced_bound(panel: Panel, offers: Bool, size: Size, shadow_prices: ShadowPrices, usual: Sequence[float]) -> Float:
    """(n,) optimistic value at these prices, and each customer's share of the money for all there is.

    Any line above the effect of ad-stock gives a bound; each customer gets the one that a rough lattice finds best.
    """
    rows = np.arange(len(panel))
    rough = size._replace(fatigue=min(size.fatigue, ROUGH.fatigue), caps=min(size.caps, ROUGH.caps))
    ways = usual if panel.world.adstock is not None else usual[:1]
    found = np.stack([_start_value(panel, offers, rows, rough, shadow_prices, near) for near in ways])
    value, best = found.min(axis=0), found.argmin(axis=0)
    if size != rough:
        for k, near in enumerate(ways):
            some = rows[best == k]
            value[some] = np.minimum(value[some], _start_value(panel, offers, some, size, shadow_prices, near))
    return np.asarray(value + paid_back(panel.world, shadow_prices), dtype=np.float64)


def _start_value(panel: Panel, offers: Bool, rows: Int, size: Size, shadow_prices: ShadowPrices, usual: float) -> Float:
    """(r,) value on day 0 of the customers of these rows."""
    value, i = np.zeros(len(rows)), 0
    step = 1
    while i < len(rows):
        part = rows[i : i + step]
        model = optimistic_model(panel.world, types_of(panel, part), offers[..., part], size, shadow_prices, usual)
        value[i : i + step] = model.start(panel.state.alive[part])
        i, step = i + step, max(1, CELLS * len(part) // int(np.prod(model.shape)))
    return value


def paid_back(world: World, shadow_prices: ShadowPrices) -> float:
    """What a customer's share of budget and capacity costs at these prices, over the whole campaign, currency."""
    total = 0.0
    if shadow_prices.money:
        assert world.guard.budget is not None
        total += shadow_prices.money * world.guard.budget.amount_per_1000_customers / 1000.0
    for price, channel in zip(shadow_prices.sends, world.channels.values(), strict=False):
        if price:
            assert channel.capacity is not None
            total += price * channel.capacity.sends_per_day_per_1000_customers / 1000.0 * world.horizon
    return total


def idle_value(world: World, *, customers: int | Int, seed: int = 0) -> Float:
    """(n,) expected value with nothing sent, in closed form: Pareto/NBD orders at the customer's own rates.

    Exact without satisfaction, whose small gains by orders it leaves out; then a control variate.
    """
    panel, p = Panel(world, customers, seed), parameters(world)
    traits, day = panel.traits, np.arange(world.horizon)[:, None]
    orders = -np.expm1(-traits.rate.astype(np.float64) * p.season[:, None]) * np.exp(-traits.drop_rate * day)
    return np.where(panel.state.alive, traits.basket * p.margin[traits.segment] * orders.sum(axis=0), 0.0)


def regret_fraction(value: float, none: float, bound: float) -> float:
    """(value - none) / (bound - none): the share of what could be gained that is gained; nan where nothing could."""
    room = bound - none
    return (value - none) / room if room > 0.0 else float("nan")
