"""Do the feeds still come: decisions, and each kind of outcome? And how old is the policy that decides?

A feed has stopped where it has been silent for longer than ever in the weeks before, and for so long that chance would
hardly explain it. Not here: feeds that bring less than they did (rates.py).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from campaignrl.arrays import Int
from campaignrl.monitor.reading import BASE_DAYS, FRESH_DAYS, Window

OFTEN = 7  # days with rows in the weeks before, below which a feed has no rhythm


class Feed(NamedTuple):
    """A feed: days since its newest row, and how many would be too many; usual: rows a day."""

    name: str
    silent: int
    limit: int
    usual: float


def feeds_of(window: Window, alpha: float) -> list[Feed]:
    """Decisions, and every kind of outcome that came regularly. alpha: of a false alarm of each."""
    found = [_feed("decisions", window.decisions["day"], window.today, alpha)]
    kinds = window.outcomes.groupby("kind")["day"]
    found += [_feed(str(kind), days, window.today, alpha) for kind, days in kinds]
    return [one for one in found if one is not None]


def age_of(window: Window) -> tuple[str, int] | None:
    """(hash, days since its first decision) of the policy that decided most on the newest day; None before any."""
    rows = window.decisions
    if not len(rows):
        return None
    newest = rows[rows["day"] == rows["day"].max()]
    model = str(newest["policy_hash"].value_counts().index[0])
    return model, window.today - window.models.get(model, window.today)


def _feed(name: str, days: pd.Series, today: int, alpha: float) -> Feed | None:
    every: Int = np.unique(days.to_numpy(dtype=np.int64))
    before = every[every < today - FRESH_DAYS]
    if len(before) < OFTEN:
        return None
    usual = float((days < today - FRESH_DAYS).sum()) / BASE_DAYS
    gap = int(np.diff(before).max()) if len(before) > 1 else BASE_DAYS
    by_chance = math.ceil(-math.log(alpha) / usual)  # days without a row of a Poisson feed, less often than alpha
    return Feed(name, today - int(every[-1]), max(gap, by_chance), usual)
