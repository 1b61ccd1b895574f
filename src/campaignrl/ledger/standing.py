"""What a run must know of earlier ones: contacts, money, sends, permissions.

A planned send counts until its hand-over is said to be refused, withdrawn or expired; one of which nobody knows counts.
A permission that was taken away counts from its arrival on. Not here: the tables (folder.py), the rules that use
these counts (guard/). n customers, c channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.compute as pc

from campaignrl.arrays import Bool, Int, Objects
from campaignrl.ledger.aliases import renamed
from campaignrl.ledger.folder import Ledger
from campaignrl.ledger.incoming import with_customers
from campaignrl.ledger.schemas import ALL_CHANNELS, COUNTED, HASHED
from campaignrl.tables import same_spelling


@dataclass(frozen=True)
class Standing:
    """What the ledger knows of n customers on the morning of a day.

    Attributes:
        day: since 1970-01-01.
        spent: of the whole campaign, minor units; sends that are still to be handed over included.
        sends_today: (c,) of earlier runs of the day, by channel.
        consent: (c, n) 1 given, 0 withdrawn, -1 never heard of.
        suppressed: (n,) all channels are closed to.
        last_day: on which anything was decided; None: never.
    """

    day: int
    spent: int
    sends_today: Int
    consent: npt.NDArray[np.int8]
    suppressed: Bool
    last_day: int | None
    _customer: Int  # (m,) of sends to these customers
    _when: Int
    _channel: Objects
    _offer: Objects
    _sends_of: dict[str, int]  # by offer, to anybody

    def sends_of(self, offers: list[str]) -> Int:
        """(o,) sends of these offers in the whole campaign, to anybody."""
        return np.array([self._sends_of.get(offer, 0) for offer in offers], dtype=np.int64)

    def offer_contacts(self, offer: str, days: int) -> Int:
        """(n,) sends of an offer in the window of `days` days that ends today."""
        inside = (self._when > self.day - days) & (self._when <= self.day) & (self._offer == offer)
        return np.bincount(self._customer[inside], minlength=len(self.suppressed))

    def contacts(self, channel: str | None, days: int) -> Int:
        """(n,) sends in the window of `days` days that ends today; channel None: all."""
        inside = (self._when > self.day - days) & (self._when <= self.day)
        if channel is not None:
            inside &= self._channel == channel
        return np.bincount(self._customer[inside], minlength=len(self.suppressed))

    @cached_property
    def decided_today(self) -> Bool:
        """(n,) an earlier run of the day sends something to."""
        return self.contacts(None, 1) > 0


def standing(ledger: Ledger, day: int, ids: Objects, channels: list[str], without: str = "") -> Standing:
    """Everything that earlier runs, and what came back of them, say of these customers.

    without: a run that does not count, since it is repeated.
    """
    sends = _sends(ledger, without)
    known = pd.Index(ids)
    customer = known.get_indexer(pd.Index(renamed(sends["customer_id"], ledger.aliases, known)))
    when, channel = sends["day"].to_numpy(), sends["channel"].to_numpy(dtype=object)
    today = when == day
    gone = ledger.read("erasures", ["decision_day", "channel", "offer", "cost"]).to_pandas()
    offers = pd.concat([sends["offer"], gone["offer"]]).value_counts()
    gone_today = gone["channel"][gone["decision_day"] == day]
    by_channel = [int((today & (channel == name)).sum() + (gone_today == name).sum()) for name in channels]
    consent, suppressed = _permissions(ledger, day, known, channels)
    ours = customer >= 0
    return Standing(
        day=day,
        spent=int(sends["cost"].sum() + gone["cost"].sum()),  # what an erased customer cost was spent all the same
        sends_today=np.array(by_channel, dtype=np.int64),
        consent=consent,
        suppressed=suppressed,
        last_day=_last_day(ledger),
        _customer=customer[ours],
        _when=when[ours],
        _channel=channel[ours],
        _offer=sends["offer"].to_numpy(dtype=object)[ours],
        _sends_of={str(offer): int(many) for offer, many in offers.items()},
    )


def _last_day(ledger: Ledger) -> int | None:
    last = pc.max(ledger.read("decisions", ["day"])["day"]).as_py()
    return None if last is None else int(last)


def _sends(ledger: Ledger, without: str) -> pd.DataFrame:
    """Every send that counts: planned, handed over, or of unknown fate."""
    columns = ["decision_id", "customer_id", "day", "channel", "offer", "cost", "action", "run_id"]
    table = ledger.read("decisions", columns)
    sends = table.filter(pc.and_(pc.not_equal(table["action"], 0), pc.not_equal(table["run_id"], without))).to_pandas()
    kept: pd.DataFrame = sends[~sends["decision_id"].isin(not_sent(ledger))]
    return kept


def not_sent(ledger: Ledger) -> set[str]:
    """Decisions whose hand-over failed for good: nothing was sent."""
    handed = ledger.read("handovers", ["decision_id", "status"]).to_pandas()
    counted = set(handed["decision_id"][handed["status"] == "sent"])
    return set(handed["decision_id"][~handed["status"].isin(COUNTED)]) - counted


def _left(ledger: Ledger) -> pd.DataFrame:
    """Permissions that unsubscribes took away whose decision, and so their customer, came to be known later."""
    rows = ledger.read("outcomes", kind="unsubscribe").to_pandas()
    rows = with_customers(ledger, rows[rows["customer_id"] == ""])
    rows = rows[rows["customer_id"] != ""]
    channel = rows["channel"].replace("", ALL_CHANNELS)
    taken = {"customer_id": rows["customer_id"], "channel": channel, "allowed": False, "day": rows["day"]}
    return pd.DataFrame({**taken, "arrived": rows["day"], "source": "unsubscribe"}).astype({"allowed": bool})


def _permissions(
    ledger: Ledger, day: int, known: pd.Index[str], channels: list[str]
) -> tuple[npt.NDArray[np.int8], Bool]:
    """(c, n) consent, and (n,) who is suppressed: the latest word counts, of two of one day the refusal."""
    consent = np.full((len(channels), len(known)), -1, dtype=np.int8)
    suppressed = np.zeros(len(known), dtype=bool)
    rows = pd.concat([ledger.read("permissions").to_pandas(), _left(ledger)], ignore_index=True)
    erased = set(rows["customer_id"][rows["customer_id"].str.startswith(HASHED)])  # on whatever day: nobody is left
    rows["customer_id"] = renamed(rows["customer_id"], ledger.aliases, known)
    rows = rows[rows["allowed"] & (rows["day"] <= day) | ~rows["allowed"] & (rows["arrived"] <= day)]
    rows = rows.sort_values(["day", "allowed"], ascending=[True, False], kind="stable")
    for i, channel, allowed in _words(rows, known):
        if channel == ALL_CHANNELS:
            suppressed[i] = not allowed
        elif channel in channels:
            consent[channels.index(channel), i] = allowed
    if erased:  # last: no older word, whenever it comes in, may lift it
        suppressed |= [ledger.hash_of(str(one)) in erased for one in known]
        gone = [now for name, now in ledger.aliases.items() if ledger.hash_of(name) in erased]
        suppressed |= np.asarray(known.isin(gone))
    return consent, suppressed


def _words(rows: pd.DataFrame, known: pd.Index[str]) -> Iterator[tuple[Int, str, bool]]:
    """(customers, channel, allowed) of each row: a yes is of the very id, a no of every spelling of it."""
    exact, spelled = known.get_indexer(pd.Index(rows["customer_id"])), same_spelling(known)
    alike = pd.Series(np.arange(len(known))).groupby(spelled).indices
    keys = zip(exact, same_spelling(rows["customer_id"]), rows["channel"], rows["allowed"], strict=True)
    for own, key, channel, allowed in keys:
        if not allowed and key in alike:
            yield np.asarray(alike[key]), channel, False
        elif allowed and own >= 0:
            yield np.array([own]), channel, True
