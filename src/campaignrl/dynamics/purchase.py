"""Buying, redeeming, order value, dropping out.

Hazards are per day and constant within a day; an event happens when an exponential clock runs out before the day
does, so its chance is 1 - exp(-hazard). With nothing sent and no effect switched on the hazards are the customer's own
rates: Pareto/NBD. Not here: the terms of single effects (effects/), the draws (advance.py), what an order earns
(money.py).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import special

from campaignrl.arrays import Bool, Float32, Int
from campaignrl.dynamics.parameters import Parameters
from campaignrl.effects import Contact, Stocks

ROUNDING = 1.001  # room for the rounding of single precision in a hazard and its ceiling


def purchase_hazard(
    rate: Float32,
    sensitivity: Float32,
    taste: Float32,
    offer: Int,
    opened: Bool,
    clicked: Bool,
    stocks: Stocks,
    day: int,
    p: Parameters,
) -> Float32:
    """(n,) orders per day of a live customer.

    offer: (n,) the usable offer, -1 for none; sensitivity: (n,) log-hazard per 10 % off; taste: (n,) log-hazard of
    this customer for this kind of offer. An offer counts on every day on which it is usable, whether or not the
    order would have come anyway: that is what makes given-away discounts measurable.
    """
    cut = p.price_cut[offer]
    for effect in p.effects:
        cut = effect.felt_cut(cut, stocks)
    lift = taste + p.appeal[offer]
    lift += np.float32(10.0) * sensitivity * cut
    today = Contact(opened, clicked)
    for effect in p.effects:
        lift = effect.purchase(lift, stocks, today)
    base = rate * p.season[day] + p.brings[offer]
    for effect in p.effects:
        more = effect.visiting(today)
        if more is not None:
            base += more
    result: Float32 = base * np.exp(lift)
    return result


def drop_out_hazard(drop_rate: Float32, stocks: Stocks, offer: Int, p: Parameters) -> Float32:
    """(n,) drop-outs per day of a live customer; retaining offers lower it, effects move it by tomorrow's stocks."""
    log = -p.retention[offer]
    for effect in p.effects:
        log = effect.drop_out(log, stocks)
    result: Float32 = drop_rate * np.exp(log)
    return result


class Ceilings(NamedTuple):
    """What today's hazards of no customer exceed, as multiples of the customer's own rate.

    Thinning (Lewis & Shedler 1979, "Simulation of Nonhomogeneous Poisson Processes by Thinning"): whose clock would not
    run out even under the highest hazard there can be needs no hazard. A uniform u makes the clock -log(1 - u) >= u, so
    those are all with u above the ceiling.
    """

    quiet: float  # of buying, for who holds no offer, and so did not open today, and is not `stirred` by an effect
    drop_out: float


def ceilings(stocks: Stocks, day: int, p: Parameters) -> Ceilings:
    """From the stocks (n,) before the day. No effect feels a cut where there is no offer."""
    buying = leaving = 0.0
    for effect in p.effects:
        buying += effect.purchase_ceiling()
        leaving += effect.drop_out_ceiling(stocks)
    if p.wanting is not None:
        buying += float(p.wanting[day, :, -1].max())
    return Ceilings(float(p.season[day]) * _exp(buying), _exp(leaving))


def _exp(log: float) -> float:
    return ROUNDING * math.exp(min(log, 50.0))  # above, every u is below it: rates are at least 1e-12


def within_a_day(hazard: Float32) -> Float32:
    """(n,) chance of at least one event in a day."""
    result: Float32 = -np.expm1(-hazard)
    return result


def redeem_probability(offer: Int, p: Parameters) -> Float32:
    """(n,) chance that an order placed while the offer is usable uses it."""
    return p.redeem[offer]


def order_value(basket: Float32, segment: Int, z: Float32, p: Parameters) -> Float32:
    """(n,) full price of an order, currency, around the customer's mean. z: (n,) standard normal.

    Lognormal, or gamma with the quantile of the same z (Fader, Hardie & Lee 2005, "RFM and CLV").
    """
    sigma = p.basket_sigma[segment]
    value: Float32 = basket * np.exp(sigma * z - np.float32(0.5) * sigma * sigma)
    rows = p.gamma_basket[segment].nonzero()[0]
    if len(rows):
        shape = p.basket_shape[segment[rows]].astype(np.float64)
        value[rows] = basket[rows] * special.gammaincinv(shape, special.ndtr(z[rows].astype(np.float64))) / shape
    return value
