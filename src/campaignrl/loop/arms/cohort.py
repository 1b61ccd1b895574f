"""Whom a step of a trial watches, and what is known of them beforehand, which takes noise out of the comparison.

Numbers alone, one row a customer: orders and money of the last days, how long ago the last order was, what the profile
says, by segment. Not here: the comparison (rule.py).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from campaignrl.tables import ID

PAST = 90  # days in which orders are counted
LONG_AGO = 360.0  # days since the last order of who never ordered
NUMBERS = ("orders", "tenure_days", "basket_mean")  # of a profile, where it has them
SEGMENT = "segment"
FEWEST = 20  # customers of a segment that gets a number of its own


def cohort_of(profiles: pd.DataFrame, orders: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """Customers of `profiles` on the morning of `day`, by id. orders: customer_id, ts, amount."""
    ids = profiles[ID].astype(str)
    past = orders[orders["ts"] < day]
    recent = past[past["ts"] >= day - pd.Timedelta(days=PAST)].groupby(ID)["amount"]
    last = (day - past.groupby(ID)["ts"].max()).dt.days
    found: dict[str, np.ndarray] = {
        "orders_before": ids.map(recent.size()).fillna(0.0).to_numpy(dtype=np.float64),
        "spent_before": ids.map(recent.sum()).fillna(0.0).to_numpy(dtype=np.float64),
        "recency_before": np.log1p(ids.map(last).fillna(LONG_AGO).to_numpy(dtype=np.float64)),
    }
    for name in NUMBERS:
        if name in profiles:
            known = pd.to_numeric(profiles[name], errors="coerce").to_numpy(dtype=np.float64)
            found[f"{name}_known"] = np.log1p(np.maximum(known, 0.0))  # an unknown stays one: the mean, in the test
    if SEGMENT in profiles:
        counts = profiles[SEGMENT].value_counts().sort_index()
        for number, name in enumerate(counts.index[counts >= FEWEST][1:]):
            of_it = (profiles[SEGMENT] == name).to_numpy(dtype=np.float64)
            found[f"segment_{number}"] = of_it
            found[f"segment_{number}_spent"] = of_it * found["spent_before"]
    return pd.DataFrame({ID: ids, **found}).sort_values(ID, ignore_index=True)
