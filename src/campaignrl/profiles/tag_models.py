"""Model tags: chance of being a customer still, orders to come, their value, risk of leaving, response to coupons.

The first three are buy-till-you-die models (calibrate/btyd.py) fitted on the customers' own order histories; the last
two learn from an earlier window: what was known before a day `cut`, and what happened between it and `as_of`. Nothing
from after the cut is among the inputs of training. Not here: statistics (tag_statistics.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from campaignrl.calibrate.btyd import fit_gamma_gamma, fit_mbg_nbd
from campaignrl.profiles.database import UNIT, Connection, fixed
from campaignrl.profiles.tag_statistics import Scope
from campaignrl.profiles.tag_values import Ids, statistic_columns
from campaignrl.profiles.tags import Tag

Float = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

WEEK = 7.0
HORIZON = 90  # days, where a tag does not say
MOST_FITTED = 50_000  # customers, evenly taken; more would not change the second digit
FEWEST = 50  # customers of either kind, or repeat buyers: with fewer there is no model, and the tag is unknown
# What a classifier sees of a customer: (phrase, window in days).
INPUTS: Mapping[str, tuple[str, int | None]] = MappingProxyType(
    {
        "recency": ("days since the last order", None),
        "age": ("days since the first order", None),
        "orders": ("number of orders", None),
        "orders_90": ("number of orders", 90),
        "gap": ("mean days between orders", None),
        "basket": ("average basket at list price", None),
        "on_discount": ("share of orders on discount", None),
        "visits_30": ("number of visits", 30),
        "activities_90": ("number of activities", 90),
        "last_activity": ("days since the last activity", None),
        "sends_30": ("number of sends", 30),
        "opens_90": ("number of opens", 90),
        "clicks_90": ("number of clicks", 90),
        "redemptions": ("number of redemptions", None),
    }
)
# Orders of one day are one; an opening balance stands for its orders, spread between its first and last day.
HISTORIES = f"""
with days as (
  select customer_id, cast(ts as date) as day,
    sum(coalesce({fixed("amount")}, 0) + coalesce({fixed("discount")}, 0)) as amount
  from known where kind = 'order' group by all
), ordered as (
  select customer_id, count(*) as orders, min(day) as first, max(day) as last, sum(amount) as amount,
    arg_min(amount, day) as first_amount from days group by customer_id
), opened as (
  select customer_id, cast(max(value) as bigint) as orders, cast(min(ts) as date) as first,
    cast(max(ts) as date) as last, coalesce(max({fixed("amount")}), 0) as amount
  from known where kind = 'opening' group by customer_id
)
select coalesce(o.customer_id, b.customer_id) as customer_id,
  coalesce(o.orders, 0) + coalesce(b.orders, 0) as orders,
  least(o.first, b.first) as first, greatest(o.last, b.last) as last,
  coalesce(o.amount, 0) + coalesce(b.amount, 0) as amount,
  case when b.customer_id is null then o.first_amount end as first_amount
from ordered o full join opened b on o.customer_id = b.customer_id order by customer_id
"""


class Histories(NamedTuple):
    """Order histories in weeks, (n,); NaN for customers who never ordered. Fader, Hardie & Lee 2005."""

    x: Float  # repeat orders
    t_x: Float  # from the first to the last order
    T: Float  # from the first order to today
    m: Float  # mean value of the repeat orders, at list price; 0 without one


class ModelTag(NamedTuple):
    """(n,) values and what is worth knowing of the fit, in plain JSON types."""

    values: Float
    says: dict[str, Any]


def histories(connection: Connection, as_of: date, ids: Ids) -> Histories:
    """Every customer's order history as of the morning of `as_of`."""
    found = connection.execute(HISTORIES).df().set_index("customer_id").reindex(ids)
    orders = found["orders"].to_numpy(dtype=np.float64)
    first, last = (found[k].to_numpy().astype("datetime64[D]") for k in ("first", "last"))
    end = np.datetime64(as_of, "D")

    def weeks(days: npt.NDArray[Any]) -> Float:
        span: Float = np.where(np.isnat(days), np.nan, days.astype(np.float64)) / WEEK
        return span

    amount, first_amount = (found[k].to_numpy(dtype=np.float64) / UNIT for k in ("amount", "first_amount"))
    repeat = np.where(np.isnan(first_amount), amount * (orders - 1) / np.maximum(orders, 1), amount - first_amount)
    # Two moments are at least two orders, where half of an opening balance has not arrived yet.
    x = np.where(np.isnat(first), np.nan, np.maximum(orders - 1.0, last > first))
    m = np.where(x > 0, repeat / np.maximum(x, 1.0), 0.0)
    return Histories(x, weeks(last - first), weeks(end - first), np.where(np.isnan(x), np.nan, m))


