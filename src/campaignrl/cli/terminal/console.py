"""How every verb talks: tables and JSON on stdout, notes and progress bars on stderr.

Not here: what is said (the verbs).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

Step = Callable[[int, int], None]  # (done, in all)


def talk(text: str) -> None:
    """A note for the person who waits; not part of the answer."""
    _console(sys.stderr).print(Text(_plain(text)))


def say(text: str) -> None:
    """A line of the answer, as it is."""
    sys.stdout.write(f"{_plain(text)}\n")


def say_json(value: Any) -> None:
    """Exactly one JSON object on stdout; figures that cannot be had are null, never NaN."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def say_table(header: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """A table that fits a terminal and stays readable when piped; cells come from data, so markup is off."""
    if title:
        say(title)
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    columns = list(zip(*rows, strict=True)) or [()] * len(header)
    for name, cells in zip(header, columns, strict=True):
        # Nothing is ever cut: what does not fit the terminal goes on in the next line of its cell.
        table.add_column(Text(name), justify="right" if all(map(_is_figure, cells)) else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_plain(cell)) for cell in row))
    _console(sys.stdout, wide=not sys.stdout.isatty()).print(table)


def _is_figure(cell: str) -> bool:
    """Whether a cell reads as a number, so that its column lines up on the right."""
    return cell.strip()[:1] in {*"0123456789+-<", ""}


@contextmanager
def progress(title: str) -> Iterator[Step | None]:
    """A progress bar on stderr while the block runs; None where nobody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    left = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    columns = (TextColumn("{task.description:<28}"), BarColumn(24), MofNCompleteColumn(), *left)
    with Progress(*columns, console=_console(sys.stderr)) as bars:
        task = bars.add_task(title, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def _console(file: Any, wide: bool = False) -> Console:
    return Console(file=file, highlight=False, soft_wrap=True, width=200 if wide else None)


def _plain(text: str) -> str:
    """Text from data must not steer the terminal: control characters become visible."""
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)
