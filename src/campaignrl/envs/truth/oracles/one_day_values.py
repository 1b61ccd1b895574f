"""One day of the reduced model: what a customer at each point brings today and from tomorrow on, with each offer held.

Built once per set of types (customers whose traits are taken as given); `held_value` and `opened_value` are the two
things that can happen on a day, not opened and opened. Not here: choosing the action, going back in time
(reduced_model.py). Values have the axes (types, C, F, R, L or offers). m types.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Array, Float32
from campaignrl.dynamics import NO_OFFER, Parameters, Traits, response
from campaignrl.effects import SatisfactionEffect
from campaignrl.envs.truth.oracles.reduced_state import AXIS_R, Lattice, fatigue_of
from campaignrl.envs.truth.oracles.stocks import Prices, clicks_of, intent_of_a_click

F1 = np.float32(1.0)


class Types(NamedTuple):
    """Customers as the reduced model sees them."""

    traits: Traits
    consent: npt.NDArray[np.bool_]  # (c, m)


class Rates(NamedTuple):
    """What a day's chances and orders are made of; o offers with "no offer" last, k actions."""

    hazard: Float32  # (m, R, o + 1) orders per day while the offer is held, season apart
    lift: Float32  # (m, R, o + 1) factor in it on the customer's own rate
    survival: Float32  # (m, F, o + 1) chance to be alive tomorrow; F: tomorrow's
    opened: Float32  # (k, m, F) chance that a send is opened by a live customer
    opened_dead: Float32  # (k, m, F) and by one who dropped out
    clicked: Float32  # (k, m) chance of a click, given opened
    unsubscribed: Float32  # (k, F)
    margin: Float32  # (m,) of an order
    given: Float32  # (m, o + 1) given away when the offer is redeemed


class After(NamedTuple):
    """Values of tomorrow, drop-out of tonight included, at today's price points (the price not yet moved)."""

    kept: Float32  # (m, C, F, R, L) by what is held today, not redeemed
    lost: Float32  # (m, C, F, R, o + 1) by what is held today, redeemed or none
    seen: Float32  # (m, C, F, R, o) by what is first seen today, not redeemed


def rates(types: Types, lat: Lattice, p: Parameters) -> Rates:
    """The tables of these types."""
    traits, offers = types.traits, np.arange(len(p.discount))
    taste = p.taste[traits.segment][:, None, :]
    gain = p.price_cut[None, :]
    for effect in p.effects:
        gain = effect.felt_cut(gain, {"expected_price": lat.prices[:, None]})
    lift = p.appeal + taste + np.float32(10.0) * traits.sensitivity[:, None, None] * gain
    tired = fatigue_of(p).drop_out(np.zeros_like(lat.fatigue), {"fatigue": lat.fatigue})
    log = tired[:, None] - p.retention[offers]
    opened, dead, clicked, left = _funnel(types, lat, p)
    return Rates(
        hazard=(traits.rate[:, None, None] * np.exp(lift)).astype(np.float32),
        lift=np.exp(lift).astype(np.float32),
        survival=np.exp(-traits.drop_rate[:, None, None] * np.exp(log)),
        opened=opened,
        opened_dead=dead,
        clicked=clicked,
        unsubscribed=left,
        margin=traits.basket * p.margin[traits.segment],
        given=traits.basket[:, None] * p.discount + p.face_value,
    )


def _funnel(types: Types, lat: Lattice, p: Parameters) -> tuple[Float32, Float32, Float32, Float32]:
    traits, fatigue = types.traits, lat.fatigue
    k, m = len(p.offer_of), len(traits.rate)
    opened, dead = np.zeros((2, k, m, len(fatigue)), dtype=np.float32)
    clicked, left = np.zeros((k, m), dtype=np.float32), np.zeros((k, len(fatigue)), dtype=np.float32)
    for a in range(1, k):
        c, taste = p.channel_of[a], p.taste[traits.segment, p.offer_of[a]]
        drawn = (traits.affinity[c][:, None], taste[:, None], {"fatigue": fatigue[None, :]})
        for table, alive in ((opened, True), (dead, False)):
            table[a] = p.deliver[c] * response.open_probability(c, *drawn, np.array(alive), p)
        clicked[a] = response.click_probability(c, taste, p)
        logit = np.full(len(fatigue), p.unsubscribe_logit[c])
        leaving = fatigue_of(p).unsubscribing(logit, {"fatigue": fatigue}, np.full(len(fatigue), c))
        left[a] = p.deliver[c] * response.sigmoid(leaving)
    return opened, dead, clicked, left


