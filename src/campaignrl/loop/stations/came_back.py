"""What came back since yesterday, into the ledger: files in answers/, and outcomes that the exports hold.

Not here: the tables it goes to (ledger/), exports to profiles (exports.py).
"""

from __future__ import annotations

import datetime
import hashlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from campaignrl.errors import DataError, Problem
from campaignrl.ledger import Ledger, add
from campaignrl.loop.folder import CampaignFile, digest_of
from campaignrl.loop.stations.exports import PROFILES, files_of
from campaignrl.tables import ID, read_events
from campaignrl.tables.files import write_frame

OUTCOMES = {"order": "order", "refund": "refund", "opened": "open", "clicked": "click", "unsubscribed": "unsubscribe"}
COMES_BACK = ("handovers", "outcomes", "permissions")


def take_in(campaign: CampaignFile, ledger: Ledger, day: datetime.date, state: dict[str, Any]) -> str | None:
    """What came back, from answers/ and from the exports, into the ledger; None where nothing is new."""
    counts, unknown = dict.fromkeys(COMES_BACK, 0), 0
    known = state.setdefault("answers", {})
    for name, path in files_of(campaign.answers).items():
        what = next((table for table in COMES_BACK if path.name.lower().startswith(table)), None)
        if what is None:
            allowed = "named handovers*, outcomes* or permissions*"
            raise DataError(Problem("answers", "file", name, allowed, "Rename it, or take it away."))
        seen = digest_of({name: path})
        if known.get(name) != seen:
            mapping = getattr(campaign.spec.answers, what)
            own = None if mapping is None else campaign.place(mapping)
            found = add(ledger, what, path, campaign.world, today=day, mapping=own, past_only=True)
            counts[what] += found.new - found.unknown
            unknown += found.unknown
            known[name] = seen
    counts["outcomes"] += _outcomes_of_exports(campaign, ledger, day)
    said = [f"{many:,} {what}" for what, many in counts.items() if many]
    said += [f"{unknown:,} of decisions that nobody knows, kept apart"] if unknown else []
    return " · ".join(said) or None


def _outcomes_of_exports(campaign: CampaignFile, ledger: Ledger, day: datetime.date) -> int:
    """Orders, refunds, answers and opt-outs of the exports since the campaign's start, each once.

    An amount that a later export says otherwise is told by the difference: less as a refund, more as an order's.
    """
    path = campaign.folder / PROFILES / "events.parquet"
    events = read_events(path, [ID, "ts", "kind", "channel", "amount"], kinds=list(OUTCOMES), since=campaign.spec.start)
    rows = events[events["ts"] < pd.Timestamp(day)]
    if not len(rows):
        return 0
    rows = rows.sort_values([ID, "ts", "kind", "amount"], kind="stable")
    channel = rows["channel"].where(rows["channel"].isin(list(campaign.world.channels)), "").fillna("")
    said = pd.DataFrame(
        {
            "outcome_id": _names(rows),
            "customer_id": rows[ID].to_numpy(),
            "kind": rows["kind"].map(OUTCOMES).to_numpy(),
            "day": rows["ts"].dt.strftime("%Y-%m-%d").to_numpy(),
            "margin": _margins(rows, campaign.spec.data.margin, campaign.world.money.minor_per_unit),
            "channel": channel.to_numpy(),
        }
    )
    found = _not_told(said, ledger)
    if not len(found):
        return 0
    signed = np.where(found["kind"] == "refund", -found["margin"], found["margin"])
    found["margin"] = signed / campaign.world.money.minor_per_unit
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "outcomes.parquet"
        write_frame(found, path)
        return add(ledger, "outcomes", path, campaign.world, today=day).new


def _names(rows: pd.DataFrame) -> list[str]:
    """An id for each event that its amount has no part in: a correction is of the same event."""
    named = rows[[ID, "ts", "kind", "channel"]].astype(object).fillna("").astype(str)
    nth = named.groupby(list(named.columns)).cumcount()
    texts = ["\0".join(row) for row in named.assign(nth=nth.astype(str)).itertuples(index=False)]
    return ["export:" + hashlib.blake2b(text.encode(), digest_size=12).hexdigest() for text in texts]


def _margins(rows: pd.DataFrame, share: float, minor: int) -> np.ndarray:
    """(n,) minor units, as the ledger keeps them: below 0 for refunds."""
    money = np.where(rows["kind"].isin(["order", "refund"]), rows["amount"].fillna(0.0) * share, 0.0)
    whole = np.round(money * minor).astype(np.int64)
    return np.where(rows["kind"] == "refund", -np.abs(whole), whole)


def _not_told(said: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    """Events that are new, and what has changed of those that were told, by a name of its own."""
    told = ledger.read("outcomes", ["outcome_id", "margin"]).to_pandas()
    told = told.assign(event=told["outcome_id"].str.split("#").str[0]).groupby("event")["margin"].agg(["sum", "size"])
    sums = told.reindex(said["outcome_id"])
    known = sums["size"].notna().to_numpy()
    change = said["margin"].to_numpy() - sums["sum"].fillna(0).to_numpy(dtype=np.int64)
    fresh, changed = said[~known], said[known & (change != 0)].copy()
    names = changed["outcome_id"] + "#" + sums["size"].to_numpy()[known & (change != 0)].astype(np.int64).astype(str)
    moved = change[known & (change != 0)]
    changed = changed.assign(outcome_id=names, margin=moved, kind=np.where(moved < 0, "refund", "order"))
    both: pd.DataFrame = pd.concat([fresh, changed], ignore_index=True)
    return both
