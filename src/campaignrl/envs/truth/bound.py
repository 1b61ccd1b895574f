"""An upper bound on what any policy can earn, with or without a budget or capacity, and the regret against it.

Each customer alone: the optimistic reduced model's value (reduced.py), a bound for every policy, also one that knows
all traits. Under a budget, the Lagrangian bound of weakly coupled decisions (Hawkins 2003; Adelman & Mersereau
2008): what ties customers together is sold at a price, and the money for all of it is paid back; every price of at
least 0 gives a valid bound, and the least over prices is taken. The budget is meant for the whole campaign, so its
release by day only tightens the truth. Not here: intervals of a mean over customers (true_value.py). n customers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.dynamics.customers import Traits
from campaignrl.dynamics.parameters import parameters
from campaignrl.envs.panel import Panel
from campaignrl.envs.truth.lattice import Size
from campaignrl.envs.truth.payoff import Types
from campaignrl.envs.truth.reduced import ReducedModel, Toll, Values, reduced_model
from campaignrl.specs.world import World

Float = npt.NDArray[np.float64]
Int = npt.NDArray[np.integer[Any]]

CELLS = 1_000_000  # lattice points of all types worked on at once


class Bound(NamedTuple):
    """An upper bound per customer, at the price of money and sends that makes it least."""

    value: Float  # (n,) currency; its mean bounds the mean of any policy
    toll: Toll


def types_of(panel: Panel, rows: Int | slice = slice(None)) -> Types:
    """Customers as the reduced model sees them; those held out allow nothing."""
    traits = Traits._make(field[..., rows] for field in panel.traits)
    return Types(traits, panel.state.consent[:, rows] & ~traits.held_out)


def upper_bound(
    world: World, *, customers: int | Int, seed: int = 0, size: Size | None = None, tolls: Iterable[Toll] | None = None
) -> Bound:
    """The least bound over `tolls` (None: over prices that fit the world's own limits)."""
    panel = Panel(world, customers, seed)
    if tolls is None:
        tolls = _tolls(world)
    found = [Bound(_priced_bound(panel, size or Size(), toll), toll) for toll in tolls]
    return min(found, key=lambda bound: float(bound.value.mean()))


def _priced_bound(panel: Panel, size: Size, toll: Toll) -> Float:
    """(n,) optimistic value at these prices, and each customer's share of the money for all there is."""
    world, n = panel.world, len(panel)
    points = int(np.prod(reduced_model(world, types_of(panel, slice(0, 1)), True, size, toll).lat.shape))
    step = max(1, CELLS // points)
    parts = [_start_value(panel, slice(i, min(i + step, n)), size, toll) for i in range(0, n, step)]
    return np.concatenate(parts) + paid_back(world, toll)


def paid_back(world: World, toll: Toll) -> float:
    """What a customer's share of budget and capacity costs at these prices, over the whole campaign, currency."""
    total = 0.0
    if toll.money:
        assert world.guard.budget is not None
        total += toll.money * world.guard.budget.amount_per_1000_customers / 1000.0
    for price, channel in zip(toll.sends, world.channels.values(), strict=False):
        if price:
            assert channel.capacity is not None
            total += price * channel.capacity.sends_per_day_per_1000_customers / 1000.0 * world.horizon
    return total


def _start_value(panel: Panel, rows: slice, size: Size, toll: Toll) -> Float:
    model = reduced_model(panel.world, types_of(panel, rows), True, size, toll)
    return start_value(model, panel.state.alive[rows])


def start_value(model: ReducedModel, alive: npt.NDArray[np.bool_]) -> Float:
    """(m,) value on day 0, with nothing sent yet."""
    values: Values = model.last
    for _, earlier in model.backward():
        values = earlier
    found = np.where(alive, values.alive[:, 0, 0, -1, 0], values.dead[:, 0, 0, -1])
    return found.astype(np.float64)


def _tolls(world: World) -> list[Toll]:
    """Prices to try: on money where there is a budget, on each channel with a capacity; nothing where neither is."""
    money = [0.0] if world.guard.budget is None else [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]
    limited = [c.capacity is not None for c in world.channels.values()]
    sends = [0.0, 0.05, 0.2, 0.8, 3.2] if any(limited) else [0.0]
    return [Toll(m, tuple(s * has for has in limited)) for m in money for s in sends]


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
