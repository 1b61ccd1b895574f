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
from campaignrl.dynamics.customers import NO_OFFER, State, Traits, observed_tags
from campaignrl.dynamics.parameters import Parameters
from campaignrl.dynamics.satisfaction import next_satisfaction
from campaignrl.rng import Purpose
from campaignrl.specs.world import World

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


def advance(
    world: World,
    traits: Traits,
    state: State,
    action: Int,
    day: int,
    seed: int,
    p: Parameters,
    attempts: Int | None = None,
) -> tuple[State, Outcome]:
    """The state after `day` and what happened on it. action: (n,) catalog ids, already allowed by the guard.

    attempts: (n,) how often delivery was tried today, at least 1 for a send; None: once.
    """
    offer, channel = p.offer_of[action].astype(np.int8), p.channel_of[action]
    funnel = _funnel(traits, state, action, attempts, day, seed, p)
    u_buy, u_redeem, u_drop, u_revive = rng.uniforms(traits.key, seed, day, Purpose.PURCHASE, 4)
    alive = state.alive | (funnel.opened & (u_revive < p.revives[offer]))
    held, days_left = memory.usable_offer(state.live_offer, state.live_days, offer, funnel.opened, p.valid_days)
    mood = purchase.Mood(*(getattr(state, name) for name in purchase.Mood._fields))
    taste = p.taste[traits.segment, held]
    hazard = purchase.purchase_hazard(
        traits.rate, traits.sensitivity, taste, held, funnel.opened, funnel.clicked, mood, day, p
    )
    bought = alive & (_clock(u_buy) < hazard)
    redeemed = bought & (held != NO_OFFER) & (u_redeem < purchase.redeem_probability(held, p))
    revenue = _revenue(traits, bought, day, seed, p)
    moods = _moods(state, funnel, bought, redeemed, held, offer, channel, p)
    drop = purchase.drop_out_hazard(traits.drop_rate, moods, held, p)
    next_offer, next_days = memory.next_offer(held, days_left, redeemed)
    segment_tag, price_tag = _tags(world, traits, state, day, seed, p)
    tomorrow = State(
        alive=alive & ~(_clock(u_drop) < drop),
        consent=_consent(state.consent, channel, funnel.unsubscribed),
        **moods._asdict(),
        segment_tag=segment_tag,
        price_tag=price_tag,
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
    discount = money.discount_given(revenue, held, redeemed, p)
    cost = p.send_cost[action]
    reward = money.reward(margin, discount, cost, funnel.unsubscribed, p)
    return tomorrow, Outcome(*funnel, bought, redeemed, revenue, margin, discount, cost, reward)


def _clock(u: Float32) -> Float32:
    """(n,) standard exponential waiting times; an event happens within the day when its clock is below the hazard."""
    result: Float32 = -np.log(np.float32(1.0) - u)
    return result


def _moods(
    state: State,
    funnel: _Funnel,
    bought: Bool,
    redeemed: Bool,
    held: npt.NDArray[np.int8],
    offer: npt.NDArray[np.int8],
    channel: Int,
    p: Parameters,
) -> purchase.Mood:
    """The stocks of tomorrow; those of an effect that is switched off stay as they are."""
    adstock, satisfaction = state.adstock, state.satisfaction
    expected, stockpile, intent = state.expected_price, state.stockpile, state.intent
    if p.adstock is not None:
        adstock = memory.next_adstock(adstock, p.adstock_weight[channel] * funnel.opened, p.adstock_decay)
    if p.satisfaction is not None:
        gained = p.satisfying[offer]
        experience = (funnel.sent, funnel.delivered, funnel.opened, bought, gained)
        satisfaction = next_satisfaction(satisfaction, *experience, p.satisfaction, p.satisfaction_decay)
    if p.reference_price is not None:
        seen = funnel.opened & (p.price_cut[offer] > 0)
        cut = np.where(bought, redeemed * p.price_cut[held], p.price_cut[offer])
        memory_kept = p.reference_price.memory
        expected = memory.next_expected_price(expected, np.float32(1.0) - cut, bought | seen, memory_kept)
    if p.stockpile is not None:
        stockpile = memory.next_stockpile(stockpile, redeemed & (p.price_cut[held] > 0), p.stockpile_decay)
    if p.click_today < 1.0:
        intent = memory.next_intent(intent, funnel.clicked, p.click_today, p.intent_decay)
    fatigue = memory.next_fatigue(state.fatigue, p.fatigue_weight[channel] * funnel.sent, p.fatigue_decay)
    return purchase.Mood(fatigue, adstock, satisfaction, expected, stockpile, intent)


def _tags(
    world: World, traits: Traits, state: State, day: int, seed: int, p: Parameters
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int8]]:
    """Observed tags of tomorrow: drawn anew when a period is over."""
    if not p.tags_refresh or (day + 1) % p.tags_refresh:
        return state.segment_tag, state.price_tag
    return observed_tags(world, traits, (day + 1) // p.tags_refresh, seed)


def _funnel(
    traits: Traits, state: State, action: Int, attempts: Int | None, day: int, seed: int, p: Parameters
) -> _Funnel:
    """The funnel, worked out for the customers who are sent something and spread back over all."""
    sent = action > 0
    rows = np.flatnonzero(sent)
    channel, segment, offer = p.channel_of[action[rows]], traits.segment[rows], p.offer_of[action[rows]]
    fatigue, taste, satisfaction = state.fatigue[rows], p.taste[segment, offer], state.satisfaction[rows]
    u_deliver, u_open, u_click, u_unsubscribe = rng.uniforms(traits.key[rows], seed, day, Purpose.FUNNEL, 4)
    tries = None if attempts is None else attempts[rows]
    delivered = u_deliver < response.delivery_probability(channel, tries, p)
    affinity = traits.affinity[channel, rows]
    opens = response.open_probability(channel, affinity, taste, fatigue, state.alive[rows], p)
    opened = delivered & (u_open < opens)
    clicked = opened & (u_click < response.click_probability(channel, taste, p))
    unsubscribed = delivered & (u_unsubscribe < response.unsubscribe_probability(channel, fatigue, satisfaction, p))

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
    revenue[rows] = purchase.order_value(traits.basket[rows], traits.segment[rows], z, p)
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
