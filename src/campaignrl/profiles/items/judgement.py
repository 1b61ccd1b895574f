"""Is it any good: recommendations of a morning held against what customers did in the days that followed.

Beside them, on the same customers: what is popular, and what each had most often. NDCG and recall at n with binary
relevance (Jarvelin & Kekalainen 2002), over customers who are known and did anything; differences are paired, with a
bootstrap interval over customers; coverage is the share of items that anybody was shown. Not here: the recommender.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from campaignrl import rng
from campaignrl.arrays import Bool, Float, Int64
from campaignrl.errors import Problem, SupportError
from campaignrl.profiles.items.interactions import Interactions
from campaignrl.profiles.items.ranking import among
from campaignrl.profiles.items.recommender import SPAN, Recommender, fit_recommender

SHOWN = 10
DRAWS = 2_000
FEWEST = 20  # customers


class Judged(NamedTuple):
    """One way to choose items. lift: of the recommender over it in NDCG, with its 95 % interval; NaN for itself."""

    name: str
    ndcg: float
    recall: float
    coverage: float
    lift: float
    lift_low: float
    lift_high: float


class Judgement(NamedTuple):
    """The recommender first, then what it must beat."""

    customers: int
    day: int
    span: int
    n: int
    ways: tuple[Judged, ...]

    @property
    def better(self) -> bool:
        """Whether it beats every other way, beyond chance."""
        return all(way.lift_low > 0.0 for way in self.ways[1:])


def judge(
    known: Interactions,
    catalogue: pd.DataFrame | None = None,
    *,
    span: int = SPAN,
    n: int = SHOWN,
    chance: np.random.Generator | None = None,
) -> Judgement:
    """Fit on all but the last `span` days, judge on these; too few customers is a SupportError."""
    draws = rng.generator(0, rng.Purpose.RESAMPLE) if chance is None else chance
    day = int(known.day.max()) + 1 - span
    made = fit_recommender(known.before(day), catalogue, span=span, end=day, chance=draws)
    n = min(n, len(made.popular(n)))
    after = known.within(day, day + span)
    customers = np.unique(after.customer)
    customers = customers[made.signals.visits[customers] > 0]
    if len(customers) < FEWEST:
        few = Problem("recommend --judge", "customers", len(customers), f"at least {FEWEST} who came before and after")
        raise SupportError(few._replace(fix="Give a longer history, or a shorter --span."))
    shown = {"recommended": _shown(made, customers, n)}
    shown |= {"popular": _popular(made, customers, n), "own most frequent": _own(made, customers, n)}
    return _against(shown, customers, after, day, span, n, draws)


def ndcg(hits: Bool, relevant: Int64) -> Float:
    """(customers,) of hits (customers, n) in the order shown; relevant: how many there were to find.

    >>> ndcg(np.array([[True, False], [False, True]]), np.array([1, 5])).round(4)
    array([1.    , 0.3869])
    """
    gain = 1.0 / np.log2(np.arange(2, hits.shape[1] + 2))
    ideal = np.concatenate([[0.0], np.cumsum(gain)])[np.minimum(relevant, hits.shape[1])]
    found: Float = (hits * gain).sum(axis=1) / np.maximum(ideal, 1e-12)
    return found


def _against(
    shown: dict[str, Int64],
    customers: Int64,
    after: Interactions,
    day: int,
    span: int,
    n: int,
    chance: np.random.Generator,
) -> Judgement:
    k = len(after.items)
    keys = np.unique(after.customer * k + after.item)
    relevant = np.bincount(keys // k, minlength=len(after.customers))[customers]
    hits = {
        name: among((customers[:, None] * k + items).ravel(), keys).reshape(items.shape)
        for name, items in shown.items()
    }
    values = {name: ndcg(hit, relevant) for name, hit in hits.items()}
    weights = chance.multinomial(len(customers), np.full(len(customers), 1.0 / len(customers)), DRAWS) / len(customers)
    ways = []
    for name, items in shown.items():
        apart = values["recommended"] - values[name]
        low, high = np.quantile(weights @ apart, (0.025, 0.975)) if name != "recommended" else (np.nan, np.nan)
        recall = float((hits[name].sum(axis=1) / np.minimum(relevant, n)).mean())
        lift = float(apart.mean()) if name != "recommended" else float("nan")
        covered = len(np.unique(items[items >= 0])) / k
        ways.append(Judged(name, float(values[name].mean()), recall, covered, lift, float(low), float(high)))
    return Judgement(len(customers), day, span, n, tuple(ways))


def _shown(made: Recommender, customers: Int64, n: int) -> Int64:
    """(customers, n) items; -1 where there are fewer."""
    found = np.full((len(made.customers), n), -1)
    for customer, item, _, _ in made.ranked(customers, n):
        begins = np.flatnonzero(np.r_[True, np.diff(customer) > 0])
        place = np.arange(len(customer)) - np.repeat(begins, np.diff(np.r_[begins, len(customer)]))
        found[customer, place] = item
    return found[customers]


def _popular(made: Recommender, customers: Int64, n: int) -> Int64:
    return np.tile(made.popular(n), (len(customers), 1))


def _own(made: Recommender, customers: Int64, n: int) -> Int64:
    """What each customer had most often, ties by popularity, filled up with what is popular."""
    popularity = made.signals.popular_late + 1e-3 * made.signals.popular
    scale = 1.0 + popularity.max()
    found = np.full((len(customers), n), -1, dtype=np.int64)
    top = made.popular(2 * n)
    for row, customer in enumerate(customers):
        counts = made.signals.counts[customer]
        order = np.argsort(-(counts.data * scale + popularity[counts.indices]), kind="stable")
        own = counts.indices[order][:n]
        shown = np.concatenate([own, top[~np.isin(top, own)]])[:n]
        found[row, : len(shown)] = shown
    return found
