"""All outcomes together, of those that earlier weeks lead one to expect: the sharpest look at a feed that loses some.

An opportunity is a customer's day (to order) or a send (to be opened, clicked); how often it comes to something is
taken from the four earlier weeks, by channel and offer, on the world's calendar for orders. Opportunities of a day are
put together until a tenth of an outcome is expected of them: one trial, whose mean is 1 whatever is sent on that day.
Not here: each rate by itself (series.py), bounds (rates.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from campaignrl.arrays import Bool, Float, Int

EACH = 0.1  # outcomes expected of a trial
COUNTED = 2  # of a trial; more are hardly ever there


class Opportunities(NamedTuple):
    """m of one kind; day: in order; kind: of those that come to something equally often; hit: whether it did."""

    day: Int
    kind: pd.Series
    hit: Bool
    factor: Float


def together(parts: list[Opportunities], base: tuple[int, int]) -> tuple[Int, Float, float]:
    """(day, value, most) of trials in the order of days. base: first day of the earlier weeks, and the one after."""
    rows = [_exposed(part, base) for part in parts]
    day = np.concatenate([one[0] for one in rows]) if rows else np.empty(0, dtype=np.int64)
    hit = np.concatenate([one[1] for one in rows]) if rows else np.empty(0)
    expected = np.concatenate([one[2] for one in rows]) if rows else np.empty(0)
    order = np.argsort(day, kind="stable")
    trials = list(_trials(day[order], hit[order], expected[order]))
    if not trials:
        return np.empty(0, dtype=np.int64), np.empty(0), 1.0
    days, values = (np.concatenate(parts) for parts in zip(*trials, strict=True))
    return days, np.minimum(values, COUNTED) / EACH, COUNTED / EACH


def _exposed(part: Opportunities, base: tuple[int, int]) -> tuple[Int, Float, Float]:
    """(day, hit, expected) of the opportunities of which earlier weeks know how often they come to something."""
    earlier = (part.day >= base[0]) & (part.day < base[1])
    hits = pd.Series(part.hit[earlier].astype(np.float64)).groupby(part.kind[earlier].to_numpy()).sum()
    room = pd.Series(part.factor[earlier]).groupby(part.kind[earlier].to_numpy()).sum()
    rate = part.kind.map(hits / room).fillna(0.0).to_numpy(dtype=np.float64)
    known = rate > 0.0
    return part.day[known], part.hit[known].astype(np.float64), (rate * part.factor)[known]


def _trials(day: Int, hit: Float, expected: Float) -> Iterator[tuple[Int, Float]]:
    """(day, outcomes) of each trial of a day; what is left at its end is no trial."""
    for one in np.unique(day):
        low, high = np.searchsorted(day, [one, one + 1])
        bundle = np.floor(np.cumsum(expected[low:high]) / EACH).astype(np.int64)
        many = int(bundle[-1])
        if many:
            counted = np.bincount(bundle, weights=hit[low:high], minlength=many + 1)[:many]
            yield np.full(many, one, dtype=np.int64), counted.astype(np.float64)
