"""Histories that no campaign has touched, from events and attributes: what base rates are fitted on.

A customer's clock starts when it joined, where that is known (attributes `joined`), else with its first order. The
purchase model is chosen as tags choose it (forecast.py), and its calendar is what times are counted in. Not here: the
fits (base_rates.py), summaries of events (rfm.py).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from campaignrl.arrays import Float, Int64
from campaignrl.calibration.purchase.base_rates import FEWEST, Fitted, Path, basket_numbers, purchase_numbers
from campaignrl.calibration.purchase.forecast import Forecast, choose
from campaignrl.calibration.purchase.rfm import summarise
from campaignrl.calibration.purchase.seasonality import Purchases
from campaignrl.errors import DataError, Problem

DAY = pd.Timedelta(days=1)
MOST = 50_000  # customers a model is chosen on, evenly taken; more would not change the second digit


class Chosen(NamedTuple):
    """The purchase model of orders that no campaign touched."""

    forecast: Forecast
    origin: pd.Timestamp  # date of its day 0
    customers: int  # it was chosen on


class Base(NamedTuple):
    """What is known of customers with nothing sent to them, whether that includes order rates, and by which model."""

    numbers: dict[Path, Fitted]
    rates_known: bool
    chosen: Chosen | None = None
    joined_by_order: bool = False  # the clock starts with the first order


def base_of_events(
    events: pd.DataFrame, labels: pd.Series, before: pd.Timestamp | None, attributes: pd.DataFrame | None
) -> Base:
    """Order rates and lifetimes from what came before `before` (None: all there is), baskets from orders without offer.

    labels: the segment of each customer, by customer id.
    """
    numbers: dict[Path, Fitted] = {}
    chosen, joined = None, attributes is not None and "joined" in attributes
    end = before if before is not None else events.ts.max()
    past = events[events.ts < end] if before is not None else events
    known = past[past.kind.isin(["order", "opening"])]
    if len(known):
        moment = end - pd.Timedelta(microseconds=1) if before is not None else end
        table = on_the_customers_clock(summarise(known, moment, 1.0), labels, end, attributes)
        columns: dict[str, Float] = {name: table[name].to_numpy(dtype=np.float64) for name in ("x", "t_x", "T")}
        if int((columns["x"] > 0).sum()) >= FEWEST and (known.kind == "order").all():
            chosen, in_season = _chosen(known, table, moment, joined)
            columns = columns if in_season is None else in_season
        numbers |= purchase_numbers(
            columns, table.label.to_numpy(dtype=object), chosen.forecast if chosen is not None else None
        )
        if numbers:
            mean = 2.0 * float(columns["T"].mean())
            se = 2.0 * float(columns["T"].std(ddof=1) / np.sqrt(len(table)))
            since = "joining" if joined else "the first order"
            numbers["tenure_days",] = Fitted(mean, se, len(table), f"twice the mean time since {since}")
    return Base(numbers | _baskets(events, labels), bool(numbers), chosen, bool(numbers) and not joined)


def _chosen(
    orders: pd.DataFrame, table: pd.DataFrame, moment: pd.Timestamp, joined: bool
) -> tuple[Chosen, dict[str, Float] | None]:
    """The model of these customers, and in a season their histories in average days."""
    last, n = moment.normalize(), len(table)
    since = pd.to_timedelta(np.rint(table["T"].to_numpy() * 86_400.0), unit="s")
    began: Int64 = ((last - (moment - since).normalize()) / DAY).to_numpy().astype(np.int64)
    began = began + joined  # who joined on a day may order on it, and a first order is none
    end = int(began.max())
    row = pd.Index(table.customer_id).get_indexer(orders.customer_id)
    day = end - ((last - orders.ts.dt.normalize()) / DAY).to_numpy().astype(np.int64)
    first = end - began
    again = (row >= 0) & (day > first[row])
    one_a_day = np.unique(np.stack([row[again], day[again]]), axis=1)
    purchases = Purchases(first, one_a_day[0], one_a_day[1], np.full(n, "all", dtype=object))
    forecast = choose(_some(purchases, -(-n // MOST)), end)
    chosen = Chosen(forecast, last - end * DAY, len(range(0, n, max(-(-n // MOST), 1))))
    if not forecast.seasonal:
        return chosen, None
    latest = first.copy()
    np.maximum.at(latest, purchases.customer, purchases.day)
    times = np.bincount(purchases.customer, minlength=n).astype(np.float64)
    return chosen, forecast.columns(times, first, latest)


def _some(purchases: Purchases, every: int) -> Purchases:
    """Those of every k-th customer."""
    if every <= 1:
        return purchases
    mine = purchases.customer % every == 0
    return Purchases(
        purchases.first[::every], purchases.customer[mine] // every, purchases.day[mine], purchases.labels[::every]
    )


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
