"""What a day leaves behind: fatigue, ad-stock, expected price, stockpile, intent, the usable offer, histories.

Here: the state of tomorrow from the state and the events of today. Not here: the events (advance.py),
satisfaction (satisfaction.py).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from campaignrl.dynamics.customers import NO_OFFER

Float32 = npt.NDArray[np.float32]
Int8 = npt.NDArray[np.int8]
UInt64 = npt.NDArray[np.uint64]
Bool = npt.NDArray[np.bool_]

_ONE = np.uint64(1)


def next_fatigue(fatigue: Float32, added: Float32, decay: float) -> Float32:
    """(n,) stock of tomorrow: what is left of today's, and today's contacts (units by channel)."""
    result: Float32 = fatigue * np.float32(decay) + added
    return result


def next_adstock(adstock: Float32, added: Float32, decay: float) -> Float32:
    """(n,) stock of impressions of tomorrow. added: (n,) units by channel of what was opened today."""
    result: Float32 = adstock * np.float32(decay) + added
    return result


def next_expected_price(expected: Float32, offered: Float32, exposed: Bool, memory: float) -> Float32:
    """(n,) share of the full price expected tomorrow: drawn towards the price seen or paid today."""
    kept = np.float32(memory)
    return np.where(exposed, kept * expected + (np.float32(1.0) - kept) * offered, expected)


def next_stockpile(stockpile: Float32, redeemed: Bool, decay: float) -> Float32:
    """(n,) orders bought on an offer and not yet used up."""
    return np.asarray(stockpile * np.float32(decay) + redeemed, dtype=np.float32)


def next_intent(intent: Float32, clicked: Bool, today: float, decay: float) -> Float32:
    """(n,) share of a click's effect that falls on tomorrow; all days after a click add up to 1 - today."""
    falls_tomorrow = np.float32((1.0 - today) * (1.0 - decay)) * clicked
    return np.asarray(np.float32(decay) * intent + falls_tomorrow, dtype=np.float32)


def usable_offer(
    live_offer: Int8, live_days: Int8, seen_offer: Int8, opened: Bool, valid_days: Int8
) -> tuple[Int8, Int8]:
    """(offer, days left) usable today: an offer seen today replaces the one held."""
    offer, days = live_offer.copy(), live_days.copy()
    rows = np.flatnonzero(opened)  # few open on a day
    offer[rows] = seen_offer[rows]
    days[rows] = valid_days[offer[rows]]
    return offer, days


def next_offer(offer: Int8, days: Int8, redeemed: Bool) -> tuple[Int8, Int8]:
    """(offer, days left) of tomorrow: used up by redeeming, else one day shorter."""
    keep = ((days > 0) & ~redeemed).view(np.int8)
    # Products instead of np.where: numpy computes them many elements at a time.
    return (offer - np.int8(NO_OFFER)) * keep + np.int8(NO_OFFER), (days - np.int8(1)) * keep


def next_history(bits: UInt64, today: Bool) -> UInt64:
    """Histories one day on: bit j is the day j + 1 days before tomorrow's decision."""
    return (bits << _ONE) | today


def days_with(bits: UInt64, window: int) -> npt.NDArray[np.uint8]:
    """Days with their bit set in the `window` days that end today, before today's decision.

    So the days from today - window + 1 to yesterday count: what happened on day d is gone on day d + window.
    """
    count: npt.NDArray[np.uint8] = np.bitwise_count(bits & np.uint64((1 << (window - 1)) - 1))
    return count