def after_tonight(alive: Float32, dead: Float32, r: Rates, lat: Lattice) -> After:
    """Tonight's drop-out before tomorrow's values. alive: (m, C, F, R, L), dead: (m, C, F, R)."""
    s, gone = r.survival[:, None, :, None, :], dead[..., None]
    more = alive - gone
    return After(
        kept=gone + s[..., lat.live_offer] * more[..., lat.after],
        lost=gone + s * more[..., :1],
        seen=gone + s[..., :-1] * more[..., lat.first[:-1]],
    )


def held_value(after: After, r: Rates, lat: Lattice, p: Parameters, prices: Prices, season: float) -> Float32:
    """Nothing opened today; (m, C, F, R, L)."""
    offer = lat.live_offer
    full, used = _paid(after.kept, NO_OFFER, lat), _redeemed(after.lost, lat)[..., offer]
    hazard = (r.hazard[..., offer] * np.float32(season) + r.lift[..., offer] * p.brings[offer])[:, None, None]
    return _ordering(lat.price.recovery(after.kept, AXIS_R), full, used, offer, hazard, r, p, prices)


def opened_value(
    after: After, clicks: bool, r: Rates, lat: Lattice, p: Parameters, prices: Prices, season: float
) -> Float32:
    """Each offer seen today, with a click or without; (m, C, F, R, o)."""
    offers = np.arange(after.seen.shape[-1])
    seen = np.stack([lat.price.seen[o](after.seen[..., o], AXIS_R) for o in offers], -1)
    full, used = _paid(after.seen, NO_OFFER, lat), _redeemed(after.lost, lat)[..., :-1]
    spec, trust = clicks_of(p).spec, p.effect(SatisfactionEffect)
    factor = np.exp(spec.open_lift + spec.click_lift * spec.same_day * clicks)
    visit = p.brings[:-1] + np.float32(spec.open_visit + spec.click_visit * clicks)
    base = r.hazard[..., :-1] * np.float32(season) + r.lift[..., :-1] * visit
    hazard = (base * np.float32(factor))[:, None, None]
    worth = _ordering(seen, full, used, offers, hazard, r, p, prices)
    gained = np.zeros(len(offers), dtype=np.float32) if trust is None else trust.gained[:-1]
    later = prices.satisfaction[:, None] * gained
    if clicks:
        later = later + prices.intent[:, None] * np.float32(intent_of_a_click(p))
    return worth + later[:, None, None, None, :]


def _ordering(
    idle: Float32, full: Float32, used: Float32, offer: Array, hazard: Float32, r: Rates, p: Parameters, prices: Prices
) -> Float32:
    """Value with the chance of an order.

    idle, full, used: tomorrow's value after no order, one at the full price, a redeemed one.
    """
    redeem = p.redeem[offer]
    stocked = prices.stockpile[:, None] * (p.price_cut[offer] > 0)
    trust = p.effect(SatisfactionEffect)
    order = 0.0 if trust is None else trust.spec.order
    today = (
        r.margin[:, None] - redeem * (r.given[:, offer] + stocked) + prices.satisfaction[:, None] * np.float32(order)
    )
    gain = today[:, None, None, None, :] + (F1 - redeem) * (full - idle) + redeem * (used - idle)
    return np.asarray(idle - np.expm1(-hazard) * gain, dtype=np.float32)


def _paid(values: Array, offer: int, lat: Lattice) -> Array:
    """Values after the price of `offer` was paid (NO_OFFER: the full price)."""
    return lat.price.paid[offer](values, AXIS_R)


def _redeemed(lost: Float32, lat: Lattice) -> Float32:
    """(m, C, F, R, o + 1) after each offer was redeemed at its own price."""
    return np.stack([_paid(lost[..., o], o, lat) for o in range(lost.shape[-1])], axis=-1)
