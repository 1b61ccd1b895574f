"""Whom a step of a trial watches, and what is known of them beforehand, which takes noise out of the comparison.

Numbers alone, one row a customer, of the days before the step and never changed in it: orders and money of the last
days, how long ago the last order was, what the profile says, by segment, and what to expect of all this: how often a
customer orders, times what an order of theirs is worth, and less where they have been silent. Not here: what profiles
let one expect beyond these days (expectation.py), the comparison (rule.py).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from campaignrl.loop.arms.expectation import expected
from campaignrl.tables import ID

PAST = 90  # days in which orders are counted
HALF_LIFE = 30.0  # days in which an order counts half as much for how often its customer orders now
AVERAGE_ORDERS = 1.5  # so many orders of everybody's mean are added to a customer's own, so that one order tells little
LONG_AGO = 360.0  # days since the last order of who never ordered
SHORTEST = 30.0  # days over which the orders of a new customer are spread
NUMBERS = ("orders", "tenure_days", "basket_mean")  # of a profile, where it has them
SEGMENT = "segment"
FEWEST = 20  # customers of a segment that gets a number of its own


def cohort_of(
    profiles: pd.DataFrame, orders: pd.DataFrame, day: pd.Timestamp, newest: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Customers of `profiles` on the morning of `day`, by id.

    orders: customer_id, ts, amount. newest: customer_id and the time of the newest event of a kind, as the profiles'
    freshness has it; visits are looked at, where there are any.
    """
    ids = profiles[ID].astype(str)
    past = orders[orders["ts"] < day]
    late = past[past["ts"] >= day - pd.Timedelta(days=PAST)]
    recent = late.groupby(ID)["amount"]
    last = (day - past.groupby(ID)["ts"].max()).dt.days
    found: dict[str, np.ndarray] = {
        "orders_before": ids.map(recent.size()).fillna(0.0).to_numpy(dtype=np.float64),
        "spent_before": ids.map(recent.sum()).fillna(0.0).to_numpy(dtype=np.float64),
        "recency_before": np.log1p(ids.map(last).fillna(LONG_AGO).to_numpy(dtype=np.float64)),
    }
    order = _order_expected(profiles, past, ids)
    weighed = (0.5 ** ((day - late["ts"]).dt.days / HALF_LIFE)).groupby(late[ID]).sum()
    found["order_expected"] = order
    found["value_expected"] = found["orders_before"] * order
    found["value_expected_late"] = ids.map(weighed).fillna(0.0).to_numpy(dtype=np.float64) * order
    if {"orders", "tenure_days"} <= set(profiles.columns):
        days = np.maximum(_numbers(profiles, "tenure_days"), SHORTEST)
        found["value_expected_ever"] = _numbers(profiles, "orders") / days * order
    # Who has been silent for long has often gone: then the same past promises less.
    for name in [name for name in found if name.startswith(("value", "spent", "order_"))]:
        found[f"{name}_silent"] = found[name] * found["recency_before"]
    found["value_expected_root"] = np.sqrt(np.maximum(found["value_expected"], 0.0))
    for name in NUMBERS:
        if name in profiles:
            known = _numbers(profiles, name)
            found[f"{name}_known"] = np.log1p(np.maximum(known, 0.0))  # an unknown stays one: the mean, in the test
    found |= expected(profiles, newest, day)
    if SEGMENT in profiles:
        counts = profiles[SEGMENT].value_counts().sort_index()
        for number, name in enumerate(counts.index[counts >= FEWEST][1:]):
            of_it = (profiles[SEGMENT] == name).to_numpy(dtype=np.float64)
            found[f"segment_{number}"] = of_it
            found[f"segment_{number}_spent"] = of_it * found["spent_before"]
    return pd.DataFrame({ID: ids, **found}).sort_values(ID, ignore_index=True)


def _order_expected(profiles: pd.DataFrame, past: pd.DataFrame, ids: pd.Series) -> np.ndarray:
    """(n,) what an order of each is worth: their own mean, drawn towards everybody's where they ordered seldom."""
    typical = float(past["amount"].mean()) if len(past) else 0.0
    own = past.groupby(ID)["amount"]
    many, mean = (ids.map(part).to_numpy(dtype=np.float64) for part in (own.size(), own.mean()))
    if {"orders", "basket_mean"} <= set(profiles.columns):  # of all time, where the orders are of the last days
        many, mean = _numbers(profiles, "orders"), _numbers(profiles, "basket_mean")
    many = np.where(np.isfinite(many) & np.isfinite(mean), np.maximum(many, 0.0), 0.0)
    return (many * np.where(many > 0.0, mean, 0.0) + AVERAGE_ORDERS * typical) / (many + AVERAGE_ORDERS)


def _numbers(profiles: pd.DataFrame, name: str) -> np.ndarray:
    return pd.to_numeric(profiles[name], errors="coerce").to_numpy(dtype=np.float64)
