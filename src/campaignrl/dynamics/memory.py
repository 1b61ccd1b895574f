"""What a day leaves behind: fatigue, ad-stock, expected price, stockpile, intent, the usable offer, histories.

Here: the state of tomorrow from the state and the events of today; what happens to everybody is written in place, what
happens to few is a function of their values. Not here: the events (advance.py), satisfaction (satisfaction.py).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Bool, Float32, Int8, Rows, UInt64
from campaignrl.dynamics.customers import NO_OFFER

_ONE, _WHOLE = np.uint64(1), np.float32(1.0)


def fade(stock: Float32, decay: float) -> None:
    """In place, (n,): the share of a stock that is left after a day."""
    np.multiply(stock, np.float32(decay), out=stock)


def next_fatigue(fatigue: Float32, added: Float32, decay: float) -> Float32:
    """(n,) stock of tomorrow: what is left of today's, and today's contacts (units by channel)."""
    result: Float32 = fatigue * np.float32(decay) + added
    return result


def next_adstock(adstock: Float32, added: Float32, decay: float) -> Float32:
    """(n,) stock of impressions of tomorrow. added: (n,) units by channel of what was opened today."""
    result: Float32 = adstock * np.float32(decay) + added
    return result


def next_expected_price(expected: Float32, offered: Float32, memory: float) -> Float32:
    """(n,) share of the full price expected tomorrow: drawn towards the price seen or paid today, `offered`."""
    kept = np.float32(memory)
    return kept * expected + (_WHOLE - kept) * offered


def next_intent(intent: Float32, clicked: Bool, today: float, decay: float) -> Float32:
    """(n,) share of a click's effect that falls on tomorrow; all days after a click add up to 1 - today."""
    return np.asarray(np.float32(decay) * intent + falls_tomorrow(today, decay) * clicked, dtype=np.float32)


def falls_tomorrow(today: float, decay: float) -> np.float32:
    """Share of a click's effect that falls on the next day."""
    return np.float32((1.0 - today) * (1.0 - decay))


def take_up(live_offer: Int8, live_days: Int8, rows: Rows, seen: Rows, valid_days: Int8) -> None:
    """In place: an offer seen today, by these rows, replaces the one held. seen: (m,) offers."""
    live_offer[rows] = seen
    live_days[rows] = valid_days[seen]


def use_up(live_offer: Int8, live_days: Int8, redeemed: Rows) -> None:
    """In place: the offers of tomorrow, used up by redeeming, else one day shorter. redeemed: rows."""
    live_days[redeemed] = 0
    keep = (live_days > 0).view(np.int8)
    # Products instead of np.where: numpy computes them many elements at a time. Without an offer: NO_OFFER and 0 days.
    np.subtract(live_offer, np.int8(NO_OFFER), out=live_offer)
    np.multiply(live_offer, keep, out=live_offer)
    np.add(live_offer, np.int8(NO_OFFER), out=live_offer)
    np.subtract(live_days, keep, out=live_days)


def next_history(bits: UInt64) -> None:
    """In place: histories one day on; bit j is the day j + 1 days before tomorrow's decision, and bit 0 still unset."""
    np.left_shift(bits, _ONE, out=bits)


def days_with(bits: UInt64, window: int) -> npt.NDArray[np.uint8]:
    """Days with their bit set in the `window` days that end today, before today's decision.

    So the days from today - window + 1 to yesterday count: what happened on day d is gone on day d + window.
    """
    count: npt.NDArray[np.uint8] = np.bitwise_count(bits & np.uint64((1 << (window - 1)) - 1))
    return count
