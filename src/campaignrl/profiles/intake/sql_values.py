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
from campaignrl.profiles.intake.moments import as_moment, by_format, from_zone
from campaignrl.profiles.intake.sql_text import Cell, Reading, Steps, among, as_text, first_text, literal
from campaignrl.tables import KINDS
from campaignrl.tables.files import MISSING, compile_expression

WIDE = ("０１２３４５６７８９．，－−＋￥％（）　", "0123456789.,--+¥%() ")
# What may stand beside an amount, and the currencies it can mean.
SIGNS = {
    "¥": ("CNY", "JPY"), "RMB": ("CNY",), "元": ("CNY",), "圆": ("CNY",), "块": ("CNY",), "人民币": ("CNY",),
    "円": ("JPY",), "$": ("USD", "CAD", "AUD", "NZD", "HKD", "SGD", "TWD", "MXN"), "US$": ("USD",), "HK$": ("HKD",),
    "NT$": ("TWD",), "C$": ("CAD",), "A$": ("AUD",), "S$": ("SGD",), "€": ("EUR",), "£": ("GBP",), "₩": ("KRW",),
    "₹": ("INR",), "₽": ("RUB",), "zł": ("PLN",), "kr": ("SEK", "NOK", "DKK"), "R$": ("BRL",), "CN¥": ("CNY",),
}  # fmt: skip
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


class Writing(NamedTuple):
    """How numbers are written."""

    decimal: str = "."
    thousands: str = ""  # what groups them; "" for whatever usually does
    currency: str = ""  # that a sign beside an amount must be of; "" for any
    share: bool = True  # whether 12 % is 0.12; no sum of money is a share


PLAIN = Writing()


def as_number(text: str, written: Writing = PLAIN) -> str:
    """Text as a number: 1,234.50, ¥88, 99元, (50.00), １２３; null for what is not a number from end to end.

    With a decimal comma 1.234,50 is 1234.5, and 12.50, which could be either, is none.
    """
    if written.decimal == "." and not written.thousands:
        plain = f"TRY_CAST({text} AS DOUBLE)"
        slow = f"WHEN {text} IS NOT NULL THEN {_spelled(text, written)}"
        return f"CASE WHEN {plain} IS NOT NULL THEN {plain} {slow} END"
    return f"CASE WHEN {text} IS NOT NULL THEN {_spelled(text, written)} END"


def _spelled(text: str, written: Writing) -> str:
    narrow = f"translate({text}, {literal(WIDE[0])}, {literal(WIDE[1])})"
    sign = f"(?:{'|'.join(re.escape(one) for one in _signs(written.currency))})?"
    groups = written.thousands or {".": ",", ",": "."}[written.decimal] + " '’\u00a0\u202f"
    mark, group = re.escape(written.decimal), f"[{re.escape(groups)}]"
    whole = rf"[0-9]+|[0-9]{{1,3}}(?:{group}[0-9]{{3}})+"
    value = rf"((?:{whole})(?:{mark}[0-9]*)?|{mark}[0-9]+)"
    shape = rf"^\s*([-+(])?\s*{sign}\s*([-+(])?\s*{value}\s*{sign}\s*([-)%])?\s*{sign}\s*$"
    parts = [f"regexp_extract({narrow}, {literal(shape)}, {n})" for n in (1, 2, 3, 4)]
    digits = f"replace(regexp_replace({parts[2]}, {literal(group)}, '', 'g'), {literal(written.decimal)}, '.')"
    opened, closed = f"({parts[0]} || {parts[1]})", parts[3]
    wrong = (
        f"length({opened}) > 1 OR ({opened} = '(') <> ({closed} = ')') OR ({opened} IN ('-', '+') AND {closed} = '-')"
        + ("" if written.share else f" OR {closed} = '%'")
    )
    sign = f"CASE WHEN {opened} IN ('-', '(') OR {closed} = '-' THEN -1.0 ELSE 1.0 END"
    per = f"CASE WHEN {closed} = '%' THEN 100.0 ELSE 1.0 END"
    return f"CASE WHEN {wrong} THEN NULL ELSE TRY_CAST({digits} AS DOUBLE) * {sign} / {per} END"


def _signs(currency: str) -> list[str]:
    """Words for a currency that may stand beside an amount; longer ones first."""
    known = [sign for sign, codes in SIGNS.items() if not currency or currency in codes]
    codes = sorted({code for codes in SIGNS.values() for code in codes}) if not currency else [currency]
    return sorted({*known, *codes}, key=lambda sign: (-len(sign), sign))


def number(cells: Sequence[Cell], steps: Steps, missing: Sequence[str] = (), written: Writing = PLAIN) -> Reading:
    """A number from the first of some cells that is given."""
    if len(cells) == 1 and _is_numeric(cells[0]) and not missing:
        value = steps(f"CAST({cells[0].sql} AS DOUBLE)")
        return Reading(value, steps(f"{value} IS NOT NULL AND NOT isnan({value})"), value)
    text = _without(_first(cells, steps), missing, steps)
    value = steps(as_number(text, written))
    return Reading(value, _given(value, text, steps, f"NOT isnan({value})"), text)


def arithmetic(
    expression: str, cells: Mapping[str, Cell], steps: Steps, missing: Sequence[str] = (), written: Writing = PLAIN
) -> Reading:
    """A checked expression of tables/files/expressions.py over some columns; not given where one of them is not."""
    parts = {name: number([cell], steps, missing, written) for name, cell in cells.items()}
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
        value = _possible(from_zone(naive, zone), steps)
        return Reading(value, f"{cells[0].sql} IS NOT NULL", naive, "" if zone is None else naive)
    text = _first(cells, steps)
    formats = field.format
    read = by_format(text, formats, field.zone) if formats else as_moment(text, field.zone, steps)
    found = _possible(read.value, steps)
    return Reading(found, _given(found, text, steps), text, "" if field.zone is None else steps(read.local))


def moment_literal(when: dt.datetime | dt.date) -> str:
    """A moment of a mapping, UTC where it has no offset."""
    if not isinstance(when, dt.datetime):
        when = dt.datetime(when.year, when.month, when.day)
    if when.tzinfo is not None:
        when = when.astimezone(dt.UTC).replace(tzinfo=None)
    return f"TIMESTAMP {literal(when.isoformat(sep=' '))}"


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
