"""How long after a click its orders come: the world's `same_day` and `delay_days`, from clicks and orders.

Only clicks on offers that are not valid beyond their day count: an offer that stays usable brings late orders by
itself. A click is watched until the customer's next one. Not here: the survival model (conversion_delay.py).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from campaignrl.calibration.purchase import Fitted, Path
from campaignrl.calibration.response.conversion_delay import HORIZON, fit_delay
from campaignrl.tables.log import DecisionLog

FEWEST_CLICKS, FEWEST_ORDERS = 500, 100
WIDEST = 0.5  # standard error of the delay as a share of it, and twice that of the share on the same day


def delay_numbers(events: pd.DataFrame, log: DecisionLog, valid: dict[str, int]) -> dict[Path, Fitted]:
    """What the log's clicks say of the delay; nothing where they say too little. valid: days by offer."""
    lasting = [name for name, days in valid.items() if days > 0]
    clicks = events[(events.kind == "clicked") & ~events.offer.isin(lasting)]
    clicks = clicks[clicks.customer_id.isin(log.customers)].sort_values("ts", kind="stable")
    orders = events[events.kind == "order"].sort_values("ts", kind="stable")[["customer_id", "ts"]]
    if len(clicks) < FEWEST_CLICKS or not len(orders):
        return {}
    clicks = clicks.assign(until=clicks.groupby("customer_id").ts.shift(-1).fillna(events.ts.max()))
    joined = pd.merge_asof(
        clicks[["customer_id", "ts", "until"]], orders.rename(columns={"ts": "ordered"}),
        left_on="ts", right_on="ordered", by="customer_id", direction="forward",
    )  # fmt: skip
    seen = joined.ordered.notna() & (joined.ordered <= joined.until)
    end = joined.ordered.where(seen, joined.until)
    days = (end - joined.ts).dt.days.to_numpy()
    ordered = (seen & (days <= HORIZON)).to_numpy()
    if ordered.sum() < FEWEST_ORDERS:
        return {}
    found = fit_delay(np.minimum(days, HORIZON), ordered)
    errors, n = found.standard_errors, float(ordered.sum())
    sure = errors["same_day"] <= WIDEST / 2 and errors["delay_days"] <= WIDEST * found.delay_days
    if not sure or not 0.0 < found.same_day < 1.0:
        return {}
    by = "survival without an order after a click"
    return {
        ("response", "same_day"): Fitted(found.same_day, errors["same_day"], n, by),
        ("response", "delay_days"): Fitted(found.delay_days, errors["delay_days"], n, by),
    }
