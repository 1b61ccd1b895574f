"""Cells to values, as SQL: text stays text, numbers and moments are tried and are null where they fail.

Here: expressions over the columns of one raw table. Not here: opening the table (readers.py), what becomes of
cells that fail (rules.py). A cell of blanks counts as not given.
"""

from __future__ import annotations

import ast
import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from campaignrl.profiles.intake.field_spec import IGNORE, KindField, TextField, TimeField
from campaignrl.tables import KINDS
from campaignrl.tables.files import MISSING, compile_expression

NAME = re.compile(r"\be(\d+)_\d+\b")  # of an expression of Steps
COMMA_NUMBER = r"[-+]?([0-9]+|[0-9]{1,3}(\.[0-9]{3})+)(,[0-9]+)?"  # with a decimal comma; dots group thousands
LARGEST = 1e15  # a larger sum of money is a slip, and minor units would not be exact
FIRST, LAST = "1900-01-01", "2200-01-01"  # moments outside are slips
IGNORED = 255  # code of a kind that the mapping leaves out
NUMERIC = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT")
MICROSECONDS = {
    "milliseconds": 1_000,
    "seconds": 1_000_000,
    "minutes": 60_000_000,
    "hours": 3_600_000_000,
    "days": 86_400_000_000,
    "weeks": 604_800_000_000,
}


class Cell(NamedTuple):
    """One raw column: its SQL and its type in the engine's words."""

    sql: str
    type: str


class Reading(NamedTuple):
    """A field as SQL: the value (null where it cannot be had), whether anything was given, and the cell as text."""

    value: str
    given: str
    shown: str


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


def text_field(field: TextField, cells: Sequence[Cell], steps: Steps) -> str:
    """A name: the first cell that is given, in our words where the mapping has some."""
    if field.constant is not None:
        return literal(field.constant)
    found = _without(_first(cells, steps), field.missing, steps)
    return steps(_mapped(found, {raw: literal(ours) for raw, ours in field.values.items()}, found))


def kind_field(field: KindField, cells: Sequence[Cell], steps: Steps) -> str:
    """The code of the kind of event (its place in KINDS), IGNORED, or null for a kind nobody knows."""
    if field.constant is not None:
        return _kind_code(field.constant)
    text = _first(cells, steps)
    default = "NULL" if field.default is None else _kind_code(field.default)
    if not (field.values or field.patterns or field.default):
        return steps(_mapped(text, {kind: _kind_code(kind) for kind in KINDS}, "NULL"))
    exact = [f"WHEN {text} = {literal(raw)} THEN {_kind_code(kind)}" for raw, kind in field.values.items()]
    like = [f"WHEN {text} GLOB {literal(raw)} THEN {_kind_code(kind)}" for raw, kind in field.patterns.items()]
    cases = " ".join(exact + like) or "WHEN FALSE THEN NULL"
    return steps(f"CAST(CASE {cases} ELSE {default} END AS UTINYINT)")


def as_number(text: str, decimal: str = ".") -> str:
    """Text as a number; with a decimal comma 1.234,50 is 1234.5, and 12.50, which could be either, is none."""
    if decimal == ".":
        return f"TRY_CAST({text} AS DOUBLE)"
    plain = f"TRY_CAST(replace(replace({text}, '.', ''), ',', '.') AS DOUBLE)"
    return f"CASE WHEN regexp_full_match(trim({text}), '{COMMA_NUMBER}') THEN {plain} END"


def number(cells: Sequence[Cell], steps: Steps, missing: Sequence[str] = (), decimal: str = ".") -> Reading:
    """A number from the first of some cells that is given."""
    if len(cells) == 1 and _is_numeric(cells[0]) and not missing:
        value = steps(f"CAST({cells[0].sql} AS DOUBLE)")
        return Reading(value, steps(f"{value} IS NOT NULL AND NOT isnan({value})"), value)
    text = _without(_first(cells, steps), missing, steps)
    value = steps(as_number(text, decimal))
    return Reading(value, _given(value, text, steps, f"NOT isnan({value})"), text)


def arithmetic(
    expression: str, cells: Mapping[str, Cell], steps: Steps, missing: Sequence[str] = (), decimal: str = "."
) -> Reading:
    """A checked expression of tables/files/expressions.py over some columns; not given where one of them is not."""
    parts = {name: number([cell], steps, missing, decimal) for name, cell in cells.items()}
    tree = ast.parse(expression.strip(), mode="eval").body
    given = steps(" AND ".join(part.given for part in parts.values()))
    shown = "concat_ws(' ; ', " + ", ".join(part.shown for part in parts.values()) + ")"
    return Reading(steps(_sql_of(tree, {name: part.value for name, part in parts.items()})), given, shown)


def columns_of(expression: str) -> tuple[str, ...]:
    """The columns that a checked expression is about."""
    return compile_expression(expression, "[[source]]").columns


