"""Fatigue: every send adds to a stock that decays; it lowers opens, raises unsubscribes and drives customers away.

What it does saturates: the step from one message a week to two costs more attention than that from four to seven. The
rates of the channels are those at the usual fatigue, because that is what published averages are taken at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from campaignrl.arrays import Float32, Int
from campaignrl.effects.effect import Day, Effect, Market, MeanDay, Section, Stock, Stocks, fade, left_after_a_day
from campaignrl.quantities import NotNegative, Positive

_Units = Annotated[float, Field(ge=0.1, le=10_000.0)]

_ONE = np.float32(1.0)


class Fatigue(Section):
    """The fatigue stock: decays with a half-life, grows with every send. A world without this section tires nobody."""

    stocks: ClassVar[tuple[Stock, ...]] = (Stock("fatigue", "decayed contacts, units by channel"),)

    half_life_days: Positive = 7.0
    open: NotNegative = 0.0  # log-odds of opening lost per unit, while there are few
    drop_out: NotNegative = 0.0  # log of the drop-out hazard per unit, likewise
    half_saturation: _Units = 5.0  # units that count as half as many; ever so many count as this many
    usual: NotNegative = 0.0  # units at which the channels' rates of opening and unsubscribing hold

    def at_work(self, market: Market) -> FatigueEffect:
        """The units of a send, and how they move unsubscribes, come from the channels."""
        channels = market.channels.values()
        return FatigueEffect(
            self,
            left_after_a_day(self.half_life_days),
            np.array([c.fatigue for c in channels], dtype=np.float32),
            np.array([c.unsubscribe.per_fatigue for c in channels], dtype=np.float32),
        )


@dataclass(frozen=True, eq=False)
class FatigueEffect(Effect):
    """Fatigue at work."""

    spec: Fatigue
    decay: float  # share left after a day
    units: Float32  # (c,) units added by one send
    unsubscribe: Float32  # (c,) log-odds of unsubscribing per unit

    def felt(self, fatigue: Float32) -> Float32:
        """The units that count, at most `half_saturation`: f / (1 + f / half_saturation)."""
        room = np.float32(1.0 / self.spec.half_saturation)
        result: Float32 = fatigue / (_ONE + room * fatigue)
        return result

    @property
    def _usual(self) -> np.float32:
        """The units that count at the usual fatigue."""
        return np.float32(self._felt(self.spec.usual))

    def _felt(self, fatigue: float) -> float:
        return fatigue / (1.0 + fatigue / self.spec.half_saturation)

    @property
    def matters(self) -> bool:
        """Whether the stock moves anything."""
        return bool(self.spec.open or self.spec.drop_out or self.unsubscribe.any())

    def by_channel(self) -> Float32 | None:
        """The units of a send."""
        return self.units

    def drop_out(self, log: Float32, stocks: Stocks) -> Float32:
        """The tired leave."""
        log += np.float32(self.spec.drop_out) * self.felt(stocks["fatigue"])
        return log

    def drop_out_ceiling(self, stocks: Stocks) -> float:
        """The highest stock, and today's send on the heaviest channel on top of it."""
        highest = float(np.maximum.reduce(stocks["fatigue"], initial=0.0))
        tomorrow = highest * self.decay + float(self.units.max())
        return self.spec.drop_out * self._felt(tomorrow)

    def opening(self, log_odds: Float32, stocks: Stocks) -> Float32:
        """The tired open less, the rested more."""
        return log_odds - np.float32(self.spec.open) * (self.felt(stocks["fatigue"]) - self._usual)

    def unsubscribing(self, log_odds: Float32, stocks: Stocks, channel: Int) -> Float32:
        """The tired unsubscribe."""
        return log_odds + self.unsubscribe[channel] * (self.felt(stocks["fatigue"]) - self._usual)

    def live(self, stocks: Stocks, day: Day) -> None:
        """It decays, and every send adds to it, delivered or not."""
        fade(stocks["fatigue"], self.decay)
        stocks["fatigue"][day.sent] += self.units[day.channel]

    def live_mean(self, stocks: Stocks, day: MeanDay) -> dict[str, Float32]:
        """Likewise; a send that stays unopened is left out."""
        added = np.full(len(day.orders), np.float32(0.0 if day.channel < 0 else self.units[day.channel]))
        return {"fatigue": next_fatigue(stocks["fatigue"], added, self.decay)}


def next_fatigue(fatigue: Float32, added: Float32, decay: float) -> Float32:
    """(n,) stock of tomorrow: what is left of today's, and today's contacts (units by channel)."""
    result: Float32 = fatigue * np.float32(decay) + added
    return result
