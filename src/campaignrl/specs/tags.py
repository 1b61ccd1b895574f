"""What a world's file says of the tags that are seen of its customers, and how far they are from the truth."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from campaignrl.quantities import Share
from campaignrl.toml import Spec


class Tags(Spec):
    """How observed tags differ from the truth."""

    wrong: Share = 0.0  # share of tags that show another level
    missing: Share = 0.0
    price: tuple[float, float] = (0.15, 0.3)  # cuts of the price tag, log-hazard per 10 % off
    refresh_days: Annotated[int, Field(ge=1)] | None = None  # how often their noise is drawn anew; None: never