def moment(field: TimeField, cells: Sequence[Cell], steps: Steps) -> Reading:
    """A moment in UTC, with microseconds."""
    if field.unit is not None:
        ticks = number(cells, steps)
        micro = steps(f"{ticks.value} * {MICROSECONDS[field.unit]}.0")
        since = moment_literal(field.since)
        value = f"CASE WHEN abs({micro}) < 1e16 THEN {since} + to_microseconds(CAST(round({micro}) AS BIGINT)) END"
        return Reading(_possible(value, steps), ticks.given, ticks.shown)
    if len(cells) == 1 and (cells[0].type.startswith("TIMESTAMP") or cells[0].type == "DATE"):
        naive = f"CAST({cells[0].sql} AS TIMESTAMP)"
        zone = None if cells[0].type.endswith("TIME ZONE") else field.zone
        return Reading(_possible(_from_zone(naive, zone), steps), f"{cells[0].sql} IS NOT NULL", naive)
    text = _first(cells, steps)
    if field.format is None:
        value = _iso(text, field.zone)
    else:
        tried = f"CAST(try_strptime({text}, {literal(field.format)}) AS TIMESTAMP)"
        value = _from_zone(tried, None if "%z" in field.format else field.zone)
    found = _possible(value, steps)
    return Reading(found, _given(found, text, steps), text)


def moment_literal(when: dt.datetime | dt.date) -> str:
    """A moment of a mapping, UTC where it has no offset."""
    if not isinstance(when, dt.datetime):
        when = dt.datetime(when.year, when.month, when.day)
    if when.tzinfo is not None:
        when = when.astimezone(dt.UTC).replace(tzinfo=None)
    return f"TIMESTAMP {literal(when.isoformat(sep=' '))}"


def _iso(text: str, zone: str | None) -> str:
    """ISO text; the engine's plain cast drops an offset without a word, so texts with one take the other way."""
    offset = f"contains({text}, '+') OR contains(upper({text}), 'Z') OR strpos(substr({text}, 12), '-') > 0"
    here = _from_zone(f"TRY_CAST({text} AS TIMESTAMP)", zone)
    return f"CASE WHEN {offset} THEN CAST(TRY_CAST({text} AS TIMESTAMPTZ) AS TIMESTAMP) ELSE {here} END"


def _from_zone(naive: str, zone: str | None) -> str:
    return naive if zone is None else f"CAST(timezone({literal(zone)}, {naive}) AS TIMESTAMP)"


def _possible(value: str, steps: Steps) -> str:
    value = steps(value)
    within = f"{value} >= TIMESTAMP '{FIRST}' AND {value} < TIMESTAMP '{LAST}'"
    return steps(f"CASE WHEN {within} THEN {value} END")


def _given(value: str, text: str, steps: Steps, sound: str = "TRUE") -> str:
    """A cell that could be read was given; one that could not was, unless it says that it is missing."""
    said = f"{text} IS NOT NULL AND NOT {among(f'trim({text})', MISSING)}"
    return steps(f"CASE WHEN {value} IS NOT NULL AND {sound} THEN TRUE ELSE {said} END")


def _first(cells: Sequence[Cell], steps: Steps) -> str:
    return first_text([as_text(cell, steps) for cell in cells], steps)


def first_text(texts: Sequence[str], steps: Steps) -> str:
    """The first of some texts that is not null."""
    return texts[0] if len(texts) == 1 else steps(f"coalesce({', '.join(texts)})")


def _without(text: str, missing: Sequence[str], steps: Steps) -> str:
    if not missing:
        return text
    return steps(f"CASE WHEN {among(f'trim({text})', missing)} THEN NULL ELSE {text} END")


def _mapped(text: str, values: Mapping[str, str], default: str) -> str:
    if not values:
        return text
    cases = " ".join(f"WHEN {literal(raw)} THEN {ours}" for raw, ours in values.items())
    return f"(CASE {text} {cases} ELSE {default} END)"


def _kind_code(kind: str) -> str:
    return f"CAST({IGNORED if kind == IGNORE else KINDS.index(kind)} AS UTINYINT)"


def _is_numeric(cell: Cell) -> bool:
    return cell.type in (*NUMERIC, "DOUBLE", "FLOAT") or cell.type.startswith("DECIMAL")


def _sql_of(node: ast.expr, values: Mapping[str, str]) -> str:
    """The tree was admitted by compile_expression: numbers, columns, + - * / and signs."""
    signs = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
    if isinstance(node, ast.BinOp):
        return f"({_sql_of(node.left, values)} {signs[type(node.op)]} {_sql_of(node.right, values)})"
    if isinstance(node, ast.UnaryOp):
        return f"({'-' if isinstance(node.op, ast.USub) else '+'}{_sql_of(node.operand, values)})"
    if isinstance(node, ast.Name):
        return values[node.id]
    assert isinstance(node, ast.Constant)
    return f"CAST({float(node.value)!r} AS DOUBLE)"  # type: ignore[arg-type]
