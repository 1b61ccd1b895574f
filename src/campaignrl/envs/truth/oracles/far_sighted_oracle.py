"""The far-sighted oracle: the reduced model's best action at each customer's true state, where the guard allows it.

The honest reduced model is solved for a sample of customers, the types; a customer is taken for the nearest type of
its segment and the nearest point of the lattice. So this is a feasible way of deciding in the full model, neither
optimal nor a bound. n customers, m types.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from campaignrl.arrays import Float, Int
from campaignrl.dynamics import Traits
from campaignrl.envs.panel import Panel
from campaignrl.envs.truth.oracles.one_day_values import Types
from campaignrl.envs.truth.oracles.reduced_model import reduced_model
from campaignrl.envs.truth.oracles.reduced_state import Size
from campaignrl.envs.truth.shadow_prices import ShadowPrices
from campaignrl.specs import World

TYPES_SEED = 987_654_321  # types are other customers than those decided for


class FarSightedOracle:
    """`decide(panel)` by the reduced model; call it with panels of the same world."""

    def __init__(
        self, world: World, types: int = 200, size: Size | None = None, shadow_prices: ShadowPrices | None = None
    ) -> None:
        traits = Panel(world, types, TYPES_SEED).traits
        willing = np.ones((len(world.channels), types), dtype=bool)
        self._model = reduced_model(world, Types(traits, willing), size, shadow_prices)
        self._values = dict(self._model.backward())
        self._values[world.horizon] = self._model.last
        self._nearest = _Nearest(traits)
        self._met: tuple[Traits, Int] | None = None

    def __call__(self, panel: Panel) -> Int:
        """(n,) today's actions."""
        c, f, r, held = self._model.lat.place(panel.state, panel.day)
        i, alive = self._types_of(panel), panel.state.alive
        worth = np.empty((len(panel), len(panel.world.catalog)), dtype=np.float32)
        for a, (living, dead) in enumerate(self._model.action_values(self._values[panel.day + 1], panel.day)):
            worth[:, a] = np.where(alive, living[i, c, f, r, held], dead[i, c, f, r])
        may = np.concatenate(panel.over_blocks(lambda part: panel.allowed(panel.observe(part), part)))
        usable = np.where(np.isneginf(worth), worth[:, :1] - np.float32(1e-6), worth)  # a cap on the lattice alone
        chosen: Int = np.where(may, usable, -np.inf).argmax(axis=1)
        return chosen

    def _types_of(self, panel: Panel) -> Int:
        if self._met is None or self._met[0] is not panel.traits:
            self._met = panel.traits, self._nearest(panel.traits)
        return self._met[1]


class _Nearest:
    """The nearest of some customers, by their traits; of the same segment."""

    def __init__(self, traits: Traits) -> None:
        place = _place(traits)
        self._scale = place[:, :-1].std(axis=0) + 1e-9
        self._tree = cKDTree(self._scaled(traits))

    def __call__(self, traits: Traits) -> Int:
        return np.asarray(self._tree.query(self._scaled(traits))[1], dtype=np.int64)

    def _scaled(self, traits: Traits) -> Float:
        place = _place(traits)
        place[:, :-1] /= self._scale
        return place


def _place(traits: Traits) -> Float:
    """(n, d) what tells types apart; the segment comes last, and far apart."""
    logs = [np.log(np.maximum(v, 1e-6)) for v in (traits.rate, traits.sensitivity, traits.basket)]
    return np.stack([*logs, *traits.affinity, 1e3 * traits.segment], axis=1).astype(np.float64)
