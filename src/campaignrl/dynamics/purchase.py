"""Buying, redeeming, order value, dropping out.

Hazards are per day and constant within a day; an event happens when an exponential clock runs out before the day
does, so its chance is 1 - exp(-hazard). With nothing sent and no effect switched on the hazards are the customer's own
rates: Pareto/NBD. Not here: the draws (advance.py), the stocks (memory.py), what an order earns (money.py).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import special

from campaignrl.arrays import Bool, Float32, Int, Rows
from campaignrl.dynamics.customers import State
from campaignrl.dynamics.parameters import Parameters
from campaignrl.dynamics.satisfaction import contentment
from campaignrl.specs import AdStock, ReferencePrice

FAINT = 0.02  # intent; with less, and no offer, a customer is quiet
ROUNDING = 1.001  # room for the rounding of single precision in a hazard and its ceiling


class Mood(NamedTuple):
    """What past days left in n customers that moves their hazards; each (n,), as in `State`."""

    fatigue: Float32
    adstock: Float32
    satisfaction: Float32  # log-odds above or below the level
    expected_price: Float32
    stockpile: Float32
    intent: Float32


def mood_of(state: State, rows: Rows) -> Mood:
    """The mood of some customers."""
    return Mood(
        state.fatigue[rows],
        state.adstock[rows],
        state.satisfaction[rows],
        state.expected_price[rows],
        state.stockpile[rows],
        state.intent[rows],
    )


def purchase_hazard(
    rate: Float32,
    sensitivity: Float32,
    taste: Float32,
    offer: Int,
    opened: Bool,
    clicked: Bool,
    mood: Mood,
    day: int,
    p: Parameters,
) -> Float32:
    """(n,) orders per day of a live customer.

    offer: (n,) the usable offer, -1 for none; sensitivity: (n,) log-hazard per 10 % off; taste: (n,) log-hazard of
    this customer for this kind of offer. An offer counts on every day on which it is usable, whether or not the
    order would have come anyway: that is what makes given-away discounts measurable.
    """
    lift = taste + p.appeal[offer]
    lift += np.float32(10.0) * sensitivity * price_gain(p.price_cut[offer], mood.expected_price, p.reference_price)
    lift += np.float32(p.open_lift) * opened
    lift += np.float32(p.click_lift) * (np.float32(p.click_today) * clicked + mood.intent)
    if p.adstock is not None:
        lift += np.float32(p.adstock.effect) * hill(mood.adstock, p.adstock)
    if p.satisfaction is not None and p.satisfaction.purchase:
        lift += np.float32(p.satisfaction.purchase) * contentment(mood.satisfaction, p)
    if p.stockpile is not None:
        lift -= np.float32(p.stockpile.effect) * mood.stockpile
    result: Float32 = rate * p.season[day] * np.exp(lift)
    return result


def drop_out_hazard(drop_rate: Float32, mood: Mood, offer: Int, p: Parameters) -> Float32:
    """(n,) drop-outs per day of a live customer; grows with fatigue, falls with satisfaction and retaining offers."""
    log = np.float32(p.fatigue_drop_out) * mood.fatigue - p.retention[offer]
    if p.satisfaction is not None and p.satisfaction.drop_out:
        log -= np.float32(p.satisfaction.drop_out) * contentment(mood.satisfaction, p)
    result: Float32 = drop_rate * np.exp(log)
    return result


class Ceilings(NamedTuple):
    """What today's hazards of no customer exceed, as multiples of the customer's own rate.

    Thinning (Lewis & Shedler 1979, "Simulation of Nonhomogeneous Poisson Processes by Thinning"): whose clock would not
    run out even under the highest hazard there can be needs no hazard. A uniform u makes the clock -log(1 - u) >= u, so
    those are all with u above the ceiling.
    """

    quiet: float  # of buying, for who holds no offer and has an intent of FAINT or less, and so did not open today
    drop_out: float


def ceilings(fatigue: float, day: int, p: Parameters) -> Ceilings:
    """From the highest stock of fatigue before the day. The price is never expected to be above the full one."""
    tomorrow = fatigue * p.fatigue_decay + max(p.fatigue_weight.tolist())
    buying, leaving = p.click_lift * FAINT, p.fatigue_drop_out * tomorrow
    if p.adstock is not None:
        buying += max(p.adstock.effect, 0.0)
    if p.satisfaction is not None:  # contentment lies between -level and 1 - level
        buying += p.satisfaction.purchase * (1.0 - p.satisfaction.level)
        leaving += p.satisfaction.drop_out * p.satisfaction.level
    return Ceilings(float(p.season[day]) * _exp(buying), _exp(leaving))


def _exp(log: float) -> float:
    return ROUNDING * math.exp(min(log, 50.0))  # above, every u is below it: rates are at least 1e-12


def price_gain(cut: Float32, expected: Float32, reference: ReferencePrice | None) -> Float32:
    """(n,) how far the price offered lies below the one expected, as a share of the full price; losses weigh more.

    cut: (n,) share off. Kalyanaram & Winer 1995, "Empirical Generalizations from Reference Price Research".
    """
    if reference is None:
        return cut
    gain = cut + expected - np.float32(1.0)
    felt: Float32 = np.minimum(gain, np.float32(reference.loss_aversion) * gain)  # loss aversion is at least 1
    return felt


def hill(stock: Float32, adstock: AdStock) -> Float32:
    """(n,) share in [0, 1) of the full effect that a stock reaches."""
    if adstock.shape == 1.0:
        return stock / (stock + np.float32(adstock.half_saturation))
    power = stock ** np.float32(adstock.shape)
    result: Float32 = power / (power + np.float32(adstock.half_saturation**adstock.shape))
    return result


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
