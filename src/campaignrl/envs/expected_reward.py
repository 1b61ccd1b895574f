"""What a day brings in expectation, given the state it began with and what was opened and clicked.

Its mean is that of the reward, without the luck of single orders and of their values: the same answer from fewer
customers. Not here: chance of opening, days to come (greedy_oracle.py). n customers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Float, Int
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
    offer = p.offer_of[action].astype(np.int8)
    held = np.where(outcome.opened, offer, was.live_offer)  # an offer seen today replaces the one held
    taste = np.where(held != NO_OFFER, p.taste[traits.segment, held], np.float32(0.0))
    taste = wanted(taste, traits.segment, held, day, p)
    hazard = purchase.purchase_hazard(
        traits.rate, traits.sensitivity, taste, held, outcome.opened, outcome.clicked, was.stocks, day, p
    )
    there = was.alive | (traits.arrives == day) if p.arrivals and day > 0 else was.alive  # as a day begins, or in it
    alive = np.where(there, np.float32(1.0), outcome.opened * p.revives[offer])
    given = p.redeem[held] * (traits.basket * p.discount[held] + p.face_value[held])
    worth = traits.basket * p.margin[traits.segment] - given
    spent = outcome.cost + np.float32(p.unsubscribe_cost) * outcome.unsubscribed
    return np.asarray(alive * purchase.within_a_day(hazard) * worth - spent, dtype=np.float64)
