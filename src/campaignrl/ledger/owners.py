"""Whose an outcome is that names no customer: that of the decision it names.

Not here: outcomes as they come in (incoming.py).
"""

from __future__ import annotations

import pandas as pd

from campaignrl.ledger.folder import Ledger


def with_customers(ledger: Ledger, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Outcomes with the customer of their decision where they name none; "" where that decision is not here (yet)."""
    nameless = outcomes["customer_id"] == ""
    if not nameless.any():
        return outcomes
    owners = ledger.read("decisions", ["decision_id", "customer_id"]).to_pandas().drop_duplicates("decision_id")
    owner = outcomes["decision_id"].map(owners.set_index("decision_id")["customer_id"].astype(object).to_dict())
    return outcomes.assign(customer_id=outcomes["customer_id"].where(~nameless, owner.fillna("")))
