"""What a policy may see of each customer on a day: the feature schema filled from simulated state.

Counts and order history are exact, because they are logs; tags are noisy; rates, sensitivity, fatigue and being
alive are never shown.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from campaignrl.dynamics.customers import NO_OFFER, State, Traits
from campaignrl.features import Context
from campaignrl.lifecycle import stage
from campaignrl.specs import World

ONE = np.float32(1.0)
COUNTS = {"contacts_7d": 7, "contacts_30d": 30, "opens_30d": 30, "clicks_30d": 30}  # days; neighbours in the schema
# The bits of a history that lie in each of these windows, as `memory.days_with` counts them.
_WINDOWS = np.array([[(1 << (days - 1)) - 1] for days in COUNTS.values()], dtype=np.uint64)


def observe(world: World, traits: Traits, state: State, day: int) -> Context:
    """The context of n customers before the decision of `day`; its numbers are the rows of one array."""
    schema, today = world.features, np.float32(day)
    row = schema.encoding.row
    numbers = np.empty((len(row), len(traits.joined)), dtype=np.float32)
    number = dict(zip(row, numbers, strict=True))
    recency, tenure, orders = number["recency_days"], number["tenure_days"], number["orders"]
    np.add(traits.joined, today, out=tenure)
    np.subtract(today, state.last_order, out=recency)
    np.fmin(recency, tenure, out=recency)  # nobody ordered before joining; who never did (nan) joined so long ago
    orders[:] = state.orders
    some = np.maximum(orders, ONE)
    np.divide(state.spend, some, out=number["basket_mean"])
    np.divide(state.discounted, some, out=number["discount_share"])
    first = row["contacts_7d"]
    np.bitwise_count(_histories(state), out=numbers[first : first + len(COUNTS)])
    np.not_equal(state.live_offer, NO_OFFER, out=number["offer_live"])
    number["days_to_go"].fill(world.horizon - day)
    numbers[len(row) - len(world.channels) :] = state.consent  # the last features of the schema
    return Context(
        schema,
        {
            # Copies: a day changes its own arrays in place, and what was seen must stay as it was seen.
            "segment": state.segment_tag.copy(),
            "price_tag": state.price_tag.copy(),
            **({} if world.formats is None else {"format_tag": state.format_tag.copy()}),
            "stage": stage(orders, recency, today - state.first_order),
            **dict(zip(world.attributes, _read_only(traits.attributes), strict=True)),
            **number,
        },
        numbers,
    )


def _histories(state: State) -> npt.NDArray[np.uint64]:
    """(4, n) the bits to be counted for each of COUNTS."""
    bits = np.empty((len(COUNTS), len(state.opened)), dtype=np.uint64)
    np.bitwise_or.reduce(state.sent, axis=0, out=bits[0])  # at most one send a day
    bits[1], bits[2], bits[3] = bits[0], state.opened, state.clicked
    return np.bitwise_and(bits, _WINDOWS, out=bits)


def _read_only(attributes: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """The same attributes, which nobody may change by what was handed out."""
    seen = attributes.view()
    seen.flags.writeable = False
    return seen
