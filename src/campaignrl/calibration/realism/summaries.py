"""What customers did in a window of time, as arrays in which real and simulated ones can be held against each other.

A window has customers who were there before it (or, without a start, everybody from the own first order on). Orders of
one day are one. Here: repeat orders, gaps, recency, spending, retention by month, orders by week. Not here: answers to
contacts (engagement.py), which of it counts as close (scorecard.py).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from campaignrl.arrays import Float, Int64
from campaignrl.errors import DataError, Problem, UsageError
from campaignrl.tables.files import require_columns

MONTH = 30  # days
COLUMNS = ("customer_id", "ts", "kind", "amount")


class CustomerSummaries(NamedTuple):
    """n customers in a window."""

    customers: npt.NDArray[np.object_]  # (n,) ids, ascending
    counts: Int64  # (n,) orders in the window, the first of all left out
    spend: Float  # (n,) currency, of these orders
    recency: Float  # (n,) days from the last order, wherever it lies, to the end
    age: Float  # (n,) days from the first order to the end
    gaps: Float  # days between orders that follow each other, of which the second lies in the window
    turns: Float  # gap / (gap + the next gap) of one customer, for pairs up to the end of the window
    values: Float  # currency, of each order in the window
    retention: Float  # (m,) share who order in the k-th month after their first order, of those then in the window
    watched: Int64  # (m,) how many these are
    weekly: Int64  # (w,) orders in each week, from the earliest order of anybody; the first of each customer left out
    window_weeks: int  # how many of them, at the end, lie in the window


def customer_summaries(
    events: pd.DataFrame, end: str | pd.Timestamp, start: str | pd.Timestamp | None = None, months: int = 12
) -> CustomerSummaries:
    """What the events table says of the window from `start` to `end`, both days included.

    start: customers who first ordered before it; None: everybody, each from the day after the first order.
    """
    require_columns("events", COLUMNS, list(events.columns))
    orders = _orders(events, pd.Timestamp(end))
    origin = int(orders["day"].min())
    last = _day(end)
    begin = origin if start is None else _day(start)
    if not begin <= last:
        raise UsageError(Problem("window", "start", str(start), f"on or before {end}"))
    known = orders.groupby("customer_id", sort=True)["day"].agg(["min", "max"])
    if start is not None:
        known = known[known["min"] < begin]
    if known.empty:
        raise DataError(Problem("events", "customers", 0, "at least one who ordered before the window"))
    mine = orders[orders["customer_id"].isin(known.index)].copy()
    mine["gap"] = mine.groupby("customer_id")["day"].diff()
    repeat = mine[mine["gap"].notna()]
    inside = repeat[repeat["day"] >= begin]
    place = pd.Index(known.index).get_indexer(pd.Index(inside["customer_id"]))
    retention, watched = _retention(known["min"].to_numpy(), place, inside["day"].to_numpy(), begin, last, months)
    weeks = (last - origin) // 7 + 1
    return CustomerSummaries(
        customers=known.index.to_numpy(dtype=object),
        counts=np.bincount(place, minlength=len(known)),
        spend=np.bincount(place, inside["amount"].to_numpy(), minlength=len(known)).astype(np.float64),
        recency=(last - known["max"]).to_numpy(dtype=np.float64),
        age=(last - known["min"]).to_numpy(dtype=np.float64),
        gaps=inside["gap"].to_numpy(dtype=np.float64),
        turns=_turns(mine),
        values=inside["amount"].to_numpy(dtype=np.float64),
        retention=retention,
        watched=watched,
        weekly=np.bincount((repeat["day"] - origin).to_numpy() // 7, minlength=weeks),
        window_weeks=int(weeks - (begin - origin) // 7),
    )


def _orders(events: pd.DataFrame, end: pd.Timestamp) -> pd.DataFrame:
    """One row a customer and day with an order, ascending: customer_id, day (number since 1970), amount."""
    rows = events.loc[(events["kind"] == "order") & (events["ts"] < end.normalize() + pd.Timedelta(days=1))]
    if rows.empty:
        raise DataError(Problem("events", "orders", 0, f"at least one by {end:%Y-%m-%d}"))
    day = rows["ts"].to_numpy().astype("datetime64[D]").astype(np.int64)
    frame = pd.DataFrame(
        {"customer_id": rows["customer_id"].to_numpy(), "day": day, "amount": rows["amount"].fillna(0.0)}
    )
    summed = frame.groupby(["customer_id", "day"], sort=True)["amount"].sum()
    return pd.DataFrame(summed).reset_index()


def _turns(orders: pd.DataFrame) -> Float:
    """Wheat & Morrison 1990: uniform where orders are Poisson, closer to 1/2 where they are regular.

    The variance is 1/12 then, and a little less in whole days and short windows.
    """
    following = orders.groupby("customer_id")["gap"].shift(-1)
    turns = (orders["gap"] / (orders["gap"] + following)).dropna()
    return turns.to_numpy(dtype=np.float64)


def _day(moment: str | pd.Timestamp) -> int:
    return int(np.datetime64(pd.Timestamp(moment), "D").astype(np.int64))


def _retention(first: Int64, place: Int64, day: Int64, begin: int, last: int, months: int) -> tuple[Float, Int64]:
    """Month k are the days 30 (k - 1) + 1 to 30 k after the first order; it counts where it lies in the window."""
    month = np.arange(months)
    from_day, to_day = first[:, None] + MONTH * month + 1, first[:, None] + MONTH * (month + 1)
    whole = (from_day >= begin) & (to_day <= last)  # (n, months)
    k = (day - first[place] - 1) // MONTH
    near = k < months
    ordered = np.zeros_like(whole)
    ordered[place[near], k[near]] = True
    watched = whole.sum(axis=0)
    with np.errstate(invalid="ignore"):
        return (ordered & whole).sum(axis=0) / np.where(watched > 0, watched, np.nan), watched
