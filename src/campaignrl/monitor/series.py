"""What is counted day by day: of every trial whether, or how much, something came of it on the same day.

    outcomes                       all of them together, of those that earlier weeks lead one to expect (expected.py)
    order, margin                  of every customer decided for: did they order, what did it bring; on a day of which
                                   the world's calendar says that twice as much is bought, half of it
    sends@C                        of the same: is something sent on channel C
    blocked, fallback              of every decision: did a rule refuse something, did the declared fallback decide
    open@C click@C unsubscribe@C   of every send on C: answered on its day
    complaint@C, not_made@C        of every send on C: a complaint among the permissions taken away; a failed hand-over

Of a long list of customers a share is looked at, always the same ones. Not here: what is judged (rates.py).
n trials in the order of days.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from campaignrl import rng
from campaignrl.arrays import Bool, Float, Int
from campaignrl.monitor.expected import Opportunities, together
from campaignrl.monitor.reading import BASE_DAYS, FRESH_DAYS, Window
from campaignrl.rng import Purpose

MOST = 20_000  # trials of a day that are looked at, about
ANSWERS = ("open", "click", "unsubscribe")
COMPLAINT = re.compile("complain|spam|abuse|投诉|举报", re.IGNORECASE)
FALLBACK = re.compile(r"\bfallback\b", re.IGNORECASE)
WIDTH = 1 << 24  # days, of a key of customer and day
EXTREME = 0.999  # quantile of amounts of the past, beyond which an amount counts as that much


class Series(NamedTuple):
    """One thing that is counted; value: of each trial, between least and most."""

    name: str
    day: Int
    value: Float
    least: float = 0.0
    most: float = 1.0

    def between(self, first: int, end: int) -> Series:
        """The trials of the days from first to the one before end."""
        low, high = np.searchsorted(self.day, [first, end])
        return self._replace(day=self.day[low:high], value=self.value[low:high])


class _Rows(NamedTuple):
    """Decisions of the customers that are looked at, as numbers; outcomes of theirs."""

    decisions: pd.DataFrame
    outcomes: pd.DataFrame
    refusals: pd.DataFrame


def series_of(window: Window, minor_per_unit: int) -> Iterator[Series]:
    """Everything that is counted; the last day is the newest of which outcomes are known."""
    rows = _numbered(window)
    decisions, outcomes = rows.decisions, rows.outcomes
    known = decisions[decisions["day"] <= window.told]
    people = known.drop_duplicates("key")
    factor = window.calendar_of(people["day"].to_numpy(dtype=np.int64))
    orders = outcomes[outcomes["kind"] == "order"]
    ordered = _share("order", people, np.isin(people["key"], orders["key"]))
    yield ordered._replace(value=ordered.value / factor, most=1.0 / float(factor.min(initial=1.0)))
    yield _margin(people, outcomes, window, minor_per_unit, factor)
    yield _together(rows, window, people, ordered, factor)
    yield _share("blocked", decisions, decisions["blocked"].fillna("").astype(str).ne("").to_numpy())
    yield _share("fallback", decisions, _fell_back(decisions))
    sends = decisions[decisions["action"] != 0]
    for channel in sorted(set(sends["channel"])):
        here = sends[sends["channel"] == channel]
        yield _share(f"sends@{channel}", people, np.isin(people["key"], here["key"]))
        yield _share(f"not_made@{channel}", here, here["decision_id"].isin(window.failed).to_numpy())
        made = here[~here["decision_id"].isin(window.failed) & (here["day"] <= window.told)].drop_duplicates("key")
        for kind in ANSWERS:
            answered = outcomes[(outcomes["kind"] == kind) & outcomes["channel"].isin([channel, ""])]
            yield _share(f"{kind}@{channel}", made, np.isin(made["key"], answered["key"]))
        angry = rows.refusals[rows.refusals["channel"].isin([channel, "*"])]
        yield _share(f"complaint@{channel}", made, np.isin(made["key"], angry["key"]))


def _numbered(window: Window) -> _Rows:
    """The rows of the customers that are looked at, each with the key of its customer and day."""
    ids = pd.Index(pd.unique(window.decisions["customer_id"].astype(str)))
    days = max(window.decisions["day"].nunique(), 1)
    share = min(1.0, MOST * days / max(len(window.decisions), 1))
    chance = rng.uniform(rng.customer_keys(ids.to_numpy(dtype=object)), 0, 0, Purpose.RESAMPLE)
    taken = ids[chance < share]
    angry = window.refusals["source"].fillna("").astype(str).str.contains(COMPLAINT)
    return _Rows(*(_keyed(f, taken) for f in (window.decisions, window.outcomes, window.refusals[angry])))


def _keyed(frame: pd.DataFrame, ids: pd.Index) -> pd.DataFrame:
    place = ids.get_indexer(pd.Index(frame["customer_id"].astype(str)))
    kept = frame[place >= 0]
    found: pd.DataFrame = kept.assign(key=place[place >= 0].astype(np.int64) * WIDTH + kept["day"].astype(np.int64))
    return found


def _share(name: str, trials: pd.DataFrame, hit: Bool) -> Series:
    return Series(name, trials["day"].to_numpy(dtype=np.int64), np.asarray(hit, dtype=np.float64))


def _margin(people: pd.DataFrame, outcomes: pd.DataFrame, window: Window, minor_per_unit: int, factor: Float) -> Series:
    """Margin of the day, currency; extremes count as the quantile of earlier days, so that one order is not a week."""
    summed = outcomes.groupby("key")["margin"].sum() / minor_per_unit
    value = people["key"].map(summed).fillna(0.0).to_numpy(dtype=np.float64) / factor
    day = people["day"].to_numpy(dtype=np.int64)
    earlier = value[(day < window.today - FRESH_DAYS) & (value != 0.0)]
    least = min(0.0, float(np.quantile(earlier, 1.0 - EXTREME))) if len(earlier) else 0.0
    most = max(1e-9, float(np.quantile(earlier, EXTREME))) if len(earlier) else 1.0
    return Series("margin", day, np.clip(value, least, most), least, most)


def _together(rows: _Rows, window: Window, people: pd.DataFrame, ordered: Series, factor: Float) -> Series:
    """All outcomes of customers and sends, of those that are expected."""
    plain = pd.Series("order", index=people.index)
    parts = [Opportunities(ordered.day, plain, ordered.value > 0.0, factor)]
    sends = rows.decisions[(rows.decisions["action"] != 0) & (rows.decisions["day"] <= window.told)]
    sends = sends[~sends["decision_id"].isin(window.failed)].drop_duplicates("key")
    day, kind = sends["day"].to_numpy(dtype=np.int64), sends["action"].astype(str)
    for answer in ("open", "click"):
        hit = np.isin(sends["key"], rows.outcomes["key"][rows.outcomes["kind"] == answer])
        parts.append(Opportunities(day, kind, hit, np.ones(len(day))))
    first = window.today - FRESH_DAYS - BASE_DAYS
    found = together(parts, (first, first + BASE_DAYS))
    return Series("outcomes", found[0], found[1], 0.0, found[2])


def _fell_back(decisions: pd.DataFrame) -> Bool:
    """Decisions that say so in their reason or in the name of their policy."""
    said = decisions["reason"].fillna("").astype(str) + " " + decisions["policy_id"].fillna("").astype(str)
    found: Bool = said.str.contains(FALLBACK).to_numpy()
    return found
