"""What a mapping says about one field of a source, and the rules for rows that are not as they should be.

Here: the models of fields and rules. Not here: sources and the whole file (mapping.py), the rules at work
(rules.py).
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, model_validator

from campaignrl.errors import Problem, SpecError, nearest
from campaignrl.specs import Spec
from campaignrl.tables import KINDS
from campaignrl.tables.files import compile_expression

IGNORE = "ignore"
TEST_ACCOUNTS = ("test", "test[0-9]*", "test[-_ ]*", "测试*")
Moment = dt.datetime | dt.date


def _columns(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Columns = Annotated[tuple[str, ...], BeforeValidator(_columns)]


class TextField(Spec):
    """A name: of a channel, an offer, a category."""

    column: Columns = ()
    constant: str | None = None
    values: dict[str, str] = Field(default_factory=dict)
    missing: Columns = ()


class NumberField(Spec):
    """A number, as it stands or reckoned from columns."""

    column: Columns = ()
    constant: float | None = None
    expression: str | None = None
    missing: Columns = ()
    decimal: Literal[".", ","] | None = None  # default: the source's
    thousands: Annotated[str, Field(max_length=1)] = ""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [n for n in ("column", "constant", "expression") if getattr(self, n) not in ((), None)]
        if len(given) != 1:
            fix = "Give one of column, constant, expression."
            raise SpecError(Problem("[[source]]", "number", given, "exactly one way", fix))
        if self.expression is not None:
            compile_expression(self.expression, "[[source]]")
        return self


class TimeField(Spec):
    """A moment as moments.py reads it, or by the first of some formats that fits, or a number of units since a moment.

    Without zone or offset it is UTC.
    """

    column: Columns
    format: Columns = ()
    unit: Literal["milliseconds", "seconds", "minutes", "hours", "days", "weeks"] | None = None
    since: Moment = dt.datetime(1970, 1, 1)
    zone: str | None = None

    @model_validator(mode="after")
    def _known_zone(self) -> Self:
        if self.zone is not None:
            try:
                ZoneInfo(self.zone)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                fix = "Such as Asia/Shanghai."
                raise SpecError(Problem("[[source]]", "zone", self.zone, "a known time zone", fix)) from None
        return self


class KindField(Spec):
    """What kind of event a row is."""

    column: Columns = ()
    constant: str | None = None
    values: dict[str, str] = Field(default_factory=dict)
    patterns: dict[str, str] = Field(default_factory=dict)
    default: str | None = None

    @model_validator(mode="after")
    def _known_kinds(self) -> Self:
        used = [self.constant, self.default, *self.values.values(), *self.patterns.values()]
        allowed = f"one of {', '.join(KINDS)}, {IGNORE}"
        bad = [kind for kind in used if kind is not None and kind not in (*KINDS, IGNORE)]
        if bad:
            raise SpecError([Problem("[[source]]", "kind", kind, allowed, nearest(kind, KINDS)) for kind in bad])
        if bool(self.column) == (self.constant is not None):
            raise SpecError(Problem("[[source]]", "kind", self.constant, "one kind, or a column that tells it"))
        return self


class Attribute(Spec):
    """One thing known of a customer; a permission (`consent_CHANNEL`, `optout_CHANNEL`) is always yes or no."""

    column: Columns = ()
    constant: str | None = None
    type: Literal["text", "number", "whole", "date", "truth"] = "text"
    format: Columns = ()
    decimal: Literal[".", ","] | None = None
    thousands: Annotated[str, Field(max_length=1)] = ""
    values: dict[str, str] = Field(default_factory=dict)
    missing: Columns = ()


class Lookup(Spec):
    """A table beside the source with one row a key."""

    file: str
    format: Literal["csv", "parquet", "jsonl"] | None = None
    on: Columns
    key: str
    columns: Annotated[dict[str, str], Field(min_length=1)]


class Fill(Spec):
    """What stands where nothing was given."""

    fill: float | str


class Outliers(Spec):
    """What is too large or too small to be true, and what becomes of it; a row kept is still counted."""

    rule: Literal["reject", "clip", "keep"]
    low: float | None = None
    high: float | None = None
    robust_z: Annotated[float, Field(gt=0)] | None = None  # distances from the median in units of 1.4826 MAD

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        bounds = self.low is not None or self.high is not None
        if bounds == (self.robust_z is not None):
            raise SpecError(Problem("[[source]]", "outliers", self.rule, "given as low and high, or as robust_z"))
        return self


class Rules(Spec):
    """What becomes of rows that are not as they should be.

    duplicates: "row" (all cells alike), "keep", or the columns that name a row; keep: which of them stays.
    merge: columns that name an order where rows are its lines. missing: field -> "reject", "drop_field" or
    { fill }; an order without an amount is rejected unless it says otherwise. unreadable: cells that cannot be read.
    negative: amounts below 0 are rejected, or refunds, or taken without their sign. future: after the as-of date.
    test_accounts: ids (as globs, in lower case) of nobody's, which are rejected.
    """

    duplicates: Literal["row", "keep"] | tuple[str, ...] = "row"
    keep: Literal["first", "last"] = "first"
    merge: Columns = ()
    missing: dict[str, Literal["reject", "drop_field"] | Fill] = Field(default_factory=dict)
    unreadable: Literal["reject", "drop_field"] = "reject"
    outliers: dict[str, Outliers] = Field(default_factory=dict)
    negative: Literal["reject", "refund", "absolute"] = "reject"
    future: Literal["reject", "keep"] = "reject"
    test_accounts: Columns = TEST_ACCOUNTS
    earliest: Moment | None = None
