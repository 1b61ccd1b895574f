"""What speaks for an item to a customer: own history, customers alike, rules, content, popularity; as columns of pairs.

- own: how often, how lately, how regularly the customer had the item, and how often people come back to it;
- customers alike: EASE (Steck 2019), the closed form of an item-item autoencoder, over the items of most customers;
- rules: the largest confidence of a rule `had i -> had j` among the customer's items;
- content: how the customer's history is spread over the attributes of the item (category, brand, ...);
- popularity: customers of the item of late and ever.

All of it is known on the morning of `day`. Not here: weighing it (ranking.py). n customers, k items, r pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.linalg.lapack import dpotrf as potrf
from scipy.linalg.lapack import dpotri as potri
from threadpoolctl import threadpool_limits

from campaignrl.arrays import Float, Float32, Int64
from campaignrl.profiles.items.interactions import ITEM, Interactions

MODELLED = 2_500  # items of most customers, which EASE and rules speak of; the others live by history and content
RIDGE = 200.0  # of EASE
LATE, EARLY = 30.0, 120.0  # days in which a visit's weight falls to 1/e
FEWEST = 5  # customers of the first item of a rule
NEAR, POPULAR, LIKE = 80, 40, 20  # candidates of customers alike, of popularity and of content
SIGNALS = (
    "times", "late", "early", "days_since", "had", "overdue", "own_share", "repeats", "alike", "alike_late", "rule",
    "content", "popular_late", "popular", "visits",
)  # fmt: skip
WHY = {  # who speaks for a pair, by the column that says so
    "had": "bought before",
    "rule": "goes with what was bought",
    "alike": "customers alike",
    "content": "like what was bought",
    "popular_late": "popular",
}


@dataclass(frozen=True)
class Signals:
    """Everything that is known on the morning of a day, ready to be asked for candidates."""

    day: int
    span: int  # days of the period that is forecast: popularity of late is that of so many days
    counts: sp.csr_matrix  # (n, k) days on which a customer had an item
    late: sp.csr_matrix
    early: sp.csr_matrix
    last: sp.csr_matrix  # (n, k) 1 + days since the last one
    first: sp.csr_matrix
    visits: Float  # (n,) days with any item
    modelled: Int64  # items of EASE and rules
    weights: Float32  # (modelled, modelled) of EASE
    confidence: sp.csr_matrix  # (modelled, modelled)
    attributes: sp.csr_matrix  # (k, a) attribute levels of an item; a = 0 without a catalogue
    popular_late: Float  # (k,) log of customers
    popular: Float
    repeats: Float  # (k,) log of days per customer who had it
    gap: Float  # (k,) usual days between two, of those who had it twice

    def pairs(self, customers: Int64) -> tuple[Int64, Int64, Float32]:
        """(customer, item, signals) of the candidates of some customers, by customer and item."""
        had = self.counts[customers]
        alike = _dense(had.minimum(1.0)[:, self.modelled], self.weights)
        alike_late = _dense(self.late[customers][:, self.modelled], self.weights)
        content = self._content(had)
        rows = [np.repeat(np.arange(len(customers)), np.diff(had.indptr))]
        items = [had.indices.astype(np.int64)]
        for score, names in ((alike, self.modelled), (content, np.arange(had.shape[1]))):
            some = min(NEAR if score is alike else LIKE, score.shape[1])
            if some and score.shape[1] > some:
                best = np.argpartition(-score, some - 1, axis=1)[:, :some]
            else:
                best = np.tile(np.arange(score.shape[1]), (len(customers), 1))
            rows.append(np.repeat(np.arange(len(customers)), best.shape[1]))
            items.append(names[best.ravel()])
        top = np.argsort(-self.popular_late - 1e-3 * self.popular, kind="stable")[:POPULAR]
        rows.append(np.repeat(np.arange(len(customers)), len(top)))
        items.append(np.tile(top, len(customers)))
        keys = np.unique(np.concatenate(rows) * had.shape[1] + np.concatenate(items))
        row, item = np.divmod(keys, had.shape[1])
        return customers[row], item, self._columns(customers, row, item, alike, alike_late, content)

    def _content(self, had: sp.csr_matrix) -> Float32:
        """(rows, k) how much of a history lies in the attributes of each item, times its popularity."""
        if not self.attributes.shape[1]:
            return np.zeros((had.shape[0], 0), dtype=np.float32)
        taste = had @ self.attributes
        taste = sp.diags(1.0 / np.maximum(np.asarray(taste.sum(axis=1)).ravel(), 1.0)) @ taste
        spread = _dense(taste, self.attributes.T.tocsr())
        found: Float32 = (spread * (0.2 + self.popular)[None, :]).astype(np.float32)
        return found

    def _columns(
        self, customers: Int64, row: Int64, item: Int64, alike: Float32, alike_late: Float32, content: Float32
    ) -> Float32:
        def of(matrix: sp.csr_matrix) -> Float:
            values: Float = np.asarray(matrix[customers][row, item]).ravel()
            return values

        times, last, first = of(self.counts), of(self.last), of(self.first)
        had = times > 0
        since = np.where(had, last - 1.0, 0.0)
        own_gap = np.where(times > 1, (first - last) / np.maximum(times - 1.0, 1.0), self.gap[item])
        at = np.full(self.counts.shape[1], -1)
        at[self.modelled] = np.arange(len(self.modelled))
        spoken = at[item] >= 0
        place = np.maximum(at[item], 0)
        rules = self._rules(customers)
        columns = {
            "times": np.log1p(times),
            "late": of(self.late),
            "early": of(self.early),
            "days_since": np.log1p(since),
            "had": had,
            "overdue": np.where(had, np.log((since + 1.0) / (own_gap + 1.0)), 0.0),
            "own_share": times / np.maximum(self.visits[customers][row], 1.0),
            "repeats": self.repeats[item],
            "alike": np.where(spoken, alike[row, place], 0.0),
            "alike_late": np.where(spoken, alike_late[row, place], 0.0),
            "rule": np.where(spoken, rules[row, place], 0.0),
            "content": content[row, item] if content.shape[1] else 0.0 * times,
            "popular_late": self.popular_late[item],
            "popular": self.popular[item],
            "visits": np.log1p(self.visits[customers][row]),
        }
        return np.column_stack([np.asarray(columns[name], dtype=np.float32) for name in SIGNALS])

    def _rules(self, customers: Int64) -> Float32:
        """(rows, modelled) largest confidence of a rule from what the customer had."""
        mine = self.counts[customers][:, self.modelled].tocsr()
        best = np.zeros((len(customers), len(self.modelled)), dtype=np.float32)
        rules = self.confidence
        for r in range(len(customers)):
            inside = rules[mine.indices[mine.indptr[r] : mine.indptr[r + 1]]]
            if inside.nnz:
                np.maximum.at(best[r], inside.indices, inside.data.astype(np.float32))
        return best


def signals_of(known: Interactions, day: int, span: int, catalogue: pd.DataFrame | None = None) -> Signals:
    """What the interactions before `day` say; those from `day` on are not looked at."""
    known = known.before(day)
    n, k = len(known.customers), len(known.items)
    age = (day - known.day).astype(np.float64)

    def summed(values: Float) -> sp.csr_matrix:
        return sp.csr_matrix((values, (known.customer, known.item)), shape=(n, k), dtype=np.float32)

    counts = summed(np.ones(len(known)))
    first, last = _extremes(known, age, (n, k))
    once = counts.copy()
    once.data[:] = 1.0
    buyers = np.asarray(once.sum(axis=0)).ravel()
    modelled = np.sort(np.argsort(-buyers, kind="stable")[: min(MODELLED, k)])
    modelled = modelled[buyers[modelled] > 0]
    lately = known.within(day - span, day)
    late_buyers = np.bincount(np.unique(lately.customer * k + lately.item) % k, minlength=k)
    together = (once[:, modelled].T @ once[:, modelled]).toarray()
    visit = np.unique(known.customer * 1_000_000 + known.day) // 1_000_000
    return Signals(
        day=day,
        span=span,
        counts=counts,
        late=summed(np.exp(-age / LATE)),
        early=summed(np.exp(-age / EARLY)),
        last=last,
        first=first,
        visits=np.bincount(visit, minlength=n).astype(np.float64),
        modelled=modelled,
        weights=ease(together, RIDGE),
        confidence=rule_confidence(together, int((np.diff(counts.indptr) > 0).sum())),
        attributes=_attributes(known, catalogue),
        popular_late=np.log1p(late_buyers),
        popular=np.log1p(buyers),
        repeats=np.log(np.maximum(np.asarray(counts.sum(axis=0)).ravel(), 1.0) / np.maximum(buyers, 1.0)),
        gap=_usual_gaps(first, last, counts),
    )


def ease(together: Float, ridge: float) -> Float32:
    """(k, k) weights of EASE from the counts of customers who had both items (k, k); the diagonal is 0.

    The minimum of ||X - X B||^2 + ridge ||B||^2 under diag(B) = 0 is B = I - P / diag(P), P = (X'X + ridge I)^-1.
    """
    if not len(together):
        return np.zeros((0, 0), dtype=np.float32)
    gram = np.array(together, dtype=np.float64, order="F")
    gram[np.diag_indices(len(gram))] += ridge
    with threadpool_limits(limits=1):  # by Cholesky, which takes half the time of a general inverse
        root, _ = potrf(gram, lower=True, overwrite_a=True, clean=True)
        inverse, _ = potri(root, lower=True, overwrite_c=True)
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    weights = -inverse / np.diag(inverse)
    weights[np.diag_indices(len(weights))] = 0.0
    found: Float32 = weights.astype(np.float32)
    return found


def rule_confidence(together: Float, customers: int, least: float = 0.1) -> sp.csr_matrix:
    """(k, k) confidence of `had i -> had j`: the share of the customers of i who had j too, where that is a rule.

    A rule has a confidence of at least `least` and a lift above 1: more than the share of all `customers` who had j.
    """
    own = np.diag(together).copy()
    share = together / np.maximum(own[:, None], 1.0)
    chance = own[None, :] / max(customers, 1)
    share[(own < FEWEST)[:, None] | (share < least) | (share <= chance)] = 0.0
    np.fill_diagonal(share, 0.0)
    return sp.csr_matrix(share.astype(np.float32))


def _extremes(known: Interactions, age: Float, shape: tuple[int, int]) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """1 + days since the first and since the last time; rows are in order of customer, item and day."""
    key = known.customer * shape[1] + known.item
    begins = np.flatnonzero(np.r_[True, key[1:] != key[:-1]]) if len(key) else np.zeros(0, dtype=np.int64)
    ends = np.r_[begins[1:], len(key)] - 1 if len(key) else begins
    at = (known.customer[begins], known.item[begins])
    return tuple(sp.csr_matrix((1.0 + age[rows], at), shape=shape, dtype=np.float32) for rows in (begins, ends))


def _usual_gaps(first: sp.csr_matrix, last: sp.csr_matrix, counts: sp.csr_matrix) -> Float:
    """(k,) mean gap in days of those who had an item at least twice; 60 where nobody had."""
    again = counts.copy()
    again.data = np.maximum(again.data - 1.0, 0.0)
    gaps = np.asarray((first - last).sum(axis=0)).ravel()
    n = np.asarray(again.sum(axis=0)).ravel()
    return np.where(n > 0, gaps / np.maximum(n, 1.0), 60.0)


def _attributes(known: Interactions, catalogue: pd.DataFrame | None) -> sp.csr_matrix:
    """(k, a) levels of the catalogue's attributes; an item that it does not list has none."""
    if catalogue is None:
        return sp.csr_matrix((len(known.items), 0), dtype=np.float32)
    told = catalogue.set_index(ITEM).reindex(known.items)
    blocks = []
    for name in told.columns:
        code, levels = pd.factorize(told[name].astype("str").where(told[name].notna(), None))
        rows = np.flatnonzero(code >= 0)
        blocks.append(sp.csr_matrix((np.ones(len(rows)), (rows, code[rows])), shape=(len(code), len(levels))))
    return sp.hstack(blocks).tocsr().astype(np.float32) if blocks else sp.csr_matrix((len(told), 0), dtype=np.float32)


def _dense(left: sp.csr_matrix, right: Float32 | sp.csr_matrix) -> Float32:
    product = left @ right
    found: Float32 = np.asarray(product.toarray() if sp.issparse(product) else product, dtype=np.float32)
    return found
