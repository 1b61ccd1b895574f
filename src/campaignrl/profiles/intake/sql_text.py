"""The SQL of an intake as text: names, constants, cells as text, and expressions reckoned once a row.

Not here: what cells mean (sql_values.py, moments.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

NAME = re.compile(r"\be(\d+)_\d+\b")  # of an expression of Steps


class Cell(NamedTuple):
    """One raw column: its SQL and its type in the engine's words."""

    sql: str
    type: str


class Reading(NamedTuple):
    """A field as SQL: the value (null where it cannot be had), whether anything was given, and the cell as text."""

    value: str
    given: str
    shown: str
    local: str = ""  # of a moment in a zone: the time on the clock there, null where the cell says its own zone


class Steps:
    """Expressions by name, each reckoned once a row: the engine would reckon a repeated one again and again.

    A name carries its step, `e2_0`; an expression stands one step above the names that it is made of.
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def __call__(self, expression: str) -> str:
        """The name of an expression."""
        if NAME.fullmatch(expression):
            return expression
        if expression not in self._names:
            step = max((int(used) + 1 for used in NAME.findall(expression)), default=0)
            self._names[expression] = f"e{step}_{len(self._names)}"
        return self._names[expression]

    @property
    def names(self) -> list[str]:
        """The columns that `over` adds."""
        return list(self._names.values())

    def over(self, relation: str) -> str:
        """`relation` with every named expression as a column more."""
        steps = sorted({int(name[1 : name.index("_")]) for name in self._names.values()})
        for step in steps:
            named = [f"{text} AS {name}" for text, name in self._names.items() if name.startswith(f"e{step}_")]
            relation = f"(SELECT *, {', '.join(named)} FROM {relation})"
        return relation


def identifier(name: str) -> str:
    """A quoted name."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A quoted text."""
    return "'" + text.replace("'", "''") + "'"


def among(text: str, texts: Sequence[str]) -> str:
    """Whether a text is one of some; a long IN would become a join, which gives up the order of the rows."""
    return f"(CASE {text} {' '.join(f'WHEN {literal(one)} THEN TRUE' for one in texts)} ELSE FALSE END)"


def as_text(cell: Cell, steps: Steps) -> str:
    """The cell as text; 17 and 17.0 alike are "17", and a blank cell is null."""
    if NAME.fullmatch(cell.sql):
        return cell.sql
    if cell.type == "VARCHAR":
        text = cell.sql if cell.sql.isidentifier() else steps(cell.sql)
        return steps(f"CASE WHEN {text} < '!' AND trim({text}) = '' THEN NULL ELSE {text} END")
    if cell.type in ("DOUBLE", "FLOAT"):
        whole = f"{cell.sql} = trunc({cell.sql}) AND abs({cell.sql}) < 9007199254740992"
        number = f"CASE WHEN {whole} THEN CAST(CAST({cell.sql} AS BIGINT) AS VARCHAR) ELSE CAST({cell.sql} AS VARCHAR)"
        return steps(f"CASE WHEN isnan({cell.sql}) THEN NULL ELSE {number} END END")
    return steps(f"CAST({cell.sql} AS VARCHAR)")


def first_text(texts: Sequence[str], steps: Steps) -> str:
    """The first of some texts that is not null."""
    return texts[0] if len(texts) == 1 else steps(f"coalesce({', '.join(texts)})")
