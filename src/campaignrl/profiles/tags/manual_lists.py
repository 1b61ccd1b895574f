"""Tags by hand: an uploaded list of customers, each for as long as the list says.

    vip.csv           customer_id,from,until
                      00081,2026-01-01,2026-07-01
                      00082,,

One id a line is enough. With a header, `from` and `until` are days: the tag holds from the morning of the one to before
that of the other; an empty one is open. Other columns are notes. Not here: tags by rule (values.py).
"""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from campaignrl.arrays import Objects
from campaignrl.errors import DataError, Problem, UsageError

ID, FROM, UNTIL = "customer_id", "from", "until"


def listed(path: str, ids: Objects, day: date) -> Any:
    """(n,) whether the customer is on an uploaded list on the morning of `day`."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = [[cell.strip() for cell in row] for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as wrong:
        reason = getattr(wrong, "strerror", None) or "not UTF-8 text"
        raise UsageError(Problem("a manual tag", "file", path, f"a readable list of ids ({reason})")) from None
    head = [cell.lower() for cell in rows[0]] if rows and rows[0][0].lower() == ID else None
    at = {name: head.index(name) for name in (FROM, UNTIL) if head is not None and name in head}
    wanted, problems = set(), []
    for number, row in enumerate(rows[1:] if head is not None else rows, 2 if head is not None else 1):
        try:
            first, end = (_day(row, at.get(name)) for name in (FROM, UNTIL))
        except ValueError as wrong:
            where = f"{Path(path).name} line {number}"
            problems.append(Problem(where, "day", str(wrong), "a day, such as 2026-11-21, or empty"))
            continue
        if (first is None or first <= day) and (end is None or day < end):
            wanted.add(row[0])
    if problems:
        raise DataError(problems)
    return pd.array(pd.Series(ids, dtype=object).isin(wanted - {""}).to_numpy(), dtype="boolean")


def _day(row: list[str], column: int | None) -> date | None:
    """The day in a cell; ValueError holds the text that is none."""
    text = row[column] if column is not None and column < len(row) else ""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise ValueError(text) from None
