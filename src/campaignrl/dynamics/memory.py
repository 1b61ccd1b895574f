"""What a day leaves behind in any world: the usable offer, histories.

Here: the state of tomorrow from the state and the events of today, in place. Not here: the events (advance.py), what
the effects of a world leave behind (effects/).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Int8, Rows, UInt64
from campaignrl.dynamics.customers import NO_OFFER

_ONE = np.uint64(1)


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
