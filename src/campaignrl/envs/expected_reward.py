"""What a day brings in expectation, given the state it began with and what was opened and clicked.

Its mean is that of the reward, without the luck of single orders and of their values: the same answer from fewer
customers. Not here: chance of opening, days to come (greedy_oracle.py). n customers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Float, Float32, Int, Int8
from campaignrl.dynamics import NO_OFFER, Outcome, Parameters, State, Traits, purchase, wanted
from campaignrl.effects import Stocks


class Morning(NamedTuple):
    """The part of the state that today's orders depend on, as it was before anything was sent; each (n,)."""

    alive: npt.NDArray[np.bool_]
    live_offer: npt.NDArray[np.int8]
    stocks: Stocks


def morning(state: State) -> Morning:
    """A copy: the panel goes on in the same arrays."""
    stocks = {name: stock.copy() for name, stock in state.named_stocks().items()}
    return Morning(state.alive.copy(), state.live_offer.copy(), stocks)


def expected_reward(was: Morning, traits: Traits, action: Int, outcome: Outcome, day: int, p: Parameters) -> Float:
    """(n,) expected contribution of the day, currency. action: (n,) as served."""
    held = held_today(was, action, outcome, p)
    given = p.redeem[held] * (traits.basket * p.discount[held] + p.face_value[held])
    worth = traits.basket * p.margin[traits.segment] - given
    spent = outcome.cost + np.float32(p.unsubscribe_cost) * outcome.unsubscribed
    orders = expected_orders(was, traits, action, outcome, day, p)
    return np.asarray(orders * worth - spent, dtype=np.float64)


def expected_orders(was: Morning, traits: Traits, action: Int, outcome: Outcome, day: int, p: Parameters) -> Float32:
    """(n,) chance of an order on the day, given what was opened and clicked. action: (n,) as served."""
    held = held_today(was, action, outcome, p)
    taste = np.where(held != NO_OFFER, p.taste[traits.segment, held], np.float32(0.0))
    taste = wanted(taste, traits.segment, held, day, p)
    hazard = purchase.purchase_hazard(
        traits.rate, traits.sensitivity, taste, held, outcome.opened, outcome.clicked, was.stocks, day, p
    )
    there = was.alive | (traits.arrives == day) if p.arrivals and day > 0 else was.alive  # as a day begins, or in it
    alive = np.where(there, np.float32(1.0), outcome.opened * p.revives[p.offer_of[action]])
    chance: Float32 = alive * purchase.within_a_day(hazard)
    return chance


def held_today(was: Morning, action: Int, outcome: Outcome, p: Parameters) -> Int8:
    """(n,) the offer that each holds once today's are opened, which replaces the one of before; or -1."""
    return np.where(outcome.opened, p.offer_of[action].astype(np.int8), was.live_offer)
