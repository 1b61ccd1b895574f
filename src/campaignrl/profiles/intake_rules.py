"""The rules of a mapping at work on the rows of one source, as one query.

Each row gets the code of the first thing that is wrong with it (0: nothing), the cell that is, and flags for what
was repaired. Here: reading, repairing and refusing rows. Not here: duplicates and outliers by the spread of the
data, which need all rows (intake_rows.py).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

from campaignrl.profiles import intake_sql as sql
from campaignrl.profiles.intake_fields import Attribute, Fill, NumberField, TextField, TimeField
from campaignrl.profiles.intake_files import Raw
from campaignrl.profiles.intake_mapping import IntakeMapping, Source
from campaignrl.profiles.intake_sql import Cell, Reading
from campaignrl.profiles.personal import hashed_sql
from campaignrl.tables.csvfile import MISSING
from campaignrl.tables.events import KINDS, NUMBERS

ORDER, REFUND = KINDS.index("order"), KINDS.index("refund")
TYPES = {"text": "VARCHAR", "number": "DOUBLE", "whole": "BIGINT", "date": "DATE", "truth": "BOOLEAN"}


@dataclass
class Query:
    """The query of a source while it is put together.

    ids: kinds of id, their columns being id0, id1 ...; first: name -> expression over the file's columns; problems:
    (condition, field, the cell as text, what is wrong); flags: (condition, what was repaired); out: name ->
    expression over the first columns; repairs: names of the flags in the order of their bits.
    """

    raw: Raw
    source: Source
    ids: tuple[str, ...]
    first: dict[str, str] = field(default_factory=dict)
    problems: list[tuple[str, str, str, str]] = field(default_factory=list)
    flags: list[tuple[str, str]] = field(default_factory=list)
    out: dict[str, str] = field(default_factory=dict)

    def cell(self, name: str) -> Cell:
        """A column of the file; personal ones come hashed."""
        written = self.source.hash.get(name)
        cell = self.raw.cell(name)
        return cell if written is None else Cell(hashed_sql(sql.as_text(cell), written), "VARCHAR")

    def cells(self, names: Sequence[str]) -> list[Cell]:
        """Several columns."""
        return [self.cell(name) for name in names]

    @property
    def reasons(self) -> list[tuple[str, str]]:
        """(field, what is wrong) by code - 1."""
        return [(name, reason) for _, name, _, reason in self.problems]

    @property
    def text(self) -> str:
        """The query: one row out for each row in, in their order."""
        inner = ", ".join(["*", *(f"{value} AS {name}" for name, value in self.first.items())])
        codes = " ".join(f"WHEN {c} THEN {i}" for i, (c, *_) in enumerate(self.problems, 1)) or "WHEN FALSE THEN 0"
        cells = " ".join(f"WHEN {c} THEN {shown}" for c, _, shown, _ in self.problems) or "WHEN FALSE THEN NULL"
        bits = " + ".join(f"CASE WHEN {c} THEN {1 << i} ELSE 0 END" for i, (c, _) in enumerate(self.flags)) or "0"
        columns = {
            **self.out,
            "flags": f"CAST({bits} AS UINTEGER)",
            "problem": f"CAST(CASE {codes} ELSE 0 END AS UTINYINT)",
            "bad": f"CAST(CASE {cells} ELSE NULL END AS VARCHAR)",
        }
        outer = ", ".join(f"{value} AS {sql.identifier(name)}" for name, value in columns.items())
        return f"SELECT {outer} FROM (SELECT {inner} FROM {self.raw.relation})"


def query_of(mapping: IntakeMapping, source: Source, raw: Raw, as_of: dt.datetime) -> Query:
    """The query of any source."""
    columns = mapping.id_columns(source)
    query = Query(raw, source, tuple(columns))
    if raw.valid:
        query.problems.append((f"NOT coalesce({raw.valid}, FALSE)", "(row)", "NULL", f"not {raw.invalid}"))
    if source.rows == "events":
        _kind_and_time(query, as_of)
    _ids(query, columns)
    if source.rows == "events":
        _money(query, mapping)
        _names(query)
        _numbers(query)
    for name, attribute in source.attributes.items():
        _attribute(query, name, attribute)
    query.out["dup"] = _same(query)
    if source.rules.merge:
        query.out["merged"] = _key(query, source.rules.merge)
    return query


def _ids(query: Query, columns: dict[str, str]) -> None:
    for i, column in enumerate(columns.values()):
        query.first[f"id{i}"] = sql.as_text(query.cell(column))
        query.out[f"id{i}"] = f"id{i}"
    absent = [f"id{i} IS NULL" for i in range(len(columns))]
    if query.source.rows == "links":
        given = " + ".join(f"CAST(id{i} IS NOT NULL AS INTEGER)" for i in range(len(columns)))
        query.problems.append((f"({given}) < 2", "ids", "NULL", "fewer than two ids: nothing to link"))
    else:
        query.problems.append((" AND ".join(absent), " / ".join(columns.values()), "NULL", "no customer id"))


def _kind_and_time(query: Query, as_of: dt.datetime) -> None:
    source = query.source
    assert source.kind is not None
    assert source.ts is not None
    query.first["kind"] = sql.kind_field(source.kind, query.cells(source.kind.column))
    query.out["kind"] = "kind"
    if source.kind.column:
        shown = sql.as_text(query.cell(source.kind.column[0]))
        query.problems.append((f"kind = {sql.IGNORED}", "kind", shown, "left out by the mapping"))
        query.problems.append(("kind IS NULL", "kind", shown, "a kind of event that the mapping does not name"))
    when = sql.moment(source.ts, query.cells(source.ts.column))
    query.first["ts"], query.out["ts"] = when.value, "ts"
    query.problems.append((f"NOT {when.given}", "ts", "NULL", "no time"))
    query.problems.append(("ts IS NULL", "ts", when.shown, "not a time between 1900 and 2200"))
    if source.rules.future == "reject":
        query.problems.append((f"ts > {sql.moment_literal(as_of)}", "ts", when.shown, "in the future"))
    if source.rules.earliest is not None:
        limit = sql.moment_literal(source.rules.earliest)
        query.problems.append((f"ts < {limit}", "ts", when.shown, f"before {source.rules.earliest}"))


def _money(query: Query, mapping: IntakeMapping) -> None:
    """The rate of each row: 1 in the currency of the result, null where nobody knows."""
    source = query.source
    query.first["rate"] = "CAST(1 AS DOUBLE)"
    if source.currency is None or mapping.currency is None:
        return
    text = sql.text_field(source.currency, query.cells(source.currency.column))
    rates = {**mapping.currency.rates, mapping.currency.to: 1.0}
    cases = " ".join(f"WHEN {sql.literal(name)} THEN {rate!r}" for name, rate in rates.items())
    query.first["currency"] = text
    query.first["rate"] = f"CAST(CASE {text} {cases} ELSE NULL END AS DOUBLE)"
    sums = " OR ".join(f"given_{n}" for n in ("amount", "discount") if n in source.fields) or "FALSE"
    known = "a currency without a rate to " + mapping.currency.to
    query.problems.append((f"rate IS NULL AND ({sums})", "currency", "currency", known))
    query.flags.append((f"rate <> 1 AND ({sums})", "converted to " + mapping.currency.to))


def _names(query: Query) -> None:
    for name in (n for n in query.source.fields if n not in NUMBERS):
        text: TextField = getattr(query.source, name)
        value = sql.text_field(text, query.cells(text.column))
        query.first[f"raw_{name}"] = value
        query.out[name] = _missing(query, name, f"raw_{name}", f"raw_{name} IS NULL")


def _numbers(query: Query) -> None:
    for name in (n for n in query.source.fields if n in NUMBERS):
        reading = _reading(query, getattr(query.source, name))
        rate = " * rate" if name in ("amount", "discount") and query.first["rate"] != "CAST(1 AS DOUBLE)" else ""
        query.first[f"raw_{name}"] = f"({reading.value}){rate}"
        query.first[f"given_{name}"] = reading.given
        found = f"raw_{name}"
        broken = f"(given_{name} AND ({found} IS NULL OR NOT isfinite({found}) OR abs({found}) > {sql.LARGEST!r}))"
        if query.source.rules.unreadable == "reject":
            query.problems.append((broken, name, reading.shown, "not a number that an amount can be"))
        else:
            query.flags.append((broken, f"{name}: unreadable, dropped"))
        value = f"(CASE WHEN {broken} THEN NULL ELSE {found} END)"
        query.out[name] = _signed(query, name, _missing(query, name, value, f"NOT given_{name}"), reading.shown)


def _reading(query: Query, number: NumberField) -> Reading:
    if number.constant is not None:
        return Reading(f"CAST({number.constant!r} AS DOUBLE)", "TRUE", f"'{number.constant!r}'")
    if number.expression is not None:
        columns = sql.columns_of(number.expression)
        cells = {name: query.cell(name) for name in columns}
        return sql.arithmetic(number.expression, cells, number.missing)
    return sql.number(query.cells(number.column), number.missing)


def _missing(query: Query, name: str, value: str, absent: str) -> str:
    """The value where something was given; else what the mapping says."""
    rule = query.source.rules.missing.get(name)
    if isinstance(rule, Fill):
        query.flags.append((absent, f"{name}: filled"))
        fill = sql.literal(str(rule.fill)) if name not in NUMBERS else f"CAST({rule.fill!r} AS DOUBLE)"
        return f"(CASE WHEN {absent} THEN {fill} ELSE {value} END)"
    if rule == "reject":
        query.problems.append((absent, name, "NULL", "not given"))
    elif rule is None and name == "amount":
        query.problems.append((f"{absent} AND kind IN ({ORDER}, {REFUND})", name, "NULL", "not given"))
    return value


def _signed(query: Query, name: str, value: str, shown: str) -> str:
    """Sums of money get no sign: a refund is a kind of its own."""
    rule = query.source.rules.negative
    if name == "value":
        return value
    below = f"raw_{name} < 0"
    if rule == "absolute":
        query.flags.append((below, f"{name}: sign dropped"))
        return f"abs({value})"
    back = f"kind = {REFUND}" + (f" OR (kind = {ORDER} AND {_below(query)})" if rule == "refund" else "")
    query.problems.append((f"{below} AND NOT ({back})", name, shown, "below 0"))
    if name == "amount" and rule == "refund":
        query.flags.append((f"{below} AND kind = {ORDER}", "amount below 0: taken as a refund"))
        query.out["kind"] = f"(CASE WHEN kind = {ORDER} AND {below} THEN CAST({REFUND} AS UTINYINT) ELSE kind END)"
    return f"abs({value})"


def _below(query: Query) -> str:
    return "raw_amount < 0" if "amount" in query.source.fields else "FALSE"


def _attribute(query: Query, name: str, attribute: Attribute) -> None:
    cells = query.cells(attribute.column or (name,))
    text = sql.text_field(TextField(column=attribute.column, values=attribute.values, missing=attribute.missing), cells)
    if attribute.type == "text":
        query.out[f"a_{name}"] = text
        return
    if attribute.type == "date":
        when = TimeField(column=attribute.column or (name,), format=attribute.format)
        value = f"CAST({sql.moment(when, cells).value} AS DATE)"
        value = f"(CASE WHEN {text} IS NULL THEN NULL ELSE {value} END)"
    else:
        number = f"TRY_CAST({text} AS DOUBLE)"
        value = {
            "number": f"(CASE WHEN isfinite({number}) THEN {number} END)",
            "whole": f"(CASE WHEN {number} = trunc({number}) THEN TRY_CAST({number} AS BIGINT) END)",
            "truth": _truth(text),
        }[attribute.type]
    given = f"({text} IS NOT NULL AND trim({text}) NOT IN {sql.listing(MISSING)})"
    place = f"at_{len(query.first)}"
    query.first[place] = value
    query.out[f"a_{name}"] = place
    broken = f"({given} AND {place} IS NULL)"
    if query.source.rules.unreadable == "reject":
        query.problems.append((broken, name, text, f"not a {attribute.type}"))
    else:
        query.flags.append((broken, f"{name}: unreadable, dropped"))


def _truth(text: str) -> str:
    words = {"TRUE": ("true", "yes", "y", "t", "1", "1.0"), "FALSE": ("false", "no", "n", "f", "0", "0.0")}
    cases = " ".join(f"WHEN lower(trim({text})) IN {sql.listing(said)} THEN {value}" for value, said in words.items())
    return f"(CASE {cases} END)"


def _same(query: Query) -> str:
    """What two rows have in common when one of them is a duplicate; null for rows that have no double."""
    rule = query.source.rules.duplicates
    if rule == "keep":
        return "NULL"
    return f"hash({query.raw.whole_row()})" if rule == "row" else _key(query, rule)


def _key(query: Query, columns: Sequence[str]) -> str:
    """Several cells as one text, null where one of them is."""
    texts = [sql.as_text(cell) for cell in query.cells(columns)]
    absent = " OR ".join(f"{text} IS NULL" for text in texts)
    return f"(CASE WHEN {absent} THEN NULL ELSE concat_ws(chr(31), {', '.join(texts)}) END)"
