"""What a world's file says of customers who arrive during the campaign."""

from __future__ import annotations

from pydantic import model_validator

from campaignrl.errors import Problem, SpecError
from campaignrl.quantities import Share
from campaignrl.toml import Spec

WEEK = 7  # days


class Arrivals(Spec):
    """New customers, evenly over the days of the campaign; before they arrive nobody knows them.

    Give one of `per_day` and `per_week`: how many arrive, as a share of the file that the campaign starts with.
    """

    per_day: Share | None = None
    per_week: Share | None = None
    segments: dict[str, Share] = {}  # share of the arrivals that each segment makes up; empty: as in the file

    @model_validator(mode="after")
    def _sound(self) -> Arrivals:
        problems = []
        if (self.per_day is None) == (self.per_week is None):
            given = [name for name in ("per_day", "per_week") if getattr(self, name) is not None]
            problems.append(Problem("[arrivals]", "per_day, per_week", given, "one of the two"))
        total = round(sum(self.segments.values()), 6)
        if self.segments and abs(total - 1.0) > 1e-6:
            problems.append(Problem("[arrivals.segments]", "sum of shares", total, "1", "They add up to 1."))
        if problems:
            raise SpecError(problems)
        return self

    def share_over(self, days: int) -> float:
        """Arrivals within so many days, as a share of the file at the start."""
        return days * (self.per_day if self.per_day is not None else (self.per_week or 0.0) / WEEK)
