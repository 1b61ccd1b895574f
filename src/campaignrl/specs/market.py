"""What a world's file says of money, channels, offers, creatives and slots.

Not here: rules (guard_spec.py), who the customers are (segments.py), how strongly they respond (effects/).
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from campaignrl.quantities import MOST, Amount, Day, LogEffect, NotNegative, Positive, Rate, Share, Window
from campaignrl.toml import Sparse, Spec

OfferKind = Literal[
    "content", "gift", "coupon", "free_shipping", "perk", "winback", "wealth", "card", "insurance"
]  # what customers have a taste for; only perk has a further meaning (effects/satisfaction.py)


class Money(Spec):
    """The currency and the smallest amount that is booked."""

    currency: str = "EUR"
    minor_per_unit: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    unsubscribe: Amount = 0.0  # what one lost permission is worth, in currency


class Reach(Spec):
    """The funnel of one send: each rate given the step before it."""

    deliver: Rate
    open: Rate
    click: Rate


class Unsubscribe(Spec):
    """Chance that a delivered send costs the permission, and how fatigue raises its log-odds."""

    base: Annotated[float, Field(ge=0.0, lt=1.0)]  # 0: nobody ever does
    per_fatigue: NotNegative = 0.0


class Capacity(Spec):
    """How many sends a channel can serve; the unit is part of the key, because the number of customers varies.

    By day alone, what is too much is not sent; on the clock of hours it waits, with the channel's own `servers`, or
    else those that follow from the length of one send and the hours that are not quiet.
    """

    sends_per_day_per_1000_customers: Annotated[float, Field(ge=0.0)]
    minutes_per_send: Positive | None = None  # a server's time for one; None: a single server does them all
    service: Literal["constant", "exponential"] = "constant"  # how that time varies between sends

    @model_validator(mode="before")
    @classmethod
    def _with_unit(cls, given: Any) -> Any:
        if isinstance(given, int | float | str):
            example = "capacity = { sends_per_day_per_1000_customers = 10.0 }"
            raise PydanticCustomError("unit", "given with its unit, as in {example}", {"example": example})
        return given


# Hours of the day from .. to, local time; the second may be earlier: over midnight.
Band = tuple[Annotated[float, Field(ge=0.0, lt=24.0)], Annotated[float, Field(ge=0.0, le=24.0)]]


class CreativeSpec(Spec):
    """One way to present offers; what it does to customers stands in [formats]."""

    title: str = ""
    format: str = ""  # of its content; empty: its own name
    tone: str = ""


class SlotSpec(Spec):
    """One band of hours of the day in which a send may go out; what it does stands in [hours]."""

    title: str = ""
    hours: Band

    @model_validator(mode="after")
    def _some_hours(self) -> SlotSpec:
        if self.hours[0] == self.hours[1]:
            raise PydanticCustomError("hours", "a band with hours in it, as in hours = [18, 22]")
        return self


class Retry(Spec):
    """Trying again on the same day, on the clock of hours, when a send was not delivered."""

    at_most: Annotated[int, Field(ge=1, le=10)]
    after_hours: Annotated[float, Field(gt=0.0, lt=24.0)]


class ChannelSpec(Sparse):
    """One channel."""

    optional_parts: ClassVar[tuple[str, ...]] = ("creatives", "slots", "servers", "shift", "min_gap_days", "at_least")

    title: str = ""
    cost: Amount  # currency, per send
    reach: Reach
    unsubscribe: Unsubscribe
    fatigue: NotNegative = 1.0  # added to the fatigue stock by one send
    adstock: NotNegative = 1.0  # added to the ad-stock by one open
    affinity_spread: NotNegative = 0.5  # sd over customers of the log-odds of opening
    capacity: Capacity | None = None  # None: without limit
    patience_hours: Positive = 24.0  # on the clock of hours, a send that has queued for so long is given up
    retry: Retry | None = None  # None: one attempt
    servers: Annotated[int, Field(ge=1, le=100_000)] | None = None  # at work on the clock of hours; None: see Capacity
    shift: Band | None = None  # hours of the day in which they work; None: whenever it is not quiet
    creatives: Annotated[list[str], Field(max_length=MOST)] | None = None  # that it can show; None: all of the world
    slots: Annotated[list[str], Field(max_length=MOST)] | None = None  # in which it can send; None: all of the world
    min_gap_days: Window | None = None  # from one send on it to the next; None: whatever caps allow
    at_least: Share | None = None  # of the customers of a run, whom a plan by value shall send something on it

    @model_validator(mode="after")
    def _servers_for_the_clock(self) -> ChannelSpec:
        if self.servers is None and self.shift is not None:
            raise PydanticCustomError("servers", "with servers, who work in its shift: add servers = 10 or the like")
        if self.servers is not None and self.capacity is None:
            raise PydanticCustomError("servers", "with a capacity, from which the length of one send follows")
        if self.servers is not None and self.capacity is not None and self.capacity.minutes_per_send is not None:
            message = "without minutes_per_send, which follows from its capacity, servers and shift"
            raise PydanticCustomError("servers", message)
        if self.shift is not None and self.shift[0] == self.shift[1]:
            raise PydanticCustomError("hours", "with hours in its shift, as in shift = [9, 18]")
        return self


class OfferSpec(Sparse):
    """One offer."""

    optional_parts: ClassVar[tuple[str, ...]] = (
        "creatives",
        "valid_from",
        "valid_until",
        "stock",
        "purpose",
        "at_least",
    )

    title: str = ""
    kind: OfferKind
    channels: Annotated[list[str], Field(min_length=1, max_length=MOST)]
    discount: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0  # share of the basket given away when redeemed
    face_value: Amount = 0.0  # currency paid by us when redeemed (gift, postage)
    feels_like: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0  # further share off that it feels like to the customer
    valid_days: Annotated[int, Field(ge=0, le=60)] = 0  # days it stays usable after the day it is seen
    appeal: LogEffect = 0.0  # log-hazard of buying while usable, beside the price effect
    brings: NotNegative = 0.0  # orders per day that it adds to anybody's own rate while usable, before all lifts
    redeem: Share = 0.0  # chance that an order placed while it is usable uses it
    retention: NotNegative = 0.0  # log by which it lowers the drop-out hazard while usable
    revives: Share = 0.0  # chance that a customer who dropped out returns on opening it
    expires_after_hours: Positive | None = None  # from the decision on, if it has not been sent by then; None: never
    creatives: Annotated[list[str], Field(max_length=MOST)] | None = None  # that present it; None: all of the world
    only_if: str = ""  # who is eligible; empty: everybody
    valid_from: Day | None = (
        None  # first day on which it may be sent, in the calendar of the sender; None: always could
    )
    valid_until: Day | None = None  # last such day; None: for ever
    stock: Annotated[int, Field(ge=0, le=1_000_000_000)] | None = None  # sends in all; None: without limit
    purpose: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] | None = None  # needs consent_CHANNEL_PURPOSE as well
    at_least: Share | None = None  # of the customers of a run, whom a plan by value shall send it

    @model_validator(mode="after")
    def _some_days(self) -> OfferSpec:
        if self.valid_from is not None and self.valid_until is not None and self.valid_until < self.valid_from:
            given = {"from": self.valid_from.isoformat(), "until": self.valid_until.isoformat()}
            raise PydanticCustomError("days", "valid for at least a day: {from} comes after {until}", given)
        return self
