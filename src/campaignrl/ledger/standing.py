"""What a run must know of earlier ones: contacts, money, sends, permissions.

A planned send counts until its hand-over is said to be refused, withdrawn or expired; one of which nobody knows counts.
Where customers of a table share an address, a send to one of them counts for all. Not here: the tables (folder.py), who
may be contacted (permissions.py), the rules that use these counts (guard/). n customers, c channels.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.compute as pc

from campaignrl.arrays import Bool, Int, Objects
from campaignrl.ledger.aliases import renamed
from campaignrl.ledger.folder import Ledger
from campaignrl.ledger.handovers import not_sent
from campaignrl.ledger.permissions import Permissions
from campaignrl.ledger.schemas import ADDRESS

FEW = 16  # sends, of which each window of a service's round is counted one by one


@dataclass(frozen=True)
class Standing:
    """What the ledger knows of n customers on the morning of a day.

    Attributes:
        day: since 1970-01-01.
        spent: of the whole campaign, minor units; sends that are still to be handed over included.
        sends_today: (c,) of earlier runs of the day, by channel.
        consent: (c, n) 1 given, 0 withdrawn, -1 never heard of.
        suppressed: (n,) all channels are closed to.
        erased: (n,) who asked to be forgotten, and are in the table nevertheless.
        last_day: on which anything was decided; None: never.
    """

    day: int
    spent: int
    sends_today: Int
    consent: npt.NDArray[np.int8]
    suppressed: Bool
    erased: Bool
    last_day: int | None
    _customer: Int  # (m,) of sends to these customers, or to their addresses
    _when: Int
    _channel: Objects
    _offer: Objects
    _decision: Objects
    _sends_of: dict[str, int]  # by offer, to anybody

    def sends_of(self, offers: list[str]) -> Int:
        """(o,) sends of these offers in the whole campaign, to anybody."""
        return np.array([self._sends_of.get(offer, 0) for offer in offers], dtype=np.int64)

    def offer_contacts(self, offer: str, days: int) -> Int:
        """(n,) sends of an offer in the window of `days` days that ends today."""
        return self._counted(days, None, offer)

    def contacts(self, channel: str | None, days: int) -> Int:
        """(n,) sends in the window of `days` days that ends today; channel None: all."""
        return self._counted(days, channel, None)

    def _counted(self, days: int, channel: str | None, offer: str | None) -> Int:
        """(n,) sends in the window of `days` days that ends today, on a channel and of an offer where they are said."""
        if self._few is not None:
            found = np.zeros(len(self.suppressed), dtype=np.int64)
            for customer, when, by, of in self._few:
                said = (channel is None or by == channel) and (offer is None or of == offer)
                if said and self.day - days < when <= self.day:
                    found[customer] += 1
            return found
        inside = (self._when > self.day - days) & (self._when <= self.day)
        if channel is not None:
            inside &= self._channel == channel
        if offer is not None:
            inside &= self._offer == offer
        return np.bincount(self._customer[inside], minlength=len(self.suppressed))

    @cached_property
    def _few(self) -> list[tuple[int, int, str, str]] | None:
        """Customer, day, channel and offer of each send; None where it takes longer to look at them one by one."""
        if len(self._when) > FEW:
            return None
        columns = (self._customer, self._when, self._channel, self._offer)
        return list(zip(*(cells.tolist() for cells in columns), strict=True))

    def barred_today(self, suppressed: Bool, consent: Bool, channels: list[str], offers: Collection[str]) -> list[str]:
        """Decisions of earlier runs of the day to send to who may not be contacted now, or what may not be sent.

        suppressed: (n,); consent: (c, n) as it stands now; offers: that are out of date now.
        """
        sends = np.flatnonzero((self._when == self.day) & np.isin(self._channel, channels))
        place = np.array([channels.index(name) for name in self._channel[sends]], dtype=np.int64)
        barred = suppressed[self._customer[sends]] | ~consent[place, self._customer[sends]]
        barred |= np.isin(self._offer[sends], list(offers))
        return sorted(set(self._decision[sends[barred]].tolist()))

    @classmethod
    def of_sends(
        cls,
        day: int,
        sends: Mapping[str, Sequence[Any]],
        *,
        spent: int,
        sends_today: Int,
        sends_of: Mapping[str, int],
        consent: npt.NDArray[np.int8],
        suppressed: Bool,
        erased: Bool,
    ) -> Standing:
        """What another keeper of the same facts than a ledger's folder knows.

        sends: (m,) customer (place among the n), day, channel, offer and decision_id of those that count.
        """
        return cls(
            day=day,
            spent=spent,
            sends_today=sends_today,
            consent=consent,
            suppressed=suppressed,
            erased=erased,
            last_day=None,
            _customer=np.asarray(sends["customer"], dtype=np.int64),
            _when=np.asarray(sends["day"], dtype=np.int64),
            _channel=np.asarray(sends["channel"], dtype=object),
            _offer=np.asarray(sends["offer"], dtype=object),
            _decision=np.asarray(sends["decision_id"], dtype=object),
            _sends_of=dict(sends_of),
        )

    @cached_property
    def decided_today(self) -> Bool:
        """(n,) an earlier run of the day sends something to."""
        return self.contacts(None, 1) > 0


@dataclass(frozen=True)
class Past:
    """What a ledger holds of everybody on the morning of a day, read once for any number of shards of customers.

    Attributes:
        ledger, day: of it, since 1970-01-01.
        channels: of the world.
        last_day: on which anything was decided; None: never.
        sends: every send that counts: planned, handed over, of unknown fate.
        gone: sends of customers who were erased: what one cost was spent all the same.
        said: permissions.
    """

    ledger: Ledger
    day: int
    channels: list[str]
    last_day: int | None
    sends: pd.DataFrame
    gone: pd.DataFrame
    said: Permissions

    @cached_property
    def spent(self) -> int:
        """Of the whole campaign, minor units."""
        return int(self.sends["cost"].sum() + self.gone["cost"].sum())

    @cached_property
    def sends_today(self) -> Int:
        """(c,) of earlier runs of the day, by channel."""
        today = self.sends["channel"].to_numpy(dtype=object)[self.sends["day"].to_numpy() == self.day]
        gone = self.gone["channel"][self.gone["decision_day"] == self.day]
        return np.array([int((today == n).sum() + (gone == n).sum()) for n in self.channels], dtype=np.int64)

    @cached_property
    def by_offer(self) -> dict[str, int]:
        """Sends by offer in the whole campaign."""
        counts = pd.concat([self.sends["offer"], self.gone["offer"]]).value_counts()
        return {str(offer): int(many) for offer, many in counts.items()}

    def sends_of(self, offers: list[str]) -> Int:
        """(o,) sends of these offers in the whole campaign, to anybody."""
        return np.array([self.by_offer.get(offer, 0) for offer in offers], dtype=np.int64)


def past(ledger: Ledger, day: int, channels: list[str], without: str = "") -> Past:
    """Read what a ledger holds. without: a run that does not count, since it is repeated."""
    columns = ["decision_id", "customer_id", "day", "channel", "offer", "cost"]
    last = pc.max(ledger.read("decisions", ["day"])["day"]).as_py()
    among = (("action", "!=", 0), ("run_id", "!=", without))
    sends = ledger.read("decisions", columns, ADDRESS, among=among).to_pandas()
    kept: pd.DataFrame = sends[~sends["decision_id"].isin(not_sent(ledger))]
    gone = ledger.read("erasures", ["decision_day", "channel", "offer", "cost"]).to_pandas()
    return Past(ledger, day, channels, None if last is None else int(last), kept, gone, Permissions(ledger))


def standing(
    ledger: Ledger, day: int, ids: Objects, channels: list[str], without: str = "", address: Objects | None = None
) -> Standing:
    """Everything that earlier runs, and what came back of them, say of these customers.

    without: a run that does not count, since it is repeated; address: (n,) keyed hashes of their addresses, "" of none.
    """
    return standing_on(past(ledger, day, channels, without), ids, address)


def standing_on(known: Past, ids: Objects, address: Objects | None = None, asked: Collection[str] = ()) -> Standing:
    """What the past says of some customers, each by itself; asked: earlier names of which there are others too."""
    sends = known.sends
    consent, suppressed = known.said.on(known.day, ids, known.channels, asked)
    names = renamed(sends["customer_id"], known.ledger.aliases, ids, asked)
    theirs_by_name = sends.assign(customer_id=names)
    row, customer = _pairs(theirs_by_name, ids, address)
    theirs = sends.iloc[row]
    return Standing(
        day=known.day,
        spent=known.spent,
        sends_today=known.sends_today,
        consent=consent,
        suppressed=suppressed,
        erased=known.said.erased(ids),
        last_day=known.last_day,
        _customer=customer,
        _when=theirs["day"].to_numpy(),
        _channel=theirs["channel"].to_numpy(dtype=object),
        _offer=theirs["offer"].to_numpy(dtype=object),
        _decision=theirs["decision_id"].to_numpy(dtype=object),
        _sends_of=known.by_offer,
    )


def _pairs(sends: pd.DataFrame, ids: Objects, address: Objects | None) -> tuple[Int, Int]:
    """(m,) rows of sends and (m,) whose they are: of the customer, and of all who have its address now."""
    customer = pd.Index(ids).get_indexer(pd.Index(sends["customer_id"]))
    row = np.flatnonzero(customer >= 0)
    found = pd.DataFrame({"row": row, "customer": customer[row]})
    if address is not None and ADDRESS in sends:
        there = pd.DataFrame({"address": address, "customer": np.arange(len(ids))})
        then = pd.DataFrame({"address": sends[ADDRESS], "row": np.arange(len(sends))}).dropna()
        shared = then.merge(there[there["address"] != ""], on="address")[["row", "customer"]]
        found = pd.concat([found, shared], ignore_index=True).drop_duplicates()
    return found["row"].to_numpy(dtype=np.int64), found["customer"].to_numpy(dtype=np.int64)
