"""Satisfaction: trust in the sender, log-odds that move with experience and drift back to their level.

The structure of RecSim's long-term satisfaction, made mean-reverting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from campaignrl.arrays import Bool, Float32, Int, Rows
from campaignrl.effects.effect import (
    Contact,
    Day,
    Effect,
    Market,
    MeanDay,
    Section,
    Stock,
    Stocks,
    fade,
    left_after_a_day,
)
from campaignrl.quantities import NotNegative, Positive

_ONE = np.float32(1.0)


class Satisfaction(Section):
    """Trust in the sender: log-odds that move with experience and drift back to their level."""

    stocks: ClassVar[tuple[Stock, ...]] = (
        Stock("satisfaction", "log-odds above or below the level", low=-float("inf")),
    )

    level: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.7  # where it starts and returns to
    half_life_days: Positive = 34.0
    opened: NotNegative = 0.05  # log-odds gained by something worth opening
    perk: NotNegative = 0.15  # log-odds gained by opening a perk
    order: NotNegative = 0.05  # log-odds gained by an order
    ignored: NotNegative = 0.03  # log-odds lost by a delivered send that is not opened
    undelivered: NotNegative = 0.0  # log-odds lost by a send that never arrives
    purchase: NotNegative = 0.0  # log-hazard of buying per unit of satisfaction above its level
    drop_out: NotNegative = 0.0  # log of the drop-out hazard taken away per unit above its level
    unsubscribe: NotNegative = 0.0  # log-odds of unsubscribing taken away per unit above its level

    def at_work(self, market: Market) -> SatisfactionEffect:
        """What opening an offer is worth follows from its kind."""
        gained = [self.perk if offer.kind == "perk" else self.opened for offer in market.offers.values()]
        return SatisfactionEffect(
            self, left_after_a_day(self.half_life_days), np.array([*gained, 0.0], dtype=np.float32)
        )


@dataclass(frozen=True, eq=False)
class SatisfactionEffect(Effect):
    """Satisfaction at work."""

    spec: Satisfaction
    decay: float  # share left after a day
    gained: Float32  # (o + 1,) log-odds gained on opening each offer, 0 for none

    def purchase(self, log: Float32, stocks: Stocks, today: Contact) -> Float32:
        """The satisfied buy more."""
        if self.spec.purchase:
            log += np.float32(self.spec.purchase) * contentment(stocks["satisfaction"], self.spec.level)
        return log

    def purchase_ceiling(self) -> float:
        """Contentment lies between -level and 1 - level."""
        return self.spec.purchase * (1.0 - self.spec.level)

    def drop_out(self, log: Float32, stocks: Stocks) -> Float32:
        """The satisfied stay longer."""
        if self.spec.drop_out:
            log -= np.float32(self.spec.drop_out) * contentment(stocks["satisfaction"], self.spec.level)
        return log

    def drop_out_ceiling(self, stocks: Stocks) -> float:
        """Contentment lies between -level and 1 - level."""
        return self.spec.drop_out * self.spec.level

    def unsubscribing(self, log_odds: Float32, stocks: Stocks, channel: Int) -> Float32:
        """A satisfied customer bears more."""
        if not self.spec.unsubscribe:
            return log_odds
        return log_odds - np.float32(self.spec.unsubscribe) * contentment(stocks["satisfaction"], self.spec.level)

    def live(self, stocks: Stocks, day: Day) -> None:
        """`next_satisfaction` in place, for who was sent something or bought."""
        gained = self.gained[day.offer]
        move_satisfaction(
            stocks["satisfaction"],
            day.sent,
            day.delivered,
            day.which,
            gained,
            day.ordered,
            self.spec,
            self.decay,
        )

    def live_mean(self, stocks: Stocks, day: MeanDay) -> dict[str, Float32]:
        """Orders count with their chance; a send that stays unopened is left out."""
        opened, gained = day.opened, np.full(len(day.orders), self.gained[day.offer])
        moved = np.float32(self.spec.order) * day.orders + next_satisfaction(
            stocks["satisfaction"], opened, opened, opened, np.zeros_like(opened), gained, self.spec, self.decay
        )
        return {"satisfaction": moved}


def contentment(satisfaction: Float32, level: float) -> Float32:
    """(n,) satisfaction in (0, 1) less its level."""
    odds = np.exp(-satisfaction) * np.float32((1.0 - level) / level)
    result: Float32 = _ONE / (_ONE + odds) - np.float32(level)
    return result


def next_satisfaction(
    satisfaction: Float32,
    sent: Bool,
    delivered: Bool,
    opened: Bool,
    bought: Bool,
    gained: Float32,
    effect: Satisfaction,
    decay: float,
) -> Float32:
    """(n,) log-odds of tomorrow. gained: (n,) what opening today's offer is worth."""
    result = satisfaction * np.float32(decay) + opened * gained + np.float32(effect.order) * bought
    result -= np.float32(effect.ignored) * (delivered & ~opened)
    result -= np.float32(effect.undelivered) * (sent & ~delivered)
    return np.asarray(result, dtype=np.float32)


def move_satisfaction(
    satisfaction: Float32,
    sent: Rows,
    delivered: Bool,
    opened: Rows,
    gained: Float32,
    bought: Rows,
    effect: Satisfaction,
    decay: float,
) -> None:
    """`next_satisfaction` in place; rows where that one has truth values.

    delivered: (m,) of the sends; opened: (o,) which of the sends; gained: (o,) what opening the offer is worth.
    """
    fade(satisfaction, decay)
    satisfaction[sent[opened]] += gained
    satisfaction[bought] += np.float32(effect.order)
    lost = delivered * np.float32(effect.ignored)
    if effect.undelivered:
        lost += ~delivered * np.float32(effect.undelivered)
    lost[opened] = 0.0
    satisfaction[sent] -= lost
