"""Prices of what ties customers together: money of a budget, sends of a channel with a capacity."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Float
from campaignrl.specs import World


class ShadowPrices(NamedTuple):
    """Prices on top of a send's cost."""

    money: float = 0.0  # per unit of money that sends cost
    sends: tuple[float, ...] = ()  # currency per send, by channel; empty: nothing

    def on(self, world: World) -> Float:
        """(k,) currency on top of each action's cost."""
        catalog = world.catalog
        sends = np.array([*self.sends, 0.0]) if self.sends else np.zeros(len(world.channels) + 1)
        return np.asarray(self.money * catalog.cost_of / world.money.minor_per_unit + sends[catalog.channel_of])
