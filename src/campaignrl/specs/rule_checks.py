"""What no single field of a world's rules can know: offers that are named, columns that meet, margins that are left.

Reads the plain tables of the file, as world_checks.py does, which calls it. Not here: the fields (guard_spec.py,
market.py), enforcing rules (guard/).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from campaignrl.errors import Problem, nearest

Tables = Mapping[str, Any]


def rule_problems(
    guard: Tables, offers: Mapping[str, Tables], channels: Mapping[str, Tables], segments: Mapping[str, Tables]
) -> Iterator[Problem]:
    """Everything about rules that no single field can know."""
    yield from _cap_problems(guard.get("caps"), offers)
    profiles = [table for segment in segments.values() if isinstance(table := segment.get("profile"), Mapping)]
    yield from _column_problems(guard, offers, channels, {str(name) for table in profiles for name in table})
    yield from _margin_problems(guard.get("min_margin"), offers, segments)
    yield from _least_problems(offers, channels)
    yield from _giveaways(offers, segments)


def consent_column(channel: str, purpose: str | None = None) -> str:
    """Name of the column that says whether somebody may be contacted on a channel, for a purpose."""
    return f"consent_{channel}" if purpose is None else f"consent_{channel}_{purpose}"


def offer_column(offer: str, days: int) -> str:
    """Name of the column that counts how often an offer was sent in so many days."""
    return f"contacts_offer_{offer}_{days}d"


def _caps(caps: object) -> list[Tables]:
    return [cap for cap in caps if isinstance(cap, Mapping)] if isinstance(caps, list | tuple) else []


def _cap_problems(caps: object, offers: Mapping[str, Tables]) -> Iterator[Problem]:
    for cap in _caps(caps):
        name = cap.get("offer")
        if isinstance(name, str) and name not in offers:
            fix = nearest(name, offers) or f"Known: {list(offers)}."
            yield Problem("[guard]", "caps.offer", name, "an offer of this world", fix)


def _column_problems(
    guard: Tables, offers: Mapping[str, Tables], channels: Mapping[str, Tables], attributes: set[str]
) -> Iterator[Problem]:
    """Columns of a customers table that would mean two things."""
    fix = "Rename one of the two."
    for field, column in (("max_age_days", "as_of"), ("timezone", "timezone")):
        if guard.get(field) is not None and column in attributes:
            yield Problem("[segments] profile", "attribute", column, f"apart from the column of {field}", fix)
    for name, offer in offers.items():
        purpose = offer.get("purpose")
        listed = offer.get("channels")
        for channel in listed if isinstance(purpose, str) and isinstance(listed, list | tuple) else ():
            other = consent_column(str(channel), purpose).removeprefix("consent_")
            if other in channels:
                yield Problem(f"[offers.{name}]", "purpose", purpose, f"apart from the channel {other}", fix)
    for cap in _caps(guard.get("caps")):
        scope = f"offer_{cap.get('offer')}"
        if scope in channels:
            yield Problem("[guard]", "caps.offer", cap.get("offer"), f"apart from the channel {scope}", fix)


def _margin_problems(least: Any, offers: Mapping[str, Tables], segments: Mapping[str, Tables]) -> Iterator[Problem]:
    """Offers that leave too little of the margin of an order, in the segment where they leave least."""
    if not _is_number(least) or not 0.0 < least < 1.0:
        return
    for name, offer in offers.items():
        left = [(_left(offer, table), segment) for segment, table in segments.items()]
        known = [(share, segment) for share, segment in left if share is not None]
        if known and min(known)[0] < least - 1e-9:
            share, segment = min(known)
            fix = "Give less away, leave the offer out, or lower min_margin."
            said = f"at least {least:.4g} (min_margin) in segment {segment}"
            yield Problem(f"[offers.{name}]", "margin left of an order", round(share, 4), said, fix)


def _least_problems(offers: Mapping[str, Tables], channels: Mapping[str, Tables]) -> Iterator[Problem]:
    """Minimum shares that are of more customers than there are, or of what two things are called."""
    for words, tables in (("offers", offers), ("channels", channels)):
        own = {name: share for name, table in tables.items() if _is_number(share := table.get("at_least"))}
        for name in own.keys() & (offers.keys() & channels.keys()):
            yield Problem(f"[{words}.{name}]", "at_least", own[name], "of what no offer and channel are both called")
        in_all = sum(float(share) for share in own.values() if share is not None)
        if in_all > 1.0 + 1e-9:
            fix = "A share is of the customers of a run, and nobody gets two sends."
            yield Problem(f"[{words}]", "at_least of all", round(in_all, 4), "at most 1", fix)


def _giveaways(offers: Mapping[str, Tables], segments: Mapping[str, Tables]) -> Iterator[Problem]:
    """Offers that give away more than the whole of a mean order, in every segment: stacked discounts, or a slip."""
    baskets = [basket for table in segments.values() if isinstance(basket := table.get("basket"), Mapping)]
    means = [float(basket["mean"]) for basket in baskets if _is_number(basket.get("mean"))]
    largest = max(means, default=0.0)
    for name, offer in offers.items():
        discount, value = offer.get("discount", 0.0), offer.get("face_value", 0.0)
        if largest > 0.0 and _is_number(discount) and _is_number(value) and discount + value / largest >= 1.0:
            away, fix = round(discount + value / largest, 4), "Lower discount or face_value."
            yield Problem(f"[offers.{name}]", "given away of a mean order", away, "below 1 in some segment", fix)


def _left(offer: Tables, segment: Tables) -> float | None:
    """Share of the margin of a mean order that is left when it uses the offer; None: numbers are missing."""
    basket = segment.get("basket")
    mean, margin = (basket.get("mean"), basket.get("margin")) if isinstance(basket, Mapping) else (None, None)
    discount, value = offer.get("discount", 0.0), offer.get("face_value", 0.0)
    if not all(map(_is_number, (mean, margin, discount, value))) or not mean:
        return None
    if not discount and not value:
        return 1.0
    return float((margin - discount - value / mean) / margin) if margin else -math.inf


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
