"""The greedy oracle: the true expected gain of every action over `none`, from the true state, and the best of them.

Gains are counted over the world's outcome window, nothing else being sent in it; so this is what a perfect bandit
would know, and no bound for those who look further ahead. The few things that can happen today (opened or not,
clicked or not) are summed exactly; in the days after, stocks move by their expected amount. Left out: what a send
that stays unopened does to fatigue and satisfaction within the window. n customers, k actions.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Bool, Float32, Int
from campaignrl.dynamics import NO_OFFER, Parameters, State, Traits, answers, purchase, response, wanted
from campaignrl.dynamics.parameters import parameters
from campaignrl.effects import MeanDay, Stocks
from campaignrl.envs.panel import Panel
from campaignrl.envs.truth.shadow_prices import ShadowPrices
from campaignrl.specs import World


class Chances(NamedTuple):
    """What may become of one action sent today; each (n,)."""

    opened: Float32  # delivered and opened
    clicked: Float32  # given opened
    unsubscribed: Float32


class Seen(NamedTuple):
    """One thing that a customer may have seen today."""

    offer: int  # NO_OFFER: nothing
    clicked: bool
    channel: int  # on which, or another that leaves as much behind; -1: none


NOTHING = Seen(NO_OFFER, False, -1)


def chances(traits: Traits, state: State, action: int, day: int, p: Parameters) -> Chances:
    """Probabilities of the funnel of `action` today, of customers in this state."""
    c, taste = p.channel_of[action], p.taste[traits.segment, p.offer_of[action]]
    stocks, affinity, liking = state.named_stocks(), traits.affinity[c], taste
    if p.answering:
        more = answers(traits, slice(None), np.full(len(taste), action), day, p)
        affinity, liking = affinity + more.opening, taste + more.clicking
    opens = response.open_probability(c, affinity, taste, stocks, state.alive, p)
    leaves = response.unsubscribe_probability(c, stocks, p)
    return Chances(p.deliver[c] * opens, response.click_probability(c, liking, p), p.deliver[c] * leaves)


def window_value(traits: Traits, state: State, seen: Seen, first: int, last: int, p: Parameters) -> Float32:
    """(n,) expected margin less discounts on the days first .. last - 1 of customers alive on the first day.

    seen: what they open on the first day; nothing else is sent. Whether the offer is still held is followed as a
    probability, all other stocks by their mean.
    """
    opened, n = seen.offer != NO_OFFER, len(traits.rate)
    held = np.full(n, seen.offer, dtype=np.int8) if opened else state.live_offer
    days = np.full(n, p.valid_days[seen.offer]) if opened else state.live_days
    margin = traits.basket * p.margin[traits.segment]
    given = p.redeem[held] * (traits.basket * p.discount[held] + p.face_value[held])
    alive, holds = np.ones(n, dtype=np.float32), (held != NO_OFFER).astype(np.float32)
    stocks: Stocks = state.named_stocks()
    value = np.zeros(n, dtype=np.float32)
    for day in range(first, last):
        today = seen if day == first else NOTHING
        with_offer = _orders(traits, held, today, stocks, day, p)
        without = _orders(traits, np.full_like(held, NO_OFFER), today, stocks, day, p)
        orders = holds * with_offer + (1 - holds) * without
        value += alive * (orders * margin - holds * with_offer * given)
        redeemed = holds * with_offer * p.redeem[held]
        stocks = _expected_stocks(stocks, today, orders, redeemed, held, p)
        drop = holds * purchase.drop_out_hazard(traits.drop_rate, stocks, held, p)
        drop += (1 - holds) * purchase.drop_out_hazard(traits.drop_rate, stocks, np.full_like(held, NO_OFFER), p)
        alive = alive * np.exp(-drop)
        holds = np.where(days > day - first, holds - redeemed, np.float32(0.0))
    return value


def _orders(
    traits: Traits, held: npt.NDArray[np.int8], today: Seen, stocks: Stocks, day: int, p: Parameters
) -> Float32:
    n, taste = len(held), wanted(p.taste[traits.segment, held], traits.segment, held, day, p)
    opened, clicked = np.full(n, today.offer != NO_OFFER), np.full(n, today.clicked)
    return purchase.within_a_day(
        purchase.purchase_hazard(traits.rate, traits.sensitivity, taste, held, opened, clicked, stocks, day, p)
    )


def _expected_stocks(
    stocks: Stocks, today: Seen, orders: Float32, redeemed: Float32, held: npt.NDArray[np.int8], p: Parameters
) -> Stocks:
    """The stocks of tomorrow at their mean, given the chances of an order and of a redeemed one."""
    shown, cut = p.price_cut[today.offer], p.price_cut[held]  # of NO_OFFER: 0
    day = MeanDay(today.offer, today.channel, today.clicked, shown, orders, redeemed, cut)
    tomorrow = dict(stocks)
    for effect in p.effects:
        tomorrow |= effect.live_mean(stocks, day)
    return tomorrow


def _alike(p: Parameters) -> list[int]:
    """(c,) the first channel on which an open leaves as much behind as on each."""
    units = [found for effect in p.effects if (found := effect.by_channel()) is not None]
    left = [tuple(float(added[c]) for added in units) for c in range(len(p.deliver))]
    return [left.index(each) for each in left]


def action_gains(
    world: World, traits: Traits, state: State, day: int, p: Parameters, allowed: Bool | None = None
) -> Float32:
    """(n, k) expected gain of each action over `none`, currency; -inf where it is not allowed."""
    last = min(day + world.outcome_days, world.horizon)
    n, k = len(traits.rate), len(world.catalog)
    gains = np.zeros((n, k), dtype=np.float32)
    idle = state.alive * window_value(traits, state, NOTHING, day, last, p)
    known: dict[Seen, Float32] = {}
    alike = _alike(p)

    def value_of(seen: Seen) -> Float32:
        if seen not in known:
            known[seen] = window_value(traits, state, seen, day, last, p)
        return known[seen]

    for action in range(1, k):
        offer, c = int(p.offer_of[action]), int(p.channel_of[action])
        found = chances(traits, state, action, day, p)
        clicked, unclicked = (value_of(Seen(offer, clicks, alike[c])) for clicks in (True, False))
        open_value = np.where(state.alive, 1.0, p.revives[offer]) * (
            found.clicked * clicked + (1 - found.clicked) * unclicked
        )
        lost = found.unsubscribed * np.float32(p.unsubscribe_cost)
        gains[:, action] = found.opened * (open_value - idle) - lost - p.send_cost[action]
    return gains if allowed is None else np.where(allowed, gains, -np.inf).astype(np.float32)


def greedy(panel: Panel) -> Int:
    """(n,) the allowed action with the highest expected gain today; `none` where nothing gains."""
    return _best(panel, np.zeros(len(panel.world.catalog)))


def priced(world: World, shadow_prices: ShadowPrices) -> Callable[[Panel], Int]:
    """The greedy oracle where what is scarce has a price: it is left to those who gain most from it."""
    return partial(_best, charge=shadow_prices.on(world))


def _best(panel: Panel, charge: npt.NDArray[np.float64]) -> Int:
    p = parameters(panel.world)

    def choose(part: slice) -> Int:
        may = panel.allowed(panel.observe(part), part)
        traits, state = panel.traits.rows(part), panel.state.rows(part)
        gains = action_gains(panel.world, traits, state, panel.day, p, may)
        best: Int = (gains - charge.astype(np.float32)).argmax(axis=1)
        return best

    return np.concatenate(panel.over_blocks(choose))
