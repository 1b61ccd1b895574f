"""What a policy may see of each customer on a day: the feature schema filled from simulated state.

Counts and order history are exact, because they are logs; tags are noisy; rates, sensitivity, fatigue and being
alive are never shown.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from campaignrl.dynamics.customers import NO_OFFER, State, Traits
from campaignrl.features import Context
from campaignrl.lifecycle import stage
from campaignrl.specs import World

Part = slice | npt.NDArray[np.integer[Any]]  # a block of customers, or the numbers of rows
ONE = np.float32(1.0)
COUNTS = {"contacts_7d": 7, "contacts_30d": 30, "opens_30d": 30, "clicks_30d": 30}  # days; neighbours in the schema
# The bits of a history that lie in each of these windows, as `memory.days_with` counts them.
_WINDOWS = np.array([[(1 << (days - 1)) - 1] for days in COUNTS.values()], dtype=np.uint64)


def observe(world: World, traits: Traits, state: State, day: int, part: Part = slice(None)) -> Context:
    """The context of n customers, or some of them, before the decision of `day`; its numbers are rows of one array.

    All of it copies: a day changes its own arrays in place, and what was seen must stay as it was seen.
    """
    schema, today = world.features, np.float32(day)
    row = schema.encoding.row
    last_order, joined = state.last_order[part], traits.joined[part]
    numbers = np.empty((len(row), len(joined)), dtype=np.float32)
    number = dict(zip(row, numbers, strict=True))
    recency, tenure, orders = number["recency_days"], number["tenure_days"], number["orders"]
    np.add(joined, today, out=tenure)
    np.subtract(today, last_order, out=recency)
    np.fmin(recency, tenure, out=recency)  # nobody ordered before joining; who never did (nan) joined so long ago
    orders[:] = state.orders[part]
    some = np.maximum(orders, ONE)
    np.divide(state.spend[part], some, out=number["basket_mean"])
    np.divide(state.discounted[part], some, out=number["discount_share"])
    first = row["contacts_7d"]
    np.bitwise_count(_histories(state, part), out=numbers[first : first + len(COUNTS)])
    np.not_equal(state.live_offer[part], NO_OFFER, out=number["offer_live"])
    number["days_to_go"].fill(world.horizon - day)
    numbers[len(row) - len(world.channels) :] = state.consent[:, part]  # the last features of the schema
    return Context(
        schema,
        {
            "segment": np.array(state.segment_tag[part]),
            "price_tag": np.array(state.price_tag[part]),
            **({} if world.formats is None else {"format_tag": np.array(state.format_tag[part])}),
            "stage": stage(orders, recency, today - state.first_order[part]),
            **dict(zip(world.attributes, _read_only(traits.attributes[:, part]), strict=True)),
            **number,
        },
        numbers,
    )


def _histories(state: State, part: Part) -> npt.NDArray[np.uint64]:
    """(4, n) the bits to be counted for each of COUNTS."""
    opened = state.opened[part]
    bits = np.empty((len(COUNTS), len(opened)), dtype=np.uint64)
    np.bitwise_or.reduce(state.sent[:, part], axis=0, out=bits[0])  # at most one send a day
    bits[1], bits[2], bits[3] = bits[0], opened, state.clicked[part]
    return np.bitwise_and(bits, _WINDOWS, out=bits)


def _read_only(attributes: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """The same attributes, which nobody may change by what was handed out."""
    seen = attributes.view()
    seen.flags.writeable = False
    return seen
