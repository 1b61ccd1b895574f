"""The next purchase: which category, and in how many days; by sequence where that beats counts.

`next_category`: the category that most often follows the last one (a Markov chain of first order, rows pulled to the
shares of all), joined by the customer's own counts. The share of the chain is chosen on half of the customers' last
orders and told on the other half; where the chain does not beat counts there, counts alone are used.
`days_to_next_order`: the customer's own mean log gap, pulled to that of all by as much as gaps vary within and between
customers; at least 0. Both say how well they did on the last order of each customer, which they had not seen. Not here:
how many orders to expect (order_models.py).
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from campaignrl.arrays import Float, Int64, Objects
from campaignrl.profiles.events import FEWEST, Connection, ModelTag

NEXT_PURCHASE = ("next_category", "days_to_next_order")
MOST_CATEGORIES = 64
PULL = 5.0  # orders of the shares of all that a row of the chain is joined by
MIXES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the chain; the rest is own counts
OWN_PULL = 1.0
SEQUENCES = """
select customer_id, epoch_us(ts) / 86400e6 as day, category from known where kind = 'order'
order by customer_id, ts, category
"""


def next_purchase(connection: Connection, of: str, as_of: date, ids: Objects) -> ModelTag:
    """One of NEXT_PURCHASE for every customer, and what is worth knowing of the fit."""
    rows = connection.execute(SEQUENCES).df()
    code = pd.Index(ids).get_indexer(pd.Index(rows["customer_id"]))
    if of == "next_category":
        return _category(rows["category"], code.astype(np.int64), len(ids))
    today = float(np.datetime64(as_of, "D").astype(np.int64))
    return _days(np.floor(rows["day"].to_numpy(dtype=np.float64)), code.astype(np.int64), today, len(ids))


def _category(categories: pd.Series, customer: Int64, n: int) -> ModelTag:
    values = np.full(n, None, dtype=object)
    given = categories.notna().to_numpy()
    customer, told = customer[given], categories[given].astype(str)
    levels = told.value_counts().sort_index(kind="stable").sort_values(ascending=False, kind="stable")
    names = np.array(levels.index[:MOST_CATEGORIES], dtype=object)
    level = pd.Index(names).get_indexer(pd.Index(told)).astype(np.int64)
    customer, level = customer[level >= 0], level[level >= 0]
    last = np.r_[customer[1:] != customer[:-1], True] if len(customer) else np.zeros(0, dtype=bool)
    again = last & np.r_[False, customer[1:] == customer[:-1]] if len(customer) else last
    if len(names) < 2 or int(again.sum()) < FEWEST:
        return ModelTag(values, {"unknown": f"fewer than {FEWEST} customers ordered in a category again"})
    chain, shares = _chain(customer[~again], level[~again], len(names))
    who, what = customer[again], level[again]
    own = _counts(customer[~again], level[~again], n, len(names))[who] + OWN_PULL * shares
    before = level[np.flatnonzero(again) - 1]
    half = np.arange(len(who)) % 2 == 0
    right = {mix: np.argmax(_mixed(mix, chain[before], own), axis=1) == what for mix in MIXES}
    best = max(MIXES, key=lambda mix: (float(right[mix][half].mean()), -mix))
    if right[best][~half].mean() <= right[0.0][~half].mean():
        best = 0.0
    chain, shares = _chain(customer, level, len(names))
    rows = np.unique(customer)
    counts = _counts(customer, level, n, len(names))[rows] + OWN_PULL * shares
    values[rows] = names[np.argmax(_mixed(best, chain[level[last]], counts), axis=1)]
    says = {
        "model": "Markov chain and own counts" if best > 0 else "own counts, which the chain does not beat",
        "chain": best,
        "right": round(float(right[best][~half].mean()), 4),
        "right_by_counts": round(float(right[0.0][~half].mean()), 4),
        "judged_on": int((~half).sum()),
    }
    return ModelTag(values, says)


def _days(day: Float, customer: Int64, today: float, n: int) -> ModelTag:
    """Days of orders by customer and time; orders of one day are one."""
    new = np.r_[True, (customer[1:] != customer[:-1]) | (day[1:] != day[:-1])] if len(day) else np.zeros(0, dtype=bool)
    day, customer = day[new], customer[new]
    values = np.full(n, np.nan)
    same = customer[1:] == customer[:-1]
    gap, owner = np.log(np.diff(day)[same]), customer[1:][same]
    final = np.r_[owner[1:] != owner[:-1], True] if len(owner) else np.zeros(0, dtype=bool)
    if int((np.bincount(owner, minlength=n) > 1).sum()) < FEWEST:
        return ModelTag(values, {"unknown": f"fewer than {FEWEST} customers with three orders"})
    pull, mean = _pull(gap[~final], owner[~final], n)
    guess = _pulled(gap[~final], owner[~final], n, pull, mean)[owner[final]]
    known = np.bincount(owner[~final], minlength=n)[owner[final]] > 0
    plain = np.bincount(owner[~final], gap[~final], minlength=n) / np.maximum(
        np.bincount(owner[~final], minlength=n), 1
    )
    error = np.abs(gap[final] - guess)[known].mean()
    pull, mean = _pull(gap, owner, n)
    usual = np.exp(_pulled(gap, owner, n, pull, mean))
    newest = np.full(n, np.nan)
    newest[customer] = day  # the last of each is written last
    values = np.where(np.isnan(newest), np.nan, np.maximum(newest + usual - today, 0.0))
    says = {
        "model": "own mean log gap, pulled to that of all",
        "usual_days": round(float(np.exp(mean)), 2),
        "error": round(float(error), 4),
        "error_by_own_mean": round(float(np.abs(gap[final] - plain[owner[final]])[known].mean()), 4),
        "judged_on": int(known.sum()),
    }
    return ModelTag(values, says)


def _chain(customer: Int64, level: Int64, k: int) -> tuple[Float, Float]:
    """(k, k) chance of the next category after each, and (k,) shares of all orders."""
    shares = np.bincount(level, minlength=k) / max(len(level), 1)
    follows = customer[1:] == customer[:-1]
    counts = np.bincount(level[:-1][follows] * k + level[1:][follows], minlength=k * k).reshape(k, k)
    chain = counts + PULL * shares
    return np.asarray(chain / chain.sum(axis=1, keepdims=True)), shares


def _counts(customer: Int64, level: Int64, n: int, k: int) -> Float:
    found: Float = np.bincount(customer * k + level, minlength=n * k).astype(np.float64).reshape(n, k)
    return found


def _mixed(mix: float, chain: Float, counts: Float) -> Float:
    return np.asarray(mix * chain + (1.0 - mix) * counts / counts.sum(axis=1, keepdims=True))


def _pull(gap: Float, owner: Int64, n: int) -> tuple[float, float]:
    """Gaps' worth of the mean of all, and that mean: variance within over variance between customers (one-way)."""
    many = np.bincount(owner, minlength=n).astype(np.float64)
    own = np.bincount(owner, gap, minlength=n) / np.maximum(many, 1.0)
    twice = many > 1
    inside = float(((gap - own[owner])[twice[owner]] ** 2).sum() / max(float((many[twice] - 1.0).sum()), 1.0))
    mean = float(gap.mean())
    between = float(np.maximum(own[many > 0].var() - inside * np.mean(1.0 / many[many > 0]), 1e-3))
    return inside / between, mean


def _pulled(gap: Float, owner: Int64, n: int, pull: float, mean: float) -> Float:
    many = np.bincount(owner, minlength=n)
    pulled: Float = (np.bincount(owner, gap, minlength=n) + pull * mean) / (many + pull)
    return pulled
