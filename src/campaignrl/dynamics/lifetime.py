"""What customers are worth after a campaign, in closed form: their own rates, nothing sent, nothing remembered.

Here: the expected margin of a span of days from latent traits, as Pareto/NBD has it (Schmittlein, Morrison & Colombo
1987). Not here: estimates of the same from an order history (profiles/tags/order_models.py).
"""

from __future__ import annotations

import numpy as np

from campaignrl.arrays import Bool, Float
from campaignrl.dynamics.customers import Traits
from campaignrl.dynamics.parameters import Parameters

YEAR = 365.0  # days


def expected_margin(traits: Traits, alive: Bool, p: Parameters, days: float = YEAR) -> Float:
    """(n,) margin that the next `days` bring on average, currency: orders at full price while the customer stays.

    alive: (n,) now. Orders arrive at `rate`, lifetimes end at `drop_rate`: rate x basket x margin x
    (1 - exp(-drop_rate x days)) / drop_rate. Seasons, stocks and offers still usable are left out.
    """
    drop = np.maximum(traits.drop_rate.astype(np.float64), 1e-12)
    active_days = -np.expm1(-drop * days) / drop
    worth = traits.basket.astype(np.float64) * p.margin[traits.segment]
    result: Float = np.where(alive, traits.rate * worth * active_days, 0.0)
    return result
