"""What customers bring in the days to come, after each thing that they may see today; nothing else is sent.

Whether the offer is still held is followed as a probability, all other stocks by their mean. The things that may be
seen differ on the first day alone, so from the second on all of them are lived through side by side, as so many times
more customers, and the offer is followed only for whom it may still be held. Left out: what a send that stays unopened
does to fatigue and satisfaction. Not here: how likely each of them is (greedy_oracle.py). n customers, s things seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Bool, Float32, Int
from campaignrl.dynamics import NO_OFFER, Parameters, State, Traits, purchase, wanted
from campaignrl.effects import MeanDay, Stocks


class Seen(NamedTuple):
    """One thing that a customer may have seen today."""

    offer: int  # NO_OFFER: nothing
    clicked: bool
    channel: int  # on which, or another that leaves as much behind; -1: none


class _Holding(NamedTuple):
    """What customers may hold, and how likely they still do; each (n,)."""

    offer: npt.NDArray[np.int8]
    chance: Float32


class _Lived(NamedTuple):
    """What a day does in expectation; each (n,)."""

    orders: Float32
    with_offer: Float32  # of them those while the offer is held
    stocks: Stocks  # of tomorrow


NOTHING = Seen(NO_OFFER, False, -1)


def window_value(traits: Traits, state: State, seen: Seen, first: int, last: int, p: Parameters) -> Float32:
    """(n,) expected margin less discounts on the days first .. last - 1 of customers alive on the first day."""
    everybody = np.ones((1, len(traits.rate)), dtype=bool)
    return np.asarray(window_values(traits, state, [seen], everybody, first, last, p)[0])


def window_values(
    traits: Traits, state: State, seen: Sequence[Seen], wanted: Bool, first: int, last: int, p: Parameters
) -> Float32:
    """(s, n) the same after each of the things seen on the first day, where it is wanted (s, n); 0 elsewhere."""
    which, row = np.nonzero(wanted)
    many, opened = _rows(traits, row), np.array([each.offer for each in seen], dtype=np.int8)[which]
    new = opened != NO_OFFER
    offer = np.where(new, opened, state.live_offer[row])
    days = np.where(new, p.valid_days[opened], state.live_days[row])
    margin = many.basket * p.margin[many.segment]
    given = p.redeem[offer] * (many.basket * p.discount[offer] + p.face_value[offer])
    alive, chance = np.ones(len(row), dtype=np.float32), (offer != NO_OFFER).astype(np.float32)
    stocks: Stocks = {name: stock[row] for name, stock in state.named_stocks().items()}
    value, bounds = np.zeros(len(row), dtype=np.float32), np.searchsorted(which, np.arange(len(seen) + 1))
    for day in range(first, last):
        holding = _Holding(offer, chance)
        if day == first:
            lived = _first_day(many, stocks, seen, bounds, holding, day, p)
        else:
            lived = _lived(many, stocks, NOTHING, holding, day, p)
        value += alive * (lived.orders * margin - lived.with_offer * given)
        stocks = lived.stocks
        alive = alive * np.exp(-_drop_out(many, stocks, holding, p))
        chance = np.where(days > day - first, chance - lived.with_offer * p.redeem[offer], np.float32(0.0))
    found = np.zeros(wanted.shape, dtype=np.float32)
    found[which, row] = value
    return found


def _first_day(
    traits: Traits, stocks: Stocks, seen: Sequence[Seen], bounds: Int, holding: _Holding, day: int, p: Parameters
) -> _Lived:
    """The day on which what is seen differs, one thing after the other; bounds: (s + 1,) of the rows of each."""
    parts = []
    for each, start, stop in zip(seen, bounds[:-1], bounds[1:], strict=True):
        mine = slice(start, stop)
        some = {name: stock[mine] for name, stock in stocks.items()}
        held = _Holding(holding.offer[mine], holding.chance[mine])
        parts.append(_lived(_rows(traits, np.arange(start, stop)), some, each, held, day, p))
    joined = {name: np.concatenate([part.stocks[name] for part in parts]) for name in stocks}
    return _Lived(
        np.concatenate([part.orders for part in parts]), np.concatenate([part.with_offer for part in parts]), joined
    )


def _lived(traits: Traits, stocks: Stocks, today: Seen, holding: _Holding, day: int, p: Parameters) -> _Lived:
    """A day at its mean."""
    offer, chance = holding
    orders = _orders(traits, np.full_like(offer, NO_OFFER), today, stocks, day, p)
    with_offer, may = np.zeros_like(orders), np.flatnonzero(chance)
    if len(may):
        some = {name: stock[may] for name, stock in stocks.items()}
        with_offer[may] = chance[may] * _orders(_rows(traits, may), offer[may], today, some, day, p)
        orders[may] = with_offer[may] + (1 - chance[may]) * orders[may]
    redeemed, shown, cut = with_offer * p.redeem[offer], p.price_cut[today.offer], p.price_cut[offer]  # NO_OFFER: 0
    mean = MeanDay(today.offer, today.channel, today.clicked, shown, orders, redeemed, cut)
    tomorrow = dict(stocks)
    for effect in p.effects:
        tomorrow |= effect.live_mean(stocks, mean)
    return _Lived(orders, with_offer, tomorrow)


def _orders(
    traits: Traits, held: npt.NDArray[np.int8], today: Seen, stocks: Stocks, day: int, p: Parameters
) -> Float32:
    n, taste = len(held), wanted(p.taste[traits.segment, held], traits.segment, held, day, p)
    opened, clicked = np.full(n, today.offer != NO_OFFER), np.full(n, today.clicked)
    return purchase.within_a_day(
        purchase.purchase_hazard(traits.rate, traits.sensitivity, taste, held, opened, clicked, stocks, day, p)
    )


def _drop_out(traits: Traits, stocks: Stocks, holding: _Holding, p: Parameters) -> Float32:
    """(n,) mean hazard of dropping out, by tomorrow's stocks and what may be held."""
    offer, chance = holding
    hazard, may = purchase.drop_out_hazard(traits.drop_rate, stocks, np.full_like(offer, NO_OFFER), p), (chance > 0)
    if may.any():
        rows = np.flatnonzero(may)
        some = {name: stock[rows] for name, stock in stocks.items()}
        held = chance[rows] * purchase.drop_out_hazard(traits.drop_rate[rows], some, offer[rows], p)
        hazard[rows] = held + (1 - chance[rows]) * hazard[rows]
    return hazard


def _rows(traits: Traits, rows: Int) -> Traits:
    return Traits._make(field.take(rows, axis=-1) for field in traits)
