"""Statistics that rest on a whole order history, or on that of all customers: lifecycle stage, RFM, days since sign-up.

Here: one function a statistic, of OrderHistory. Not here: the phrases they are asked for by, and the statistics that
are an SQL aggregate of one customer's events (statistics.py). n customers in order of their id.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd

from campaignrl.arrays import Float, Objects
from campaignrl.lifecycle import stage
from campaignrl.profiles.events import Connection, by_customer, quoted, text
from campaignrl.profiles.tags.rfm_scores import edge_scores, quintile_edges
from campaignrl.specs import STAGES
from campaignrl.tables.files import MISSING, NO


class OrderHistory(NamedTuple):
    """What is known of n customers on the morning of `as_of`; view `known` of the connection has their events."""

    connection: Connection
    as_of: date
    ids: Objects  # (n,)
    last: Float  # (n,) days since the last order; NaN for those without one
    first: Float  # (n,) days since the first order
    orders: Float  # (n,) number of orders
    spend: Float  # (n,) currency
    seen: Float  # (n,) days since the first event of any kind
    scores: dict[str, Float]  # by field, as they are asked for
    days: int | None = None  # window that ends on `as_of`, where a statistic takes one
    timed: tuple[str, ...] = ()  # sources whose events have hours


def days_since_sign_up(history: OrderHistory) -> Float:
    """(n,) days from `joined` of the attributes, or else from the first event."""
    connection = history.connection
    if "joined" not in [row[0] for row in connection.execute("describe attributes").fetchall()]:
        return history.seen
    days = f"{days_before(history.as_of, 'try_cast(joined as timestamp)')} as days"
    told = by_customer(connection, f"select customer_id, {days} from attributes", history.ids)["days"]
    return np.where(np.isnan(told), history.seen, told)


def days_before(as_of: date, moment: str) -> str:
    """SQL: days from a moment to the morning of `as_of`."""
    return f"cast((epoch_us(timestamp '{as_of}') - epoch_us({moment})) / 86400e6 as double)"


PAID = ("refund", "redeemed")  # kinds of events that only somebody who bought has
PAYING = ("paying", "orders", "spend", "first_order", "last_order")  # attributes that say so, where they say anything


def lifecycle_stage(history: OrderHistory) -> Objects:
    """(n,) one of STAGES, from the number of orders and the days since the first and the last one.

    Somebody without an order who shows signs of being a paying customer is no prospect: their orders were not exported,
    and the stage is unknown (None).
    """
    orders = np.minimum(history.orders, 32_767).astype(np.int16)
    recency, first = history.last.astype(np.float32), history.first.astype(np.float32)
    found = np.array(STAGES, dtype=object)[stage(orders, recency, first)]
    if (orders == 0).any():
        found[(orders == 0) & pd.Index(history.ids).isin(list(_paying(history.connection)))] = None
    return found


def _paying(connection: Connection) -> set[str]:
    """Customers of whom something else than an order says that they bought."""
    parts = [f"select distinct customer_id from known where kind in ({', '.join(text(kind) for kind in PAID)})"]
    for name, *_ in connection.execute("describe attributes").fetchall():
        if name in PAYING:
            said = f"lower(trim(cast({quoted(name)} as varchar)))"
            no = ", ".join(text(word) for word in ("", "0", "0.0", *(word.lower() for word in (*NO, *MISSING))))
            parts.append(f"select customer_id from attributes where {said} is not null and {said} not in ({no})")
    return {str(one) for (one,) in connection.execute(" union ".join(parts)).fetchall()}


def recency_score(history: OrderHistory) -> Float:
    """(n,) 5 for the fifth who ordered last; NaN for those who never did."""
    return _quintile(history, "last", less_is_better=True)


def frequency_score(history: OrderHistory) -> Float:
    """(n,) 5 for the fifth with the most orders."""
    return _quintile(history, "orders")


def monetary_score(history: OrderHistory) -> Float:
    """(n,) 5 for the fifth who spent most."""
    return _quintile(history, "spend")


def rfm_cell(history: OrderHistory) -> Objects:
    """(n,) the three scores as one text, `555` for the best; None for those who never ordered."""
    parts = [score(history) for score in (recency_score, frequency_score, monetary_score)]
    known = ~np.isnan(parts[0])
    cell = np.full(len(known), None, dtype=object)
    whole = np.sum([p[known] * 10 ** (2 - i) for i, p in enumerate(parts)], axis=0).astype(int)
    cell[known] = whole.astype(str).astype(object)
    return cell


def _quintile(history: OrderHistory, field: str, *, less_is_better: bool = False) -> Float:
    """(n,) 1 to 5 among those who ever ordered, by the edges that RFM segments use; NaN for the others."""
    if field in history.scores:
        return history.scores[field]
    ordered, of = history.orders > 0, getattr(history, field)
    edges = quintile_edges(of, ordered, less_is_better=less_is_better)
    scores = edge_scores(of, edges, less_is_better=less_is_better)
    found: Float = np.where(ordered & (scores > 0), scores.astype(np.float64), np.nan)
    history.scores[field] = found
    return found
