"""Has a rate left the band it was in? Bounds that hold at every look, of the last days against the weeks before.

Each of the last seven days begins a window of its own, with a confidence sequence that runs while it is looked at
(restarts every day, so that a fault of yesterday is not averaged away; Shin, Ramdas & Rinaldo 2023, "E-detectors"). The
band is what four earlier weeks bound, wider by what is tolerated: a fifth, or three times what those days differed by
beyond chance. An alarm is a window whose bounds lie outside the band. Where the rate stays within what is
tolerated of its mean, a year of mornings raises one with chance `alpha` at most, over all that is counted together. Not
here: the bounds themselves (ope/intervals), what is counted (series.py).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Float, Int
from campaignrl.monitor.reading import BASE_DAYS, FRESH_DAYS
from campaignrl.monitor.series import Series
from campaignrl.ope.intervals import anytime_bounds, ever_excluded

YEAR = 365  # mornings that share alpha
TOLERATED, SPREADS = 0.2, 3.0  # share of the rate; standard deviations of its own days
FEWEST_DAYS = 14  # with trials, for a band
OK, ALARM, UNKNOWN = "ok", "alarm", "unknown"


class Rate(NamedTuple):
    """A rate as it stands.

    base, low, high: of the earlier weeks, and the band; NaN before there is one.
    now: of the window that is told: the alarm's, else the longest. since: its first day.
    shows_in: days after which a loss of half would be an alarm; None: not within the days that are looked at.
    days, means, trials: of every day.
    """

    name: str
    state: str
    base: float
    low: float
    high: float
    now: float
    now_low: float
    now_high: float
    since: int
    shows_in: int | None
    days: Int
    means: Float
    trials: Int


def rate_of(series: Series, today: int, alpha: float) -> Rate:
    """The rate on a morning. alpha: of this series and morning."""
    base = series.between(today - FRESH_DAYS - BASE_DAYS, today - FRESH_DAYS)
    fresh = series.between(today - FRESH_DAYS, today)
    daily = by_day(series.between(today - FRESH_DAYS - BASE_DAYS, today))
    days, means, many = daily
    if len(by_day(base)[0]) < FEWEST_DAYS:
        return _unknown(series.name, daily, today)
    low, high = _band(base, alpha / 2)
    if not len(fresh.day):
        unknown = _unknown(series.name, daily, today)
        return unknown._replace(base=float(base.value.mean()), low=low, high=high)
    since, is_out = _furthest(fresh, low, high, alpha / 2)
    told = fresh.between(since, today)
    return Rate(
        series.name,
        ALARM if is_out else OK,
        float(base.value.mean()),
        low,
        high,
        float(told.value.mean()),
        *_bounds(told, alpha / 2),
        since,
        _shows_in(base, low, alpha / 2),
        days,
        means,
        many,
    )


def by_day(series: Series) -> tuple[Int, Float, Int]:
    """(d,) days with trials, the mean of each, how many they had."""
    days, first, many = np.unique(series.day, return_index=True, return_counts=True)
    sums = np.add.reduceat(series.value, first) if len(days) else np.empty(0)
    return days, sums / np.maximum(many, 1), many


def _band(base: Series, alpha: float) -> tuple[float, float]:
    """What the rate may be: bounds of the base, wider by what is tolerated."""
    low, high = _bounds(base, alpha)
    more = max(TOLERATED, SPREADS * _spread(base))
    mean = abs(float(base.value.mean()))
    return low - more * mean, high + more * mean


def _spread(base: Series) -> float:
    """Relative standard deviation of daily means beyond what chance explains (DerSimonian & Laird 1986, by moments).

    Days weigh as many trials as they have.
    """
    _, means, many = by_day(base)
    whole, within = float(base.value.mean()), float(np.var(base.value))
    n = many.astype(np.float64)
    room = n.sum() - (n**2).sum() / n.sum()
    if whole == 0.0 or room <= 0.0:
        return 0.0
    beyond = ((n * (means - whole) ** 2).sum() - (len(n) - 1) * within) / room
    return float(np.sqrt(max(0.0, beyond))) / abs(whole)


def _furthest(fresh: Series, low: float, high: float, alpha: float) -> tuple[int, bool]:
    """(first day, whether it is outside the band) of the window that says most: the furthest out, else the longest."""
    out = []
    for since in np.unique(fresh.day):
        part = fresh.between(int(since), int(fresh.day[-1]) + 1)
        mean = float(part.value.mean())
        edge = low if mean < low else high
        if not low <= mean <= high and _is_beyond(part, edge, alpha):
            out.append((abs(mean - edge), -int(since)))
    return (-max(out)[1], True) if out else (int(fresh.day[0]), False)


def _is_beyond(part: Series, edge: float, alpha: float) -> bool:
    """Whether the window's bounds leave out the edge of the band that its mean lies beyond."""
    unit = (part.value - part.least) / (part.most - part.least)
    at = (edge - part.least) / (part.most - part.least)
    return bool(ever_excluded(np.ones(len(unit)), unit, at, alpha, np.array([len(unit) - 1])))


def _bounds(series: Series, alpha: float) -> tuple[float, float]:
    low, high = anytime_bounds(
        np.ones(len(series.value)), series.value, alpha, (series.least, series.most), looks=np.array([-1])
    )
    return float(low[0]), float(high[0])


def _shows_in(base: Series, low: float, alpha: float) -> int | None:
    """Days until the bounds leave the band downwards, if of the base's last days every second event were lost."""
    last = np.unique(base.day)[-FRESH_DAYS:]
    part = base.between(int(last[0]), int(last[-1]) + 1)
    if low <= part.least:
        return None
    hit = np.flatnonzero(part.value)
    value = part.value.copy()
    value[hit[::2]] = 0.0
    ends = np.searchsorted(part.day, last, side="right") - 1
    _, high = anytime_bounds(np.ones(len(value)), value, alpha, (part.least, part.most), looks=ends)
    shown = np.flatnonzero(high < low)
    return int(shown[0]) + 1 if len(shown) else None


def _unknown(name: str, daily: tuple[Int, Float, Int], today: int) -> Rate:
    nothing = float("nan")
    return Rate(name, UNKNOWN, *(nothing,) * 6, today, None, *daily)
