"""Prices of what ties customers together, as a part of the reward: of the money that sends cost, and of sends.

With prices customers are independent again, and one policy that sees its prices serves every budget: whoever wants to
spend less raises them (the Lagrangian of weakly coupled decisions: Hawkins 2003; Adelman & Mersereau 2008; learned once
for every price: BCORLE, Zhang et al. 2021, NeurIPS). Not here: counting what was spent (guard/budget.py), prices at
which a budget lasts (envs/truth/, policies/offline/budgeted.py). n customers, p prices, k actions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from campaignrl import rng
from campaignrl.arrays import Float, Int, UInt64
from campaignrl.errors import Problem, UsageError
from campaignrl.features import Feature
from campaignrl.rng import Purpose
from campaignrl.specs import World

MONEY = "money"
HIGHEST = 1e6  # at which nothing that costs anything is sent
FIRST_DRAW = 8  # of a customer's draws for learning; the ones before it are for others


class Price(NamedTuple):
    """Of money: currency per unit of currency that sends cost, on top of it. Of a channel: currency per send."""

    name: str
    low: float
    high: float

    @property
    def varies(self) -> bool:
        """Whether it is drawn anew for each episode, and so has to be seen."""
        return self.low < self.high

    @property
    def feature(self) -> Feature:
        """As it is seen; encoded from 0 to the highest that may be drawn."""
        unit = "currency per currency" if self.name == MONEY else "currency per send"
        meaning = f"price of {'money' if self.name == MONEY else f'a send by {self.name}'} in this episode"
        return Feature(name=f"price_{self.name}", unit=unit, high=self.high, log=True, meaning=meaning)


def drawn(prices: Sequence[Price], keys: UInt64, seed: int) -> Float:
    """(p, n) prices of these customers' episodes, even in the logarithm of 1 + price: prices matter by their ratio."""
    found = np.empty((len(prices), len(keys)))
    for row, price, k in zip(found, prices, range(FIRST_DRAW, FIRST_DRAW + len(prices)), strict=True):
        u = rng.uniform(keys, seed, 0, Purpose.LEARNING, k)
        row[:] = np.clip(np.expm1(np.log1p(price.low) + u * (np.log1p(price.high) - np.log1p(price.low))), *price[1:])
    return found


def rates_of(prices: Sequence[Price], given: Any) -> Float | None:
    """(p,) prices in force, for a number, which is that of money, or numbers by name; None: not given, to be drawn.

    What is not named is at its lowest.
    """
    if given is None:
        return None
    asked = given if isinstance(given, Mapping) else {MONEY: given}
    known = {price.name: price for price in prices}
    for name, value in asked.items():
        if name not in known:
            named = ", ".join(known) or "nothing: ask for `price` when the environment is made"
            raise UsageError(Problem("reset", "price", name, f"among the prices of this environment ({named})"))
        price = known[name]
        if not isinstance(value, int | float | np.number) or not price.low <= float(value) <= price.high:
            raise UsageError(Problem("reset", f"price of {name}", value, f"from {price.low:g} to {price.high:g}"))
    return np.array([float(asked.get(price.name, price.low)) for price in prices])


def charge(world: World, prices: Sequence[Price], rates: Float, action: Int) -> Float:
    """(n,) currency taken off the reward for these actions. rates: (p, n)."""
    catalog, total = world.catalog, np.zeros(len(action))
    channels = list(world.channels)
    for price, rate in zip(prices, rates, strict=True):
        if price.name == MONEY:
            total += rate * catalog.cost_of[action] / world.money.minor_per_unit
        else:
            total += rate * (catalog.channel_of[action] == channels.index(price.name))
    return total
