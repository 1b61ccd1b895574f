"""Ad-stock: impressions are remembered for some days and raise the hazard of buying, up to a point."""

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
from campaignrl.quantities import Positive


class AdStock(Section):
    """The stock of impressions seen; its effect on buying saturates (Hill curve)."""

    stocks: ClassVar[tuple[Stock, ...]] = (Stock("adstock", "decayed impressions, units by channel"),)

    half_life_days: Positive = 5.0
    effect: float = 0.0  # log-hazard of buying at saturation
    half_saturation: Positive = 1.0  # stock at which half the effect is reached
    shape: Positive = 1.0  # steepness of the Hill curve

    def at_work(self, market: Market) -> AdStockEffect:
        """The units of an open come from the channels."""
        units = np.array([channel.adstock for channel in market.channels.values()], dtype=np.float32)
        return AdStockEffect(self, left_after_a_day(self.half_life_days), units)


@dataclass(frozen=True, eq=False)
class AdStockEffect(Effect):
    """Ad-stock at work."""

    spec: AdStock
    decay: float  # share left after a day
    units: Float32  # (c,) units added by one open

    def by_channel(self) -> Float32 | None:
        """The units of an open."""
        return self.units

    def purchase(self, log: Float32, stocks: Stocks, today: Contact) -> Float32:
        """Raised by the share of the effect that the stock reaches."""
        log += np.float32(self.spec.effect) * hill(stocks["adstock"], self.spec)
        return log

    def purchase_ceiling(self) -> float:
        """The whole effect."""
        return max(self.spec.effect, 0.0)

    def live(self, stocks: Stocks, day: Day) -> None:
        """It decays, and what was opened adds to it."""
        fade(stocks["adstock"], self.decay)
        stocks["adstock"][day.opened] += self.units[day.medium]

    def live_mean(self, stocks: Stocks, day: MeanDay) -> dict[str, Float32]:
        """Likewise."""
        added = np.float32(0.0 if day.channel < 0 else self.units[day.channel]) * day.opened
        return {"adstock": next_adstock(stocks["adstock"], added, self.decay)}


def next_adstock(adstock: Float32, added: Float32, decay: float) -> Float32:
    """(n,) stock of impressions of tomorrow. added: (n,) units by channel of what was opened today."""
    result: Float32 = adstock * np.float32(decay) + added
    return result


def hill(stock: Float32, adstock: AdStock) -> Float32:
    """(n,) share in [0, 1) of the full effect that a stock reaches."""
    if adstock.shape == 1.0:
        return stock / (stock + np.float32(adstock.half_saturation))
    power = stock ** np.float32(adstock.shape)
    result: Float32 = power / (power + np.float32(adstock.half_saturation**adstock.shape))
    return result
