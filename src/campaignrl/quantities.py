"""Kinds of numbers that specifications hold, with the range each may have."""

from __future__ import annotations

import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError


def _whole_day(given: Any) -> Any:
    """A date, or its text; a time of day, or a number that might stand for one, is a slip."""
    if isinstance(given, str):
        try:
            return datetime.date.fromisoformat(given)
        except ValueError:
            given = None
    if not isinstance(given, datetime.date) or isinstance(given, datetime.datetime):
        raise PydanticCustomError("day", "a whole day with its year, as in 2026-11-21")
    return given


Share = Annotated[float, Field(ge=0.0, le=1.0)]
Rate = Annotated[float, Field(gt=0.0, lt=1.0)]  # a probability whose log-odds exist
Positive = Annotated[float, Field(gt=0.0, le=1e9)]  # in days, currency, units: more is a slip
NotNegative = Annotated[float, Field(ge=0.0, le=1e9)]
LogEffect = Annotated[float, Field(ge=-50.0, le=50.0)]  # log-odds or log-hazard; e^50 is beyond any response
Amount = Annotated[float, Field(ge=0.0, le=1_000_000.0)]  # currency; sums of whole minor units stay exact
Window = Annotated[int, Field(ge=1, le=60)]  # days that a rule looks back; histories are kept for so long
Day = Annotated[datetime.date, BeforeValidator(_whole_day)]

MOST = 60  # segments, channels, offers or levels: their codes are 8-bit whole numbers
