"""Hours: when in the day customers open what they are sent; segments have hours of their own, which can be learned.

Without a slot a send goes out at no hour in particular, and its chance of being opened is that of the mean hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from campaignrl.arrays import Float, Float32
from campaignrl.effects.effect import Answer, Effect, Market, Section, Send
from campaignrl.quantities import LogEffect
from campaignrl.toml import Spec

DAY = 24.0  # hours
STEPS = 96  # quarters of an hour of a day, over which an hour's effect is averaged


class Peak(Spec):
    """One time of day at which customers look at their messages more than at others (or less)."""

    hour: Annotated[float, Field(ge=0.0, lt=DAY)]  # local time
    spread_hours: Annotated[float, Field(ge=0.25, le=12.0)] = 2.0
    lift: LogEffect  # log-odds of opening at the hour itself; published: best over worst waking hour 1.2-2.0 in opens


class Hours(Section):
    """When in the day the customers of each segment look at their messages: a sum of peaks."""

    segments: Annotated[dict[str, list[Peak]], Field(min_length=1)]  # one that is left out has no hours

    def at_work(self, market: Market) -> HoursEffect:
        """The slots of the market's actions, at the hours of its segments."""
        catalog = market.catalog
        quarter: Float = (np.arange(STEPS, dtype=np.float64) + 0.5) * (DAY / STEPS)
        by_hour = [log_odds(self.segments.get(name, []), quarter) for name in market.segments]
        by_slot = np.zeros((len(market.segments), len(catalog.slots) + 1), dtype=np.float32)  # last: without
        for g, name in enumerate(market.segments):
            peaks = self.segments.get(name, [])
            by_slot[g, :-1] = [slot_log_odds(peaks, s.from_hour, s.to_hour) for s in catalog.slots]
        by_action = np.ascontiguousarray(by_slot[:, catalog.slot_of])
        return HoursEffect(self, by_action, np.array(by_hour, dtype=np.float32))


@dataclass(frozen=True, eq=False)
class HoursEffect(Effect):
    """Hours at work."""

    spec: Hours
    by_action: Float32  # (g, k) log-odds of opening
    by_hour: Float32  # (g, STEPS) likewise, by the quarters of the day

    def answering(self, send: Send) -> Answer | None:
        """More at the hours of the customer's segment, less at others."""
        if send.hour is None:
            return Answer(self.by_action[send.segment, send.action], None)
        quarter = (send.hour * (STEPS / DAY)).astype(np.intp) % STEPS
        return Answer(self.by_hour[send.segment, quarter], None)


def log_odds(peaks: list[Peak], hour: Float) -> Float:
    """(h,) log-odds of opening at these hours of the day, above the mean hour."""
    day: Float = (np.arange(STEPS, dtype=np.float64) + 0.5) * (DAY / STEPS)
    above: Float = _raised(peaks, hour) - _raised(peaks, day).mean()
    return above


def slot_log_odds(peaks: list[Peak], from_hour: float, to_hour: float) -> float:
    """The same, averaged over the hours of a slot, which may go over midnight."""
    length = (to_hour - from_hour) % DAY or DAY
    hour: Float = (from_hour + (np.arange(STEPS, dtype=np.float64) + 0.5) * (length / STEPS)) % DAY
    return float(log_odds(peaks, hour).mean())


def _raised(peaks: list[Peak], hour: Float) -> Float:
    total = np.zeros(len(hour))
    for peak in peaks:
        apart = np.abs(hour - peak.hour)
        apart = np.minimum(apart, DAY - apart)  # round the clock
        total += peak.lift * np.exp(-0.5 * (apart / peak.spread_hours) ** 2)
    return total
