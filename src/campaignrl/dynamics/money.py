"""What a customer-day earns and costs, in currency.

reward = margin - discount - send cost - value of a lost permission, always in these parts.
"""

from __future__ import annotations

import numpy as np

from campaignrl.arrays import Bool, Float32, Int
from campaignrl.dynamics.parameters import Parameters


def gross_margin(revenue: Float32, segment: Int, p: Parameters) -> Float32:
    """(n,) margin at full price."""
    result: Float32 = revenue * p.margin[segment]
    return result


def discount_given(revenue: Float32, offer: Int, redeemed: Bool, p: Parameters) -> Float32:
    """(n,) given away: the share of the basket and the face value, where the offer was redeemed."""
    result: Float32 = (revenue * p.discount[offer] + p.face_value[offer]) * redeemed
    return result


def reward(margin: Float32, discount: Float32, cost: Float32, unsubscribed: Bool, p: Parameters) -> Float32:
    """(n,) contribution of the day."""
    lost = np.float32(p.unsubscribe_cost) * unsubscribed
    result: Float32 = margin - discount - cost - lost
    return result
