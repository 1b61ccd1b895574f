"""Prices of a plan by value, for who comes after it: as `campaignrl decide --json` says them, or a ledger keeps them.

Not here: a policy at prices (policies/priced.py), how they are found (guard/dual_prices.py), the keeping (ledger/).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from campaignrl.errors import Problem, UsageError
from campaignrl.ledger import FACTS, newest_plan

SAID = "plan_by_value"  # of the answer of `decide`
LEDGER = "ledger"  # folder of it in a campaign's
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
    """The prices of a file; of a ledger, or of a campaign's folder: those of its newest plan by value.

    Raises:
        UsageError: it is not there, or holds none.
    """
    place = Path(path)
    if place.is_dir():
        newest = newest_plan(_ledger_in(place))
        if newest is None:
            fix = (
                "Let a plan by value be committed: campaignrl decide --ledger --allocate value, or campaignrl approve."
            )
            raise UsageError(Problem("prices", "folder", str(path), "a ledger with a plan by value", fix))
        place = newest
    try:
        told = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError) as wrong:
        said = str(wrong).partition("\n")[0]
        raise UsageError(Problem("prices", "file", str(place), f"JSON that can be read: {said}", FIX)) from None
    return Prices.from_dict(told, str(place))


def _ledger_in(folder: Path) -> Path:
    return folder if (folder / FACTS).is_file() else folder / LEDGER
