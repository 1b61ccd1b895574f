"""Histories that no campaign has touched, from events and attributes: what base rates are fitted on.

A customer's clock starts when it joined, where that is known (attributes `joined`), else with its first order. Not
here: the fits (base_rates.py), summaries of events (rfm.py).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from campaignrl.calibration.purchase.base_rates import Fitted, Path, basket_numbers, purchase_numbers
from campaignrl.calibration.purchase.rfm import summarise
from campaignrl.errors import DataError, Problem

DAY = pd.Timedelta(days=1)


class Base(NamedTuple):
    """What is known of customers with nothing sent to them, and whether that includes order rates."""

    numbers: dict[Path, Fitted]
    rates_known: bool


def base_of_events(
    events: pd.DataFrame, labels: pd.Series, before: pd.Timestamp | None, attributes: pd.DataFrame | None
) -> Base:
    """Order rates and lifetimes from what came before `before` (None: all there is), baskets from orders without offer.

    labels: the segment of each customer, by customer id.
    """
    numbers: dict[Path, Fitted] = {}
    end = before if before is not None else events.ts.max()
    past = events[events.ts < end] if before is not None else events
    known = past.kind.isin(["order", "opening"])
    if known.any():
        moment = end - pd.Timedelta(microseconds=1) if before is not None else end
        table = on_the_customers_clock(summarise(past[known], moment, 1.0), labels, end, attributes)
        numbers |= purchase_numbers(table, table.label.to_numpy(dtype=object))
        if numbers:
            mean = 2.0 * float(table["T"].mean())
            se = 2.0 * float(table["T"].std(ddof=1) / np.sqrt(len(table)))
            numbers["tenure_days",] = Fitted(mean, se, len(table), "twice the mean time since joining")
    return Base(numbers | _baskets(events, labels), bool(numbers))


def on_the_customers_clock(
    table: pd.DataFrame, labels: pd.Series, end: pd.Timestamp, attributes: pd.DataFrame | None
) -> pd.DataFrame:
    """x, t_x, T (days) and label of each customer: since joining, everybody counted; else since the first order."""
    if attributes is None or "joined" not in attributes:
        found = table[table.customer_id.isin(labels.index)]
        return found.assign(label=labels.reindex(found.customer_id).to_numpy())
    joined = pd.to_datetime(attributes.set_index("customer_id")["joined"])
    joined = joined[joined.notna() & (joined < end) & joined.index.isin(labels.index)]
    own = table.set_index("customer_id").reindex(joined.index)
    tenure = ((end - joined) / DAY).to_numpy(dtype=np.float64)
    since = (own["T"] - own["t_x"]).to_numpy(dtype=np.float64)  # from the last order to the end
    x = own.orders.fillna(0).to_numpy(dtype=np.float64)
    t_x = np.where(x > 0, np.clip(tenure - np.nan_to_num(since), 0.0, tenure), 0.0)
    columns = {"customer_id": joined.index, "x": x, "t_x": t_x, "T": tenure}
    return pd.DataFrame(columns).assign(label=labels.reindex(joined.index).to_numpy())


def _baskets(events: pd.DataFrame, labels: pd.Series) -> dict[Path, Fitted]:
    used = events["offer"].notna() if "offer" in events else pd.Series(False, index=events.index)
    orders = events[(events.kind == "order") & ~used & events.customer_id.isin(labels.index)]
    if not len(orders):
        return {}
    value = orders.amount.fillna(0.0) + (orders.discount.fillna(0.0) if "discount" in orders else 0.0)
    by_customer = value.groupby(orders.customer_id).agg(["count", "mean"])
    of: npt.NDArray[Any] = labels.reindex(by_customer.index).to_numpy(dtype=object)
    return basket_numbers(
        by_customer["count"].to_numpy(dtype=np.float64), by_customer["mean"].to_numpy(dtype=np.float64), of
    )


def labels_of(customers: pd.Index, segments: pd.Series | None) -> pd.Series:
    """The segment of every customer, by id; one segment "all" where none are given."""
    if segments is None:
        return pd.Series("all", index=customers, dtype=object)
    found = segments.reindex(customers)
    missing = found.index[found.isna()]
    if len(missing) == len(customers):
        first = str(customers[0]) if len(customers) else ""
        raise DataError(Problem("segments", "customer_id", first, "labelled, nor is any other", "Are these the ids?"))
    return found.astype(object).where(found.notna(), "unlabelled")
