"""How close simulated customers come to real ones: one row a figure, each with its tolerance, and why it was missed.

`luck` is the distance that a simulated sample of the real one's size keeps to all simulated ones, in 95 of 100: what
lies below it cannot be told from the world itself. Tolerances were set before any comparison. Not here: what is counted
(summaries.py, engagement.py), telling real from simulated customers (classifier_two_sample.py), pictures (report/).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from campaignrl.arrays import Float
from campaignrl.calibration.realism.classifier_two_sample import classifier_auc
from campaignrl.calibration.realism.summaries import CustomerSummaries, customer_summaries
from campaignrl.calibration.response import RESPONSES, Engagement, engagement_of_events
from campaignrl.errors import UsageError
from campaignrl.tables.files import write_whole

LAGS = 4  # weeks, of the autocorrelation
DIP = (0.04, 0.25)  # van Heerde, Leeflang & Wittink 2000

# Largest distance that passes. Kolmogorov-Smirnov distances, shares and AUC in their own unit; "relative" of the real.
TOLERANCES = {
    "orders in the window": 0.05,  # relative
    "mean orders a customer": 0.05,  # relative
    "variance of orders": 0.15,  # relative
    "orders a customer": 0.03,  # KS, as the next four
    "days between orders": 0.03,
    "days since the last order": 0.03,
    "irregularity of gaps": 0.01,  # variance of gap / (gap + next gap)
    "order value": 0.03,
    "spend a customer": 0.03,
    "top-tenth share of spend": 0.03,
    "monthly retention": 0.02,  # mean absolute error
    "weekly autocorrelation": 0.10,  # mean absolute error over lags 1 to 4
    "told apart (AUC)": 0.15,  # above one half
    "delivered by sends of the week": 0.02,  # mean absolute error, weighted by the real sends; as the next three
    "opened by sends of the week": 0.02,
    "clicked by sends of the week": 0.02,
    "unsubscribed by sends of the week": 0.02,
    "redemption a send": 0.02,
    "dip after an order on an offer": 0.0,  # outside of 4 to 25 %
}


class Row(NamedTuple):
    """One figure."""

    name: str
    real: float
    simulated: float
    distance: float
    luck: float  # nan: not known
    tolerance: float
    ok: bool
    why: str  # of a miss


class Compared(NamedTuple):
    """One side of the comparison."""

    customer_summaries: CustomerSummaries
    engagement: Engagement | None


@dataclass(frozen=True, slots=True)
class Scorecard:
    """All rows, and what the pictures need."""

    rows: tuple[Row, ...]
    real: Compared
    simulated: tuple[Compared, ...]  # samples, each of about the real one's size

    def table(self) -> pd.DataFrame:
        """One row a figure."""
        return pd.DataFrame(self.rows, columns=list(Row._fields))

    @property
    def missed(self) -> tuple[Row, ...]:
        """The figures outside their tolerance."""
        return tuple(row for row in self.rows if not row.ok)

    def to_json(self) -> str:
        """One object: rows as objects, null where a figure cannot be had."""
        rows = [{k: None if v != v else v for k, v in row._asdict().items()} for row in self.rows]
        facts = {
            "customers": len(self.real.customer_summaries.customers),
            "samples": len(self.simulated),
            "within": len(self.rows) - len(self.missed),
            "rows": rows,
        }
        return json.dumps(facts, indent=2, ensure_ascii=False)

    def write(self, path: str | Path) -> None:
        """The JSON as a file."""
        text = (self.to_json() + "\n").encode()

        def put(out: BinaryIO) -> None:
            out.write(text)

        write_whole(path, put)


def scorecard(
    real: pd.DataFrame,
    simulated: pd.DataFrame | Sequence[pd.DataFrame],
    end: str | pd.Timestamp,
    start: str | pd.Timestamp | None = None,
    reasons: Mapping[str, str] | None = None,
    tolerances: Mapping[str, float] | None = None,
) -> Scorecard:
    """Real events against one or more simulated samples of them, in the window from `start` to `end` (days included).

    start: None for everything after each customer's first order. reasons: why a figure may be missed, by its name.
    """
    frames = [simulated] if isinstance(simulated, pd.DataFrame) else list(simulated)
    if not frames:
        raise UsageError("a scorecard needs at least one simulated sample.")
    sides = [
        Compared(customer_summaries(frame, end, start), engagement_of_events(_until(frame, end)))
        for frame in (real, *frames)
    ]
    return compare(sides[0], sides[1:], reasons, tolerances)


def compare(
    real: Compared,
    simulated: Sequence[Compared],
    reasons: Mapping[str, str] | None = None,
    tolerances: Mapping[str, float] | None = None,
) -> Scorecard:
    """The scorecard of behaviours that are already counted."""
    allowed = {**TOLERANCES, **(tolerances or {})}
    rows = []
    for name, told in _figures(real, simulated):
        if np.isnan(told.distance):  # the data cannot say
            continue
        ok = bool(told.distance <= allowed[name] + 1e-12)
        by_luck = told.distance <= told.luck
        chance = "within what luck does to a sample of this size" if by_luck else ""
        why = "" if ok else "; ".join(part for part in (chance, (reasons or {}).get(name, "")) if part)
        rows.append(Row(name, told.real, told.simulated, told.distance, told.luck, allowed[name], ok, why))
    return Scorecard(tuple(rows), real, tuple(simulated))


class _Told(NamedTuple):
    real: float
    simulated: float
    distance: float
    luck: float


def _figures(real: Compared, simulated: Sequence[Compared]) -> list[tuple[str, _Told]]:
    lives = [side.customer_summaries for side in simulated]
    told = [(name, _scalar(real.customer_summaries, lives, figure, relative)) for name, figure, relative in SCALARS]
    told += [(name, _distribution(real.customer_summaries, lives, values)) for name, values in DISTRIBUTIONS]
    told += [("monthly retention", _curve(real.customer_summaries, lives, _retention))]
    told += [("weekly autocorrelation", _curve(real.customer_summaries, lives, lambda b: _autocorrelation(b.weekly)))]
    auc = classifier_auc(real.customer_summaries, lives)
    told += [("told apart (AUC)", _Told(0.5, auc, auc - 0.5, np.nan))]
    heard = [side.engagement for side in simulated if side.engagement is not None]
    return told + (_engagement_figures(real.engagement, heard) if real.engagement is not None and heard else [])


def _engagement_figures(real: Engagement, simulated: Sequence[Engagement]) -> list[tuple[str, _Told]]:
    told = []
    for kind in RESPONSES:
        rates = np.array([side.rates[kind] for side in simulated])
        weight = np.where(np.isnan(real.rates[kind]) | np.isnan(rates).all(axis=0), 0.0, real.sends)
        if not weight.sum():
            continue
        middle = np.nanmean(np.where(np.isnan(rates).all(axis=0), 0.0, rates), axis=0)
        gap = float(np.average(np.abs(np.nan_to_num(real.rates[kind]) - middle), weights=weight))
        mine, theirs = (float(np.average(np.nan_to_num(r), weights=weight)) for r in (real.rates[kind], middle))
        told.append((f"{kind} by sends of the week", _Told(mine, theirs, gap, np.nan)))
    if not np.isnan(real.redemption):
        middle = float(np.mean([side.redemption for side in simulated]))
        told.append(("redemption a send", _Told(real.redemption, middle, abs(real.redemption - middle), np.nan)))
    dips = [side.dip for side in simulated if not np.isnan(side.dip)]
    if dips:
        middle = float(np.mean(dips))
        outside = max(DIP[0] - middle, middle - DIP[1], 0.0)
        told.append(("dip after an order on an offer", _Told(real.dip, middle, outside, np.nan)))
    return told


def top_share(values: Float) -> float:
    """Share of the total that the tenth of the customers with the most have."""
    total = values.sum()
    return float(np.sort(values)[::-1][: max(len(values) // 10, 1)].sum() / total) if total > 0 else 0.0


def distance(one: Float, other: Float) -> float:
    """Kolmogorov-Smirnov distance of two samples, ties included; 1 where either is empty."""
    if not len(one) or not len(other):
        return 1.0
    points = np.unique(np.concatenate([one, other]))
    shares = [np.searchsorted(np.sort(x), points, "right") / len(x) for x in (one, other)]
    return float(np.abs(shares[0] - shares[1]).max())


def _spend(b: CustomerSummaries) -> Float:
    return b.spend


SCALARS: tuple[tuple[str, Callable[[CustomerSummaries], float], bool], ...] = (
    ("orders in the window", lambda b: float(b.counts.sum()), True),
    ("mean orders a customer", lambda b: float(b.counts.mean()), True),
    ("variance of orders", lambda b: float(b.counts.var()), True),
    ("top-tenth share of spend", lambda b: top_share(b.spend), False),
    ("irregularity of gaps", lambda b: float(b.turns.var()) if len(b.turns) > 1 else float("nan"), False),
)
DISTRIBUTIONS: tuple[tuple[str, Callable[[CustomerSummaries], Float]], ...] = (
    ("orders a customer", lambda b: b.counts.astype(np.float64)),
    ("days between orders", lambda b: b.gaps),
    ("days since the last order", lambda b: b.recency),
    ("order value", lambda b: b.values),
    ("spend a customer", _spend),
)


def _scalar(
    real: CustomerSummaries,
    lives: Sequence[CustomerSummaries],
    figure: Callable[[CustomerSummaries], float],
    relative: bool,
) -> _Told:
    truth, found = figure(real), np.array([figure(b) for b in lives])
    middle = float(found.mean())
    scale = max(abs(truth), 1e-12) if relative else 1.0
    return _Told(truth, middle, abs(truth - middle) / scale, _luck(np.abs(found - middle) / scale))


def _distribution(
    real: CustomerSummaries, lives: Sequence[CustomerSummaries], values: Callable[[CustomerSummaries], Float]
) -> _Told:
    mine, theirs = values(real), [values(b) for b in lives]
    pool = np.concatenate(theirs)
    luck = _luck(np.array([distance(x, pool) for x in theirs]))
    return _Told(_mean(mine), _mean(pool), distance(mine, pool), luck)


def _mean(values: Float) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _curve(
    real: CustomerSummaries, lives: Sequence[CustomerSummaries], curve: Callable[[CustomerSummaries], Float]
) -> _Told:
    """Mean absolute error of a curve; shown are the means of the curves."""
    mine, theirs = curve(real), np.array([curve(b) for b in lives])
    seen = ~np.isnan(mine) & ~np.isnan(theirs).any(axis=0)
    if not seen.any():
        nothing = float("nan")
        return _Told(nothing, nothing, nothing, nothing)
    mine, theirs = mine[seen], theirs[:, seen]
    middle = theirs.mean(axis=0)
    luck = _luck(np.abs(theirs - middle).mean(axis=1))
    return _Told(float(mine.mean()), float(middle.mean()), float(np.abs(mine - middle).mean()), luck)


def _luck(distances: Float) -> float:
    return float(np.quantile(distances, 0.95)) if len(distances) > 1 else float("nan")


def _retention(b: CustomerSummaries) -> Float:
    return np.where(b.watched >= 30, b.retention, np.nan)  # fewer customers say nothing of a share


def _autocorrelation(weekly: npt.NDArray[np.int64]) -> Float:
    """(4,) of the weekly orders at lags 1 to 4; nan where the series is too short or flat."""
    away = weekly - weekly.mean()
    total = float(away @ away)
    if len(weekly) < 4 * LAGS or total == 0.0:
        return np.full(LAGS, np.nan)
    return np.array([float(away[lag:] @ away[:-lag]) / total for lag in range(1, LAGS + 1)])


def _until(events: pd.DataFrame, end: str | pd.Timestamp) -> pd.DataFrame:
    return events[events["ts"] < pd.Timestamp(end).normalize() + pd.Timedelta(days=1)]
