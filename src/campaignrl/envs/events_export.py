"""A simulated panel's life as the tables a shop would have kept: one row an event, one row of attributes a customer.

What happened before day 0 is an opening balance; from then on every message, answer and order is an event. Whatever
happens on day d has the time of its beginning, `start` + d days. Latent traits are not in these tables: `truth_of`
gives them apart, for judging what was concluded from the events. Not here: reading such tables (profiles/).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from campaignrl.arrays import Int
from campaignrl.dynamics import NO_OFFER, Outcome, State, visited
from campaignrl.envs.panel import Panel
from campaignrl.specs import PRICE_LEVELS
from campaignrl.tables import COLUMNS, ID, write_events
from campaignrl.tables.files import write_frame

Choose = Callable[[Panel], Int]  # the day's actions (n,), as the guard allows
Progress = Callable[[int, int], None]

START = date(2026, 1, 1)  # of day 0, unless told otherwise
DAY_US = 86_400_000_000
SOURCE = "simulated"
NUMBERS = ("amount", "discount", "value")  # columns of the events table
KNOWN = ("segment", "price_tag")  # tags that somebody looks up, and gets wrong at times


@dataclass(frozen=True)
class History:
    """What is known of n simulated customers on the morning of `as_of`, day 0 having been `start`."""

    events: pd.DataFrame  # the events table
    attributes: pd.DataFrame  # one row a customer
    refreshes: pd.DataFrame  # every look at the tags that are known facts: customer_id, ts, name, value
    start: date
    as_of: date

    def write(self, folder: str | Path) -> None:
        """`events.parquet`, `attributes.parquet`, `refreshes.parquet`: what `profile build --events` starts from."""
        write_events(self.events, Path(folder) / "events.parquet")
        write_frame(self.attributes, Path(folder) / "attributes.parquet")
        write_frame(self.refreshes, Path(folder) / "refreshes.parquet")


class Told(NamedTuple):
    """Events of one kind, k customers: a value is one for all or an array (k,); what is not given is null."""

    ids: Int  # (k,)
    kind: str
    ts: npt.NDArray[np.datetime64]  # (k,) or (1,)
    values: dict[str, npt.NDArray[Any]]  # by column: channel, offer, amount, discount, value


class Chronicle:
    """All that happens to a panel, written down day by day; it may go on living.

    The panel must stand at day 0: of what came before, only its opening balance is known.
    """

    def __init__(self, panel: Panel, start: date = START) -> None:
        """Begin on the morning of `start`, the panel's day 0."""
        self.panel, self.start = panel, start
        self._told = [*_opening(panel, start), *_permissions(panel, start)]
        self._looks = [_look(panel, start)]

    def live(self, choose: Choose, days: int, progress: Progress | None = None) -> None:
        """So many days more, at most to the horizon."""
        panel, until, refresh = self.panel, self.panel.day + days, self.panel.world.tags.refresh_days
        while panel.day < until and not panel.done:
            day, action = panel.day, choose(panel)
            before = State._make(field.copy() for field in panel.state)
            outcome = panel.step(action)
            came = visited(panel.world, panel.traits, before.alive, outcome, day, panel.seed)
            self._told += _day(panel, before, action, outcome, came, day, self.start)
            if refresh and panel.day % refresh == 0:
                self._looks.append(_look(panel, self.start))
            if progress is not None:
                progress(panel.day, until)

    def history(self) -> History:
        """What is known this morning."""
        events = _table(self._told).sort_values([ID, "ts"], kind="stable", ignore_index=True)
        as_of = (np.datetime64(self.start, "D") + self.panel.day).astype(date)
        refreshes = pd.concat(self._looks, ignore_index=True)
        return History(events, attributes_of(self.panel, self.start), refreshes, self.start, as_of)


def play_history(
    panel: Panel,
    choose: Choose,
    days: int | None = None,
    start: date = START,
    progress: Progress | None = None,
) -> History:
    """Let the panel live for `days` (default: to its horizon) and write down all that happens.

    The panel must stand at day 0: of what came before, only its opening balance is known.
    """
    found = Chronicle(panel, start)
    found.live(choose, panel.world.horizon if days is None else days, progress)
    return found.history()


def attributes_of(panel: Panel, start: date = START) -> pd.DataFrame:
    """One row a customer: sign-up, profile attributes, and the tags as known today, with their last refresh."""
    context = panel.observe()
    refresh = panel.world.tags.refresh_days
    known = panel.day - panel.day % refresh if refresh else 0
    columns: dict[str, Any] = {
        ID: panel.ids.astype(str).astype(object),
        "joined": _stamps(-panel.traits.joined.astype(np.float64), start),
        "refreshed": _stamps(np.full(len(panel), float(known)), start),
    }
    for name in (*KNOWN, *panel.world.attributes):
        columns[name] = context.labels(name)
    frame = pd.DataFrame(columns)
    for name in (*KNOWN, *panel.world.attributes):
        frame[name] = frame[name].where(frame[name] != "", None).astype("str")
    return frame


