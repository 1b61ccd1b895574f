"""Season: what the calendar does to the purchase hazard of all customers."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field, model_validator

from campaignrl.arrays import Float32
from campaignrl.effects.effect import Effect, Market, Section
from campaignrl.errors import Problem, SpecError
from campaignrl.quantities import Day, Positive
from campaignrl.toml import Sparse, Spec


class Wave(Spec):
    """One harmonic of the year."""

    amplitude: Annotated[float, Field(ge=0.0, lt=1.0)]
    peak: Annotated[float, Field(ge=0.0, lt=366.0)]  # day of the year
    per_year: Annotated[int, Field(ge=1, le=12)] = 1


class Event(Spec):
    """Days on which everybody buys more (or less)."""

    name: str
    day: int  # of the campaign, 0 is its first; below 0 is before it, where the past is looked at
    days: Annotated[int, Field(ge=1)] = 1
    factor: Positive


class Season(Sparse, Section):
    """What the calendar does to the purchase hazard of all customers."""

    optional_parts: ClassVar[tuple[str, ...]] = ("day_zero",)

    weekday: Annotated[list[Positive], Field(min_length=7, max_length=7)] = [1.0] * 7  # factors, Monday first
    first_weekday: Annotated[int, Field(ge=0, le=6)] = 0  # of day 0; Monday is 0
    first_day_of_year: Annotated[int, Field(ge=0, le=365)] = 0  # of day 0
    waves: list[Wave] = []
    events: list[Event] = []
    day_zero: Day | None = None  # date of day 0; None: of no date, as in a world that is nobody's

    @model_validator(mode="after")
    def _never_negative(self) -> Season:
        total = sum(wave.amplitude for wave in self.waves)
        if total >= 1.0:
            raise SpecError(Problem("[season]", "waves", total, "amplitudes with a sum below 1"))
        return self

    def starting(self, day: int) -> Season:
        """The same calendar with another day as its day 0."""
        return Season(
            weekday=self.weekday,
            first_weekday=(self.first_weekday + day) % 7,
            first_day_of_year=int((self.first_day_of_year + day) % 365.25),
            waves=self.waves,
            events=[event.model_copy(update={"day": event.day - day}) for event in self.events],
            day_zero=None if self.day_zero is None else self.day_zero + datetime.timedelta(days=day),
        )

    def at_work(self, market: Market) -> SeasonEffect:
        """The calendar knows no market."""
        return SeasonEffect(self)


@dataclass(frozen=True, eq=False)
class SeasonEffect(Effect):
    """The calendar at work."""

    spec: Season

    def season(self, horizon: int) -> Float32 | None:
        """Weekday x harmonics of the year x events."""
        return season_factors(self.spec, horizon)


def season_factors(season: Season | None, horizon: int) -> Float32:
    """(horizon,) factor on the purchase hazard of each day: weekday x harmonics of the year x events."""
    day = np.arange(horizon)
    factor = np.ones(horizon)
    if season is None:
        return np.array(factor, dtype=np.float32)
    factor *= np.array(season.weekday)[(season.first_weekday + day) % 7]
    year = np.ones(horizon)
    for wave in season.waves:
        phase = (season.first_day_of_year + day - wave.peak) * wave.per_year / 365.25
        year += wave.amplitude * np.cos(2.0 * np.pi * phase)
    for event in season.events:
        factor[(day >= event.day) & (day < event.day + event.days)] *= event.factor
    return np.array(factor * year, dtype=np.float32)