def model_column(connection: Connection, tag: Tag, as_of: date, ids: Ids, book: Callable[[], Histories]) -> ModelTag:
    """One model tag for every customer; book: the order histories, asked for only by models that need them."""
    days = tag.days or HORIZON
    if tag.of in ("churn_risk", "coupon_response"):
        return _learned(connection, tag.of, as_of, days, ids)
    h = book()
    known = ~np.isnan(h.x)
    values = np.full(len(ids), np.nan)
    rows = np.flatnonzero(known)
    if int((h.x[rows] > 0).sum()) < FEWEST:
        return ModelTag(values, {"unknown": f"fewer than {FEWEST} customers ordered again"})
    with threadpool_limits(1):
        some = rows[:: max(1, -(-len(rows) // MOST_FITTED))]
        fit = fit_mbg_nbd(h.x[some], h.t_x[some], h.T[some])
        x, t_x, total = h.x[rows], h.t_x[rows], h.T[rows]
        says: dict[str, Any] = {"model": "MBG/NBD", "weeks": dict(fit.parameters), "fitted_on": len(some)}
        if tag.of == "p_alive":
            values[rows] = fit.p_alive(x, t_x, total)
            return ModelTag(values, says)
        values[rows] = fit.expected_purchases(days / WEEK, x, t_x, total)
        if tag.of == "clv":
            spenders = some[(h.x[some] > 0) & (h.m[some] > 0)]
            if len(spenders) < FEWEST:
                return ModelTag(np.full(len(ids), np.nan), {"unknown": "too few repeat orders with an amount"})
            spend = fit_gamma_gamma(h.x[spenders], h.m[spenders])
            values[rows] *= tag.margin * spend.expected_spend(x, h.m[rows])
            says |= {"spend": "gamma-gamma", "days": days, "margin": tag.margin}
    return ModelTag(values, says)


def _learned(connection: Connection, of: str, as_of: date, days: int, ids: Ids) -> ModelTag:
    """A classifier of what happens within `days`, taught on the `days` before `as_of`."""
    cut = as_of - timedelta(days=days)
    label, taught = _labels(connection, of, cut, ids)
    before, now = _inputs(connection, cut, ids), _inputs(connection, as_of, ids)
    ever = INPUTS_AT["orders"]
    applies = now[:, ever] > 0 if of == "churn_risk" else np.ones(len(ids), dtype=bool)
    rows = np.flatnonzero(taught & (before[:, ever] > 0) if of == "churn_risk" else taught)
    values = np.full(len(ids), np.nan)
    if min(int(label[rows].sum()), int((~label[rows]).sum())) < FEWEST:
        return ModelTag(values, {"unknown": f"fewer than {FEWEST} examples of either outcome since {cut}"})
    rows = rows[:: max(1, -(-len(rows) // MOST_FITTED))]
    with threadpool_limits(1):  # sums of gradients in one order
        fold = np.arange(len(rows)) % 5 == 0
        tested = _fitted(before[rows[~fold]], label[rows[~fold]])
        held_out = tested.predict_proba(before[rows[fold]])[:, 1]
        both = 0 < label[rows[fold]].sum() < fold.sum()
        auc = float(roc_auc_score(label[rows[fold]], held_out)) if both else None
        fit = _fitted(before[rows], label[rows])
        values[applies] = fit.predict_proba(now[applies])[:, 1]
    says = {"model": "gradient boosting", "days": days, "cut": cut.isoformat(), "fitted_on": len(rows), "auc": auc}
    return ModelTag(values, says | {"share": float(label[rows].mean())})


def _fitted(x: Float, y: Bool) -> HistGradientBoostingClassifier:
    """A classifier; an input that is unknown for everybody says nothing, which the library cannot be told."""
    inputs = np.where(np.isnan(x).all(axis=0), 0.0, x)
    model = HistGradientBoostingClassifier(
        max_iter=60, learning_rate=0.1, max_leaf_nodes=15, l2_regularization=1.0, early_stopping=False, random_state=0
    )
    return model.fit(inputs, y)


INPUTS_AT = {name: i for i, name in enumerate(INPUTS)}


def _inputs(connection: Connection, day: date, ids: Ids) -> Float:
    """(n, inputs) as known on the morning of `day`: later events are not looked at."""
    wanted = {name: (phrase, Scope(day, window)) for name, (phrase, window) in INPUTS.items()}
    columns = statistic_columns(connection, wanted, ids, f"(select * from events where ts < timestamp '{day}')")
    return np.column_stack([columns[name] for name in INPUTS])


def _labels(connection: Connection, of: str, cut: date, ids: Ids) -> tuple[Bool, Bool]:
    """(outcome, taught) of each customer (n,) between the cut and today."""
    since = f"ts >= timestamp '{cut}'"
    ordered = f"bool_or(kind = 'order' and {since})"
    redeemed = f"bool_or({since} and (kind = 'redeemed' or (kind = 'order' and (offer is not null or discount > 0))))"
    asked = f"bool_or({since} and kind = 'sent' and offer is not null)"
    sql = f"select customer_id, {ordered} as ordered, {redeemed} as redeemed, {asked} as asked from known group by 1"
    found = connection.execute(sql).df().set_index("customer_id").reindex(ids)
    ordered_, redeemed_, asked_ = (
        found[k].to_numpy(dtype=object, na_value=False).astype(bool) for k in ("ordered", "redeemed", "asked")
    )
    if of == "churn_risk":
        return ~ordered_, np.ones(len(ids), dtype=bool)
    return redeemed_, asked_
