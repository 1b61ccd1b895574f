"""Buying, redeeming, order value, dropping out.

Hazards are per day and constant within a day, so a probability is 1 - exp(-hazard). With nothing sent the hazards
are the customer's own rates: Pareto/NBD. Seasonality and delayed conversion will multiply and shift the hazard
here. Not here: the draws (advance.py), what an order earns (money.py).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from campaignrl.dynamics.parameters import Parameters

Float32 = npt.NDArray[np.float32]
Int = npt.NDArray[np.integer]
Bool = npt.NDArray[np.bool_]


def purchase_hazard(
    rate: Float32, sensitivity: Float32, taste: Float32, offer: Int, opened: Bool, clicked: Bool, p: Parameters
) -> Float32:
    """(n,) orders per day of a live customer.

    offer: (n,) the usable offer, -1 for none; sensitivity: (n,) log-hazard per 10 % off; taste: (n,) log-hazard of
    this customer for this kind of offer. An offer counts on every day on which it is usable, whether or not the
    order would have come anyway: that is what makes given-away discounts measurable.
    """
    lift = p.appeal[offer] + taste + np.float32(10.0) * sensitivity * p.price_cut[offer]
    lift += np.float32(p.open_lift) * opened
    lift += np.float32(p.click_lift) * clicked
    result: Float32 = rate * np.exp(lift)
    return result


def drop_out_hazard(drop_rate: Float32, fatigue: Float32, offer: Int, p: Parameters) -> Float32:
    """(n,) drop-outs per day of a live customer; grows with fatigue, falls while a retaining offer is usable."""
    result: Float32 = drop_rate * np.exp(np.float32(p.fatigue_drop_out) * fatigue - p.retention[offer])
    return result


def within_a_day(hazard: Float32) -> Float32:
    """(n,) chance of at least one event in a day."""
    result: Float32 = -np.expm1(-hazard)
    return result


def redeem_probability(offer: Int, p: Parameters) -> Float32:
    """(n,) chance that an order placed while the offer is usable uses it."""
    return p.redeem[offer]


def order_value(log_basket: Float32, segment: Int, z: Float32, p: Parameters) -> Float32:
    """(n,) full price of an order, currency; lognormal around the customer's median. z: (n,) standard normal."""
    result: Float32 = np.exp(log_basket + p.basket_sigma[segment] * z)
    return result
