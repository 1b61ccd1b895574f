"""What became of sends at hand-over: which were not made, which were after all, and which went out against a word.

Not here: how a file of them comes in (incoming.py), what counts (standing.py).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from campaignrl.ledger.folder import Ledger
from campaignrl.ledger.permissions import Permissions
from campaignrl.ledger.schemas import COUNTED

SENT = "sent"


def handed_over(ledger: Ledger) -> pd.DataFrame:
    """Every word of the sending tool: decision_id, status, its day, and the day on which it arrived."""
    rows = ledger.read("handovers").to_pandas()
    arrived = rows["arrived"] if "arrived" in rows else pd.Series(np.nan, index=rows.index)
    known: pd.DataFrame = rows.assign(arrived=arrived.fillna(rows["day"]).astype(np.int64))
    return known


def not_sent(ledger: Ledger) -> set[str]:
    """Decisions whose hand-over failed for good: nothing was sent."""
    handed = ledger.read("handovers", ["decision_id", "status"]).to_pandas()
    counted = set(handed["decision_id"][handed["status"] == SENT])
    return set(handed["decision_id"][~handed["status"].isin(COUNTED)]) - counted


def sent_after_all(ledger: Ledger) -> pd.DataFrame:
    """Sends that were said not to be made before they were said to be: decision_id, and from when until when.

    Runs from the first of these days to the last could not count them.
    """
    handed = handed_over(ledger)
    failed = handed[~handed["status"].isin(COUNTED)].groupby("decision_id")["arrived"].min()
    sent = handed[handed["status"] == SENT].groupby("decision_id")["arrived"].min()
    both = pd.DataFrame({"since": failed, "until": sent}).dropna().astype(np.int64)
    found: pd.DataFrame = both[both["since"] <= both["until"]].reset_index()
    return found


def sent_against_a_word(ledger: Ledger, handed: pd.DataFrame, channels: list[str]) -> pd.DataFrame:
    """Hand-overs of a day after the one on which the permission was gone: customer_id, channel, day; in their order.

    Of the day itself nobody knows which came first. handed: decision_id, status and day of hand-overs.
    """
    columns = ["decision_id", "customer_id", "channel"]
    decisions = ledger.read("decisions", columns).to_pandas().drop_duplicates("decision_id")
    sent = handed[handed["status"] == SENT].merge(decisions[decisions["channel"].isin(channels)], on="decision_id")
    wrong, said = np.zeros(len(sent), dtype=bool), Permissions(ledger)
    for day in sent["day"].unique():
        rows = np.flatnonzero(sent["day"] == day)
        ids = sent["customer_id"].to_numpy(dtype=object)[rows]
        names, which = np.unique(ids.astype(str), return_inverse=True)
        place = np.array([channels.index(name) for name in sent["channel"].to_numpy()[rows]])
        barred = []
        for on in (int(day) - 1, int(day)):
            consent, suppressed = said.on(on, names.astype(object), channels)
            barred.append(suppressed[which] | (consent[place, which] == 0))
        wrong[rows] = np.logical_and(*barred)
    found: pd.DataFrame = sent.loc[wrong, ["customer_id", "channel", "day"]]
    return found.sort_values(["day", "customer_id"], kind="stable").reset_index(drop=True)
