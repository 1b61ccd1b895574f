"""A campaign as rows: one decision each, what came of it, and how likely it was.

The same rows are made of a real log with its events and of a simulated one (replay.py), so that every figure of the
one has its counterpart in the other. What a log did not record is NaN, never 0. Not here: figures of the rows
(clustered_statistics.py, funnel_regression.py), the world they lead to (draft.py). n rows, k actions.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd

from campaignrl.actions import Catalog
from campaignrl.arrays import Bool, Float, Int
from campaignrl.errors import DataError, Problem
from campaignrl.tables.log import DecisionLog

LONGEST_TELLING = 7  # days, of a window where decisions are made every day
FEW = 0.2  # share of rows with none that a send may follow within such a window
LONGEST_WINDOW = 30  # days that an order can follow a decision by
STEPS = ("delivered", "opened", "clicked", "unsubscribed", "redeemed")  # of a send, and kinds of event


@dataclass(frozen=True)
class Rows:
    """n decisions, customer by customer and each customer's in order of time; all fields (n,).

    customer, segment, action: codes; day: whole; propensity: chance of `action`; days: length of the outcome window,
    NaN while it is open; delivered .. redeemed: of a send 1 or 0, NaN where it was not recorded or nothing was sent;
    visited: likewise, in the window; orders, spend (full price, currency): of the window.
    """

    customer: Int
    segment: Int
    day: Int
    action: Int
    propensity: Float
    days: Float
    delivered: Float
    opened: Float
    clicked: Float
    unsubscribed: Float
    redeemed: Float
    visited: Float
    orders: Float
    spend: Float

    def __len__(self) -> int:
        return len(self.action)

    def take(self, part: Any) -> Rows:
        """Some of the rows."""
        return Rows(*(getattr(self, field.name)[part] for field in fields(self)))


@dataclass(frozen=True)
class Campaign:
    """Rows with the names of their codes.

    eligible: (n, k) what was allowed; None: everything, always. parts: of what traits each segment is made, where it is
    one of a grid ("mens", "high"), so that segments with a trait in common lean on each other.
    """

    catalog: Catalog
    segments: tuple[str, ...]
    rows: Rows
    eligible: Bool | None = None
    parts: tuple[tuple[str, ...], ...] | None = None

    @property
    def shares(self) -> Float:
        """(g,) share of the customers in each segment."""
        _, first = np.unique(self.rows.customer, return_index=True)
        counts = np.bincount(self.rows.segment[first], minlength=len(self.segments))
        result: Float = counts / counts.sum()
        return result

    def take(self, part: Any) -> Campaign:
        """Some of the rows."""
        return replace(self, rows=self.rows.take(part), eligible=None if self.eligible is None else self.eligible[part])


def campaign_of_outcomes(
    log: DecisionLog, segment: Int, segments: tuple[str, ...], days: float | Float, **outcomes: Float
) -> Campaign:
    """The campaign of a log whose outcomes stand in the same table: visited, orders, spend, opened ... (n,) each.

    segment: (n,) codes into `segments`; days: length of the outcome window, of all rows or of each.
    """
    order = np.lexsort((log.day, log.customer))
    n = len(log)
    strange = [name for name in outcomes if name not in {field.name for field in fields(Rows)}]
    if strange:
        raise DataError([Problem("campaign", "outcome", name, "an outcome that rows have") for name in strange])
    known = {name: np.asarray(values, dtype=np.float64) for name, values in outcomes.items()}
    absent = {f.name: np.full(n, np.nan) for f in fields(Rows) if f.name not in known}
    columns = absent | known | {"customer": log.customer, "segment": np.asarray(segment), "day": log.day}
    columns |= {"action": log.action, "propensity": log.propensity}
    columns["days"] = np.where(log.matured, np.broadcast_to(np.asarray(days, dtype=np.float64), n), np.nan)
    eligible = None if log.eligible is None else log.eligible[order]
    return Campaign(log.catalog, segments, Rows(**columns).take(order), eligible)


def campaign_of_events(
    log: DecisionLog,
    events: pd.DataFrame,
    segment: Int,
    segments: tuple[str, ...],
    window: int | None = None,
    day_zero: str | None = None,
) -> Campaign:
    """The campaign of a decision log whose outcomes are rows of an events table (tables/events.py).

    segment: (customers of the log,) codes into `segments`. window: days in which orders count; None: until the
    customer's next decision where decisions are days apart, else as long as sends seldom follow a none. day_zero: the
    date of the log's day 0 (default: as the log says, else 1970-01-01). A funnel event belongs to the customer's last
    send of its offer and channel.
    """
    found = _placed(events, log, day_zero)
    order = np.lexsort((log.day, log.customer))
    customer, day, action = log.customer[order], log.day[order].astype(np.int64), log.action[order].astype(np.int64)
    end = int(np.concatenate([found.day.to_numpy(), day]).max(initial=0)) + 1
    days = _windows(customer, day, action, window, end)
    bought, worth = _in_window(found, found.kind == "order", customer, day, days)
    visits, _ = _in_window(found, found.kind == "visit", customer, day, days)
    kinds = set(events.kind.unique())
    steps = {step: _answered(found, step, customer, day, action, log.catalog) for step in STEPS}
    none = np.full(len(order), np.nan)
    rows = Rows(
        customer=customer,
        segment=np.asarray(segment)[customer],
        day=day,
        action=action,
        propensity=log.propensity[order],
        days=np.where(day + days <= end, days, np.nan),
        **{step: values if step in kinds else none for step, values in steps.items()},
        visited=np.minimum(visits, 1.0) if "visit" in kinds else none,
        orders=bought,
        spend=worth,
    )
    return Campaign(log.catalog, segments, rows, None if log.eligible is None else log.eligible[order])


def _placed(events: pd.DataFrame, log: DecisionLog, day_zero: str | None) -> pd.DataFrame:
    """The events of the log's customers, with their number there and the log's day."""
    zero = pd.Timestamp(day_zero or log.meta.get("day_zero", "1970-01-01"))
    number = pd.Index(log.customers).get_indexer(pd.Index(events.customer_id))
    if len(events) and not (number >= 0).any():
        fix = "Ids are text, to the letter; are these the same customers?"
        first = str(events.customer_id.iloc[0])
        raise DataError(Problem("events", "customer_id", first, "among the log's customers, nor is any other", fix))
    day = ((events.ts - zero) // pd.Timedelta(days=1)).to_numpy(dtype=np.int64)
    kept = (number >= 0) & (day >= int(log.day.min(initial=0)))
    found = pd.DataFrame({"customer": number[kept], "day": day[kept]})
    for name in ("kind", "offer", "channel", "amount", "discount"):
        found[name] = events[name].to_numpy()[kept] if name in events else None
    return found


def _windows(customer: Int, day: Int, action: Int, window: int | None, end: int) -> Float:
    """(n,) days in which what happens counts for each row."""
    gap = np.full(len(day), np.nan)
    same = customer[1:] == customer[:-1]
    gap[:-1][same] = np.diff(day)[same]
    known = gap[~np.isnan(gap)]
    if window is None and len(known) and np.median(known) >= 2:
        last = np.minimum(end - day, LONGEST_WINDOW).astype(np.float64)
        return np.minimum(np.where(np.isnan(gap), last, gap), LONGEST_WINDOW)
    return np.full(len(day), float(_telling(customer, day, action) if window is None else window))


def _telling(customer: Int, day: Int, action: Int) -> int:
    """The window where decisions are made every day: as long as few rows with none are followed by a send in it.

    What is sent soon after belongs to both arms, and a difference between them then says little of one send.
    """
    sent, none = np.flatnonzero(action > 0), action == 0
    if not len(sent) or not none.any():
        return LONGEST_TELLING
    following = np.full(len(day), np.inf)  # days until the next send of the same customer
    span = np.int64(day.max() + 1)
    key = customer.astype(np.int64) * span + day
    place = np.searchsorted(key[sent], key)
    there = np.flatnonzero(place < len(sent))
    row = sent[place[there]]
    mine = customer[row] == customer[there]
    following[there[mine]] = (day[row] - day[there])[mine]
    followed = [float((following[none] < days).mean()) for days in range(1, LONGEST_TELLING + 1)]
    return max(1, sum(share <= FEW for share in followed))


def _in_window(found: pd.DataFrame, mine: Any, customer: Int, day: Int, days: Float) -> tuple[Float, Float]:
    """(n,) how many of these events fell into each row's window, and what they were worth at full price."""
    part = found[mine].sort_values(["customer", "day"], kind="stable")
    span = np.int64(max(int(day.max(initial=0)), int(part.day.max()) if len(part) else 0) + LONGEST_WINDOW + 400)
    key = part.customer.to_numpy() * span + part.day.to_numpy()
    paid = part.amount.to_numpy(dtype=np.float64), part.discount.to_numpy(dtype=np.float64)
    worth = np.concatenate([[0.0], np.cumsum(np.nan_to_num(paid[0]) + np.nan_to_num(paid[1]))])
    start = customer.astype(np.int64) * span + day
    low, high = np.searchsorted(key, start), np.searchsorted(key, start + days.astype(np.int64))
    return (high - low).astype(np.float64), worth[high] - worth[low]


