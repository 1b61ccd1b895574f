"""One day in the life of n customers: funnel, purchase, memory, money, in that order, with their draws.

Pure: the state of today and the actions in, the state of tomorrow and what happened out. Every draw is keyed by
customer and day, so a customer's luck is the same whatever is sent and whoever else is in the batch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl import rng
from campaignrl.dynamics import memory, money, purchase, response
from campaignrl.dynamics.customers import NO_OFFER, State, Traits
from campaignrl.dynamics.parameters import Parameters
from campaignrl.rng import Purpose

Float32 = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Int = npt.NDArray[np.integer]


class Outcome(NamedTuple):
    """What happened to each customer today; every field (n,). Money in currency."""

    sent: Bool
    delivered: Bool
    opened: Bool
    clicked: Bool
    unsubscribed: Bool
    bought: Bool
    redeemed: Bool
    revenue: Float32  # at full price
    margin: Float32  # of the full price
    discount: Float32  # given away
    cost: Float32  # of the send
    reward: Float32  # margin - discount - cost - value of a lost permission


class _Funnel(NamedTuple):
    sent: Bool
    delivered: Bool
    opened: Bool
    clicked: Bool
    unsubscribed: Bool


def advance(traits: Traits, state: State, action: Int, day: int, seed: int, p: Parameters) -> tuple[State, Outcome]:
    """The state after `day` and what happened on it. action: (n,) catalog ids, already allowed by the guard."""
    offer, channel = p.offer_of[action].astype(np.int8), p.channel_of[action]
    funnel = _funnel(traits, state, action, day, seed, p)
    u_buy, u_redeem, u_drop, u_revive = rng.uniforms(traits.key, seed, day, Purpose.PURCHASE, 4)
    alive = state.alive | (funnel.opened & (u_revive < p.revives[offer]))
    live_offer, live_days = memory.usable_offer(state.live_offer, state.live_days, offer, funnel.opened, p.valid_days)
    taste = p.taste[traits.segment, live_offer]
    hazard = purchase.purchase_hazard(
        traits.rate, traits.sensitivity, taste, live_offer, funnel.opened, funnel.clicked, p
    )
    bought = alive & (u_buy < purchase.within_a_day(hazard))
    redeemed = bought & (live_offer != NO_OFFER) & (u_redeem < purchase.redeem_probability(live_offer, p))
    revenue = _revenue(traits, bought, day, seed, p)
    fatigue = memory.next_fatigue(state.fatigue, p.fatigue_weight[channel] * funnel.sent, p.fatigue_decay)
    drop = purchase.within_a_day(purchase.drop_out_hazard(traits.drop_rate, fatigue, live_offer, p))
    next_offer, next_days = memory.next_offer(live_offer, live_days, redeemed)
    tomorrow = State(
        alive=alive & ~(u_drop < drop),
        consent=_consent(state.consent, channel, funnel.unsubscribed),
        fatigue=fatigue,
        live_offer=next_offer,
        live_days=next_days,
        orders=state.orders + bought,
        discounted=state.discounted + redeemed,
        spend=state.spend + revenue,
        first_order=np.where(bought & np.isnan(state.first_order), np.float32(day), state.first_order),
        last_order=np.where(bought, np.float32(day), state.last_order),
        sent=_sent(state.sent, channel, funnel.sent),
        opened=memory.next_history(state.opened, funnel.opened),
        clicked=memory.next_history(state.clicked, funnel.clicked),
    )
    margin = money.gross_margin(revenue, traits.segment, p)
    discount = money.discount_given(revenue, live_offer, redeemed, p)
    cost = p.send_cost[action]
    reward = money.reward(margin, discount, cost, funnel.unsubscribed, p)
    return tomorrow, Outcome(*funnel, bought, redeemed, revenue, margin, discount, cost, reward)


def _funnel(traits: Traits, state: State, action: Int, day: int, seed: int, p: Parameters) -> _Funnel:
    """The funnel, worked out for the customers who are sent something and spread back over all."""
    sent = action > 0
    rows = np.flatnonzero(sent)
    channel, segment, offer = p.channel_of[action[rows]], traits.segment[rows], p.offer_of[action[rows]]
    fatigue, taste = state.fatigue[rows], p.taste[segment, offer]
    u_deliver, u_open, u_click, u_unsubscribe = rng.uniforms(traits.key[rows], seed, day, Purpose.FUNNEL, 4)
    delivered = u_deliver < p.deliver[channel]
    affinity = traits.affinity[channel, rows]
    opens = response.open_probability(channel, affinity, taste, fatigue, state.alive[rows], p)
    opened = delivered & (u_open < opens)
    clicked = opened & (u_click < response.click_probability(channel, taste, p))
    unsubscribed = delivered & (u_unsubscribe < response.unsubscribe_probability(channel, fatigue, p))

    def spread(values: Bool) -> Bool:
        full = np.zeros(len(action), dtype=bool)
        full[rows] = values
        return full

    return _Funnel(sent, spread(delivered), spread(opened), spread(clicked), spread(unsubscribed))


def _revenue(traits: Traits, bought: Bool, day: int, seed: int, p: Parameters) -> Float32:
    """(n,) full price of today's orders; the value is drawn for buyers only, which changes nobody's luck."""
    revenue = np.zeros(len(bought), dtype=np.float32)
    rows = np.flatnonzero(bought)
    (z,) = rng.normals(traits.key[rows], seed, day, Purpose.BASKET, 1)
    revenue[rows] = purchase.order_value(traits.log_basket[rows], traits.segment[rows], z, p)
    return revenue


def _consent(consent: Bool, channel: Int, unsubscribed: Bool) -> Bool:
    rows = np.flatnonzero(unsubscribed)
    if not len(rows):
        return consent
    left = consent.copy()
    left[channel[rows], rows] = False
    return left


def _sent(history: npt.NDArray[np.uint64], channel: Int, sent: Bool) -> npt.NDArray[np.uint64]:
    return np.array([memory.next_history(bits, sent & (channel == c)) for c, bits in enumerate(history)])
