"""One figure of a world as it was measured, before it is held against a band."""

from __future__ import annotations

from typing import NamedTuple

from campaignrl.true_value import Value


class Measured(NamedTuple):
    """A figure by its id, with its interval."""

    figure: str  # of figures.toml, or one without published bands
    value: Value
    a_week: int | None = None  # messages a week, for figures that hold at a pace
    of: str = ""  # the offer, for figures of one offer

    @property
    def id(self) -> str:
        """What a world's `known_misses` calls it: `opened@email 4`, `dip coupon20`."""
        return " ".join([self.figure, *([str(self.a_week)] if self.a_week else []), *([self.of] if self.of else [])])
