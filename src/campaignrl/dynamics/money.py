"""What a customer-day earns and costs, in currency.

reward = margin - discount - send cost - value of a lost permission, always in these parts.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from campaignrl.dynamics.parameters import Parameters

Float32 = npt.NDArray[np.float32]
Int = npt.NDArray[np.integer]
Bool = npt.NDArray[np.bool_]


def gross_margin(revenue: Float32, segment: Int, p: Parameters) -> Float32:
    """(n,) margin at full price."""
    rows = np.flatnonzero(revenue != 0)  # few customers order on a day; truth values are searched fastest
    margin = np.zeros_like(revenue)
    margin[rows] = revenue[rows] * p.margin[segment[rows]]
    return margin


def discount_given(revenue: Float32, offer: Int, redeemed: Bool, p: Parameters) -> Float32:
    """(n,) given away: the share of the basket and the face value, where the offer was redeemed."""
    rows = np.flatnonzero(redeemed)
    given = np.zeros_like(revenue)
    given[rows] = revenue[rows] * p.discount[offer[rows]] + p.face_value[offer[rows]]
    return given


def reward(margin: Float32, discount: Float32, cost: Float32, unsubscribed: Bool, p: Parameters) -> Float32:
    """(n,) contribution of the day."""
    lost = np.float32(p.unsubscribe_cost) * unsubscribed
    result: Float32 = margin - discount - cost - lost
    return result
