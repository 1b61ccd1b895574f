"""Kinds of numbers that specifications hold, with the range each may have."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Rate = Annotated[float, Field(gt=0.0, lt=1.0)]  # a probability whose log-odds exist
Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]
Amount = Annotated[float, Field(ge=0.0, le=1_000_000.0)]  # currency; sums of whole minor units stay exact

MOST = 60  # segments, offers or levels: their codes are 8-bit whole numbers
