"""How an export writes its dates, where intake must be told: which of 05/01/2024 is the day.

Told by the values if any of them can be read one way only; else it is a guess. Not here: the shapes that intake reads
without being told (profiles/intake/moments.py).
"""

from __future__ import annotations

import re
from typing import NamedTuple

import pandas as pd

SLASHED = re.compile(
    r"^(?P<first>\d{1,2})(?P<mark>[/.-])(?P<second>\d{1,2})(?P=mark)(?P<year>\d{4}|\d{2})"
    r"(?:\s+\d{1,2}(?P<minutes>:\d{2})(?P<seconds>:\d{2})?\s*(?P<half>[AaPp][Mm])?)?$"
)
MONTH_FIRST = ("USD",)  # currencies of countries that write the month first


class DateFormat(NamedTuple):
    """formats: as strptime takes them, () where intake needs none; says: in words; sure: whether the values tell."""

    formats: tuple[str, ...]
    says: str = ""
    sure: bool = True


def date_format(cells: pd.Series, currency: str | None) -> DateFormat:
    """How the dates of a column are written, by its cells (text).

    >>> date_format(pd.Series(["31/01/2024 10:05", "05/02/2024 11:00"]), None)
    DateFormat(formats=('%d/%m/%Y %H:%M',), says='day first', sure=True)
    """
    found = [SLASHED.match(text) for text in cells.dropna().astype(str).str.strip() if text]
    parts = [match for match in found if match is not None]
    if len(parts) * 2 <= len(found):
        return DateFormat(())
    day_first = any(int(match["first"]) > 12 for match in parts)
    month_first = any(int(match["second"]) > 12 for match in parts)
    sure = day_first != month_first
    month_leads = month_first if sure else currency in MONTH_FIRST
    formats = dict.fromkeys(_format_of(match, month_leads) for match in parts)
    return DateFormat(tuple(formats), "month first" if month_leads else "day first", sure)


def _format_of(match: re.Match[str], month_leads: bool) -> str:
    lead = ("%m", "%d") if month_leads else ("%d", "%m")
    date = match["mark"].join((*lead, "%Y" if len(match["year"]) == 4 else "%y"))
    if match["minutes"] is None:
        return date
    hour = "%I" if match["half"] else "%H"
    return f"{date} {hour}:%M" + (":%S" if match["seconds"] else "") + (" %p" if match["half"] else "")
