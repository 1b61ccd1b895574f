"""A first reading of exports nobody has described: which file is what, which column means what, and how sure that is.

Each file is taken as orders, contacts or attributes of customers by its headers, then by its values. What would do
harm if it were wrong (whose row it is, money, a consent) is a guess that has to be confirmed before anything is sent.
Here: the conclusions. Not here: the words (headers.py), the folder they are written to (folder.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from campaignrl.errors import DataError, Problem, UsageError
from campaignrl.loop.first_reading.dates import date_format
from campaignrl.loop.first_reading.first_rows import first_rows
from campaignrl.loop.first_reading.headers import (
    CONTACTS,
    CURRENCIES,
    UNIT_PRICES,
    channel_in,
    column_of,
    folded,
    is_void,
    kind_of,
    permission_of,
)
from campaignrl.tables.files import WORKBOOKS, filled_sheets

LOOKED_AT = 100_000  # rows of each file
STATUSES = 20  # values of a status; of more it is something else
FIT = 0.9  # share of a column's cells that must read as what it is taken for
SIGNS = {"¥": "CNY", "￥": "CNY", "元": "CNY", "$": "USD", "£": "GBP", "€": "EUR"}
MONEY = re.compile(r"^[-(]?[¥￥$£€]?\s*-?[\d０-９][\d０-９,.\s]*\s*(元|%)?\)?$")
MOMENT = re.compile(r"\d{1,4}\s*[-/.年]\s*\d{1,2}|^\d{8}$|^\d{5}(\.\d+)?$|\d{1,2}-[A-Za-z]{3}-\d{2,4}")


class Guess(NamedTuple):
    """Something that was concluded and must be confirmed. what: ids, money, consent or dates; says: in words."""

    what: str
    file: str
    says: str


@dataclass(frozen=True)
class Reading:
    """One file, or one sheet of a workbook, as it was understood.

    source: a `[[source]]` of a mapping; guesses: of it; line: for the terminal; customers: among the rows looked at.
    """

    source: dict[str, Any]
    guesses: tuple[Guess, ...]
    line: str
    customers: int
    currency: str | None = None


def read_exports(paths: Sequence[Path], channels: Sequence[str], currency: str = "") -> list[Reading]:
    """Each file as it was understood, a workbook sheet by sheet; every file that says nothing is in one error.

    channels: of the world, for consents. currency: what amounts are taken for where no sign says it.

    Raises:
        UsageError: no file holds orders, or some file is no table of customers.
    """
    readings, wrong = [], []
    for path in paths:
        found, faults = _sheets_read(path, channels, currency)
        readings += found
        if not found:
            wrong += list(faults[0].problems) or [Problem(path.name, "file", path.name, f"readable: {faults[0]}")]
    if wrong:
        raise UsageError(wrong)
    if not any("amount" in reading.source for reading in readings):
        raise UsageError(_without_orders(paths, readings))
    return readings


def _without_orders(paths: Sequence[Path], readings: Sequence[Reading]) -> list[Problem]:
    """What was taken from each file instead, and what an order needs."""
    fix = (
        "Give the file that holds what customers bought, or rename its columns: a customer (customer_id), a time "
        "(order_date) and what was paid (amount)."
    )
    read = [
        Problem(one.source["file"], "as read", " ".join(one.line.partition(" rows   ")[2].split()), "orders")
        for one in readings
    ]
    return [Problem("init", "--from", ", ".join(path.name for path in paths), "with a file of orders", fix), *read]


def _sheets_read(path: Path, channels: Sequence[str], currency: str) -> tuple[list[Reading], list[DataError]]:
    """What was understood of a file, and why a sheet of it was not."""
    found, faults, left = [], [], []
    try:
        sheets = filled_sheets(path) if path.suffix.lower() in WORKBOOKS else []
    except DataError as fault:
        return [], [fault]
    for sheet in sheets if len(sheets) > 1 else [None]:
        try:
            found.append(_reading(path, channels, currency, sheet))
        except DataError as fault:
            faults.append(fault)
            left.append(f"{path.name:<16} sheet {sheet}: left out, no column tells the customer")
    if found:
        found[-1] = replace(found[-1], line="\n".join([found[-1].line, *left]))
    return found, faults


def _reading(path: Path, channels: Sequence[str], usual: str, sheet: str | None) -> Reading:
    frame, facts, rows = first_rows(path, LOOKED_AT, sheet)
    columns = list(frame.columns)
    customer = column_of("customer", columns) or _ids(frame)
    if customer is None:
        fix = "Rename one to customer_id, or write campaign.toml by hand."
        raise DataError(Problem(path.name, "columns", ", ".join(columns[:8]), "with one that tells the customer", fix))
    moment, amount = _fitting("ts", frame, MOMENT), _paid(frame)
    source: dict[str, Any] = {"name": path.stem, "file": path.name, "customer": customer}
    if sheet is not None:
        source |= {"name": f"{path.stem} {sheet}", "sheet": sheet}
    seen = _as_seen(path, facts, rows)
    who = Guess("ids", path.name if sheet is None else f"{path.name}, sheet {sheet}", f"{customer} tells the customer")
    if amount and moment:
        return _orders(source, frame, who, (moment, amount), usual, seen)
    word = path.stem if sheet is None else f"{path.stem} {sheet}"
    named = channel_in(word) if any(one in folded(word) for one in CONTACTS) else None
    told = column_of("channel", columns)
    if moment and (named or told or column_of("kind", columns)):
        return _contacts(source, frame, who, moment, named, told, channels, seen)
    return _attributes(source, frame, who, channels, seen)


def _paid(frame: pd.DataFrame) -> str | None:
    """What was paid in a row, as `amount` of a mapping: a column, or the product of a quantity and a price a piece."""
    amount = _fitting("amount", frame, MONEY)
    pieces, price = column_of("quantity", frame.columns), _fitting("amount", frame, MONEY, UNIT_PRICES)
    if pieces is not None and price is not None and amount in (None, price):
        return f"{pieces} * {price}" if pieces.isidentifier() and price.isidentifier() else None
    return amount


def _orders(
    source: dict[str, Any], frame: pd.DataFrame, who: Guess, columns: tuple[str, str], usual: str, seen: str
) -> Reading:
    moment, amount = columns
    currency = _currency(frame, amount)
    when, doubts = _when(frame, moment, who.file, currency or usual)
    source |= {"kind": "order", "ts": when, "amount": amount if amount in frame else {"expression": amount}}
    for role in ("discount", "category", "brand", "channel", "offer"):
        column = column_of(role, frame.columns)
        if column is not None and column not in source.values():
            source[role] = column
    void = _void(source, frame)
    order = column_of("order", frame.columns)
    source["rules"] = {"negative": "refund", **_lines_of(order, frame, amount)}
    money = f", in {currency}" if currency else f", taken to be {usual}" if usual else ""
    once = f", once for each {order}, though several rows tell it" if "duplicates" in source["rules"] else ""
    paid = Guess("money", who.file, f"{amount} is what was paid{money}{once}{void}")
    line = f"{seen}   order: {source['customer']} · {moment} · {amount}" + (f" ({currency})" if currency else "")
    return Reading(source, (who, paid, *doubts), line, _many(frame, source), currency)


def _when(frame: pd.DataFrame, column: str, file: str, currency: str | None) -> tuple[Any, list[Guess]]:
    """A time as a mapping says it, with its format where it needs one, and the guess that this may be."""
    found = date_format(frame[column], currency)
    if not found.formats:
        return column, []
    told = {"column": column, "format": found.formats[0] if len(found.formats) == 1 else list(found.formats)}
    example = next(iter(frame[column].dropna()), "")
    doubt = Guess("dates", file, f"{column} has the {found.says} ({example}); its values fit both ways")
    return told, [] if found.sure else [doubt]


def _lines_of(order: str | None, frame: pd.DataFrame, amount: str) -> dict[str, Any]:
    """How rows of one order become one: lines are added up; a total that each line repeats counts once."""
    if order is None:
        return {}
    if amount in frame:
        several = frame[frame[order].notna() & frame[order].duplicated(keep=False)]
        paid = several.groupby(order)[amount]
        if len(several) and float(((paid.nunique() == 1) & (paid.count() == paid.size())).mean()) >= FIT:
            return {"duplicates": [order], "keep": "last"}  # a later export corrects
    return {"merge": order}


def _void(source: dict[str, Any], frame: pd.DataFrame) -> str:
    """Orders that a status says are none are left out; in words."""
    status = column_of("status", frame.columns)
    if status is None or status in source.values():
        return ""
    values = [str(value) for value in frame[status].dropna().unique()]
    void = [value for value in values if is_void(value)]
    if not void or len(values) > STATUSES:
        return ""
    means = {value: "ignore" if value in void else "order" for value in values}
    source["kind"] = {"column": status, "values": means, "default": "order"}
    return f"; rows whose {status} is {', '.join(void)} are no orders"


def _contacts(
    source: dict[str, Any],
    frame: pd.DataFrame,
    who: Guess,
    moment: str,
    named: str | None,
    told: str | None,
    channels: Sequence[str],
    seen: str,
) -> Reading:
    kind = column_of("kind", frame.columns)
    when, doubts = _when(frame, moment, who.file, None)
    source |= {"ts": when, "kind": "sent"}
    if kind is not None:
        values = {str(value): kind_of(str(value)) or "ignore" for value in frame[kind].dropna().unique()}
        source["kind"] = {"column": kind, "values": values, "default": "ignore"}
    if told is not None:
        meant = {str(value): channel_in(str(value), channels) for value in frame[told].dropna().unique()}
        source["channel"] = {"column": told, "values": {v: name for v, name in meant.items() if name in channels}}
    elif named is not None:
        source["channel"] = {"constant": named}
    offer = column_of("offer", frame.columns)
    source |= {} if offer is None else {"offer": offer}
    return Reading(source, (who, *doubts), f"{seen}   contacts: {named or told or 'no channel'} · {moment}", 0)


def _attributes(source: dict[str, Any], frame: pd.DataFrame, who: Guess, channels: Sequence[str], seen: str) -> Reading:
    attributes: dict[str, Any] = {}
    guesses, said = [who], []
    joined = column_of("joined", frame.columns)
    for column in frame.columns:
        permission = permission_of(column, channels)
        if column == source["customer"]:
            continue
        if permission is not None:
            attributes[permission] = {"column": column, "type": "truth"}
            words = ", ".join(str(value) for value in frame[column].dropna().unique()[:4])
            kind, _, channel = permission.partition("_")
            means = "the consent to" if kind == "consent" else "an opt-out, and NOT a consent, of"
            guesses.append(Guess("consent", who.file, f"{column} is {means} {channel} ({words})"))
        elif column == joined:
            when, doubts = _when(frame, column, who.file, None)
            told = {"column": column} if isinstance(when, str) else when
            attributes["joined"] = {**told, "type": "date"}
            guesses += doubts
        else:
            attributes[column] = {"column": column}
        said.append(column)
    source |= {"rows": "attributes", "attributes": attributes}
    return Reading(source, tuple(guesses), f"{seen}   attributes: {' · '.join(said[:6])}", _many(frame, source))


def _many(frame: pd.DataFrame, source: dict[str, Any]) -> int:
    return int(frame[source["customer"]].nunique())


def _fitting(role: str, frame: pd.DataFrame, shape: re.Pattern[str], words: Sequence[str] = ()) -> str | None:
    """The column that is called so, if its cells look so. words: instead of the role's own."""
    column = column_of(role, frame.columns, words)
    if column is None:
        return None
    cells = frame[column].dropna().astype(str).str.strip()
    cells = cells[cells != ""]
    fits = cells.map(lambda text: shape.search(text) is not None)
    return column if len(cells) and float(fits.mean()) >= FIT else None


def _ids(frame: pd.DataFrame) -> str | None:
    """A column that no word tells but whose header ends as ids do."""
    return next((c for c in frame.columns if folded(c).endswith(("id", "编号", "号")) and frame[c].notna().all()), None)


def _currency(frame: pd.DataFrame, amount: str) -> str | None:
    text = amount + ("".join(frame[amount].dropna().astype(str).head(200)) if amount in frame else "")
    words = {word.upper() for word in re.findall(r"(?<![A-Za-z])[A-Za-z]{3}(?![A-Za-z])", amount)}
    code = next((name for name in CURRENCIES if name in words), None)
    found = next((name for sign, name in SIGNS.items() if sign in text), {"RMB": "CNY"}.get(code or "", code))
    return found or ("CNY" if any("\u4e00" <= sign <= "\u9fff" for sign in amount) else None)


def _as_seen(path: Path, facts: dict[str, Any], rows: int) -> str:
    found = facts.get("encoding_found") or ("sheet " + str(facts["sheet"]) if "sheet" in facts else "utf-8")
    return f"{path.name:<16} {found}, {rows:,} rows"
