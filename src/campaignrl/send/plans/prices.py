"""Prices of a plan by value, as `campaignrl decide --allocate value --json` says them: for who comes after the plan.

Not here: a policy at prices (policies/priced.py), how they are found (guard/dual_prices.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from campaignrl.errors import Problem, UsageError

SAID = "plan_by_value"  # of the answer of `decide`
FIX = "Make it: campaignrl decide ... --allocate value --json > plan.json."


class Prices(NamedTuple):
    """of: by name what one more minor unit, send or piece would bring; explore: share who draw among all allowed."""

    of: Mapping[str, float]
    explore: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; `from_dict` is its inverse."""
        return {"prices": dict(sorted(self.of.items())), "explore": self.explore}

    @classmethod
    def from_dict(cls, told: object, where: str) -> Prices:
        """Of the answer of `decide`, or of what `to_dict` gave; UsageError for anything else."""
        told = told.get(SAID, told) if isinstance(told, Mapping) else told
        prices = told.get("prices") if isinstance(told, Mapping) else None
        share = told.get("explore", 0.0) if isinstance(told, Mapping) else 0.0
        numbers = [share, *(prices.values() if isinstance(prices, Mapping) else [None])]
        if not isinstance(prices, Mapping) or not all(type(one) in (int, float) for one in numbers):
            raise UsageError(Problem(where, "prices", prices, "numbers by name, of a plan by value", FIX))
        return cls({str(name): float(price) for name, price in prices.items()}, float(share))


def read_prices(path: str | Path) -> Prices:
    """The prices of a file.

    Raises:
        UsageError: it is not there, or holds none.
    """
    try:
        told = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as wrong:
        said = str(wrong).partition("\n")[0]
        raise UsageError(Problem("prices", "file", str(path), f"JSON that can be read: {said}", FIX)) from None
    return Prices.from_dict(told, str(path))
