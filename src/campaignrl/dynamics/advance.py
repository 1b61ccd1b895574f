"""One day in the life of n customers: funnel, purchase, memory, money, in that order, with their draws.

What the effects of a world add is theirs (effects/); here is the order in which they are asked.

Every draw is keyed by customer and day, so a customer's luck is the same whatever is sent and whoever else is in the
batch. `advance` is pure: the state of today and the actions in, the state of tomorrow and what happened out. `live` is
the same day in place, for who owns the state: what a day does to few customers is written at their rows alone, and a
hazard is worked out only where it can matter (thinning, in purchase.py).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from campaignrl import rng
from campaignrl.arrays import Bool, Float, Float32, Int, Rows, UInt64
from campaignrl.dynamics import memory, money, purchase
from campaignrl.dynamics.customers import NO_OFFER, State, StocksOf, Traits, observed_format, observed_tags
from campaignrl.dynamics.funnel import Funnel, funnel, on_one_axis, place_of, taste_for, wanted
from campaignrl.dynamics.parameters import Parameters
from campaignrl.effects import Day, Stocks
from campaignrl.rng import Purpose
from campaignrl.specs import World

_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
_TODAY = np.uint64(1)  # bit 0 of a history


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

    @classmethod
    def unwritten(cls, n: int) -> Outcome:
        """Room for the outcome of n customers, to be filled by `live`."""
        flags, amounts = 7, 5
        return cls(*[np.empty(n, dtype=bool) for _ in range(flags)], *[np.empty(n, np.float32) for _ in range(amounts)])

    def rows(self, part: slice) -> Outcome:
        """The same outcome of some customers, as views."""
        return Outcome._make([field[part] for field in self])


class _Orders(NamedTuple):
    """Today's orders."""

    rows: Rows  # (m,) customers
    held: Rows  # (m,) the usable offer, or -1
    redeemed: Bool  # (m,)
    cut: Float32  # (m,) share off that was felt


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
    tomorrow, outcome = State._make(field.copy() for field in state), Outcome.unwritten(len(action))
    live(world, traits, tomorrow, action, day, seed, p, attempts, outcome)
    return tomorrow, outcome


