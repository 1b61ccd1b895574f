"""Counterfactual twins: the same customers with the same luck, under two ways of deciding.

Every draw is keyed by customer and day, so whatever differs between twins was caused by what was sent. An order of
today "happens in the twin as well" when the twin orders on the same day. Not here: means and their errors
(true_value.py). n customers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from campaignrl import rng
from campaignrl.actions import NONE
from campaignrl.arrays import Float, Int
from campaignrl.dynamics import Outcome
from campaignrl.dynamics.parameters import parameters
from campaignrl.envs.expected_reward import expected_reward, morning
from campaignrl.envs.panel import Panel
from campaignrl.guard import Spending
from campaignrl.rng import Purpose
from campaignrl.specs import World

Decide = Callable[[Panel], Int]  # (n,) today's actions, each allowed by the guard


@dataclass(frozen=True)
class Twins:
    """Two lives of each customer; sums over the campaign.

    ours, other: per field of Outcome (reward, discount, bought ...) its sum over the days, (n,). The twins share
    their luck.
    """

    ours: dict[str, Float]
    other: dict[str, Float]
    cannibalised: Float  # (n,) our discounts on orders that the other one places on the same day, currency
    cannibalised_orders: Float  # (n,) how many those are

    def incremental(self, field: str = "reward") -> Float:
        """(n,) what deciding our way caused, e.g. in `reward`, `bought` or `cost`."""
        return self.ours[field] - self.other[field]


class Life:
    """Customers of a world who meet one way of deciding; budget and capacity are kept as in a campaign.

    expects: count the expected contribution as well, as `expected`.
    """

    def __init__(self, world: World, decide: Decide, customers: int | Int, seed: int, *, expects: bool = False) -> None:
        self.panel, self._decide, self._expects = Panel(world, customers, seed), decide, expects
        self._parameters = parameters(world)
        self._spending = Spending(world, len(self.panel))
        names = (*Outcome._fields, "expected") if expects else Outcome._fields
        self.totals = {name: np.zeros(len(self.panel)) for name in names}

    def day(self) -> Outcome:
        """Decide, serve, and live through one day."""
        panel, action = self.panel, self._decide(self.panel)
        if self._spending.is_limited:
            u = rng.uniform(panel.traits.key, panel.seed, panel.day, Purpose.THROTTLE)
            action = self._spending.serve(panel.world.catalog, action, u, panel.day).action
        was = morning(panel.state) if self._expects else None
        outcome = panel.step(action)
        if was is not None:
            today = expected_reward(was, panel.traits, action, outcome, panel.day - 1, self._parameters)
            self.totals["expected"] += today
        for name, values in zip(Outcome._fields, outcome, strict=True):
            self.totals[name] += values.astype(np.float64)
        return outcome


def nothing(panel: Panel) -> Int:
    """Send nothing to anybody."""
    return np.full(len(panel), NONE, dtype=np.int16)


def always(action: int) -> Decide:
    """Send the same action whenever it is allowed, else nothing."""

    def decide(panel: Panel) -> Int:
        parts = panel.over_blocks(lambda part: panel.allowed(panel.observe(part), part)[:, action])
        return np.where(np.concatenate(parts), action, NONE)

    return decide


def live(
    world: World, decide: Decide, *, customers: int | Int, seed: int = 0, expects: bool = False
) -> dict[str, Float]:
    """Per field of Outcome its sum over the campaign, (n,); `expected` too if asked for."""
    life = Life(world, decide, customers, seed, expects=expects)
    while not life.panel.done:
        life.day()
    return life.totals


def twins(world: World, decide: Decide, other: Decide = nothing, *, customers: int | Int, seed: int = 0) -> Twins:
    """`decide` against `other` on the same customers and luck, from the first to the last day."""
    ours, theirs = (Life(world, way, customers, seed) for way in (decide, other))
    cannibalised, orders = np.zeros(len(ours.panel)), np.zeros(len(ours.panel))
    while not ours.panel.done:
        today, twin = ours.day(), theirs.day()
        anyway = today.redeemed & twin.bought
        cannibalised += np.where(anyway, today.discount, np.float32(0.0))
        orders += anyway
    return Twins(ours.totals, theirs.totals, cannibalised, orders)