def truth_of(panel: Panel) -> pd.DataFrame:
    """One row a customer of what no table holds: true segment and price level, being alive, the latent rates."""
    traits, state = panel.traits, panel.state
    segments = np.array(list(panel.world.segments), dtype=object)
    low, high = panel.world.tags.price
    level = (traits.sensitivity >= low).astype(np.int8) + (traits.sensitivity >= high)
    return pd.DataFrame(
        {
            ID: panel.ids.astype(str).astype(object),
            "segment": segments[traits.segment],
            "price_tag": np.array(PRICE_LEVELS, dtype=object)[level],
            "alive": state.alive,
            "rate": traits.rate.astype(np.float64),
            "drop_rate": traits.drop_rate.astype(np.float64),
            "basket": traits.basket.astype(np.float64),
            "joined_days": traits.joined.astype(np.float64) + panel.day,
        }
    )


def _look(panel: Panel, start: date) -> pd.DataFrame:
    """The tags that are known facts, as they show today."""
    ts = _stamps(np.full(1, float(panel.day)), start)[0]
    about = attributes_of(panel, start)
    frames = [pd.DataFrame({ID: about[ID], "ts": ts, "name": name, "value": about[name]}) for name in KNOWN]
    return pd.concat(frames, ignore_index=True).astype({ID: "str", "name": "str", "value": "str"})


def _opening(panel: Panel, start: date) -> list[Told]:
    """Two rows a buyer (one where first and last order are the same): the sums stand on the last."""
    state = panel.state
    buyers = np.flatnonzero(state.orders > 0)
    several = buyers[state.first_order[buyers] != state.last_order[buyers]]
    first = _stamps(state.first_order[several].astype(np.float64), start)
    last = _stamps(state.last_order[buyers].astype(np.float64), start)
    sums = {"value": state.orders, "amount": state.spend, "discount": state.discounted}
    values = {name: np.asarray(found)[buyers].astype(np.float64) for name, found in sums.items()}
    return [
        Told(panel.ids[several], "opening", first, {}),
        Told(panel.ids[buyers], "opening", last, values),
    ]


def _permissions(panel: Panel, start: date) -> list[Told]:
    """Consents as they stood on day 0, given at sign-up."""
    joined = _stamps(-panel.traits.joined.astype(np.float64), start)
    given = [np.flatnonzero(one) for one in panel.state.consent]
    return [
        Told(panel.ids[rows], "subscribed", joined[rows], {"channel": np.array([name], dtype=object)})
        for name, rows in zip(panel.world.channels, given, strict=True)
    ]


def _day(
    panel: Panel, before: State, action: Int, outcome: Outcome, came: npt.NDArray[np.bool_], day: int, start: date
) -> list[Told]:
    """All events of one day, message first, order last, so that a stable sort by time keeps cause before effect."""
    catalog = panel.world.catalog
    channels = np.array([*(c.name for c in catalog.channels), None], dtype=object)[catalog.channel_of[action]]
    offers = np.array([*(o.name for o in catalog.offers), None], dtype=object)
    sent_offer = offers[catalog.offer_of[action]]
    held = np.where(outcome.opened, catalog.offer_of[action], before.live_offer)
    ts = _stamps(np.full(1, float(day)), start)
    found = []
    for kind in ("sent", "delivered", "opened", "clicked", "unsubscribed"):
        rows = np.flatnonzero(getattr(outcome, kind))
        found.append(Told(panel.ids[rows], kind, ts, {"channel": channels[rows], "offer": sent_offer[rows]}))
    found.append(Told(panel.ids[np.flatnonzero(came)], "visit", ts, {}))
    rows = np.flatnonzero(outcome.bought)
    given, full = outcome.discount[rows].astype(np.float64), outcome.revenue[rows].astype(np.float64)
    used = offers[np.where(outcome.redeemed[rows], held[rows], NO_OFFER)]
    # A gift may be worth more than the order: nobody pays less than nothing, and the list price is what adds up.
    paid = np.maximum(full - given, 0.0)
    found.append(Told(panel.ids[rows], "order", ts, {"offer": used, "amount": paid, "discount": full - paid}))
    rows = np.flatnonzero(outcome.redeemed)
    found.append(Told(panel.ids[rows], "redeemed", ts, {"offer": offers[held[rows]]}))
    return found


def _table(told: list[Told]) -> pd.DataFrame:
    """One frame of all that was told, in its order: a frame a day and kind would cost ten times as much."""
    counts = [len(one.ids) for one in told]
    columns: dict[str, Any] = {
        ID: np.concatenate([one.ids for one in told]).astype(str).astype(object),
        "ts": np.concatenate([np.broadcast_to(one.ts, n) for one, n in zip(told, counts, strict=True)]),
        "kind": np.repeat(np.array([one.kind for one in told], dtype=object), counts),
        "source": SOURCE,
    }
    for name in ("channel", "offer", "category", "brand", "amount", "discount", "value"):
        null = np.array([np.nan if name in NUMBERS else None], dtype=np.float64 if name in NUMBERS else object)
        parts = [np.broadcast_to(one.values.get(name, null), n) for one, n in zip(told, counts, strict=True)]
        columns[name] = np.concatenate(parts)
    texts = dict.fromkeys((name for name in COLUMNS if name != "ts" and name not in NUMBERS), "str")
    return pd.DataFrame(columns)[list(COLUMNS)].astype(texts)


def _stamps(days: npt.NDArray[np.float64], start: date) -> npt.NDArray[np.datetime64]:
    """Days from `start` as timestamps, to the microsecond, which a float32 of days survives."""
    offset = np.round(days * DAY_US).astype(np.int64).astype("timedelta64[us]")
    stamps: npt.NDArray[np.datetime64] = np.datetime64(start, "us") + offset
    return stamps
