"""The lifecycle stage of a customer: a label derived from the order history, never a driver of behaviour.

The rule compares the time since the last order with the customer's own expected gap between orders. Not here: the
probability of being alive (calibration/), the names of the stages (specs/world_features.py).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Float32
from campaignrl.specs import STAGES

NEW_DAYS = 30.0  # since the first order
PRIOR_GAP = 45.0  # days; counts as one gap seen, so that one order does not say "never late"
LOYAL_ORDERS = 6
LATE = (1.5, 3.0, 6.0)  # expected gaps without an order: at risk, dormant, churned

_LIMITS = np.array([[gaps] for gaps in LATE], dtype=np.float32)  # exact
# Where none of these holds a customer is active, else the last one that does decides. Which of them hold are the bits
# of a number, and the number's row in a table is the stage: many customers at a time, and no `where` after `where`.
_RULES = ("loyal", "at_risk", "dormant", "churned", "new", "prospect")
_BIT = np.array([[1 << i] for i in range(len(_RULES))], dtype=np.uint8)
_BY_BITS = np.array(
    [STAGES.index((("active", *_RULES))[bits.bit_length()]) for bits in range(1 << len(_RULES))], dtype=np.int8
)


def stage(orders: npt.NDArray[np.integer] | Float32, recency: Float32, first_age: Float32) -> npt.NDArray[np.int8]:
    """(n,) codes into STAGES. recency, first_age: (n,) days since the last and the first order (nan: never)."""
    expected = first_age - recency
    expected += np.float32(PRIOR_GAP)
    late = recency / (expected / np.maximum(orders, 1))
    holds = np.empty((len(_RULES), len(late)), dtype=bool)
    np.greater_equal(orders, LOYAL_ORDERS, out=holds[0])
    np.greater_equal(late, _LIMITS, out=holds[1:4])
    np.less(first_age, NEW_DAYS, out=holds[4])
    np.equal(orders, 0, out=holds[5])
    bits: npt.NDArray[np.uint8] = np.bitwise_or.reduce(holds.view(np.uint8) * _BIT, axis=0)
    return _BY_BITS.take(bits)
