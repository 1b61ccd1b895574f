"""What a run must know of earlier ones: contacts, money, sends, permissions.

A planned send counts until its hand-over is said to be refused, withdrawn or expired; one of which nobody knows counts.
Where customers of a table share an address, a send to one of them counts for all. Not here: the tables (folder.py), who
may be contacted (permissions.py), the rules that use these counts (guard/). n customers, c channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
        inside = (self._when > self.day - days) & (self._when <= self.day) & (self._offer == offer)
        return np.bincount(self._customer[inside], minlength=len(self.suppressed))

    def contacts(self, channel: str | None, days: int) -> Int:
        """(n,) sends in the window of `days` days that ends today; channel None: all."""
        inside = (self._when > self.day - days) & (self._when <= self.day)
        if channel is not None:
            inside &= self._channel == channel
        return np.bincount(self._customer[inside], minlength=len(self.suppressed))

    def barred_today(self, suppressed: Bool, consent: Bool, channels: list[str]) -> list[str]:
        """Decisions of earlier runs of the day to send to somebody who may no longer be contacted.

        suppressed: (n,); consent: (c, n) as it stands now.
        """
        sends = np.flatnonzero((self._when == self.day) & np.isin(self._channel, channels))
        place = np.array([channels.index(name) for name in self._channel[sends]], dtype=np.int64)
        barred = suppressed[self._customer[sends]] | ~consent[place, self._customer[sends]]
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


def standing(
    ledger: Ledger, day: int, ids: Objects, channels: list[str], without: str = "", address: Objects | None = None
) -> Standing:
    """Everything that earlier runs, and what came back of them, say of these customers.

    without: a run that does not count, since it is repeated; address: (n,) keyed hashes of their addresses, "" of none.
    """
    sends, last_day = _sends(ledger, without)
    today, channel = sends["day"].to_numpy() == day, sends["channel"].to_numpy(dtype=object)
    gone = ledger.read("erasures", ["decision_day", "channel", "offer", "cost"]).to_pandas()
    offers = pd.concat([sends["offer"], gone["offer"]]).value_counts()
    gone_today = gone["channel"][gone["decision_day"] == day]
    by_channel = [int((today & (channel == name)).sum() + (gone_today == name).sum()) for name in channels]
    said = Permissions(ledger)
    consent, suppressed = said.on(day, ids, channels)
    row, customer = _pairs(sends.assign(customer_id=renamed(sends["customer_id"], ledger.aliases, ids)), ids, address)
    theirs = sends.iloc[row]
    return Standing(
        day=day,
        spent=int(sends["cost"].sum() + gone["cost"].sum()),  # what an erased customer cost was spent all the same
        sends_today=np.array(by_channel, dtype=np.int64),
        consent=consent,
        suppressed=suppressed,
        erased=said.erased(ids),
        last_day=last_day,
        _customer=customer,
        _when=theirs["day"].to_numpy(),
        _channel=theirs["channel"].to_numpy(dtype=object),
        _offer=theirs["offer"].to_numpy(dtype=object),
        _decision=theirs["decision_id"].to_numpy(dtype=object),
        _sends_of={str(offer): int(many) for offer, many in offers.items()},
    )


def _sends(ledger: Ledger, without: str) -> tuple[pd.DataFrame, int | None]:
    """Every send that counts (planned, handed over, of unknown fate), and the last day with a decision."""
    columns = ["decision_id", "customer_id", "day", "channel", "offer", "cost", "action", "run_id"]
    table = ledger.read("decisions", columns, ADDRESS)
    last = pc.max(table["day"]).as_py()
    sends = table.filter(pc.and_(pc.not_equal(table["action"], 0), pc.not_equal(table["run_id"], without))).to_pandas()
    kept: pd.DataFrame = sends[~sends["decision_id"].isin(not_sent(ledger))]
    return kept, None if last is None else int(last)


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
