"""Who may be contacted by the word of a ledger: the latest counts, of two of one day the refusal.

A permission that was taken away counts from its arrival on, one that was given from its own day. Not here: what a
customers table says (tables/), contacts and money (standing.py). n customers, c channels.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from campaignrl.arrays import Bool, Int, Objects
from campaignrl.ledger.aliases import renamed
from campaignrl.ledger.folder import Ledger
from campaignrl.ledger.owners import with_customers
from campaignrl.ledger.schemas import ALL_CHANNELS, HASHED
from campaignrl.tables import same_spelling


class Permissions:
    """Everything that a ledger was told, for any day."""

    def __init__(self, ledger: Ledger) -> None:
        """Read it."""
        rows = pd.concat([ledger.read("permissions").to_pandas(), _left(ledger)], ignore_index=True)
        hashed = rows["customer_id"].str.startswith(HASHED).to_numpy(dtype=bool)
        self._erased, self._ledger = frozenset(rows["customer_id"][hashed]), ledger
        self._rows = in_order(rows[~hashed])

    def erased(self, ids: Objects) -> Bool:
        """(n,) whom the ledger was told to forget, on whatever day."""
        if not self._erased:
            return np.zeros(len(ids), dtype=bool)
        own = np.array([one in self._erased for one in self._ledger.hashes_of(ids)], dtype=bool)
        aliases = self._ledger.aliases
        gone = [
            aliases[n] for n, h in zip(aliases, self._ledger.hashes_of(list(aliases)), strict=True) if h in self._erased
        ]
        return own | np.asarray(pd.Index(ids).isin(gone))

    def on(
        self, day: int, ids: Objects, channels: list[str], asked: Collection[str] = ()
    ) -> tuple[npt.NDArray[np.int8], Bool]:
        """(c, n) consent as of a day (1, 0, -1: never heard of), and (n,) who is suppressed.

        asked: earlier names under which somebody else is asked for.
        """
        known = pd.Index(ids)
        rows = self._rows.assign(customer_id=renamed(self._rows["customer_id"], self._ledger.aliases, known, asked))
        consent, suppressed = consent_on(rows, day, known, channels)
        return consent, suppressed | self.erased(ids)  # last: no older word, whenever it comes in, may lift it


def in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Words of permission as they count: the latest last, of two of one day the refusal."""
    return rows.sort_values(["day", "allowed"], ascending=[True, False], kind="stable")


def consent_on(
    rows: pd.DataFrame, day: int, known: pd.Index[str], channels: list[str]
) -> tuple[npt.NDArray[np.int8], Bool]:
    """(c, n) consent as of a day (1, 0, -1: never heard of), and (n,) to whom all is closed, by words `in_order`."""
    consent = np.full((len(channels), len(known)), -1, dtype=np.int8)
    suppressed = np.zeros(len(known), dtype=bool)
    rows = rows[rows["allowed"] & (rows["day"] <= day) | ~rows["allowed"] & (rows["arrived"] <= day)]
    for i, channel, allowed in _words(rows, known):
        if channel == ALL_CHANNELS:
            suppressed[i] = not allowed
        elif channel in channels:
            consent[channels.index(channel), i] = allowed
    return consent, suppressed


def _left(ledger: Ledger) -> pd.DataFrame:
    """Permissions that unsubscribes took away whose decision, and so their customer, came to be known later."""
    rows = ledger.read("outcomes", kind="unsubscribe").to_pandas()
    rows = with_customers(ledger, rows[rows["customer_id"] == ""])
    rows = rows[rows["customer_id"] != ""]
    channel = rows["channel"].replace("", ALL_CHANNELS)
    taken = {"customer_id": rows["customer_id"], "channel": channel, "allowed": False, "day": rows["day"]}
    return pd.DataFrame({**taken, "arrived": rows["day"], "source": "unsubscribe"}).astype({"allowed": bool})


def _words(rows: pd.DataFrame, known: pd.Index[str]) -> Iterator[tuple[Int, str, bool]]:
    """(customers, channel, allowed) of each row: a yes is of the very id, a no of every spelling of it."""
    if not len(rows):
        return
    exact, spelled = known.get_indexer(pd.Index(rows["customer_id"])), same_spelling(known)
    words = same_spelling(rows["customer_id"])
    ours = (exact >= 0) | pd.Series(words).isin(spelled).to_numpy()  # few, where these are few of many customers
    alike = pd.Series(np.arange(len(known))).groupby(spelled).indices
    keys = zip(exact[ours], words[ours], rows["channel"][ours], rows["allowed"][ours], strict=True)
    for own, key, channel, allowed in keys:
        if not allowed and key in alike:
            yield np.asarray(alike[key]), channel, False
        elif allowed and own >= 0:
            yield np.array([own]), channel, True
