"""Do the customers that are decided for still look as they did? The population stability index of every feature.

PSI = sum over bins (p - q) log(p / q), of the newest day's customers against those of the four weeks before the last
one; bins are tenths of the earlier values, each level of a category, and what is missing. Above 0.25 a population is
commonly held to have changed (Siddiqi 2006, "Credit Risk Scorecards"); here it must also be twice what the earlier
weeks moved by themselves, less what chance makes of so few customers. A feature that is the same for everybody on a day
(a calendar, a price) says nothing of customers and is left out. Not here: rates (rates.py).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from campaignrl.arrays import Float, Int
from campaignrl.ledger import SEEN
from campaignrl.monitor.reading import FRESH_DAYS, Window

SHIFTED, TIMES = 0.25, 2.0
BINS = 10
FEWEST = 100  # customers of a day
LEAST_SHARE = 1e-4  # of a bin, so that an empty one has a logarithm


class Drift(NamedTuple):
    """A feature as it stands: psi of the newest day, and what it would have to exceed."""

    feature: str
    psi: float
    limit: float
    customers: int


def drifts(window: Window) -> list[Drift]:
    """Every feature that can be judged, the furthest moved first."""
    rows = window.decisions
    days = rows["day"].to_numpy(dtype=np.int64)
    earlier = days < window.today - FRESH_DAYS
    newest = days == (days.max() if len(days) else -1)
    if earlier.sum() < FEWEST or newest.sum() < FEWEST or days.max() < window.today - FRESH_DAYS:
        return []
    found = [_drift(rows[name], days, earlier, newest, name.removeprefix(SEEN)) for name in window.seen]
    return sorted((one for one in found if one is not None), key=lambda one: one.limit - one.psi)


def _drift(column: pd.Series, days: Int, earlier: np.ndarray, newest: np.ndarray, name: str) -> Drift | None:
    codes, bins = _binned(column, earlier)
    if _is_of_the_day(column, days, earlier):
        return None
    base = _shares(codes[earlier], bins)
    own = [_psi(_shares(codes[days == day], bins), base) for day in np.unique(days[earlier])[-1::-FRESH_DAYS]]
    many = int(newest.sum())
    noise = (bins - 1) * (1.0 / many + 1.0 / int(earlier.sum()))
    psi = max(0.0, _psi(_shares(codes[newest], bins), base) - noise)
    return Drift(name, psi, max(SHIFTED, TIMES * max(own)), many)


def _binned(column: pd.Series, earlier: np.ndarray) -> tuple[Int, int]:
    """(n,) bin of each value and how many there are; the last is of what is missing, the one before of what is new."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        values = column.to_numpy(dtype=np.float64)
        known = values[earlier & np.isfinite(values)]
        edges = np.unique(np.quantile(known, np.arange(1, BINS) / BINS)) if len(known) else np.empty(0)
        codes = np.searchsorted(edges, values, side="right")
        return np.where(np.isfinite(values), codes, len(edges) + 2), len(edges) + 3
    codes, levels = pd.factorize(column.astype("str").replace("", None))
    old = np.unique(codes[earlier])
    place = np.searchsorted(old[old >= 0], codes)
    known = np.isin(codes, old)
    many = len(levels)
    return np.where(codes < 0, many + 1, np.where(known, place, many)), many + 2


def _is_of_the_day(column: pd.Series, days: Int, earlier: np.ndarray) -> bool:
    """Whether everybody has the same value on each day."""
    first = np.unique(days, return_index=True)[1]
    codes, _ = pd.factorize(column)
    return bool((codes == np.repeat(codes[first], np.diff([*first, len(codes)])))[earlier].all())


def _shares(codes: Int, bins: int) -> Float:
    found: Float = np.bincount(codes, minlength=bins) / max(len(codes), 1)
    return found


def _psi(now: Float, base: Float) -> float:
    p, q = np.maximum(now, LEAST_SHARE), np.maximum(base, LEAST_SHARE)
    return float(((p - q) * np.log(p / q)).sum())
