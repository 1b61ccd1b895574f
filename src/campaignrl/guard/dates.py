"""Days on which an offer may be sent: from its first to its last, both among them, in the calendar of the sender.

Not here: the rule (checks.py), hours of the day (quiet_hours.py).
"""

from __future__ import annotations

import datetime

from campaignrl.specs import OfferSpec

EPOCH = datetime.date(1970, 1, 1)


def is_valid(offer: OfferSpec, day: int) -> bool:
    """Whether an offer may be sent on a day since 1970-01-01."""
    today = EPOCH + datetime.timedelta(days=day)
    early = offer.valid_from is not None and today < offer.valid_from
    return not early and not (offer.valid_until is not None and today > offer.valid_until)


def dates_said(offer: OfferSpec) -> str:
    """In words, as `valid from 2026-11-01 until 2026-11-30`."""
    first = "" if offer.valid_from is None else f" from {offer.valid_from.isoformat()}"
    last = "" if offer.valid_until is None else f" until {offer.valid_until.isoformat()}"
    return f"valid{first}{last}"
