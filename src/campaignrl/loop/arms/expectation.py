"""What a customer may be expected to bring: how often they order, times what an order is worth, if still there.

Of the days before a step of a trial, from profiles: each customer's own rate and order, drawn towards those of their
segment where they ordered seldom; the same less, the longer they have been silent; and all of it by signs of life:
opens, clicks, the last visit. Columns of which the regression of the test takes what helps. Not here: orders of the
last days (cohort.py).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from campaignrl.arrays import Float, Int64
from campaignrl.tables import ID

READ = ("orders", "tenure_days", "recency_days", "basket_mean")  # of a profile: all of them, or nothing is expected
FEWEST = 20  # customers of a segment that has a mean of its own
LIKE_THE_SEGMENT = 0.6  # orders of the segment's rate that each customer's own are joined by
ONE_ORDER = 1.0  # of the segment's mean value, by which a customer's own are joined
SHORTEST = 30.0  # days over which the orders of a new customer are spread
SILENCES = (60.0, 120.0, 240.0)  # days without an order after which a third is expected still
ABSENCES = (7.0, 30.0)  # days without a visit, likewise
MOST_OPENS = 3.0  # of a month, that tell something


def expected(profiles: pd.DataFrame, newest: pd.DataFrame | None, day: pd.Timestamp) -> dict[str, Float]:
    """Columns (n,) by name; none where the profiles do not say what it takes. newest: as of `cohort_of`."""
    if not set(READ) <= set(profiles.columns):
        return {}
    values = _values(profiles)
    found = {f"expected_{name}": value for name, value in values.items()}
    for sign, told in _signs(profiles, newest, day).items():
        found[f"sign_{sign}"] = told
        found |= {f"sign_{sign}_{name}": told * value for name, value in values.items()}
    return found


def _values(profiles: pd.DataFrame) -> dict[str, Float]:
    """Money a day, by several beliefs of how fast who is silent has gone."""
    orders, tenure, silent, basket = (_numbers(profiles, name) for name in READ)
    orders, tenure = np.nan_to_num(orders), np.maximum(np.nan_to_num(tenure), SHORTEST)
    silent = np.where(np.isfinite(silent), silent, tenure)
    spent, of = np.nan_to_num(basket * orders), _segments(profiles)
    worth = (spent + ONE_ORDER * _ratio(spent, orders, of)) / (orders + ONE_ORDER)
    usual = _ratio(orders, tenure, of)
    usual = np.where(usual > 0.0, usual, 1.0 / tenure)  # where nobody ever ordered
    ever = (LIKE_THE_SEGMENT + orders) / (LIKE_THE_SEGMENT / usual + tenure)
    seen = np.maximum(tenure - silent, 0.0) + SHORTEST  # days on which they were there for certain
    while_there = (LIKE_THE_SEGMENT + orders) / (LIKE_THE_SEGMENT / ever.mean() + seen)
    there = np.exp(-silent * while_there)
    money = ever * worth
    return {
        "order": worth,
        "ever": money,
        "ever_silent": money * np.log1p(silent),
        "while_there": while_there * worth,
        "ever_there": there * money,
        "while_there_there": there * while_there * worth,
        **{f"silent_{days:.0f}": money * np.exp(-silent / days) for days in SILENCES},
    }


def _signs(profiles: pd.DataFrame, newest: pd.DataFrame | None, day: pd.Timestamp) -> dict[str, Float]:
    """What says that somebody is there, of what the exports tell of."""
    found = {}
    for name, told in (("opens_30d", lambda x: np.minimum(x, MOST_OPENS)), ("clicks_30d", np.sign)):
        many = _numbers(profiles, name) if name in profiles else np.array([])
        if np.isfinite(many).any():
            found[name] = told(np.nan_to_num(many))
    if newest is not None and "visit" in newest and newest["visit"].notna().any():
        last = newest.set_index(ID)["visit"].reindex(profiles[ID].astype(str))
        away = (day - last).dt.total_seconds().to_numpy(dtype=np.float64) / 86_400.0
        found |= {f"visit_{days:.0f}": np.nan_to_num(np.exp(-away / days)) for days in ABSENCES}
    return found


def _segments(profiles: pd.DataFrame) -> Int64:
    """(n,) number of each customer's segment; small ones, and none, are one."""
    if "segment" not in profiles:
        return np.zeros(len(profiles), dtype=np.int64)
    counts = profiles["segment"].value_counts().sort_index()
    large = pd.Index(counts.index[counts >= FEWEST])
    found: Int64 = large.get_indexer(pd.Index(profiles["segment"])).astype(np.int64) + 1
    return found


def _ratio(above: Float, below: Float, of: Int64) -> Float:
    """(n,) sum over sum in each customer's segment."""
    sums = [np.bincount(of, weights=part) for part in (above, below)]
    return (sums[0] / np.maximum(sums[1], 1e-12))[of]


def _numbers(profiles: pd.DataFrame, name: str) -> Float:
    return pd.to_numeric(profiles[name], errors="coerce").to_numpy(dtype=np.float64)
