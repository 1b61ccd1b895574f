"""One thing a policy may see: its name, unit, range or levels, and meaning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from campaignrl.errors import Problem, SpecError

UNKNOWN = -1  # code of a category value outside the levels, or missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One thing a policy may see.

    A number has a finite range [low, high] in its unit and is clipped to it; a category has levels.
    log: encode by log1p, for counts and money whose small values matter most (needs low >= 0).
    nullable: the value may be missing (NaN), which adds a 0/1 column of its own.
    """

    name: str
    unit: str = ""
    meaning: str = ""
    low: float = 0.0
    high: float = 1.0
    levels: tuple[str, ...] = ()
    log: bool = False
    nullable: bool = False

    def __post_init__(self) -> None:
        if not self.levels and not (np.isfinite([self.low, self.high]).all() and self.low < self.high):
            raise SpecError(Problem(f"feature {self.name}", "range", (self.low, self.high), "finite with low < high"))
        if self.log and self.low < 0:
            raise SpecError(Problem(f"feature {self.name}", "low", self.low, "at least 0 for a log feature"))

    @property
    def encoded(self) -> tuple[str, ...]:
        """Names of the encoded columns of this feature."""
        if self.levels:
            return tuple(f"{self.name}={level}" for level in self.levels)
        return (self.name, f"{self.name}?") if self.nullable else (self.name,)
