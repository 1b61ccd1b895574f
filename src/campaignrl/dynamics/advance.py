"""One day in the life of n customers: funnel, purchase, memory, money, in that order, with their draws.

Pure: the state of today and the actions in, the state of tomorrow and what happened out. Every draw is keyed by
customer and day, so a customer's luck is the same whatever is sent and whoever else is in the batch.
"""

from __future__ import annotations

from typing import Any, NamedTuple

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
    sent = action > 0
    sends = np.flatnonzero(sent)
    funnel = _funnel(traits, state, action, sent, sends, attempts, day, seed, p)
    u_buy, u_redeem, u_drop, u_revive = rng.uniforms(traits.key, seed, day, Purpose.PURCHASE, 4)
    opens = np.flatnonzero(funnel.opened)
    alive = state.alive | _only(opens, u_revive[opens] < p.revives[offer[opens]], len(action))
    held, days_left = memory.usable_offer(state.live_offer, state.live_days, offer, funnel.opened, p.valid_days)
    mood = purchase.Mood(*(getattr(state, name) for name in purchase.Mood._fields))
    live = np.flatnonzero(held != NO_OFFER)
    taste = _only(live, _taste(traits.segment[live], held[live], p), len(held))
    hazard = purchase.purchase_hazard(
        traits.rate, traits.sensitivity, taste, held, funnel.opened, funnel.clicked, mood, day, p
    )
    bought = alive & (_clock(u_buy) < hazard)
    orders = np.flatnonzero(bought)
    redeems = (held[orders] != NO_OFFER) & (u_redeem[orders] < purchase.redeem_probability(held[orders], p))
    redeemed = _only(orders, redeems, len(action))
    revenue = _revenue(traits, orders, day, seed, p)
    moods = _moods(state, funnel, sends, opens, bought, redeemed, held, offer, channel, p)
    first, last = _order_days(state, orders, day)
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
        first_order=first,
        last_order=last,
        sent=_sent(state.sent, channel, sends),
        opened=memory.next_history(state.opened, funnel.opened),
        clicked=memory.next_history(state.clicked, funnel.clicked),
    )
    margin = money.gross_margin(revenue, traits.segment, p)
    discount = money.discount_given(revenue, held, redeemed, p)
    cost = _only(sends, p.send_cost[action[sends]], len(action))
    reward = money.reward(margin, discount, cost, funnel.unsubscribed, p)
    return tomorrow, Outcome(*funnel, bought, redeemed, revenue, margin, discount, cost, reward)


def _only(rows: Int, values: npt.NDArray[Any], n: int) -> npt.NDArray[Any]:
    """(n,) `values` (m,) at `rows`, zero elsewhere: few customers have an event, so few are worth a look-up."""
    full = np.zeros(n, dtype=values.dtype)
    full[rows] = values
    return full


def _taste(segment: Int, offer: Int, p: Parameters) -> Float32:
    """(m,) of these customers for these offers, none of them -1; one index into the flat table is faster than two."""
    result: Float32 = p.taste.reshape(-1)[segment * np.intp(p.taste.shape[1]) + offer]
    return result


def _clock(u: Float32) -> Float32:
    """(n,) standard exponential waiting times; an event happens within the day when its clock is below the hazard."""
    result: Float32 = -np.log(np.float32(1.0) - u)
    return result


