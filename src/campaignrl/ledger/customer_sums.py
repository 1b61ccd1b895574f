"""What each customer brought, cost and said over a span of days: the measures of a test on live customers.

Not here: windows after each decision (log_view.py), what a test makes of it (suites/abtest/).
"""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd

from campaignrl.actions import NONE
from campaignrl.ledger.aliases import renamed
from campaignrl.ledger.folder import EPOCH, Ledger
from campaignrl.ledger.handovers import not_sent
from campaignrl.ledger.owners import with_customers
from campaignrl.specs import World

SUMS = ("value", "margin", "spend", "unsubscribed")


def customer_sums(ledger: Ledger, world: World, since: datetime.date, until: datetime.date) -> pd.DataFrame:
    """One row a customer of whom anything is known from `since` on, up to the evening before `until`.

    value: margins less refunds, cost of sends and lost permissions, in the world's currency; margin: of orders less
    refunds; spend: cost of sends; unsubscribed: how often. By customer_id, under the names of today.
    """
    first, last = (since - EPOCH).days, (until - EPOCH).days
    told = with_customers(ledger, ledger.read("outcomes").to_pandas())
    told = told[(told["day"] >= first) & (told["day"] < last) & (told["customer_id"] != "")]
    sent = ledger.read("decisions", ["decision_id", "customer_id", "day", "action", "cost"]).to_pandas()
    sent = sent[(sent["day"] >= first) & (sent["day"] < last) & (sent["action"] != NONE)]
    sent = sent[~sent["decision_id"].isin(not_sent(ledger))]
    unit, left = world.money.minor_per_unit, (told["kind"] == "unsubscribe").to_numpy()
    rows = pd.concat(
        [
            pd.DataFrame(
                {
                    "customer_id": told["customer_id"],
                    "margin": np.where(left, 0, told["margin"]) / unit,
                    "spend": 0.0,
                    "unsubscribed": left.astype(np.float64),
                }
            ),
            pd.DataFrame(
                {"customer_id": sent["customer_id"], "margin": 0.0, "spend": sent["cost"] / unit, "unsubscribed": 0.0}
            ),
        ],
        ignore_index=True,
    )
    rows["customer_id"] = renamed(rows["customer_id"], ledger.aliases)
    summed = rows.groupby("customer_id")[["margin", "spend", "unsubscribed"]].sum()
    lost = summed["unsubscribed"] * world.money.unsubscribe
    return summed.assign(value=summed["margin"] - summed["spend"] - lost)[list(SUMS)]
