"""Visits: who comes to the shop on a day, with or without an order.

A visit follows a click or comes of one's own accord; an order is placed on a visit. Nothing else depends on visits, so
they are drawn only where they are asked for. Not here: the funnel and orders (advance.py).
"""

from __future__ import annotations

import numpy as np

from campaignrl import rng
from campaignrl.arrays import Bool
from campaignrl.dynamics.advance import Outcome
from campaignrl.dynamics.customers import Traits
from campaignrl.rng import Purpose
from campaignrl.specs import World


def visited(world: World, traits: Traits, alive: Bool, outcome: Outcome, day: int, seed: int) -> Bool:
    """(n,) who came on `day`. alive: (n,) before the day; outcome: of the day."""
    rate = np.array([segment.visits for segment in world.segments.values()])[traits.segment]
    u = rng.uniform(traits.key, seed, day, Purpose.VISIT)
    result: Bool = outcome.clicked | outcome.bought | (alive & (u < -np.expm1(-rate)))
    return result
