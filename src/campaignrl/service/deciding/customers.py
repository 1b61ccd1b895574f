"""The customers in memory: the checked table, whom a request is about, what a request adds.

A request that brings features of its own is read as a row of a customers table, with the same checks and messages. Not
here: who was erased or may not be contacted, which every round asks the store (rounds.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from campaignrl.arrays import Objects
from campaignrl.errors import CampaignError
from campaignrl.guard import ADDRESS
from campaignrl.send import one_an_address, read_customers
from campaignrl.service.ground import Refused
from campaignrl.service.store import Store, read_rows
from campaignrl.specs import World
from campaignrl.tables import ID, CustomerTable, same_spelling

LONGEST_ID = 256
SHOWN = 10


@dataclass(frozen=True)
class Customers:
    """All customers of one version of the store.

    Attributes:
        version: of the store's customers; "" where it holds none.
        table: n of them; None: none.
        spelled: (n,) what all spellings of each id have in common.
        addresses: (n,) keyed hashes of addresses; None: the table has none.
    """

    world: World
    version: str
    table: CustomerTable | None = None
    spelled: Objects | None = None
    addresses: Objects | None = None
    _place: Mapping[str, int] = field(default_factory=dict)
    _at: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def __len__(self) -> int:
        return 0 if self.table is None else len(self.table)

    def places(self, ids: Sequence[str]) -> list[int]:
        """Rows of customers; Refused (404) for those nobody knows."""
        found = [self._place.get(one, -1) for one in ids]
        lost = [one for one, place in zip(ids, found, strict=True) if place < 0]
        if lost:
            detail = f"{len(lost)} of {len(ids)} customers are not known; send their features, or take them in first."
            raise Refused(404, detail, customers=lost[:SHOWN])
        return found

    def beside(self, places: Sequence[int]) -> list[int]:
        """Rows of others who share an address with any of these."""
        if self.addresses is None:
            return []
        asked = set(places)
        near = {other for place in places for other in self._at.get(str(self.addresses[place]), ())}
        return sorted(near - asked)

    def knows(self, customer: str) -> bool:
        """Whether the customer is among them."""
        return customer in self._place

    def with_features(self, customer: str, features: Mapping[str, Any]) -> CustomerTable:
        """The table of one customer: what is known, and what a request says instead of it, or anew.

        Refused (409) where a column is missing or broken, which no schema of a request says.
        """
        known: dict[str, Any] = {}
        if self.table is not None and customer in self._place:
            row = self.table.take(np.array([self._place[customer]]))
            known = {str(name): cell for name, cell in row.to_frame().iloc[0].to_dict().items()}
        try:
            frame = pd.DataFrame([{**known, **features, ID: customer}])
            return read_customers(frame, self.world, ledger=True)
        except CampaignError as wrong:
            said = [str(one) for one in wrong.problems] or [str(wrong)]
            raise Refused(409, "The features do not make a customer.", errors=said[:20]) from None
        except (ValueError, TypeError, ArithmeticError, pa.ArrowException):  # cells that no table can hold
            raise Refused(409, "The features do not make a customer: a value is no text or number.") from None


def load_customers(store: Store, world: World, version: str) -> Customers:
    """What the store holds now."""
    with store.reading() as con:
        frame = read_rows(con)
    if frame.empty:
        return Customers(world, version)
    return as_customers(store, world, frame, version)


def as_customers(store: Store, world: World, frame: pd.DataFrame, version: str) -> Customers:
    """Customers from a frame, checked."""
    table = one_an_address(read_customers(frame, world, ledger=True))
    ids = [str(one) for one in table.ids]
    addresses, at = None, {}
    if ADDRESS in table.known:
        said = table.known[ADDRESS].values
        addresses = np.array([*(store.address_hash(str(one)) for one in said), None], dtype=object)[:-1]
        at = {
            str(key): list(rows) for key, rows in pd.Series(range(len(ids))).groupby(addresses).indices.items() if key
        }
    place = {one: i for i, one in enumerate(ids)}
    return Customers(world, version, table, same_spelling(ids), addresses, place, at)
