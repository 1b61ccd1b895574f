"""What is answered: one decision as JSON, and its row for the ledger.

Not here: how it was decided (rounds.py), who asks (api/).
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from campaignrl.actions import NONE
from campaignrl.arrays import Float
from campaignrl.send import Decisions
from campaignrl.service.store import Store

RUN = 12  # hex digits of a decision's id before the customer's, as in a ledger


def run_of(store: Store, key: str) -> str:
    """12 hex digits for one request of this store."""
    return hashlib.blake2b(f"{store.id}\x00{key}".encode(), digest_size=RUN // 2).hexdigest()


def as_text(record: Mapping[str, Any]) -> str:
    """A row as JSON; NaN is null."""
    return orjson.dumps(record).decode()


def end_of_day(day: datetime.date) -> datetime.datetime:
    """Until when a decision of a day holds: the next midnight of the sender's clock."""
    midnight = datetime.datetime.combine(day + datetime.timedelta(days=1), datetime.time())
    return midnight.astimezone()


def told(
    found: Decisions,
    records: Sequence[Mapping[str, Any]],
    i: int,
    fallback: bool,
    day: str,
    expires: str,
    ranking: list[Any] | None,
) -> dict[str, Any]:
    """One decision as a client reads it. day, expires: as texts."""
    record = records[i]
    action: int = record["action"]
    gain = record["expected_gain"]
    answer = {
        "decision_id": record["decision_id"],
        "customer_id": record["customer_id"],
        "day": day,
        "action": found.catalog.names[action],
        "send": action != NONE,
        "offer": record["offer"],
        "channel": record["channel"],
        "propensity": record["propensity"],
        "cost": record["cost"] / found.about["minor_per_unit"],
        "currency": found.about["currency"],
        "expected_gain": None if gain is None or gain != gain else gain,
        "reason": record["reason"],
        "blocked": [text for text in record["blocked"].split("; ") if text],
        "policy": record["policy_id"],
        "policy_hash": record["policy_hash"],
        "fallback": fallback,
        "expires": expires,
    }
    if ranking is not None:
        answer["ranking"] = ranking
    return answer


def ranking_of(found: Decisions, p: Float, row: int, many: int) -> list[dict[str, Any]]:
    """The most probable of what was allowed, with the policy's own chances. p: (k,) of one customer."""
    order = np.argsort(-p, kind="stable")
    allowed = [int(k) for k in order if found.eligible[row, k]][:many]
    return [{"action": found.catalog.names[k], "probability": float(p[k])} for k in allowed]


def decision_row(record: Mapping[str, Any], key: str, fallback: bool, now: float) -> dict[str, Any]:
    """Of the store, but for the record itself. fallback: whether it decided."""
    return {
        "decision_id": record["decision_id"],
        "customer_id": record["customer_id"],
        "day": record["day"],
        "action": record["action"],
        "policy_id": record["policy_id"],
        "at": now,
        "key": key,
        "fallback": fallback,
    }


def send_row(record: Mapping[str, Any], expires: float, address: str) -> dict[str, Any]:
    """What a send has reserved. address: keyed hash, "" of none."""
    return {
        "decision_id": record["decision_id"],
        "customer_id": record["customer_id"],
        "day": record["day"],
        "channel": record["channel"],
        "offer": record["offer"],
        "cost": record["cost"],
        "counted": True,
        "expires": expires,
        "address": address,
    }
