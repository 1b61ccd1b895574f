"""Reference price: what a customer has come to expect to pay; an offer moves by how far it lies below that.

Kalyanaram & Winer 1995, "Empirical Generalizations from Reference Price Research". A price that was paid moves the
expectation more than one that was merely seen, and with time it returns to the full price: no permanent effect of a
promotion was found (Pauwels, Hanssens & Siddarth 2002).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field, model_validator

from campaignrl.arrays import Float32
from campaignrl.effects.effect import Day, Effect, Market, MeanDay, Section, Stock, Stocks, fade, left_after_a_day
from campaignrl.errors import Problem, SpecError
from campaignrl.quantities import Positive, Share

_ONE = np.float32(1.0)


class ReferencePrice(Section):
    """The price a customer has come to expect, as a share of the full price; losses weigh more than gains."""

    stocks: ClassVar[tuple[Stock, ...]] = (Stock("expected_price", "share of the full price", start=1.0, high=1.0),)

    paid: Share = 0.10  # of the way that the expectation goes to a price that is paid
    seen: Share = 0.02  # likewise, to an offer that is seen and not taken
    half_life_days: Positive = 21.0  # in which half of the way back to the full price is done
    loss_aversion: Annotated[float, Field(ge=1.0)] = 1.5

    @model_validator(mode="before")
    @classmethod
    def _two_ways(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and "memory" in given:
            fix = "Write paid = 1 - memory and seen, which is less; the price now recovers in half_life_days."
            raise SpecError(Problem("[reference_price]", "memory", given["memory"], "left out", fix))
        return given

    def at_work(self, market: Market) -> ReferencePriceEffect:
        """Nothing of the market matters but today's prices."""
        return ReferencePriceEffect(self, left_after_a_day(self.half_life_days))


@dataclass(frozen=True, eq=False)
class ReferencePriceEffect(Effect):
    """Reference price at work. Nobody expects more than the full price, so that without an offer nothing is gained."""

    spec: ReferencePrice
    decay: float  # share of the gap to the full price that is left after a day

    def felt_cut(self, cut: Float32, stocks: Stocks) -> Float32:
        """How far the price lies below the one expected."""
        return price_gain(cut, stocks["expected_price"], self.spec)

    def live(self, stocks: Stocks, day: Day) -> None:
        """It recovers; then who saw a cut or ordered is drawn to the price that was seen or paid."""
        expected = stocks["expected_price"]
        fade(expected, self.decay)
        expected += _ONE - np.float32(self.decay)
        shown = day.shown > 0
        # Orders last: who orders remembers what was paid, not what was seen.
        rows, cuts = np.concatenate((day.opened[shown], day.ordered)), np.concatenate((day.shown[shown], day.cut))
        weights = np.full(len(rows), self.spec.paid, dtype=np.float32)
        weights[: len(rows) - len(day.ordered)] = self.spec.seen
        expected[rows] = next_expected_price(expected[rows], _ONE - cuts, weights)

    def live_mean(self, stocks: Stocks, day: MeanDay) -> dict[str, Float32]:
        """Weighted by the chances of an order, at the full price or redeemed."""
        expected, orders, redeemed = recovered(stocks["expected_price"], self.decay), day.orders, day.redeemed
        seen = (1 - orders) * (1 - day.shown - expected) * (day.shown > 0)
        paid = redeemed * (1 - day.cut - expected) + (orders - redeemed) * (1 - expected)
        return {"expected_price": expected + np.float32(self.spec.seen) * seen + np.float32(self.spec.paid) * paid}


def recovered(expected: Float32, decay: float) -> Float32:
    """(n,) share of the full price expected after a day without a price; the gap to it decays."""
    left = np.float32(decay)
    return left * expected + (_ONE - left)


def next_expected_price(expected: Float32, offered: Float32, weight: Float32 | np.float32) -> Float32:
    """(n,) share of the full price expected after the price `offered` was seen or paid. weight: of it, in 0 to 1."""
    result: Float32 = (_ONE - weight) * expected + weight * offered
    return result


def price_gain(cut: Float32, expected: Float32, reference: ReferencePrice | None) -> Float32:
    """(n,) how far the price offered lies below the one expected, as a share of the full price; losses weigh more.

    cut: (n,) share off.
    """
    if reference is None:
        return cut
    gain = cut + expected - _ONE
    felt: Float32 = np.minimum(gain, np.float32(reference.loss_aversion) * gain)  # loss aversion is at least 1
    return felt
