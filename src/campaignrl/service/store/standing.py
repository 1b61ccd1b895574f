"""What a decision must know of earlier ones, read by the customers it is about.

The same `Standing` that a ledger gives a batch, from rows found by key. A send counts until its hand-over is said to
be refused, withdrawn or expired. Not here: what the guard makes of it (guard/). n customers, c channels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection, and_, bindparam, or_, select

from campaignrl.arrays import Bool
from campaignrl.ledger import Standing, consent_on, in_order
from campaignrl.service.store.database import Question
from campaignrl.service.store.schema import HAS_ADDRESS, erased, permissions, sends, totals

SPENT, ON_DAY, OF_OFFER = "spent", "day", "offer"
TOTALS = Question(lambda listed: select(totals.c.name, totals.c.value).where(listed(totals.c.name, "names")))
GONE = Question(lambda listed: select(erased.c.hash).where(listed(erased.c.hash, "hashes")))
SAID = ("seq", "customer_id", "channel", "allowed", "day", "arrived")
PERMISSIONS = Question(
    lambda listed: select(*(permissions.c[name] for name in SAID)).where(listed(permissions.c.spelled, "spelled"))
)
SENT = [sends.c[name] for name in ("customer_id", "address", "day", "channel", "offer", "decision_id")]
NAMED = ("customer", "day", "channel", "offer", "decision_id")  # of a send, to whom it is by place
COUNTED = and_(sends.c.counted, sends.c.day > bindparam("after"))
SENDS = Question(lambda listed: select(*SENT).where(listed(sends.c.customer_id, "ids"), COUNTED))
SENDS_AT = Question(
    lambda listed: select(*SENT).where(
        or_(listed(sends.c.customer_id, "ids"), and_(HAS_ADDRESS, listed(sends.c.address, "addresses"))), COUNTED
    )
)


def total_names(day: int, channels: Sequence[str], offers: Sequence[str]) -> list[str]:
    """The totals that a decision of a day reads."""
    return [SPENT, *(f"{ON_DAY}:{day}:{c}" for c in channels), *(f"{OF_OFFER}:{o}" for o in offers)]


def standing_of(
    con: Connection,
    day: int,
    ids: Sequence[str],
    spelled: Sequence[str],
    *,
    hashes: Sequence[str] | None,
    addresses: Sequence[str] | None,
    channels: list[str],
    offers: list[str],
    days: int,
) -> Standing:
    """What stands of n customers, each once, on a day.

    spelled: what all spellings of each id have in common; hashes: that stand for each where anybody was erased; None:
    nobody ever was; addresses: keyed hashes, "" of none; days: the longest window that a rule or feature looks back.
    """
    told = dict(TOTALS.rows(con, {"names": total_names(day, channels, offers)}))
    consent, suppressed = _permissions(con, day, ids, spelled, channels)
    gone = _erased(con, ids, hashes)
    by_day = [told.get(f"{ON_DAY}:{day}:{channel}", 0) for channel in channels]
    return Standing.of_sends(
        day,
        _sends(con, day - days, ids, addresses),
        spent=told.get(SPENT, 0),
        sends_today=np.array(by_day, dtype=np.int64),
        sends_of={offer: told.get(f"{OF_OFFER}:{offer}", 0) for offer in offers},
        consent=consent,
        suppressed=suppressed | gone,
        erased=gone,
    )


def _sends(
    con: Connection, after: int, ids: Sequence[str], addresses: Sequence[str] | None
) -> Mapping[str, Sequence[object]]:
    """Sends that count, to these customers or to their addresses; to whom they are by place."""
    at: dict[str, list[int]] = defaultdict(list)
    for i, address in enumerate(addresses or ()):
        if address:
            at[address].append(i)
    place = dict(zip(ids, range(len(ids)), strict=True))
    if not at:
        rows = SENDS.rows(con, {"ids": list(place)}, after=after)
        whom, _, *rest = zip(*rows, strict=True) if rows else ((),) * (1 + len(NAMED))
        return dict(zip(NAMED, ([place[one] for one in whom], *rest), strict=True))
    found: dict[str, list[object]] = {name: [] for name in NAMED}
    rows = SENDS_AT.rows(con, {"ids": list(place), "addresses": list(at)}, after=after)
    for customer, address, *rest in rows:
        own = [place[customer]] if customer in place else []
        for i in dict.fromkeys([*own, *at.get(address, ())]):
            for name, value in zip(NAMED, (i, *rest), strict=True):
                found[name].append(value)
    return found


def _permissions(
    con: Connection, day: int, ids: Sequence[str], spelled: Sequence[str], channels: list[str]
) -> tuple[npt.NDArray[np.int8], Bool]:
    rows = PERMISSIONS.rows(con, {"spelled": list(dict.fromkeys(spelled))})
    if not rows:  # as of most customers
        return np.full((len(channels), len(ids)), -1, dtype=np.int8), np.zeros(len(ids), dtype=bool)
    frame = pd.DataFrame(rows, columns=list(SAID)).sort_values("seq").astype({"allowed": bool})
    return consent_on(in_order(frame), day, pd.Index(ids), channels)


def _erased(con: Connection, ids: Sequence[str], hashes: Sequence[str] | None) -> Bool:
    if hashes is None:
        return np.zeros(len(ids), dtype=bool)
    gone = {one for (one,) in GONE.rows(con, {"hashes": hashes})}
    return np.array([one in gone for one in hashes], dtype=bool)
