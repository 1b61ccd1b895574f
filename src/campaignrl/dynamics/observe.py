"""What a policy may see of each customer on a day: the feature schema filled from simulated state.

Counts and order history are exact, because they are logs; tags are noisy; rates, sensitivity, fatigue and being
alive are never shown.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from campaignrl.dynamics.customers import NO_OFFER, State, Traits
from campaignrl.dynamics.memory import days_with
from campaignrl.features import Context
from campaignrl.lifecycle import stage
from campaignrl.specs.world import World


def observe(world: World, traits: Traits, state: State, day: int) -> Context:
    """The context of n customers before the decision of `day`."""
    tenure = traits.joined + np.float32(day)
    never = np.isnan(state.last_order)
    recency = np.where(never, tenure, np.float32(day) - state.last_order)
    first_age = np.float32(day) - state.first_order
    orders = state.orders.astype(np.float32)
    contacts = np.bitwise_or.reduce(state.sent, axis=0)  # at most one send a day
    some = np.maximum(orders, np.float32(1.0))
    columns: dict[str, npt.NDArray[Any]] = {
        "segment": state.segment_tag,
        "price_tag": state.price_tag,
        "stage": stage(state.orders, recency, first_age),
        **dict(zip(world.attributes, traits.attributes, strict=True)),
        "recency_days": recency,
        "tenure_days": tenure,
        "orders": orders,
        "basket_mean": state.spend / some,
        "discount_share": state.discounted / some,
        "contacts_7d": days_with(contacts, 7).astype(np.float32),
        "contacts_30d": days_with(contacts, 30).astype(np.float32),
        "opens_30d": days_with(state.opened, 30).astype(np.float32),
        "clicks_30d": days_with(state.clicked, 30).astype(np.float32),
        "offer_live": (state.live_offer != NO_OFFER).astype(np.float32),
        "days_to_go": np.full(len(recency), world.horizon - day, dtype=np.float32),
        **{f"consent_{c}": row.astype(np.float32) for c, row in zip(world.channels, state.consent, strict=True)},
    }
    return Context(world.features, columns)
