"""Excel workbooks as CSV: one sheet, each cell as text that says the same.

Whole numbers have no decimals, days and times are ISO, and rows before the header (a title over merged cells) are
left out. Not here: what cells mean.
"""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

from campaignrl.errors import DataError, unknown

WORKBOOKS = (".xlsx", ".xls", ".xlsb", ".xlsm", ".ods")
TITLES = 20  # rows in which a header is looked for


def workbook_as_csv(path: Path, sheet: str | None, target: Path) -> dict[str, object]:
    """Write one sheet as CSV in UTF-8, and say which it was and which others there are.

    sheet: its name (default: the first that holds more than one row).
    """
    try:
        with CalamineWorkbook.from_path(str(path)) as book:
            name = _chosen(path, book, sheet)
            found = book.get_sheet_by_name(name)
            rows = found.to_python(skip_empty_area=True)
            merged = found.merged_cell_ranges or []
            first = found.start or (0, 0)
            others = [one for one in book.sheet_names if one != name]
    except (CalamineError, OSError, ValueError) as wrong:
        raise DataError(f"{path}: cannot be read as a workbook: {wrong}") from None
    if not rows:
        raise DataError(f"{path}: sheet {name!r} is empty: not even a header.")
    _spread(rows, merged, first)
    start = _header_row(rows)
    with open(target, "w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerows([_text(cell) for cell in row] for row in rows[start:])
    facts: dict[str, object] = {"sheet": name}
    if others:
        facts["other_sheets"] = others
    if start:
        facts["rows_before_the_header"] = start
    return facts


def filled_sheets(path: Path) -> list[str]:
    """Names of the sheets that hold more than a header, in order.

    Raises:
        DataError: the file is no workbook.
    """
    try:
        with CalamineWorkbook.from_path(str(path)) as book:
            return _filled(book)
    except (CalamineError, OSError, ValueError) as wrong:
        raise DataError(f"{path}: cannot be read as a workbook: {wrong}") from None


def _filled(book: CalamineWorkbook) -> list[str]:
    return [name for name in book.sheet_names if book.get_sheet_by_name(name).height > 1]


def _chosen(path: Path, book: CalamineWorkbook, sheet: str | None) -> str:
    names = list(book.sheet_names)
    if sheet is not None:
        if sheet not in names:
            raise unknown("sheet", sheet, names, f"Of {path.name}.")
        return sheet
    found = _filled(book) or names
    if not found:
        raise DataError(f"{path}: holds no sheet.")
    return found[0]


def _spread(rows: list[list[Any]], merged: list[Any], first: tuple[int, int]) -> None:
    """A merged cell's value stands in its first cell only; give it to the others, but not to a title's."""
    for (top, left), (bottom, right) in merged:
        top, bottom, left, right = top - first[0], bottom - first[0], left - first[1], right - first[1]
        if top < 0 or left < 0 or top >= len(rows) or (top == bottom and right - left + 1 >= len(rows[top])):
            continue
        for row in rows[top : bottom + 1]:
            for column in range(left, min(right + 1, len(row))):
                row[column] = rows[top][left]


def _header_row(rows: list[list[Any]]) -> int:
    """The first row that is as full as the fullest near it, within one cell: titles fill one or two."""
    fill = [sum(cell not in ("", None) for cell in row) for row in rows[:TITLES]]
    return next(i for i, n in enumerate(fill) if n >= max(1, max(fill) - 1))


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell == int(cell) and abs(cell) < 2**53:
        return str(int(cell))
    if isinstance(cell, dt.datetime):
        midnight = cell.time() == dt.time()
        return cell.date().isoformat() if midnight else cell.isoformat(sep=" ")
    if isinstance(cell, dt.date | dt.time):
        return cell.isoformat()
    if isinstance(cell, dt.timedelta):
        return str(cell)
    return str(cell)
