"""Kinds of numbers that specifications hold, with the range each may have."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Rate = Annotated[float, Field(gt=0.0, lt=1.0)]  # a probability whose log-odds exist
Positive = Annotated[float, Field(gt=0.0, le=1e9)]  # in days, currency, units: more is a slip
NotNegative = Annotated[float, Field(ge=0.0, le=1e9)]
LogEffect = Annotated[float, Field(ge=-50.0, le=50.0)]  # log-odds or log-hazard; e^50 is beyond any response
Amount = Annotated[float, Field(ge=0.0, le=1_000_000.0)]  # currency; sums of whole minor units stay exact

MOST = 60  # segments, channels, offers or levels: their codes are 8-bit whole numbers
