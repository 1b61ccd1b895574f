"""What a world's file says of effects that all segments share. A section left out is an effect switched off.

With nothing sent and every section left out, orders are exactly Pareto/NBD. Not here: the arithmetic (dynamics/).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from campaignrl.errors import Problem, SpecError
from campaignrl.specs.quantities import NotNegative, Positive, Share
from campaignrl.specs.toml import Spec


class Response(Spec):
    """Strength of the effects shared by all segments; 0 switches an effect off."""

    click_lift: NotNegative = 0.0  # log-hazard of buying on the day of a click
    open_lift: NotNegative = 0.0  # log-hazard of buying on the day of an open
    dropped_open: NotNegative = 2.5  # log-odds by which customers who dropped out open less
    same_day: Share = 1.0  # share of a click's effect that falls on its own day; the rest is spread over later days
    delay_days: Positive = 7.0  # mean delay of that rest, exponential


class Fatigue(Spec):
    """The fatigue stock: decays with a half-life, grows with every send."""

    half_life_days: Positive = 7.0
    open: NotNegative = 0.0  # log-odds of opening lost per unit
    drop_out: NotNegative = 0.0  # log of the drop-out hazard per unit


class AdStock(Spec):
    """The stock of impressions seen; its effect on buying saturates (Hill curve)."""

    half_life_days: Positive = 5.0
    effect: float = 0.0  # log-hazard of buying at saturation
    half_saturation: Positive = 1.0  # stock at which half the effect is reached
    shape: Positive = 1.0  # steepness of the Hill curve


class Satisfaction(Spec):
    """Trust in the sender: log-odds that move with experience and drift back to their level."""

    level: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.7  # where it starts and returns to
    half_life_days: Positive = 34.0
    opened: NotNegative = 0.05  # log-odds gained by something worth opening
    perk: NotNegative = 0.15  # log-odds gained by opening a perk
    order: NotNegative = 0.05  # log-odds gained by an order
    ignored: NotNegative = 0.03  # log-odds lost by a delivered send that is not opened
    undelivered: NotNegative = 0.0  # log-odds lost by a send that never arrives
    purchase: NotNegative = 0.0  # log-hazard of buying per unit of satisfaction above its level
    drop_out: NotNegative = 0.0  # log of the drop-out hazard taken away per unit above its level
    unsubscribe: NotNegative = 0.0  # log-odds of unsubscribing taken away per unit above its level


class ReferencePrice(Spec):
    """The price a customer has come to expect, as a share of the full price; losses weigh more than gains."""

    memory: Share = 0.8  # share of the old expectation kept at an exposure to a price
    loss_aversion: Annotated[float, Field(ge=1.0)] = 2.0


class Stockpile(Spec):
    """Goods bought ahead on an offer; until they are used up, the next order waits (post-promotion dip)."""

    half_life_days: Positive = 20.0
    effect: NotNegative = 0.0  # log-hazard of buying lost per order bought on an offer


class Wave(Spec):
    """One harmonic of the year."""

    amplitude: Annotated[float, Field(ge=0.0, lt=1.0)]
    peak: Annotated[float, Field(ge=0.0, lt=366.0)]  # day of the year
    per_year: Annotated[int, Field(ge=1, le=12)] = 1


class Event(Spec):
    """Days on which everybody buys more (or less)."""

    name: str
    day: int  # of the campaign, 0 is its first
    days: Annotated[int, Field(ge=1)] = 1
    factor: Positive


class Season(Spec):
    """What the calendar does to the purchase hazard of all customers."""

    weekday: Annotated[list[Positive], Field(min_length=7, max_length=7)] = [1.0] * 7  # factors, Monday first
    first_weekday: Annotated[int, Field(ge=0, le=6)] = 0  # of day 0; Monday is 0
    first_day_of_year: Annotated[int, Field(ge=0, le=365)] = 0  # of day 0
    waves: list[Wave] = []
    events: list[Event] = []

    @model_validator(mode="after")
    def _never_negative(self) -> Season:
        total = sum(wave.amplitude for wave in self.waves)
        if total >= 1.0:
            raise SpecError(Problem("[season]", "waves", total, "amplitudes with a sum below 1"))
        return self


class Tags(Spec):
    """How observed tags differ from the truth."""

    wrong: Share = 0.0  # share of tags that show another level
    missing: Share = 0.0
    price: tuple[float, float] = (0.15, 0.3)  # cuts of the price tag, log-hazard per 10 % off
    refresh_days: Annotated[int, Field(ge=1)] | None = None  # how often their noise is drawn anew; None: never
