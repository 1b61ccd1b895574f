"""Reference price: what a customer has come to expect to pay; an offer moves by how far it lies below that.

Kalyanaram & Winer 1995, "Empirical Generalizations from Reference Price Research".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from campaignrl.arrays import Float32
from campaignrl.effects.effect import Day, Effect, Market, MeanDay, Section, Stock, Stocks
from campaignrl.quantities import Share

_ONE = np.float32(1.0)


class ReferencePrice(Section):
    """The price a customer has come to expect, as a share of the full price; losses weigh more than gains."""

    stocks: ClassVar[tuple[Stock, ...]] = (Stock("expected_price", "share of the full price", start=1.0, high=1.0),)

    memory: Share = 0.8  # share of the old expectation kept at an exposure to a price
    loss_aversion: Annotated[float, Field(ge=1.0)] = 2.0

    def at_work(self, market: Market) -> ReferencePriceEffect:
        """Nothing of the market matters but today's prices."""
        return ReferencePriceEffect(self)


@dataclass(frozen=True, eq=False)
class ReferencePriceEffect(Effect):
    """Reference price at work. Nobody expects more than the full price, so that without an offer nothing is gained."""

    spec: ReferencePrice

    def felt_cut(self, cut: Float32, stocks: Stocks) -> Float32:
        """How far the price lies below the one expected."""
        return price_gain(cut, stocks["expected_price"], self.spec)

    def live(self, stocks: Stocks, day: Day) -> None:
        """Who saw a cut or ordered expects the price that was seen or paid."""
        shown = day.shown > 0
        # Orders last: who orders remembers what was paid, not what was seen.
        rows, cuts = np.concatenate((day.opened[shown], day.ordered)), np.concatenate((day.shown[shown], day.cut))
        expected = stocks["expected_price"]
        expected[rows] = next_expected_price(expected[rows], _ONE - cuts, self.spec.memory)

    def live_mean(self, stocks: Stocks, day: MeanDay) -> dict[str, Float32]:
        """Weighted by the chances of an order, at the full price or redeemed."""
        expected, pull, orders, redeemed = (
            stocks["expected_price"],
            np.float32(1.0 - self.spec.memory),
            day.orders,
            day.redeemed,
        )
        moved = (1 - orders) * (1 - day.shown - expected) * (day.shown > 0)
        paid = redeemed * (1 - day.cut - expected)
        return {"expected_price": expected + pull * (moved + paid + (orders - redeemed) * (1 - expected))}


def next_expected_price(expected: Float32, offered: Float32, memory: float) -> Float32:
    """(n,) share of the full price expected tomorrow: drawn towards the price seen or paid today, `offered`."""
    kept = np.float32(memory)
    return kept * expected + (_ONE - kept) * offered


def price_gain(cut: Float32, expected: Float32, reference: ReferencePrice | None) -> Float32:
    """(n,) how far the price offered lies below the one expected, as a share of the full price; losses weigh more.

    cut: (n,) share off.
    """
    if reference is None:
        return cut
    gain = cut + expected - _ONE
    felt: Float32 = np.minimum(gain, np.float32(reference.loss_aversion) * gain)  # loss aversion is at least 1
    return felt
