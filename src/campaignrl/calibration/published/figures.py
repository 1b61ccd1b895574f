"""The published figures: what each counts, its band by kind of business, where it was read, and how sure that is.

The numbers stand in figures.toml. Not here: how a world measures up to them (the other files).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from campaignrl.toml import Spec, check

Ends = Annotated[tuple[float, float], Field(strict=False)]
BUSINESSES = ("web_shop", "bank", "store_chain", "travel")
GUESSES = ("M", "D")  # bands without a source that was read


class Figure(Spec):
    """One published figure; a band is (low, high) in the figure's own unit."""

    says: str  # numerator / denominator
    web_shop: Ends | None = None
    bank: Ends | None = None
    store_chain: Ends | None = None
    travel: Ends | None = None
    paces: dict[str, Ends] = Field(default_factory=dict)  # messages a week -> band, for every business
    source: str  # keys of docs/worlds.md
    sure: Literal["S", "S2", "R", "M", "D"]
    why: dict[str, str] = Field(default_factory=dict)  # business -> why it has no band


class Band(NamedTuple):
    """Where a figure must lie, or why it need not."""

    low: float
    high: float
    source: str
    sure: str
    why: str = ""  # of no band: low and high are NaN then

    @property
    def is_known(self) -> bool:
        """Whether there is a band at all."""
        return not self.why


@cache
def figures() -> Mapping[str, Figure]:
    """Every published figure by its id: `opened@email`, `dip` ..."""
    return {name: check(Figure, table, f"figures.toml [{name}]") for name, table in _tables().items() if name != "pace"}


def says(name: str) -> str:
    """What a figure counts; of one without published bands, its id."""
    return figures()[name].says if name in figures() else name


def band(name: str, business: str, a_week: int | None = None) -> Band:
    """The band of a figure for a business, at so many messages a week where the figure is of a channel."""
    figure = figures().get(name)
    unknown = Band(float("nan"), float("nan"), figure.source if figure else "", figure.sure if figure else "")
    if figure is None:
        return unknown._replace(why="no published figure")
    if business == "study":
        return unknown._replace(why="a study world claims to be no business")
    ends = figure.paces.get(str(a_week)) if figure.paces else getattr(figure, business)
    if ends is None:
        return unknown._replace(why=figure.why.get(business, "no published figure for this business"))
    factors = _pace(name.partition("@")[0], a_week) if not figure.paces and a_week is not None else (1.0, 1.0)
    return Band(ends[0] * factors[0], ends[1] * factors[1], figure.source, figure.sure)


def _pace(kind: str, a_week: int) -> tuple[float, float]:
    """Factors on the ends of a channel's band at another pace than two messages a week."""
    by_pace = _tables()["pace"].get(kind, {})
    low, high = by_pace.get(str(a_week), (1.0, 1.0))
    return float(low), float(high)


@cache
def _tables() -> dict[str, Any]:
    return tomllib.loads(resources.files(__package__).joinpath("figures.toml").read_text(encoding="utf-8"))
