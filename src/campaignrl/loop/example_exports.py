"""Small example exports of a shop, bank, chain or travel house: what `campaignrl init --template` begins with.

A simulated history under the usual rules, as three files that such a business would have. Not here: reading them
(guesses.py).
"""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from campaignrl.choices import actions_of_day
from campaignrl.envs import History, Panel, play_history
from campaignrl.policies import Policy
from campaignrl.specs import World
from campaignrl.tables import ID
from campaignrl.tables.files import Writer, frame_writer

CUSTOMERS, DAYS, SEED = 2_000, 60, 11
CONTACTS = ("sent", "delivered", "opened", "clicked")


def example_exports(world: World, rules: Policy, end: datetime.date, folder: Path) -> dict[str | Path, Writer]:
    """Files of a history of 60 days that ends on the evening before `end`: path -> what writes it."""
    panel = Panel(world, np.arange(CUSTOMERS), SEED)
    days = min(DAYS, world.horizon)
    start = end - datetime.timedelta(days=days)
    found = exports_of(play_history(panel, lambda at: actions_of_day(at, rules), days, start), world)
    return {folder / name: frame_writer(frame, folder / name) for name, frame in found.items()}


def exports_of(history: History, world: World) -> dict[str, pd.DataFrame]:
    """A simulated history as three files: orders.csv, sends.csv (a row an answer), members.csv with consents."""
    events, about = history.events, history.attributes
    orders = events[events["kind"] == "order"]
    contacts = events[events["kind"].isin(CONTACTS)]
    consents = {f"consent_{name}": _consents(events, about[ID], name) for name in world.channels}
    frames = {
        "orders.csv": orders[[ID, "ts", "amount", "discount"]].rename(columns={"ts": "ordered_at"}),
        "sends.csv": contacts[[ID, "ts", "channel", "offer", "kind"]].rename(
            columns={"ts": "sent_at", "kind": "event"}
        ),
        "members.csv": about.drop(columns="refreshed").assign(**consents),
    }
    return {name: _plain(frame) for name, frame in frames.items()}


def _consents(events: pd.DataFrame, ids: pd.Series, channel: str) -> pd.Series:
    """Yes where the newest word on the channel is a subscription."""
    said = events[(events["channel"] == channel) & events["kind"].isin(["subscribed", "unsubscribed"])]
    newest = said.sort_values("ts", kind="stable").groupby(ID)["kind"].last()
    return ids.map(newest.eq("subscribed").to_dict()).fillna(False).map({True: "yes", False: "no"})


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Times as a till writes them, money with two digits."""
    found = frame.reset_index(drop=True)
    for name in found.columns:
        if pd.api.types.is_datetime64_any_dtype(found[name].dtype):
            shape = "%Y-%m-%d" if name == "joined" else "%Y-%m-%d %H:%M:%S"
            found[name] = found[name].dt.strftime(shape)
        elif name in ("amount", "discount"):
            found[name] = found[name].round(2)
    return found
