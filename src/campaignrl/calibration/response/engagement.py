"""How customers answer what is sent to them, counted from an events table: by sends of the last week, and afterwards.

A send's responses are the first delivery, open and click of the customer on that channel within seven days, before the
next send there; an unsubscription likewise. Not here: models of the responses (funnel_regression.py), what counts as
close (scorecard.py).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from campaignrl.arrays import Float, Int64

RESPONSES = ("delivered", "opened", "clicked", "unsubscribed")
DAY = 86_400_000_000  # microseconds
WITHIN = 7  # days from a send to its answer
MOST = 4  # sends in the week before; the last bin holds those with as many or more
AFTER = 28  # days in which an order bought on an offer is missed later


class Engagement(NamedTuple):
    """Rates of what was sent."""

    sends: Int64  # (5,) by number of sends in the seven days before
    rates: dict[str, Float]  # of each answer, (5,); nan where nothing was sent
    funnel: dict[str, float]  # share of all sends: delivered, opened, clicked, redeemed
    redemption: float  # redeemed orders a send that carried an offer
    dip: float  # share of orders missed in the 28 days after an order on an offer, against other orders


def engagement_of_events(events: pd.DataFrame) -> Engagement | None:
    """None where nothing was sent."""
    sends = events.loc[events["kind"] == "sent"].reindex(columns=["customer_id", "channel", "offer", "ts"])
    if sends.empty:
        return None
    sends["channel"] = sends["channel"].astype(object).where(sends["channel"].notna(), "")
    sends = sends.sort_values("ts", kind="stable").reset_index(drop=True)
    group = np.minimum(_before(sends), MOST)
    counted = np.bincount(group, minlength=MOST + 1)
    flags = {name: _responded(sends, events, name) for name in RESPONSES}
    with np.errstate(invalid="ignore"):
        rates = {name: np.bincount(group, flag, minlength=MOST + 1) / counted for name, flag in flags.items()}
    redeemed = int((events["kind"] == "redeemed").sum())
    offered = int(sends["offer"].notna().sum())
    funnel = {name: float(flags[name].mean()) for name in RESPONSES[:3]} | {"redeemed": redeemed / len(sends)}
    return Engagement(counted, rates, funnel, redeemed / offered if offered else np.nan, dip(events))


def dip(events: pd.DataFrame) -> float:
    """1 - orders in the 28 days after an order on an offer / after an order of the same customers without one.

    nan where either kind is missing. Days after the table's last 28 are not followed.
    """
    known = ("order", "redeemed")
    rows = events.loc[events["kind"].isin(known), ["customer_id", "ts", "kind"]]
    rows = rows.sort_values("ts", kind="stable", ignore_index=True)
    orders = rows[rows["kind"] == "order"].reset_index(drop=True)
    used = rows.loc[rows["kind"] == "redeemed", ["customer_id"]].assign(day=rows["ts"].dt.normalize())
    if orders.empty or used.empty:
        return float("nan")
    followed = orders[orders["ts"] <= orders["ts"].max() - pd.Timedelta(days=AFTER)]
    followed = followed[followed["customer_id"].isin(used["customer_id"])]
    keys = pd.MultiIndex.from_frame(used.drop_duplicates())
    on_offer = pd.MultiIndex.from_arrays([followed["customer_id"], followed["ts"].dt.normalize()]).isin(keys)
    later = _within(orders, followed)
    if not on_offer.any() or on_offer.all() or later[~on_offer].mean() == 0.0:
        return float("nan")
    return float(1.0 - later[on_offer].mean() / later[~on_offer].mean())


def _within(orders: pd.DataFrame, followed: pd.DataFrame) -> Int64:
    """(n,) orders of the same customer in the 28 days after each of these."""
    codes, _ = pd.factorize(orders["customer_id"])
    line = _line(codes, orders["ts"])
    ordered = np.sort(line)
    start = line[followed.index.to_numpy()]
    result: Int64 = np.searchsorted(ordered, start + AFTER * DAY, "right") - np.searchsorted(ordered, start, "right")
    return result


def _before(sends: pd.DataFrame) -> Int64:
    """(n,) sends to the same customer, on any channel, in the seven days before each; sends ascend by time."""
    codes, _ = pd.factorize(sends["customer_id"])
    line = _line(codes, sends["ts"])
    ordered = np.sort(line)
    result: Int64 = np.searchsorted(ordered, line, "left") - np.searchsorted(ordered, line - WITHIN * DAY, "left")
    return result


def _line(codes: npt.NDArray[np.intp], ts: pd.Series[pd.Timestamp]) -> Int64:
    """(n,) microseconds, each customer far from the others on one line, so that one search serves all."""
    micro = ts.to_numpy().astype("datetime64[us]").astype(np.int64)
    span = int(micro.max() - micro.min()) + 4 * AFTER * DAY
    result: Int64 = codes.astype(np.int64) * span + (micro - micro.min())
    return result


def _responded(sends: pd.DataFrame, events: pd.DataFrame, kind: str) -> npt.NDArray[np.bool_]:
    """(n,) whether such an event follows within seven days, counted for the latest send before it."""
    found = events.loc[events["kind"] == kind, ["customer_id", "channel", "ts"]].copy()
    if found.empty:
        return np.zeros(len(sends), dtype=bool)
    found["channel"] = found["channel"].astype(object).where(found["channel"].notna(), "")
    numbered = sends[["customer_id", "channel", "ts"]].assign(send=np.arange(len(sends)))
    for frame in (found, numbered):
        frame["customer_id"] = frame["customer_id"].astype(object)
    nearest = pd.merge_asof(
        found.sort_values("ts", kind="stable"),
        numbered,
        on="ts",
        by=["customer_id", "channel"],
        tolerance=pd.Timedelta(days=WITHIN),
    )
    flags = np.zeros(len(sends), dtype=bool)
    flags[nearest["send"].dropna().astype(np.int64)] = True
    return flags