def live(
    world: World,
    traits: Traits,
    state: State,
    action: Int,
    day: int,
    seed: int,
    p: Parameters,
    attempts: Int | None,
    outcome: Outcome,
    hour: Float | None = None,
) -> None:
    """`advance` in place: turns `state` into tomorrow's and fills `outcome`. hour: (n,) of arrival; None: by slot."""
    for field in outcome[1:-1]:
        field.fill(0)
    if p.arrivals and day > 0:
        state.alive[traits.arrives == day] = True
    np.greater(action, 0, out=outcome.sent)
    stocks = state.named_stocks()
    ceilings = purchase.ceilings(stocks, day, p)  # fails on a wrong day before anything is written
    f = funnel(traits, state, action, outcome.sent.nonzero()[0], attempts, day, seed, p, hour)
    luck = rng.hashes(traits.key, seed, day, Purpose.PURCHASE, 2)
    u_buy, u_drop = rng.upper(luck)

    _mark(f, outcome, p)
    state.alive[f.opened[rng.lower(luck[1][f.opened]) < p.revives[f.offer]]] = True
    memory.take_up(state.live_offer, state.live_days, f.opened, f.offer, p.valid_days)
    candidates = _candidates(traits, state, stocks, u_buy, ceilings.quiet, p)
    orders = _orders(traits, state, candidates, u_buy, luck[0], outcome, day, p)
    if len(orders.rows):
        _book(traits, state, orders, day, seed, outcome, p)
    happened = _happened(f, orders, p)
    for effect in p.effects:
        effect.live(stocks, happened)
    _drop_out(traits, state, u_drop, ceilings.drop_out, p)
    _keep_record(state, f, orders, p)
    if p.tags_refresh and not (day + 1) % p.tags_refresh:  # a period is over: drawn anew
        tags = observed_tags(world, traits, (day + 1) // p.tags_refresh, seed)
        state.segment_tag[...], state.price_tag[...] = tags
        state.format_tag[...] = observed_format(world, traits, (day + 1) // p.tags_refresh, seed)


def _mark(f: Funnel, outcome: Outcome, p: Parameters) -> None:
    """The funnel and what it costs in the outcome; where nothing is ordered, that is all of the reward."""
    outcome.delivered[f.rows] = f.delivered
    outcome.opened[f.opened] = True
    outcome.clicked[f.clicked] = True
    outcome.cost[f.rows] = p.send_cost[f.action]
    np.subtract(_ZERO, outcome.cost, out=outcome.reward)
    if len(f.unsubscribed):
        outcome.unsubscribed[f.unsubscribed] = True
        outcome.reward[f.unsubscribed] -= np.float32(p.unsubscribe_cost)


def _candidates(traits: Traits, state: State, stocks: Stocks, u: Float32, quiet: float, p: Parameters) -> Rows:
    """(r,) who may order today: alive, and the clock below the ceiling or no ceiling holds. u: (n,) of the clocks."""
    candidates = u < traits.rate * np.float32(quiet)
    candidates |= state.live_offer != NO_OFFER
    for effect in p.effects:
        stirred = effect.stirred(stocks)
        if stirred is not None:
            candidates |= stirred
    candidates &= state.alive
    rows: Rows = candidates.nonzero()[0]
    return rows


def _orders(
    traits: Traits, state: State, rows: Rows, u: Float32, luck: UInt64, outcome: Outcome, day: int, p: Parameters
) -> _Orders:
    """Who of these rows orders today: the clock runs out; and who of them redeems."""
    held = state.live_offer[rows].astype(np.intp)
    hazard = purchase.purchase_hazard(
        traits.rate[rows],
        traits.sensitivity[rows],
        wanted(taste_for(traits.segment[rows], held, p), traits.segment[rows], held, day, p),
        held,
        outcome.opened[rows],
        outcome.clicked[rows],
        StocksOf(state, rows),
        day,
        p,
    )
    bought = _clock(u[rows]) < hazard
    rows, held = rows[bought], held[bought]
    redeemed = rng.lower(luck[rows]) < purchase.redeem_probability(held, p)
    return _Orders(rows, held, redeemed, redeemed * p.price_cut[held])


def _book(traits: Traits, state: State, orders: _Orders, day: int, seed: int, outcome: Outcome, p: Parameters) -> None:
    """What the orders earn and what is known of them; values are drawn for buyers only, which changes nobody's luck."""
    rows, segment = orders.rows, traits.segment[orders.rows]
    (z,) = rng.normals(traits.key[rows], seed, day, Purpose.BASKET, 1)
    revenue = purchase.order_value(traits.basket[rows], segment, z, p)
    margin = money.gross_margin(revenue, segment, p)
    discount = money.discount_given(revenue, orders.held, orders.redeemed, p)
    outcome.bought[rows], outcome.redeemed[rows] = True, orders.redeemed
    outcome.revenue[rows], outcome.margin[rows], outcome.discount[rows] = revenue, margin, discount
    outcome.reward[rows] = money.reward(margin, discount, outcome.cost[rows], outcome.unsubscribed[rows], p)
    state.orders[rows] += 1
    state.discounted[rows] += orders.redeemed
    state.spend[rows] += revenue
    first = state.first_order[rows]
    state.first_order[rows] = np.where(np.isnan(first), np.float32(day), first)
    state.last_order[rows] = day


def _clock(u: Float32) -> Float32:
    """(n,) standard exponential waiting times; an event happens within the day when its clock is below the hazard."""
    result: Float32 = -np.log(_ONE - u)
    return result


def _happened(f: Funnel, orders: _Orders, p: Parameters) -> Day:
    """The day as effects see it."""
    seen = (f.which, f.opened, f.offer, f.medium, p.price_cut[f.offer])
    return Day(f.rows, f.channel, f.delivered, *seen, f.clicked, orders.rows, orders.cut)


def _drop_out(traits: Traits, state: State, u: Float32, ceiling: float, p: Parameters) -> None:
    """Some customers drop out for good, by tomorrow's stocks and the offer of today."""
    leaving = u < traits.drop_rate * np.float32(ceiling)
    leaving &= state.alive
    rows = leaving.nonzero()[0]
    if len(rows):
        hazard = purchase.drop_out_hazard(traits.drop_rate[rows], StocksOf(state, rows), state.live_offer[rows], p)
        state.alive[rows[_clock(u[rows]) < hazard]] = False


def _keep_record(state: State, f: Funnel, orders: _Orders, p: Parameters) -> None:
    """Permissions, offers held and histories of tomorrow."""
    if len(f.lost):
        state.consent[f.lost, f.unsubscribed] = False
    memory.use_up(state.live_offer, state.live_days, orders.rows[orders.redeemed])
    sent, steps = on_one_axis(state.sent)
    place = f.place if steps == f.steps else place_of(f.channel, f.rows, steps)
    for history in (state.sent, state.opened, state.clicked):
        memory.next_history(history)
    for history, rows in ((sent, place), (state.opened, f.opened), (state.clicked, f.clicked)):
        if len(rows):
            history[rows] += _TODAY
    if len(state.sent_offers):
        memory.next_history(state.sent_offers)
        counted = p.counted[p.offer_of[f.action]]
        state.sent_offers[counted[counted >= 0], f.rows[counted >= 0]] += _TODAY
