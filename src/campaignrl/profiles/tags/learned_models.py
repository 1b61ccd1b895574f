"""Model tags that learn from an earlier window: what was known before a day `cut`, and what happened after it.

`churn_risk` is the chance of no order within the horizon, `coupon_response` that of using a coupon, `p_active` that of
being a customer still, by orders and by answers to messages alike. Nothing from after the cut is among the inputs of
training. Not here: buy-till-you-die models (order_models.py), statistics (statistics.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from campaignrl.arrays import Bool, Float, Objects
from campaignrl.calibration.purchase import fit_mbg_nbd
from campaignrl.profiles.events import (
    FEWEST,
    MOST_FITTED,
    WEEK,
    Connection,
    Histories,
    ModelTag,
    by_customer,
    histories,
)
from campaignrl.profiles.tags.statistics import Scope
from campaignrl.profiles.tags.values import Aggregates, Wanted, statistic_columns

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

TAUGHT = "taught"  # table of the events of those who are learned from


class Book(NamedTuple):
    """What model tags share, each part found when first asked for.

    histories: (n,) of today; inputs: (n, inputs) of today; taught: (m,) customers to learn from, whose events before
    today are in table TAUGHT.
    """

    histories: Callable[[], Histories]
    inputs: Callable[[], Float]
    taught: Callable[[], Objects]


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
ORDERS = list(INPUTS).index("orders")


def outcome_column(connection: Connection, of: str, as_of: date, days: int, ids: Objects, book: Book) -> ModelTag:
    """`churn_risk` or `coupon_response`: a classifier of what happens within `days`, taught on the `days` before."""
    from sklearn.metrics import roc_auc_score  # slow to import, and few verbs need it

    cut = as_of - timedelta(days=days)
    some = book.taught()
    label, taught = _labels(connection, of, cut, some)
    before = inputs_then(connection, cut, some)
    rows = np.flatnonzero(taught & (before[:, ORDERS] > 0) if of == "churn_risk" else taught)
    values = np.full(len(ids), np.nan)
    if min(int(label[rows].sum()), int((~label[rows]).sum())) < FEWEST:
        return ModelTag(values, {"unknown": f"fewer than {FEWEST} examples of either outcome since {cut}"})
    today = book.inputs()
    applies = today[:, ORDERS] > 0 if of == "churn_risk" else np.ones(len(ids), dtype=bool)
    with threadpool_limits(1):  # sums of gradients in one order
        fold = np.arange(len(rows)) % 5 == 0
        held_out = _fitted(before[rows[~fold]], label[rows[~fold]]).predict_proba(before[rows[fold]])[:, 1]
        both = 0 < label[rows[fold]].sum() < fold.sum()
        auc = float(roc_auc_score(label[rows[fold]], held_out)) if both else None
        model = _fitted(before[rows], label[rows])
    values[applies] = model.predict_proba(today[applies])[:, 1]
    says = {"model": "gradient boosting", "days": days, "cut": cut.isoformat(), "fitted_on": len(rows), "auc": auc}
    return ModelTag(values, says | {"share": float(label[rows].mean())})


def active_column(connection: Connection, as_of: date, days: int, ids: Objects, book: Book) -> ModelTag:
    """`p_active`: who was a customer still at the cut shows, in part, in the `days` after it.

    A customer who ordered after the cut was one (1); of the others it is the chance given that silence: with p the
    chance by MBG/NBD at the cut and q that of no order in the window, p q / (p q + 1 - p). A classifier learns that
    from all that was known at the cut, opened and ignored messages too, and is asked about today.
    """
    cut = as_of - timedelta(days=days)
    some, history = book.taught(), book.histories()
    then, after = histories(connection, cut, some, TAUGHT), history.take(np.arange(len(ids))[:: every(ids)])
    values = np.full(len(ids), np.nan)
    taught, rows = np.flatnonzero(~np.isnan(then.x)), np.flatnonzero(~np.isnan(history.x))
    again = after.take(np.flatnonzero(~np.isnan(after.x)))
    if min(int((again.x > 0).sum()), len(taught)) < FEWEST:
        return ModelTag(values, {"unknown": f"fewer than {FEWEST} customers ordered before {cut}, or ordered again"})
    asked, seen = history.take(rows), then.take(taught)
    with threadpool_limits(1):
        fit = fit_mbg_nbd(again.x, again.t_x, again.T)
        p = fit.p_alive(seen.x, seen.t_x, seen.T)
        quiet = silence(fit.parameters, seen.x, seen.T, days / WEEK)
        stayed = np.where(after.x[taught] > seen.x, 1.0, p * quiet / (p * quiet + 1.0 - p))
        told = np.column_stack([inputs_then(connection, cut, some)[taught], p])
        both = np.repeat([True, False], len(taught))
        model = _fitted(np.concatenate([told, told]), both, np.concatenate([stayed, 1.0 - stayed]))
        today = np.column_stack([book.inputs()[rows], fit.p_alive(asked.x, asked.t_x, asked.T)])
    values[rows] = model.predict_proba(today)[:, 1]
    says = {"model": "MBG/NBD and gradient boosting", "days": days, "cut": cut.isoformat(), "fitted_on": len(taught)}
    return ModelTag(values, says | {"share": float(stayed.mean())})


def every(ids: Objects) -> int:
    """Of how many customers one is learned from, so that they are up to MOST_FITTED, evenly taken in order of ids."""
    return max(1, -(-len(ids) // MOST_FITTED))


def taught_customers(connection: Connection, ids: Objects) -> Objects:
    """(m,) customers to learn from; their events before today are laid down in table TAUGHT."""
    some = ids[:: every(ids)]
    connection.register("asked", pa.table({"customer_id": pa.array(some, pa.string())}))
    sql = f"create or replace temp table {TAUGHT} as select * from known semi join asked using (customer_id)"
    connection.execute(sql)
    return some


def silence(parameters: Mapping[str, float], x: Float, total: Float, weeks: float) -> Float:
    """(n,) chance that a customer who stays does not order for so long: its rate is Gamma(r + x + 1, alpha + T)."""
    r, alpha = parameters["r"], parameters["alpha"]
    chance: Float = ((alpha + total) / (alpha + total + weeks)) ** (r + x + 1.0)
    return chance


def _fitted(x: Float, y: Bool, weight: Float | None = None) -> HistGradientBoostingClassifier:
    """A classifier; an input that is unknown for everybody says nothing, which the library cannot be told."""
    from sklearn.ensemble import HistGradientBoostingClassifier  # slow to import, and few verbs need it

    inputs = np.where(np.isnan(x).all(axis=0), 0.0, x)
    model = HistGradientBoostingClassifier(
        max_iter=60, learning_rate=0.1, max_leaf_nodes=8, l2_regularization=5.0, early_stopping=False, random_state=0
    )
    return model.fit(inputs, y, sample_weight=weight)


def inputs_then(connection: Connection, day: date, ids: Objects) -> Float:
    """(m, inputs) of these customers as known on the morning of `day`: later events are not looked at."""
    source = f"(select * from {TAUGHT} where ts < timestamp '{day}')"
    return inputs_of(connection, day, ids, source)


def inputs_of(
    connection: Connection, day: date, ids: Objects, source: str = "known", made: Aggregates | None = None
) -> Float:
    """(n, inputs) of all customers, by the events of `source`, none of which is from `day` or later."""
    columns = statistic_columns(connection, wanted_inputs(day), ids, source, made)
    return np.column_stack([columns[name] for name in INPUTS])


def wanted_inputs(day: date) -> Wanted:
    """The statistics that inputs are, as known on the morning of `day`."""
    return {name: (phrase, Scope(day, window)) for name, (phrase, window) in INPUTS.items()}


def _labels(connection: Connection, of: str, cut: date, ids: Objects) -> tuple[Bool, Bool]:
    """(outcome, taught) of each customer (n,) between the cut and today."""
    since = f"ts >= timestamp '{cut}'"
    ordered = f"bool_or(kind = 'order' and {since})"
    redeemed = f"bool_or({since} and (kind = 'redeemed' or (kind = 'order' and (offer is not null or discount > 0))))"
    asked = f"bool_or({since} and kind = 'sent' and offer is not null)"
    sql = f"select customer_id, {ordered} as ordered, {redeemed} as redeemed, {asked} as asked from {TAUGHT} group by 1"
    columns: dict[str, Bool] = {name: found == 1.0 for name, found in by_customer(connection, sql, ids).items()}
    if of == "churn_risk":
        return ~columns["ordered"], np.ones(len(ids), dtype=bool)
    return columns["redeemed"], columns["asked"]
