"""The items to show each customer: learned on the past, with a reason for each, popularity where nothing is known.

    recommender = fit_recommender(interactions, catalogue)
    recommender.recommend(["a", "b"], 10)     # customer_id, rank, item_id, score, why

The last `span` days are learned from: signals of before, outcomes of then. What is shown rests on signals of all days.
Not here: whether it is any good (judgement.py), who gets a message at all (send/).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from campaignrl import rng
from campaignrl.arrays import Float32, Int64, Objects
from campaignrl.errors import DataError, Problem, UsageError
from campaignrl.profiles.items.interactions import ITEM, Interactions
from campaignrl.profiles.items.ranking import CHUNK, Ranking, learn
from campaignrl.profiles.items.signals import SIGNALS, WHY, Signals, signals_of
from campaignrl.tables import ID

SPAN = 28  # days ahead
MOST_SHOWN = 100


class Recommender(NamedTuple):
    """What is known on a morning, and how it is weighed."""

    signals: Signals
    ranking: Ranking
    customers: Objects
    items: Objects

    def recommend(self, customers: Sequence[str] | None = None, n: int = 10) -> pd.DataFrame:
        """The n best items of each customer: customer_id, rank (1 the best), item_id, score, why.

        customers: ids; default all that are known. One who is not known gets what is popular.
        """
        if not 1 <= n <= MOST_SHOWN:
            raise UsageError(Problem("recommend", "n", n, f"between 1 and {MOST_SHOWN}"))
        wanted = self.customers if customers is None else np.array([str(c) for c in customers], dtype=object)
        code = pd.Index(self.customers).get_indexer(pd.Index(wanted))
        blocks = [
            self._shown(part, item, score, why) for part, item, score, why in self.ranked(np.unique(code[code >= 0]), n)
        ]
        by_code = pd.concat(blocks) if blocks else pd.DataFrame({"code": [], ITEM: [], "score": [], "why": []})
        popular = self.popular(n)
        strangers = pd.DataFrame({"code": -1, ITEM: self.items[popular], "score": np.nan, "why": WHY["popular_late"]})
        found = pd.DataFrame({ID: wanted, "code": code}).merge(pd.concat([by_code, strangers]), on="code", sort=False)
        found["rank"] = found.groupby(ID, sort=False).cumcount() + 1
        return found[[ID, "rank", ITEM, "score", "why"]]

    def ranked(self, customers: Int64, n: int) -> Iterator[tuple[Int64, Int64, Float32, Objects]]:
        """Chunk by chunk (customer, item, score, why), the best first of each customer, at most n."""
        for part in np.array_split(customers, -(-len(customers) // CHUNK)) if len(customers) else []:
            customer, item, values = self.signals.pairs(part)
            score = self.ranking.scores(values)
            order = np.lexsort((item, -score, customer))
            begins = np.flatnonzero(np.r_[True, np.diff(customer[order]) > 0])
            place = np.arange(len(order)) - np.repeat(begins, np.diff(np.r_[begins, len(order)]))
            best = order[place < n]
            yield customer[best], item[best], score[best].astype(np.float32), reasons(values[best])

    def popular(self, n: int) -> Int64:
        """The n items that most customers had of late."""
        return np.argsort(-self.signals.popular_late - 1e-3 * self.signals.popular, kind="stable")[:n]

    def _shown(self, customer: Int64, item: Int64, score: Float32, why: Objects) -> pd.DataFrame:
        return pd.DataFrame({"code": customer, ITEM: self.items[item], "score": score, "why": why})


def fit_recommender(
    known: Interactions,
    catalogue: pd.DataFrame | None = None,
    *,
    span: int = SPAN,
    end: int | None = None,
    chance: np.random.Generator | None = None,
) -> Recommender:
    """Learn from the interactions before the day `end` (default: all) what to show in the next `span` days."""
    if not len(known):
        raise DataError(Problem("items", "rows", 0, "at least one interaction"))
    if span < 1:
        raise UsageError(Problem("recommend", "span", span, "at least one day"))
    today = int(known.day.max()) + 1 if end is None else end
    draws = rng.generator(0, rng.Purpose.RESAMPLE) if chance is None else chance
    past = signals_of(known, today - span, span, catalogue)
    ranking = learn(past, known.within(today - span, today), draws)
    return Recommender(signals_of(known, today, span, catalogue), ranking, known.customers, known.items)


def reasons(signals: Float32) -> Objects:
    """(r,) the first that speaks for a pair, in words."""
    why = np.full(len(signals), WHY["popular_late"], dtype=object)
    for name, words in reversed(list(WHY.items())[:-1]):
        level = 0.1 if name in ("alike", "content") else 0.0
        why[signals[:, SIGNALS.index(name)] > level] = words
    return why
