"""Cells to values, as SQL: text stays text, numbers and moments are tried and are null where they fail.

Here: expressions over the columns of one raw table. Not here: opening the table (intake_files.py), what becomes of
cells that fail (intake_rules.py). A cell of blanks counts as not given.
"""

from __future__ import annotations

import ast
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from campaignrl.profiles.intake_fields import IGNORE, KindField, TextField, TimeField
from campaignrl.tables.csvfile import MISSING
from campaignrl.tables.events import KINDS
from campaignrl.tables.expressions import compile_expression

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


def identifier(name: str) -> str:
    """A quoted name."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A quoted text."""
    return "'" + text.replace("'", "''") + "'"


def listing(texts: Sequence[str]) -> str:
    """`('a', 'b')`."""
    return "(" + ", ".join(map(literal, texts)) + ")"


def as_text(cell: Cell) -> str:
    """The cell as text; 17 and 17.0 alike are "17", and a blank cell is null."""
    if cell.type == "VARCHAR":
        return f"(CASE WHEN trim({cell.sql}) = '' THEN NULL ELSE {cell.sql} END)"
    if cell.type in ("DOUBLE", "FLOAT"):
        whole = f"{cell.sql} = trunc({cell.sql}) AND abs({cell.sql}) < 9007199254740992"
        number = f"CASE WHEN {whole} THEN CAST(CAST({cell.sql} AS BIGINT) AS VARCHAR) ELSE CAST({cell.sql} AS VARCHAR)"
        return f"(CASE WHEN isnan({cell.sql}) THEN NULL ELSE {number} END END)"
    return f"CAST({cell.sql} AS VARCHAR)"


def text_field(field: TextField, cells: Sequence[Cell]) -> str:
    """A name: the first cell that is given, in our words where the mapping has some."""
    if field.constant is not None:
        return literal(field.constant)
    found = _without(_first([as_text(cell) for cell in cells]), field.missing)
    return _mapped(found, {raw: literal(ours) for raw, ours in field.values.items()}, found)


def kind_field(field: KindField, cells: Sequence[Cell]) -> str:
    """The code of the kind of event (its place in KINDS), IGNORED, or null for a kind nobody knows."""
    if field.constant is not None:
        return _kind_code(field.constant)
    text = _first([as_text(cell) for cell in cells])
    default = "NULL" if field.default is None else _kind_code(field.default)
    if not (field.values or field.patterns or field.default):
        return _mapped(text, {kind: _kind_code(kind) for kind in KINDS}, "NULL")
    exact = [f"WHEN {text} = {literal(raw)} THEN {_kind_code(kind)}" for raw, kind in field.values.items()]
    like = [f"WHEN {text} GLOB {literal(raw)} THEN {_kind_code(kind)}" for raw, kind in field.patterns.items()]
    cases = " ".join(exact + like) or "WHEN FALSE THEN NULL"
    return f"CAST(CASE {cases} ELSE {default} END AS UTINYINT)"


def number(cells: Sequence[Cell], missing: Sequence[str] = ()) -> Reading:
    """A number from the first of some cells that is given."""
    if len(cells) == 1 and _is_numeric(cells[0]) and not missing:
        value = f"CAST({cells[0].sql} AS DOUBLE)"
        given = f"({cells[0].sql} IS NOT NULL AND NOT isnan({value}))"
        return Reading(value, given, as_text(cells[0]))
    text = _without(f"trim({_first([as_text(cell) for cell in cells])})", (*MISSING, *missing))
    return Reading(f"TRY_CAST({text} AS DOUBLE)", f"({text} IS NOT NULL)", text)


def columns_of(expression: str) -> tuple[str, ...]:
    """The columns that a checked expression is about."""
    return compile_expression(expression, "[[source]]").columns


def arithmetic(expression: str, cells: Mapping[str, Cell], missing: Sequence[str] = ()) -> Reading:
    """A checked expression of tables/expressions.py over some columns; not given where one of them is not."""
    parts = {name: number([cell], missing) for name, cell in cells.items()}
    tree = ast.parse(expression.strip(), mode="eval").body
    given = " AND ".join(part.given for part in parts.values())
    shown = "concat_ws(' ; ', " + ", ".join(part.shown for part in parts.values()) + ")"
    return Reading(_sql_of(tree, {name: part.value for name, part in parts.items()}), f"({given})", shown)


def moment(field: TimeField, cells: Sequence[Cell]) -> Reading:
    """A moment in UTC, with microseconds."""
    if field.unit is not None:
        return _clock(field, number(cells))
    if len(cells) == 1 and (cells[0].type.startswith("TIMESTAMP") or cells[0].type == "DATE"):
        naive = f"CAST({cells[0].sql} AS TIMESTAMP)"
        zoned = cells[0].type.endswith("TIME ZONE")
        value = naive if field.zone is None or zoned else _from_zone(naive, field.zone)
        return Reading(_possible(value), f"({cells[0].sql} IS NOT NULL)", as_text(cells[0]))
    text = _without(f"trim({_first([as_text(cell) for cell in cells])})", MISSING)
    if field.format is not None:
        tried = f"CAST(try_strptime({text}, {literal(field.format)}) AS TIMESTAMP)"
        zoned = "%z" in field.format
        value = tried if field.zone is None or zoned else _from_zone(tried, field.zone)
    else:
        value = _iso(text, field.zone)
    return Reading(_possible(value), f"({text} IS NOT NULL)", text)


def moment_literal(when: dt.datetime | dt.date) -> str:
    """A moment of a mapping, UTC where it has no offset."""
    if not isinstance(when, dt.datetime):
        when = dt.datetime(when.year, when.month, when.day)
    if when.tzinfo is not None:
        when = when.astimezone(dt.UTC).replace(tzinfo=None)
    return f"TIMESTAMP {literal(when.isoformat(sep=' '))}"


def _iso(text: str, zone: str | None) -> str:
    """ISO text; the engine's plain cast drops an offset without a word, so texts with one take the other way."""
    offset = f"(strpos({text}, '+') > 0 OR strpos(upper({text}), 'Z') > 0 OR strpos(substr({text}, 12), '-') > 0)"
    plain = f"TRY_CAST({text} AS TIMESTAMP)"
    here = plain if zone is None else _from_zone(plain, zone)
    return f"(CASE WHEN {offset} THEN CAST(TRY_CAST({text} AS TIMESTAMPTZ) AS TIMESTAMP) ELSE {here} END)"


def _from_zone(naive: str, zone: str) -> str:
    return f"CAST(timezone({literal(zone)}, {naive}) AS TIMESTAMP)"


def _clock(field: TimeField, ticks: Reading) -> Reading:
    micro = f"({ticks.value}) * {MICROSECONDS[field.unit or 'seconds']}.0"
    since = moment_literal(field.since)
    value = f"(CASE WHEN abs({micro}) < 1e16 THEN {since} + to_microseconds(CAST(round({micro}) AS BIGINT)) END)"
    return Reading(_possible(value), ticks.given, ticks.shown)


def _possible(value: str) -> str:
    return f"(CASE WHEN {value} >= TIMESTAMP '{FIRST}' AND {value} < TIMESTAMP '{LAST}' THEN {value} END)"


def _first(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"coalesce({', '.join(texts)})"


def _without(text: str, missing: Sequence[str]) -> str:
    return f"(CASE WHEN {text} IN {listing(missing)} THEN NULL ELSE {text} END)" if missing else text


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
