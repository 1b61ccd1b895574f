"""Stockpile: goods bought ahead on an offer; until they are used up, the next order waits (post-promotion dip)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from campaignrl.arrays import Float32
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


class Stockpile(Section):
    """Goods bought ahead on an offer; until they are used up, the next order waits (post-promotion dip)."""

    stocks: ClassVar[tuple[Stock, ...]] = (Stock("stockpile", "decayed orders bought on an offer"),)

    half_life_days: Positive = 20.0
    effect: NotNegative = 0.0  # log-hazard of buying lost per order bought on an offer

    def at_work(self, market: Market) -> StockpileEffect:
        """Nothing of the market matters but today's orders."""
        return StockpileEffect(self, left_after_a_day(self.half_life_days))


@dataclass(frozen=True, eq=False)
class StockpileEffect(Effect):
    """Stockpiles at work; they only ever lower the hazard."""

    spec: Stockpile
    decay: float  # share left after a day

    def purchase(self, log: Float32, stocks: Stocks, today: Contact) -> Float32:
        """Lowered by what is still in store."""
        log -= np.float32(self.spec.effect) * stocks["stockpile"]
        return log

    def live(self, stocks: Stocks, day: Day) -> None:
        """It is used up, and an order at a cut adds one."""
        fade(stocks["stockpile"], self.decay)
        stocks["stockpile"][day.ordered] += day.cut > 0

    def live_mean(self, stocks: Stocks, day: MeanDay) -> dict[str, Float32]:
        """Likewise, by the chance of a redeemed order."""
        return {"stockpile": stocks["stockpile"] * np.float32(self.decay) + day.redeemed * (day.cut > 0)}
