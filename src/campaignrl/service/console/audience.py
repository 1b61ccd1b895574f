"""Who is there: a search over profiles, segments and tags, and one customer with history and why.

A search is written as in `campaignrl profile show --where`. Not here: the language of searches (profiles/table), why an
action won (why.py).
"""

from __future__ import annotations

import asyncio
import datetime
from typing import Any, NamedTuple
from urllib.parse import quote

import pandas as pd
from fastapi import Request
from fastapi.responses import Response

from campaignrl.errors import CampaignError
from campaignrl.ledger import EPOCH
from campaignrl.profiles.table import SEGMENT, search
from campaignrl.service.api import service_of
from campaignrl.service.console.page import shown, signed_in
from campaignrl.service.console.session import Visitor
from campaignrl.service.console.why import why_now
from campaignrl.service.ground import Refused
from campaignrl.service.store import erased_among, history_of_one, read_rows, row_of
from campaignrl.service.worker import Service
from campaignrl.tables import ID

SHOWN, TAGS, LEVELS = 50, 30, 6


class Found(NamedTuple):
    """What a search found. many, unknown: customers; rows: the first; wrong: why it was not understood."""

    many: int
    unknown: int
    rows: list[dict[str, str]]
    columns: list[str]
    wrong: str = ""


@signed_in
async def audience(request: Request, visitor: Visitor) -> Response:
    """Search, segments and tags."""
    asked = request.query_params.get("where", "").strip()[:500]
    frame = await asyncio.to_thread(_people, request, service_of(request))
    found = await asyncio.to_thread(_searched, frame, asked)
    segments = await asyncio.to_thread(_segments, frame)
    tags = await asyncio.to_thread(_tags, frame)
    return shown(request, visitor, "audience", asked=asked, found=found, segments=segments, tags=tags, many=len(frame))


@signed_in
async def customer(request: Request, visitor: Visitor) -> Response:
    """One customer."""
    asked = request.query_params.get("id", "")[:256]
    told = await asyncio.to_thread(_known, service_of(request), asked)
    why = await asyncio.to_thread(why_now, service_of(request), asked)
    decisions = [{**one, "when": _day(one["day"])} for one in told["decisions"][:SHOWN]]
    outcomes = [{**one, "when": _day(one["day"])} for one in told["outcomes"][:SHOWN]]
    words = [{**one, "when": _day(one["day"])} for one in told["permissions"][:SHOWN]]
    minor = service_of(request).settings.world.money.minor_per_unit
    return shown(
        request,
        visitor,
        "customer",
        asked=asked,
        profile=_plain_row(told["profile"] or {}),
        why=why,
        decisions=decisions,
        outcomes=outcomes,
        words=words,
        minor=minor,
        currency=service_of(request).settings.world.money.currency,
    )


def _known(service: Service, asked: str) -> dict[str, Any]:
    """Profile and history; an id may hold a slash, which no path of the service's routes can."""
    with service.store.reading() as con:
        if erased_among(con, [service.store.hash_of(asked)]):
            raise Refused(410, "This customer was erased.")
        found: dict[str, Any] = {"profile": row_of(con, asked), **history_of_one(con, asked)}
    if not any(found.values()):
        raise Refused(404, "Nobody goes by that id here.")
    return found


def _people(request: Request, service: Service) -> pd.DataFrame:
    """The customers of the store; read once for each version of them."""
    version = service.decider.customers.version
    kept: tuple[str, pd.DataFrame] | None = getattr(request.app.state, "people", None)
    if kept is None or kept[0] != version:
        with service.store.reading() as con:
            frame = read_rows(con)
        kept = (version, frame if ID in frame else pd.DataFrame({ID: pd.Series(dtype=str)}))
        request.app.state.people = kept
    return kept[1]


def _searched(frame: pd.DataFrame, asked: str) -> Found:
    """An expression, or else a part of an id."""
    columns = [ID, *[name for name in frame.columns if name != ID][:5]]
    if not asked:
        return Found(len(frame), 0, _rows(frame.head(SHOWN), columns), columns)
    ids = frame[ID].astype(str)
    hit = ids.str.contains(asked, regex=False)
    if hit.any():
        return Found(int(hit.sum()), 0, _rows(frame[hit].head(SHOWN), columns), columns)
    try:
        found = search(frame, asked)
    except CampaignError as wrong:
        return Found(0, 0, [], columns, str(wrong))
    return Found(found.customers, int(found.unknown.sum()), _rows(frame[found.yes].head(SHOWN), columns), columns)


def _rows(frame: pd.DataFrame, columns: list[str]) -> list[dict[str, str]]:
    return [
        {"link": f"/console/customer?id={quote(str(row[ID]), safe='')}", **{name: _said(row[name]) for name in columns}}
        for row in frame[columns].to_dict("records")
    ]


def _segments(frame: pd.DataFrame) -> list[tuple[str, int, float]]:
    """(segment, customers, share), the largest first."""
    if SEGMENT not in frame or not len(frame):
        return []
    counts = frame[SEGMENT].fillna("").astype(str).value_counts()
    return [(str(name), int(many), float(many) / len(frame)) for name, many in counts.head(SHOWN).items()]


def _tags(frame: pd.DataFrame) -> list[tuple[str, float, str]]:
    """(tag, share of customers with a value, its usual values)."""
    names = [name for name in frame.columns if name not in (ID, SEGMENT)][:TAGS]
    return [(name, float(frame[name].notna().mean()) if len(frame) else 0.0, _usual(frame[name])) for name in names]


def _usual(column: pd.Series[Any]) -> str:
    known = column.dropna()
    if not len(known):
        return ""
    if pd.api.types.is_numeric_dtype(known.dtype) and known.nunique() > LEVELS:
        low, middle, high = known.quantile([0.1, 0.5, 0.9])
        return f"{low:.4g} · {middle:.4g} · {high:.4g}"
    counts = known.astype(str).value_counts(normalize=True).head(LEVELS)
    return " · ".join(f"{name} {100 * share:.0f} %" for name, share in counts.items())


def _plain_row(row: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name, _said(value)) for name, value in row.items() if name != ID and value is not None and value != ""]


def _said(value: object) -> str:
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _day(day: int) -> str:
    return str(EPOCH + datetime.timedelta(days=int(day)))
