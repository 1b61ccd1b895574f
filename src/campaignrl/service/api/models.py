"""What bodies and answers say. Types are strict, and no field goes unread.

Not here: JSON itself (strict_json.py), what a value means (ledger/, send/).
"""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

MOST = 5_000  # rows of one request


def _plain(text: str) -> str:
    """Text that can be stored and shown: no control characters, no half characters."""
    if not text.isprintable() and any(ord(sign) < 32 or ord(sign) == 127 for sign in text):
        raise ValueError("no control characters")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("whole characters of Unicode") from None
    return text


def _named(text: str) -> str:
    if text.isascii() and text.isprintable() and text and not text.isspace():  # as ids are
        return text
    if not text.strip():
        raise ValueError("not empty")
    return _plain(text)


def _day(text: str) -> str:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        raise ValueError("a day as 2026-11-21") from None
    if len(text) != 10:
        raise ValueError("a day as 2026-11-21")
    return text


def _whole(value: object) -> object:
    """JSON knows no whole numbers, only numbers: 3.0 is 3."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]
# What validators ask of a text, as a schema says it.
PLAIN = {"pattern": r"^[^\x00-\x1f\x7f]*$"}
NAMED = {"pattern": r"^[^\x00-\x1f\x7f]*[^\x00-\x1f\x7f\s][^\x00-\x1f\x7f]*$"}
Id = Annotated[str, Field(min_length=1, max_length=256, json_schema_extra=NAMED), AfterValidator(_named)]
Text = Annotated[str, Field(max_length=256, json_schema_extra=PLAIN), AfterValidator(_plain)]
Day = Annotated[
    str,
    Field(pattern=r"^\d{4}-\d{2}-\d{2}$", max_length=10, json_schema_extra={"format": "date"}),
    AfterValidator(_day),
]
Cell = (
    Annotated[str, Field(max_length=256, json_schema_extra=PLAIN), AfterValidator(_plain)] | bool | int | float | None
)
Why = Annotated[str, Field(min_length=1, max_length=500, json_schema_extra=NAMED), AfterValidator(_named)]
# What must hold between the fields of an outcome: it names its decision or its customer; an order has its margin, and a
# refund says how much, without a sign.
TOGETHER: dict[str, Any] = {
    "allOf": [
        {
            "anyOf": [
                {"required": [name], "properties": {name: {"minLength": 1}}} for name in ("decision_id", "customer_id")
            ]
        },
        {
            "anyOf": [
                {"properties": {"kind": {"enum": ["open", "click", "unsubscribe"]}}},
                {"required": ["margin"], "properties": {"kind": {"enum": ["order"]}, "margin": {"type": "number"}}},
                {
                    "required": ["margin"],
                    "properties": {"kind": {"enum": ["refund"]}, "margin": {"type": "number", "minimum": 0}},
                },
            ]
        },
    ]
}


class Body(BaseModel):
    """Of a request."""

    model_config = ConfigDict(strict=True, extra="forbid")


class DecideRequest(Body):
    """One customer, known by id, or with features of its own."""

    customer_id: Id
    features: Annotated[dict[Id, Cell], Field(max_length=500)] | None = None
    channels: Annotated[list[Id], Field(max_length=64)] | None = Field(None, description="open now; null: all")
    ranking: Whole = Field(0, ge=0, le=100, description="how many of what was allowed shall be named")


class BatchRequest(Body):
    """Customers who are known by id, each once."""

    customer_ids: Annotated[list[Id], Field(min_length=1, max_length=MOST, json_schema_extra={"uniqueItems": True})]
    channels: Annotated[list[Id], Field(max_length=64)] | None = Field(None, description="open now; null: all")
    ranking: Whole = Field(0, ge=0, le=100, description="how many of what was allowed shall be named")


class Outcome(Body):
    """An event that came of a decision, or of a customer."""

    model_config = ConfigDict(json_schema_extra=TOGETHER)
    outcome_id: Id
    decision_id: Text = ""
    customer_id: Text = ""
    kind: Literal["open", "click", "order", "refund", "unsubscribe"]
    day: Day | None = Field(None, description="on which it happened; null: today")
    margin: Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)] | None = Field(
        None, description="of an order or refund, in the world's currency"
    )
    channel: Text = ""


class OutcomesRequest(Body):
    """Outcomes in any order; those that were told before change nothing."""

    outcomes: Annotated[list[Outcome], Field(min_length=1, max_length=MOST)]


class Permission(Body):
    """A word of permission."""

    customer_id: Id
    channel: Id = Field(description="* for all")
    allowed: bool
    day: Day | None = Field(None, description="on which it was given or taken; null: today")
    source: Text = ""


class PermissionsRequest(Body):
    """Words of permission."""

    permissions: Annotated[list[Permission], Field(min_length=1, max_length=MOST)]


class HandedOver(Body):
    """What is about to become, or became, of a send.

    `sending` asks for leave right before the hand-over, and is answered go or stop; the others say what happened.
    """

    decision_id: Id
    status: Literal["sending", "sent", "unknown", "refused", "withdrawn", "expired"]
    day: Day | None = None


class HandedOverRequest(Body):
    """Hand-overs."""

    handovers: Annotated[list[HandedOver], Field(min_length=1, max_length=MOST)]


class PolicyRequest(Body):
    """A policy for a place."""

    policy: Id
    why: Why
    accept_doubts: bool = Field(False, description="although it is not shown to be better than sending nothing")


class WhyRequest(Body):
    """A change that somebody answers for."""

    why: Why


class Ranked(BaseModel):
    """An action that was allowed."""

    action: str
    probability: float


class Decision(BaseModel):
    """One decision, which holds until `expires`."""

    decision_id: str
    customer_id: str
    day: str
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
    policy_hash: str
    fallback: bool
    expires: str
    ranking: list[Ranked] | None = None


class Decisions(BaseModel):
    """One decision for each customer, in their order."""

    decisions: list[Decision]


class Row(BaseModel):
    """What became of one row. go: of `sending`, whether it may go out."""

    became: str
    why: str = ""
    go: bool | None = None


class Rows(BaseModel):
    """What became of each row, in their order; and how many of each kind."""

    rows: list[Row]
    counts: dict[str, int]


class Problem(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str


class Facts(BaseModel):
    """Facts by name."""

    model_config = ConfigDict(extra="allow")


BODIES: tuple[type[Body], ...] = (
    DecideRequest,
    BatchRequest,
    OutcomesRequest,
    PermissionsRequest,
    HandedOverRequest,
    PolicyRequest,
    WhyRequest,
)
Json = dict[str, Any]
