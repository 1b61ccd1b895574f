"""The lifecycle stage of a customer: a label derived from the order history, never a driver of behaviour.

The rule compares the time since the last order with the customer's own expected gap between orders. Not here: the
probability of being alive (calibrate/), the names of the stages (specs/schema.py).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from campaignrl.specs.schema import STAGES

Float32 = npt.NDArray[np.float32]

NEW_DAYS = 30.0  # since the first order
PRIOR_GAP = 45.0  # days; counts as one gap seen, so that one order does not say "never late"
LOYAL_ORDERS = 6
LATE = (1.5, 3.0, 6.0)  # expected gaps without an order: at risk, dormant, churned


def stage(orders: npt.NDArray[np.integer], recency: Float32, first_age: Float32) -> npt.NDArray[np.int8]:
    """(n,) codes into STAGES. recency, first_age: (n,) days since the last and the first order (nan: never)."""
    count = np.maximum(orders, 1)
    expected = (first_age - recency + np.float32(PRIOR_GAP)) / count
    late = np.where(orders > 0, recency / expected, np.float32(0.0))
    code = np.full(len(late), STAGES.index("active"), dtype=np.int8)
    code[orders >= LOYAL_ORDERS] = STAGES.index("loyal")
    for limit, name in zip(LATE, ("at_risk", "dormant", "churned"), strict=True):
        code[late >= limit] = STAGES.index(name)
    code[(orders > 0) & (first_age < NEW_DAYS)] = STAGES.index("new")
    code[orders == 0] = STAGES.index("prospect")
    return code