def _moods(
    state: State,
    funnel: _Funnel,
    sends: Int,
    opens: Int,
    bought: Bool,
    redeemed: Bool,
    held: npt.NDArray[np.int8],
    offer: npt.NDArray[np.int8],
    channel: Int,
    p: Parameters,
) -> purchase.Mood:
    """The stocks of tomorrow; those of an effect that is switched off stay as they are. sends, opens: their rows."""
    adstock, satisfaction = state.adstock, state.satisfaction
    expected, stockpile, intent = state.expected_price, state.stockpile, state.intent
    n = len(held)
    if p.adstock is not None:
        adstock = memory.next_adstock(adstock, _only(opens, p.adstock_weight[channel[opens]], n), p.adstock_decay)
    if p.satisfaction is not None:
        gained = _only(opens, p.satisfying[offer[opens]], n)
        experience = (funnel.sent, funnel.delivered, funnel.opened, bought, gained)
        satisfaction = next_satisfaction(satisfaction, *experience, p.satisfaction, p.satisfaction_decay)
    if p.reference_price is not None:
        rows = np.flatnonzero(bought | funnel.opened)
        shown, paid = p.price_cut[offer[rows]], redeemed[rows] * p.price_cut[held[rows]]
        cut = np.where(bought[rows], paid, shown)
        exposed = bought[rows] | (shown > 0)
        kept = p.reference_price.memory
        expected = expected.copy()
        expected[rows] = memory.next_expected_price(expected[rows], np.float32(1.0) - cut, exposed, kept)
    if p.stockpile is not None:
        used = np.flatnonzero(redeemed)
        ahead = _only(used, p.price_cut[held[used]] > 0, n)
        stockpile = memory.next_stockpile(stockpile, ahead, p.stockpile_decay)
    if p.click_today < 1.0:
        intent = memory.next_intent(intent, funnel.clicked, p.click_today, p.intent_decay)
    added = _only(sends, p.fatigue_weight[channel[sends]], n)
    fatigue = memory.next_fatigue(state.fatigue, added, p.fatigue_decay)
    return purchase.Mood(fatigue, adstock, satisfaction, expected, stockpile, intent)


def _tags(
    world: World, traits: Traits, state: State, day: int, seed: int, p: Parameters
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int8]]:
    """Observed tags of tomorrow: drawn anew when a period is over."""
    if not p.tags_refresh or (day + 1) % p.tags_refresh:
        return state.segment_tag, state.price_tag
    return observed_tags(world, traits, (day + 1) // p.tags_refresh, seed)


def _funnel(
    traits: Traits,
    state: State,
    action: Int,
    sent: Bool,
    rows: Int,
    attempts: Int | None,
    day: int,
    seed: int,
    p: Parameters,
) -> _Funnel:
    """The funnel, worked out for the customers who are sent something (their rows) and spread back over all."""
    channel = p.channel_of[action[rows]].astype(np.intp)  # looked up with often: numpy would convert it each time
    taste = _taste(traits.segment[rows], p.offer_of[action[rows]], p)
    fatigue, satisfaction = state.fatigue[rows], state.satisfaction[rows]
    u_deliver, u_open, u_click, u_unsubscribe = rng.uniforms(traits.key[rows], seed, day, Purpose.FUNNEL, 4)
    tries = None if attempts is None else attempts[rows]
    delivered = u_deliver < response.delivery_probability(channel, tries, p)
    affinity = traits.affinity[channel, rows]
    opens = response.open_probability(channel, affinity, taste, fatigue, state.alive[rows], p)
    opened = delivered & (u_open < opens)
    clicked = opened & (u_click < response.click_probability(channel, taste, p))
    unsubscribed = delivered & (u_unsubscribe < response.unsubscribe_probability(channel, fatigue, satisfaction, p))

    steps = (delivered, opened, clicked, unsubscribed)
    return _Funnel(sent, *(_only(rows, step, len(action)) for step in steps))


def _revenue(traits: Traits, rows: Int, day: int, seed: int, p: Parameters) -> Float32:
    """(n,) full price of today's orders; the value is drawn for buyers (rows) only, which changes nobody's luck."""
    (z,) = rng.normals(traits.key[rows], seed, day, Purpose.BASKET, 1)
    value = purchase.order_value(traits.basket[rows], traits.segment[rows], z, p)
    return _only(rows, value, len(traits.key))


def _consent(consent: Bool, channel: Int, unsubscribed: Bool) -> Bool:
    rows = np.flatnonzero(unsubscribed)
    if not len(rows):
        return consent
    left = consent.copy()
    left[channel[rows], rows] = False
    return left


def _order_days(state: State, rows: Int, day: int) -> tuple[Float32, Float32]:
    """(first, last) order day of tomorrow's state; rows: who ordered."""
    first, last = state.first_order.copy(), state.last_order.copy()
    last[rows] = np.float32(day)
    new = rows[np.isnan(first[rows])]
    first[new] = np.float32(day)
    return first, last


def _sent(history: npt.NDArray[np.uint64], channel: Int, rows: Int) -> npt.NDArray[np.uint64]:
    bits = np.left_shift(history, np.uint64(1), order="C")  # as memory.next_history, for all channels at once
    place = channel[rows] * np.intp(history.shape[1]) + rows  # one index is looked up faster than two
    bits.reshape(-1)[place] |= np.uint64(1)
    return bits
