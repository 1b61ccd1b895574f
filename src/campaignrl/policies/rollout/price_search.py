"""Simulation-based search for prices: whole campaigns are played on fresh customers, all moves under the same luck.

First a margin for any send from a grid, then coordinate by coordinate in falling steps, from several starts. A move is
kept where its paired gain exceeds one standard error, and given up early where the first part of the players gain
nothing by it. Not here: what prices are (prices.py), who is accepted in the end (acceptance.py). n players.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from campaignrl.actions import Catalog
from campaignrl.arrays import Float, Int
from campaignrl.envs.truth import live
from campaignrl.features import FeatureSchema
from campaignrl.policies.rollout.prices import Prices, by_value
from campaignrl.policies.rollout.value_network import ValueNetwork
from campaignrl.specs import World

MARGINS = (0.0, 0.03, 0.06, 0.12, 0.25, 0.5, 1.0, 2.0, 4.0)  # of any send, in units
APART = 3  # places of the grid between two starts
STEPS = (0.5, 0.25, 0.12)  # units, one for each turn
FALL_STEP = 0.3  # of the share by which prices fall
FASTER, TIMES = 1.6, 5  # a move that helped is made again, so many times longer, and at most so often
FIRST = 0.25  # share of the players who must gain by a move before the others play it


class Found(NamedTuple):
    """Prices, and what they brought over the start of the last turn on its own players: mean and standard error."""

    prices: Prices
    gain: float
    error: float


class Players:
    """Customers who play whole campaigns by a network and prices, again and again with the same luck."""

    def __init__(
        self, world: World, network: ValueNetwork, ids: Int, seed: int, features: FeatureSchema | None = None
    ) -> None:
        self._world, self._network, self._seed, self._features = world, network, seed, features
        cut = max(int(len(ids) * FIRST), 1)
        self._parts = [part for part in (ids[:cut], ids[cut:]) if len(part)]
        self.played = 0  # customers, each a whole campaign

    def values(self, prices: Prices) -> Float:
        """(n,) expected contribution of the campaign."""
        return np.concatenate([self._play(prices, ids) for ids in self._parts])

    def values_over(self, prices: Prices, now: Float) -> Float | None:
        """(n,) the same; None where the first of the players do not gain over `now` (n,) on average."""
        found = self._play(prices, self._parts[0])
        if (found - now[: len(found)]).mean() <= 0.0:
            return None
        return np.concatenate([found, *(self._play(prices, ids) for ids in self._parts[1:])])

    def _play(self, prices: Prices, ids: Int) -> Float:
        self.played += len(ids)
        decide = by_value(self._world, self._network, prices, self._features)
        return live(self._world, decide, customers=ids, seed=self._seed, expects=True)["expected"]


def standard_error(values: Float) -> float:
    """Of the mean of (n,) independent values; infinite of a single one."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("inf")


def starts(world: World, players: Players, unit: float, count: int) -> list[Prices]:
    """At most `count` margins of the grid that lie apart, the best on the players first."""
    free = Prices.free(world.catalog)
    grid = [free._replace(any=margin * unit) for margin in MARGINS]
    value = [float(players.values(prices).mean()) for prices in grid]
    taken: list[int] = []
    for place in sorted(range(len(grid)), key=lambda i: (-value[i], i)):
        if len(taken) < count and all(abs(place - other) >= APART for other in taken):
            taken.append(place)
    return [grid[place] for place in taken]


def improved(world: World, players: Players, begun: Prices, unit: float, turn: int) -> Found:
    """One turn through all coordinates, in the steps of that turn. Never worse than `begun` on these players."""
    theta, catalog = begun.to_array(), world.catalog
    before = now = players.values(begun)
    for i in range(len(theta)):
        step = FALL_STEP if i == len(theta) - 1 else STEPS[min(turn, len(STEPS) - 1)] * unit
        for sign in (1.0, -1.0):
            theta, then = _climb(players, catalog, theta, i, sign * step, now)
            if then is not now:
                now = then
                break
    over = now - before
    return Found(Prices.from_array(theta, catalog), float(over.mean()), standard_error(over))


def _climb(players: Players, catalog: Catalog, theta: Float, i: int, by: float, now: Float) -> tuple[Float, Float]:
    """Move coordinate i as long as that helps; prices and values (n,) as they are then."""
    for _ in range(TIMES):
        tried = theta.copy()
        tried[i] += by
        then = players.values_over(Prices.from_array(tried, catalog), now)
        if then is None or (then - now).mean() <= standard_error(then - now):
            break
        theta, now, by = tried, then, by * FASTER
    return theta, now
