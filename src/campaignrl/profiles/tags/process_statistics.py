"""Statistics of a customer's way through the shop: visits and carts that no order followed, and the best hour.

A process tag says where a customer stands: browsed and did not buy, filled a cart and left. Something was followed by
an order if an order came later, on whatever occasion. Here: one function a statistic, of OrderHistory. Not here: the
phrases they are asked for by (statistics.py). n customers in order of their id.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from campaignrl.arrays import Float, Objects
from campaignrl.profiles.events import by_customer, text
from campaignrl.profiles.tags.evidence import ACTIVE
from campaignrl.profiles.tags.history_statistics import OrderHistory

# Events of one kind after the customer's last order, within the window.
SINCE_ORDER = """
select k.customer_id, count(*) as many, epoch_us(max(k.ts)) as newest
from known k left join (
  select customer_id, max(ts) as last from known where kind in ('order', 'opening') group by 1
) o on k.customer_id = o.customer_id
where k.kind = '{kind}' and (o.last is null or k.ts > o.last){window} group by 1
"""
DAY_US = 86_400e6
NEIGHBOURS = 0.5  # weight of what was done an hour earlier or later
MOST_CATEGORIES = 64  # the most frequent, between which there are rules
FEWEST, LEAST = 20, 0.2  # customers of the first category of a rule, and its confidence
PRIOR = 4.0  # acts of the usual day that a customer's own are joined by


def visits_since_order(history: OrderHistory) -> Float:
    """(n,) visits after the last order: browsing without buying."""
    return _since(history, "visit")[0]


def carts_since_order(history: OrderHistory) -> Float:
    """(n,) times something was put in the cart after the last order."""
    return _since(history, "cart")[0]


def abandoned_cart(history: OrderHistory) -> Any:
    """(n,) whether something was put in the cart and no order followed."""
    return pd.array(_since(history, "cart")[0] > 0, dtype="boolean")


def days_since_abandoned_cart(history: OrderHistory) -> Float:
    """(n,) days from the newest cart without an order after it; NaN for those who left none."""
    return _since(history, "cart")[1]


def best_hour(history: OrderHistory) -> Float:
    """(n,) the hour of the day, 0 to 23, about which a customer is active most; NaN for those who never were.

    Acts are smoothed over the hours beside them and joined by PRIOR acts of everybody's usual day, so that one act at
    night makes nobody a person of the night. Of equal hours the earlier one.
    """
    acts = ", ".join(text(kind) for kind in ACTIVE)
    sources = ", ".join(text(source) for source in history.timed) or "null"
    rows = history.connection.execute(
        f"select customer_id, hour(ts) as hour, count(*) as many from known where kind in ({acts}) "
        f"and coalesce(source, '') in ({sources}){_window(history)} group by all"
    ).df()
    counts = np.zeros((len(history.ids), 24))
    at = pd.Index(history.ids).get_indexer(pd.Index(rows["customer_id"]))
    counts[at, rows["hour"].to_numpy(dtype=np.int64)] = rows["many"].to_numpy(dtype=np.float64)
    usual = counts.sum(axis=0) / max(counts.sum(), 1.0)
    weighed = counts + PRIOR * usual
    smooth = weighed + NEIGHBOURS * (np.roll(weighed, 1, axis=1) + np.roll(weighed, -1, axis=1))
    return np.where(counts.any(axis=1), np.argmax(np.round(smooth, 9), axis=1).astype(np.float64), np.nan)


def associated_category(history: OrderHistory) -> Objects:
    """(n,) the category a customer has not bought that those with the same categories most often have; None for none.

    An association rule `bought A -> buys B`: of at least FEWEST customers of A, at least LEAST have B, and more than of
    all customers. The largest confidence of the rules of a customer's categories counts.
    """
    window = _window(history)
    rows = history.connection.execute(
        "select distinct customer_id, category from known where kind = 'order' and category is not null"
        f"{window} order by 1, 2"
    ).df()
    best = np.full(len(history.ids), None, dtype=object)
    if rows.empty:
        return best
    levels = rows["category"].value_counts().sort_index(kind="stable").sort_values(ascending=False, kind="stable")
    names = np.array([str(level) for level in levels.index[:MOST_CATEGORIES]], dtype=object)
    code = pd.Index(names).get_indexer(pd.Index(rows["category"].astype(object)))
    at = pd.Index(history.ids).get_indexer(pd.Index(rows["customer_id"]))
    had = np.zeros((len(history.ids), len(names)), dtype=np.float32)
    had[at[code >= 0], code[code >= 0]] = 1.0
    confidence = rules_of_categories(had)
    score = np.zeros_like(had)
    for j in range(len(names)):  # of each rule, for those who have its first category
        np.maximum(score, had[:, j : j + 1] * confidence[j].astype(np.float32), out=score)
    score[had > 0] = 0.0
    chosen = np.argmax(score, axis=1)
    found = score[np.arange(len(score)), chosen] > 0
    best[found] = names[chosen[found]]
    return best


def rules_of_categories(had: Any) -> Any:
    """(n, k) zeros and ones -> (k, k) confidence of `row -> column`, 0 where that is no rule.

    >>> had = np.array([[1, 1], [1, 1], [1, 0], [0, 0]] * 10, dtype=np.float32)
    >>> rules_of_categories(had).round(2)
    array([[0.  , 0.67],
           [1.  , 0.  ]])
    """
    together = had.T.astype(np.float64) @ had
    own = np.diag(together).copy()
    share = together / np.maximum(own[:, None], 1.0)
    chance = own[None, :] / max(len(had), 1)
    share[(own < FEWEST)[:, None] | (share < LEAST) | (share <= chance)] = 0.0
    np.fill_diagonal(share, 0.0)
    return share


def _since(history: OrderHistory, kind: str) -> tuple[Float, Float]:
    """(n,) how many events of a kind came after the last order, and days since the newest of them."""
    sql = SINCE_ORDER.format(kind=kind, window=_window(history, "k."))
    found = by_customer(history.connection, sql, history.ids)
    today = float(np.datetime64(history.as_of, "us").astype(np.int64))
    return np.nan_to_num(found["many"], nan=0.0), (today - found["newest"]) / DAY_US


def _window(history: OrderHistory, of: str = "") -> str:
    if history.days is None:
        return ""
    return f" and {of}ts >= timestamp '{history.as_of}' - interval {history.days - 1} day"