def _answered(found: pd.DataFrame, kind: str, customer: Int, day: Int, action: Int, catalog: Catalog) -> Float:
    """(n,) 1 where the send was followed by an event of this kind, 0 where not, NaN where nothing was sent."""
    part = found[found.kind == kind]
    offer = pd.Index([offer.name for offer in catalog.offers]).get_indexer(pd.Index(part.offer))
    channel = pd.Index([channel.name for channel in catalog.channels]).get_indexer(pd.Index(part.channel))
    code, of_event = np.zeros(len(action), dtype=np.int64), np.zeros(len(part), dtype=np.int64)
    for of_action, mine in ((catalog.offer_of[action], offer), (catalog.channel_of[action], channel)):
        if len(mine) and (mine >= 0).all():  # else the events do not say
            code, of_event = code * (mine.max() + 2) + of_action, of_event * (mine.max() + 2) + mine
    row = last_send(customer, day, action > 0, code, part.customer.to_numpy(), part.day.to_numpy(), of_event)
    result = np.where(action > 0, 0.0, np.nan)
    result[row[row >= 0]] = 1.0
    return result


def last_send(customer: Int, day: Int, sent: Bool, code: Int, who: Int, when: Int, what: Int) -> Int:
    """(m,) the row of the last send of `what` to `who` by the day `when`, at most LONGEST_WINDOW before; -1: none.

    customer, day, sent, code: (n,) of the rows; who, when, what: (m,) of events.
    """
    rows = np.flatnonzero(sent)
    if not len(rows) or not len(who):
        return np.full(len(who), -1)
    first = min(int(day[rows].min()), int(when.min()))
    span = np.int64(max(int(day[rows].max()), int(when.max())) - first + 1)
    codes = np.int64(max(int(code[rows].max()), int(what.max())) + 1)
    key = (customer[rows].astype(np.int64) * codes + code[rows]) * span + (day[rows] - first)
    order = np.argsort(key, kind="stable")
    event = (who.astype(np.int64) * codes + what) * span + (when - first)
    place = np.searchsorted(key[order], event, side="right") - 1
    found = rows[order[np.maximum(place, 0)]]
    same = (place >= 0) & (customer[found] == who) & (code[found] == what) & (when - day[found] <= LONGEST_WINDOW)
    result: Int = np.where(same, found, -1)
    return result
