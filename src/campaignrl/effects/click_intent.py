"""Click intent: opens and clicks raise the hazard of buying today, a click also on the days after it.

A message also brings customers to the shop who would not have come: `open_visit` and `click_visit` add the same hazard
whatever the customer's own rate. In a randomised e-mail test (Hillstrom 2008) the gain was equal points for recent and
lapsed buyers, not equal per cents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from campaignrl.arrays import Bool, Float32
from campaignrl.effects.effect import Contact, Day, Effect, Market, MeanDay, Section, Stock, Stocks, fade
from campaignrl.quantities import NotNegative, Positive, Share

FAINT = 0.02  # intent; with less, and no offer, a customer is quiet


class Response(Section):
    """Strength of the effects shared by all segments; 0 switches an effect off."""

    stocks: ClassVar[tuple[Stock, ...]] = (Stock("intent", "effect of past clicks still to come"),)

    click_lift: NotNegative = 0.0  # log-hazard of buying on the day of a click
    open_lift: NotNegative = 0.0  # log-hazard of buying on the day of an open
    open_visit: NotNegative = 0.0  # orders per day that an open adds to anybody's own rate on its day, before all lifts
    click_visit: NotNegative = 0.0  # likewise, that a click adds
    dropped_open: NotNegative = 2.5  # log-odds by which customers who dropped out open less
    same_day: Share = 1.0  # share of a click's effect that falls on its own day; the rest is spread over later days
    delay_days: Positive = 7.0  # mean delay of that rest, exponential

    def at_work(self, market: Market) -> ClickIntentEffect:
        """Nothing of the market matters but today's opens and clicks."""
        return ClickIntentEffect(self, float(np.exp(-1.0 / self.delay_days)))


@dataclass(frozen=True, eq=False)
class ClickIntentEffect(Effect):
    """Opens, clicks and what is left of earlier clicks, at work."""

    spec: Response
    decay: float  # share of the rest still to come after a day

    @property
    def lasts(self) -> bool:
        """Whether clicks count on later days as well."""
        return self.spec.same_day < 1.0

    def purchase(self, log: Float32, stocks: Stocks, today: Contact) -> Float32:
        """Raised by an open, a click of today, and earlier clicks."""
        log += np.float32(self.spec.open_lift) * today.opened
        log += np.float32(self.spec.click_lift) * (np.float32(self.spec.same_day) * today.clicked + stocks["intent"])
        return log

    def visiting(self, today: Contact) -> Float32 | None:
        """Who opens or clicks looks in."""
        spec = self.spec
        if not (spec.open_visit or spec.click_visit):
            return None
        visits: Float32 = np.float32(spec.open_visit) * today.opened
        visits += np.float32(spec.click_visit) * today.clicked
        return visits

    def purchase_ceiling(self) -> float:
        """Of who is not `stirred`."""
        return self.spec.click_lift * FAINT

    def stirred(self, stocks: Stocks) -> Bool | None:
        """Who clicked not long ago."""
        result: Bool | None = stocks["intent"] > np.float32(FAINT) if self.lasts else None
        return result

    def live(self, stocks: Stocks, day: Day) -> None:
        """It fades, and a click leaves the share that falls on tomorrow."""
        if self.lasts:
            fade(stocks["intent"], self.decay)
            if len(day.clicked):
                stocks["intent"][day.clicked] += falls_tomorrow(self.spec.same_day, self.decay)

    def live_mean(self, stocks: Stocks, day: MeanDay) -> dict[str, Float32]:
        """Likewise."""
        if not self.lasts:
            return {}
        clicked = np.full(len(day.orders), day.clicked)
        return {"intent": next_intent(stocks["intent"], clicked, self.spec.same_day, self.decay)}


def next_intent(intent: Float32, clicked: Bool, today: float, decay: float) -> Float32:
    """(n,) share of a click's effect that falls on tomorrow; all days after a click add up to 1 - today."""
    return np.asarray(np.float32(decay) * intent + falls_tomorrow(today, decay) * clicked, dtype=np.float32)


def falls_tomorrow(today: float, decay: float) -> np.float32:
    """Share of a click's effect that falls on the next day."""
    return np.float32((1.0 - today) * (1.0 - decay))
