"""The world against the new exports: does it still say what the last days say?

In one line; beyond what `[world_check]` allows it is an alert, or stops the morning. Not here: the figures
(calibration/realism/).
"""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd

from campaignrl.calibration.realism import Held, calendar_of, expected_of, hold
from campaignrl.errors import Problem, UsageError
from campaignrl.loop.folder import CampaignFile
from campaignrl.loop.stations.exports import PROFILES
from campaignrl.policies import Policy, policy_hash
from campaignrl.profiles.events import oldest_moment
from campaignrl.specs import World, lent_responses, world_hash
from campaignrl.tables import ID, read_events
from campaignrl.tables.files import read_frame

DRIFT = "drift"


def hold_world(campaign: CampaignFile, champion: Policy, day: datetime.date, state: dict[str, Any]) -> str:
    """What the last days say of the world; `state["drift"]` is what is beyond, "" where nothing is.

    Raises:
        UsageError: it drifted, and `[world_check] stop` says to stop.
    """
    spec = campaign.spec.world_check
    known = f"{state.get('profiles')} {policy_hash(champion)} {world_hash(campaign.world)} {spec.days} {spec.most}"
    season = campaign.world.season
    known += f" {day}" if season is not None and season.day_zero is not None else ""
    kept = state.get("world", {})
    if kept.get("of") != known:
        said, drifted = _said(_held(campaign, champion, day), spec.most)
        kept = state["world"] = {"of": known, "said": said, DRIFT: drifted}
    if kept[DRIFT] and spec.stop:
        fix = "Calibrate it anew (campaignrl calibrate), or set stop = false in [world_check]."
        allowed = f"within {spec.most:.0%} of what it expects"
        raise UsageError(Problem("today", "world", f"{campaign.world.name}, {kept['said']}", allowed, fix))
    return str(kept["said"])


def world_alerts(world: World, state: dict[str, Any]) -> list[str]:
    """That the world is no longer what the exports say, and that what sends bring in it was never measured."""
    kept = state.get("world", {})
    told = f"the world {kept.get('said')}: what rests on it (proofs, expected gains) may be wrong; calibrate it anew"
    lender = lent_responses(world.provenance)
    lent = f"what a send brings in this world is lent from {lender}, not measured: its gains are guesses until " + (
        "the log tells ([policies] explore)"
    )
    return [*([told] if kept.get(DRIFT) else []), *([lent] if lender else [])]


def _held(campaign: CampaignFile, champion: Policy, day: datetime.date) -> Held | None:
    spec, proof = campaign.spec.world_check, campaign.spec.proof
    events, end = campaign.folder / PROFILES / "events.parquet", pd.Timestamp(day)
    oldest = oldest_moment(events)
    if oldest is None or (end - pd.Timestamp(oldest)).days < spec.days:
        return None
    ids = read_frame(campaign.folder / PROFILES / "profiles.parquet", [ID])[ID].to_numpy(dtype=object)
    calendar = calendar_of(campaign.world, day, spec.days)
    expected = expected_of(campaign.world, champion, spec.days, proof.customers, proof.seed, calendar)
    orders = read_events(events, [ID, "ts", "amount"], kinds=["order"])
    orders = orders[orders["amount"].notna()]
    begun = bool(campaign.world.joined_by_order)
    return hold(expected, orders, np.asarray(ids, dtype=object), end, spec.days, calendar, begun)


def _said(held: Held | None, most: float) -> tuple[str, bool]:
    if held is None:
        return "cannot be held against exports that begin so lately", False
    if held.orders is None or held.revenue is None:
        return f"cannot be told from {held.real_orders:,} orders in {held.days} days", False
    drifted = held.orders.beyond(most) or held.revenue.beyond(most)
    word = "no longer fits" if drifted else "fits"
    return f"{word} the last {held.days} days (orders {held.orders}, revenue {held.revenue})", drifted
