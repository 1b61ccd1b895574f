"""What a world's file says of rules: its `[guard]`, which may never be broken.

Rules of a single channel or offer stand with it (market.py). Not here: enforcing them (guard/), what no single field
can know (rule_checks.py).
"""

from __future__ import annotations

import zoneinfo
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from campaignrl.quantities import MOST, Amount, Rate, Share, Window
from campaignrl.toml import Sparse, Spec


def _known_zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        message = "a time zone of the IANA database, such as Europe/Berlin (if it is one: install tzdata)"
        raise PydanticCustomError("zone", message) from None
    return name


Zone = Annotated[str, AfterValidator(_known_zone)]


class Cap(Sparse):
    """At most `at_most` sends within any `per_days` days: on one channel, of one offer, or of all together."""

    optional_parts: ClassVar[tuple[str, ...]] = ("offer",)

    channel: str | None = None
    offer: str | None = None
    per_days: Window
    at_most: Annotated[int, Field(ge=0, le=1_000)]  # more is a slip: nobody gets two sends on a day

    @model_validator(mode="after")
    def _one_scope(self) -> Cap:
        if self.channel is not None and self.offer is not None:
            raise PydanticCustomError("scope", "of a channel or of an offer: write two caps")
        return self

    @property
    def said(self) -> str:
        """In words."""
        scope = f"of {self.offer}" if self.offer is not None else f"on {self.channel or 'all channels'}"
        return f"cap: {self.at_most} in {self.per_days} days {scope}"


class Gap(Cap):
    """At least `per_days` days from one send to the next: a cap of one in so many days."""

    at_most: Annotated[int, Field(ge=1, le=1)] = 1

    @property
    def said(self) -> str:
        """In words."""
        return f"gap: {self.per_days} days between sends on {self.channel or 'all channels'}"


class Budget(Spec):
    """What the sends of a whole campaign may cost; it is released evenly by day, and what is left carries over."""

    amount_per_1000_customers: Amount  # currency


class QuietHours(Spec):
    """Hours of the day, local time, in which nothing leaves; `from_hour` may be later than `to_hour` (over night)."""

    from_hour: Annotated[float, Field(ge=0.0, lt=24.0)]
    to_hour: Annotated[float, Field(ge=0.0, lt=24.0)]

    @model_validator(mode="after")
    def _some_hours(self) -> QuietHours:
        if self.from_hour == self.to_hour:
            raise PydanticCustomError("hours", "from one hour to another; leave quiet_hours out for none")
        return self


class DiscountDepth(Spec):
    """At most so much discount to one customer within any `per_days` days: the sum of the shares off of all sends."""

    per_days: Window
    at_most: Annotated[float, Field(ge=0.0, le=100.0)]  # 0.5: two coupons of 20 % and one of 10 %


class GuardSpec(Sparse):
    """What may never be broken."""

    optional_parts: ClassVar[tuple[str, ...]] = (
        *("min_gap_days", "max_discount_depth", "min_margin", "max_age_days", "max_stale_share", "timezone"),
        "max_policy_age_days",
    )

    budget: Budget | None = None  # None: without limit
    caps: Annotated[list[Cap], Field(max_length=MOST)] = []
    quiet_hours: QuietHours | None = None  # None: none
    holdout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0  # share of customers who are never contacted
    holdout_salt: int = 0  # change it to draw the holdout anew
    min_gap_days: Window | None = None  # from one send to a customer to the next; None: whatever caps allow
    max_discount_depth: DiscountDepth | None = None  # None: without limit
    min_margin: Rate | None = None  # share of an order's margin that an offer must leave; None: any
    max_age_days: Annotated[int, Field(ge=0, le=3660)] | None = None  # of a customer's row; None: `as_of` is not asked
    max_stale_share: Share | None = None  # of rows older than that, above which a run stops; None: a half
    max_policy_age_days: Annotated[int, Field(ge=0, le=3660)] | None = None  # since its last outcome; None: any
    timezone: Zone | None = None  # of the sender's clock, and of customers whose own is not known; None: no hour is
