"""What is answered about a customer's past: in the words, units and days in which it was decided and told.

The store keeps whole minor units, days since 1970 and numbers of actions, which no client ever sent or was given. Not
here: what the store has (store/history.py), who may ask (customers.py).
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from campaignrl.ledger import EPOCH
from campaignrl.specs import World


class Why(BaseModel):
    """Why the last decision was made."""

    decision_id: str
    reason: str
    blocked: list[str]


class PastDecision(BaseModel):
    """One decision as it was answered, when, and what the policy saw; `cost` and `expected_gain` in `currency`."""

    decision_id: str
    day: str
    at: str
    action: str
    send: bool
    offer: str
    channel: str
    propensity: float
    cost: float
    currency: str
    expected_gain: float | None
    reason: str
    blocked: list[str]
    policy: str
    fallback: bool
    seen: dict[str, Any]


class PastHandover(BaseModel):
    """What was told of a send; `arrived`: the day on which."""

    decision_id: str
    status: str
    day: str
    arrived: str


class PastOutcome(BaseModel):
    """What came of it, as it was told; `margin` in `currency`."""

    outcome_id: str
    decision_id: str
    day: str
    kind: str
    channel: str
    margin: float
    currency: str
    arrived: str


class PastPermission(BaseModel):
    """A word of permission."""

    channel: str
    allowed: bool
    day: str
    source: str
    arrived: str


class Customer(BaseModel):
    """What is known of one customer, the latest first. profile: null where no table of customers has them."""

    customer_id: str
    profile: dict[str, Any] | None
    why: Why | None
    decisions: list[PastDecision]
    handovers: list[PastHandover]
    outcomes: list[PastOutcome]
    permissions: list[PastPermission]


def as_told(history: Mapping[str, Sequence[Mapping[str, Any]]], world: World) -> dict[str, Any]:
    """`history_of_one` as it is answered."""
    decisions = [_decision(row, world) for row in history["decisions"]]
    last = next(iter(decisions), None)
    return {
        "why": None if last is None else {name: last[name] for name in Why.model_fields},
        "decisions": decisions,
        "handovers": [_dated(row) for row in history["handovers"]],
        "outcomes": [{**_dated(row), **_money(row, "margin", world)} for row in history["outcomes"]],
        "permissions": [_dated(row) for row in history["permissions"]],
    }


def _decision(row: Mapping[str, Any], world: World) -> dict[str, Any]:
    own = {name: row[name] for name in PastDecision.model_fields if name in row}
    return {
        **own,
        **_money(row, "cost", world),
        "day": _iso(row["day"]),
        "at": datetime.datetime.fromtimestamp(row["at"], datetime.UTC).isoformat(timespec="milliseconds"),
        "action": world.catalog.names[row["action"]],
        "send": bool(row["channel"]),
        "blocked": [one for one in row["blocked"].split("; ") if one],
        "policy": row["policy_id"],
    }


def _money(row: Mapping[str, Any], name: str, world: World) -> dict[str, Any]:
    return {name: row[name] / world.money.minor_per_unit, "currency": world.money.currency}


def _dated(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "day": _iso(row["day"]), "arrived": _iso(row["arrived"])}


def _iso(day: int) -> str:
    return (EPOCH + datetime.timedelta(days=day)).isoformat()
