"""Plain tables for a terminal: cells side by side, as wide as they look (Chinese characters take two places)."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len


def side_by_side(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Rows of equal length as lines. right: columns whose cells end under each other."""
    widths = [max(cell_len(row[j]) for row in rows) for j in range(len(rows[0]))]
    return "\n".join(
        "  ".join(_padded(cell, widths[j], j in right) for j, cell in enumerate(row)).rstrip() for row in rows
    )


def _padded(cell: str, width: int, right: bool) -> str:
    room = " " * (width - cell_len(cell))
    return room + cell if right else cell + room
