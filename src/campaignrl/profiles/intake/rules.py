"""The rules of a mapping at work on the rows of one source, as one query.

Each row gets the code of the first thing that is wrong with it (0: nothing), the cell that is, and flags for what
was repaired. Here: reading, repairing and refusing rows. Not here: duplicates and outliers by the spread of the
data, which need all rows (deduplication.py).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from campaignrl.profiles.events import is_date_of_permission, is_permission
from campaignrl.profiles.intake import sql_values as sql
from campaignrl.profiles.intake.field_spec import Attribute, Fill, NumberField, TextField, TimeField
from campaignrl.profiles.intake.mapping import IntakeMapping, Source
from campaignrl.profiles.intake.moments import clock_changes, guesses, refusals
from campaignrl.profiles.intake.pseudonymisation import hashed_sql
from campaignrl.profiles.intake.readers import Raw
from campaignrl.profiles.intake.sql_text import Cell, Reading, Steps, among, identifier, literal
from campaignrl.profiles.intake.sql_text import as_text as cell_text
from campaignrl.profiles.intake.sql_values import Writing
from campaignrl.tables import KINDS, NUMBERS
from campaignrl.tables.files import AGREED, MISSING, NO, REFUSED, YES

ORDER, REFUND = KINDS.index("order"), KINDS.index("refund")
WORDS = {"number": "a number", "whole": "a whole number", "date": "a date", "truth": "yes or no"}


@dataclass
class Query:
    """The query of a source while it is put together.

    ids: kinds of id, their columns being id0, id1 ...; steps: what is reckoned of a row; problems: (condition, field,
    the cell as text, what is wrong); flags: (condition, what was repaired); out: column -> expression.
    """

    raw: Raw
    source: Source
    ids: tuple[str, ...]
    steps: Steps = field(default_factory=Steps)
    problems: list[tuple[str, str, str, str]] = field(default_factory=list)
    flags: list[tuple[str, str]] = field(default_factory=list)
    out: dict[str, str] = field(default_factory=dict)
    kind: str = "NULL"  # expression of the code of the kind of event

    def cell(self, name: str) -> Cell:
        """A column of the file; personal ones come hashed."""
        written = self.source.hash.get(name)
        cell = self.raw.cell(name)
        return cell if written is None else Cell(self.steps(hashed_sql(self.as_text(cell), written)), "VARCHAR")

    def cells(self, names: Sequence[str]) -> list[Cell]:
        """Several columns."""
        return [self.cell(name) for name in names]

    def as_text(self, cell: Cell) -> str:
        """A cell as text."""
        return cell_text(cell, self.steps)

    @property
    def reasons(self) -> list[tuple[str, str]]:
        """(field, what is wrong) by code - 1."""
        return [(name, reason) for _, name, _, reason in self.problems]

    @property
    def text(self) -> str:
        """The query: one row out for each row in, in their order."""
        codes = " ".join(f"WHEN {c} THEN {i}" for i, (c, *_) in enumerate(self.problems, 1)) or "WHEN FALSE THEN 0"
        cells = (
            " ".join(f"WHEN {c} THEN CAST({shown} AS VARCHAR)" for c, _, shown, _ in self.problems)
            or "WHEN FALSE THEN NULL"
        )
        bits = " + ".join(f"CASE WHEN {c} THEN {1 << i} ELSE 0 END" for i, (c, _) in enumerate(self.flags)) or "0"
        columns = {
            **self.out,
            "flags": f"CAST({bits} AS UBIGINT)",
            "problem": f"CAST(CASE {codes} ELSE 0 END AS USMALLINT)",
            "bad": f"CAST(CASE {cells} ELSE NULL END AS VARCHAR)",
            "part": "CAST(0 AS INTEGER)",
            "line": "CAST(NULL AS BIGINT)",  # the place in the file, where it is not the place in the table
        }
        outer = ", ".join(f"{value} AS {identifier(name)}" for name, value in columns.items())
        return f"SELECT {outer} FROM {self.steps.over(self.raw.relation)}"


def query_of(mapping: IntakeMapping, source: Source, raw: Raw, as_of: dt.datetime) -> Query:
    """The query of any source."""
    columns = mapping.id_columns(source)
    query = Query(raw, source, tuple(columns))
    if raw.continued:
        query.flags.append((raw.continued, "ids or time from the first line of its order"))
    if raw.valid:
        query.problems.append((f"NOT coalesce({raw.valid}, FALSE)", "(row)", "NULL", f"not {raw.invalid}"))
    if source.rows == "events":
        _kind(query)
    _ids(query, columns)
    if source.rows == "events":
        when, shown = _time(query)
        _names(query)
        _numbers(query, mapping)
        if source.rules.future == "reject":  # the last, for it is the only one that another day takes back
            query.problems.append((f"{when} > {sql.moment_literal(as_of)}", "ts", shown, "in the future"))
    broken = [_attribute(query, name, attribute) for name, attribute in source.attributes.items()]
    if source.rules.unreadable == "drop_field" and any(broken):
        query.flags.append((" OR ".join(f"({one})" for one in broken if one), "attributes: unreadable, dropped"))
    query.out["dup"] = _same(query)
    if source.rules.merge:
        query.out["merged"] = _key(query, source.rules.merge)
    return query


def _ids(query: Query, columns: dict[str, str]) -> None:
    texts = [query.as_text(query.cell(column)) for column in columns.values()]
    texts = [_whole(query, text) for text in texts]
    written = [query.as_text(query.raw.cell(column)) for column in columns.values()]  # before it is hashed
    query.out |= {f"id{i}": text for i, text in enumerate(texts)}
    if query.source.rows == "links":
        given = " + ".join(f"CAST({text} IS NOT NULL AS INTEGER)" for text in texts)
        query.problems.append((f"({given}) < 2", "ids", "NULL", "fewer than two ids: nothing to link"))
    else:
        absent = " AND ".join(f"{text} IS NULL" for text in texts)
        query.problems.append((absent, " / ".join(columns.values()), "NULL", "no customer id"))
    rules = query.source.rules.test_accounts
    for column, cell, text in zip(columns.values(), written, texts, strict=True) if rules else ():
        lower = query.steps(f"lower({cell})")
        matches = " OR ".join(f"{lower} GLOB {literal(pattern)}" for pattern in rules)
        query.problems.append((f"coalesce({matches}, FALSE)", column, text, "a test account, by the rule"))


def _whole(query: Query, text: str) -> str:
    """Another file's 17.0 is this one's 17."""
    whole = f"regexp_replace({text}, '^([0-9]+)[.]0+$', '\\1')"
    return query.steps(f"CASE WHEN contains({text}, '.0') THEN {whole} ELSE {text} END")


def _kind(query: Query) -> None:
    source = query.source
    assert source.kind is not None
    query.kind = sql.kind_field(source.kind, query.cells(source.kind.column), query.steps)
    query.out["kind"] = query.kind
    if source.kind.column:
        shown = query.as_text(query.cell(source.kind.column[0]))
        query.problems.append((f"{query.kind} = {sql.IGNORED}", "kind", shown, "left out by the mapping"))
        unknown = "a kind of event that the mapping does not name"
        query.problems.append((f"{query.kind} IS NULL", "kind", shown, unknown))


def _time(query: Query) -> tuple[str, str]:
    """The moment, and its cell."""
    source = query.source
    assert source.ts is not None
    when = sql.moment(source.ts, query.cells(source.ts.column), query.steps)
    query.out["ts"] = when.value
    query.problems.append((f"NOT {when.given}", "ts", "NULL", "no time"))
    if not source.ts.format and source.ts.unit is None:
        cell = query.steps(f"CAST({when.shown} AS VARCHAR)")
        query.problems += [(c, "ts", when.shown, why) for c, why in refusals(cell, when.value, query.steps)]
        query.flags += guesses(cell, when.value)
    if when.local and source.ts.zone:
        query.flags += clock_changes(when.local, source.ts.zone)
    query.problems.append((f"{when.value} IS NULL", "ts", when.shown, "not a time between 1900 and 2200"))
    if source.rules.earliest is not None:
        limit = sql.moment_literal(source.rules.earliest)
        query.problems.append((f"{when.value} < {limit}", "ts", when.shown, f"before {source.rules.earliest}"))
    return when.value, when.shown


def _money(query: Query, mapping: IntakeMapping, readings: Mapping[str, Reading]) -> str:
    """The rate of each row, null where nobody knows; "" where all is in the currency of the result."""
    source = query.source
    if source.currency is None or mapping.currency is None:
        return ""
    text = sql.text_field(source.currency, query.cells(source.currency.column), query.steps)
    rates = {**mapping.currency.rates, mapping.currency.to: 1.0}
    cases = " ".join(f"WHEN {literal(name)} THEN {rate!r}" for name, rate in rates.items())
    rate = query.steps(f"CAST(CASE {text} {cases} ELSE NULL END AS DOUBLE)")
    sums = " OR ".join(readings[n].given for n in ("amount", "discount") if n in readings) or "FALSE"
    unknown = f"a currency without a rate to {mapping.currency.to}"
    query.problems.append((f"{rate} IS NULL AND ({sums})", "currency", text, unknown))
    query.flags.append((f"{rate} <> 1 AND ({sums})", f"converted to {mapping.currency.to}"))
    return f" * {rate}"


def _names(query: Query) -> None:
    for name in (n for n in query.source.fields if n not in NUMBERS):
        text: TextField = getattr(query.source, name)
        value = sql.text_field(text, query.cells(text.column), query.steps)
        query.out[name] = _missing(query, name, value, f"{value} IS NULL")


def _numbers(query: Query, mapping: IntakeMapping) -> None:
    currency = "" if mapping.currency is None else mapping.currency.to
    numbers = [name for name in query.source.fields if name in NUMBERS]
    readings = {name: _reading(query, name, getattr(query.source, name), currency) for name in numbers}
    rate = _money(query, mapping, readings)
    found = {n: query.steps(r.value + rate * (n != "value")) for n, r in readings.items()}
    for name, reading in readings.items():
        value = found[name]
        off = f"{value} IS NULL OR NOT isfinite({value}) OR abs({value}) > {sql.LARGEST!r}"
        broken = query.steps(f"{reading.given} AND ({off})")
        if query.source.rules.unreadable == "reject":
            query.problems.append((broken, name, reading.shown, "not a number that an amount can be"))
        else:
            query.flags.append((broken, f"{name}: unreadable, dropped"))
        sound = f"CASE WHEN {broken} OR NOT {reading.given} THEN NULL ELSE {value} END"
        filled = _missing(query, name, query.steps(sound), f"NOT {reading.given}")
        query.out[name] = _signed(query, name, filled, found, reading.shown)


def _reading(query: Query, name: str, number: NumberField, currency: str) -> Reading:
    if number.constant is not None:
        return Reading(f"CAST({number.constant!r} AS DOUBLE)", "TRUE", f"'{number.constant!r}'")
    source = query.source
    written = Writing(
        number.decimal or source.decimal,
        number.thousands or source.thousands,
        currency if name != "value" and source.currency is None else "",
        name == "value",
    )
    if number.expression is not None:
        cells = {name: query.cell(name) for name in sql.columns_of(number.expression)}
        return sql.arithmetic(number.expression, cells, query.steps, number.missing, written)
    return sql.number(query.cells(number.column), query.steps, number.missing, written)


def _missing(query: Query, name: str, value: str, absent: str) -> str:
    """The value where something was given; else what the mapping says."""
    rule = query.source.rules.missing.get(name)
    if isinstance(rule, Fill):
        query.flags.append((absent, f"{name}: filled"))
        fill = literal(str(rule.fill)) if name not in NUMBERS else f"CAST({rule.fill!r} AS DOUBLE)"
        return query.steps(f"CASE WHEN {absent} THEN {fill} ELSE {value} END")
    if rule == "reject":
        query.problems.append((absent, name, "NULL", "not given"))
    elif rule is None and name == "amount":
        query.problems.append((f"{absent} AND {query.kind} IN ({ORDER}, {REFUND})", name, "NULL", "not given"))
    return value


def _signed(query: Query, name: str, value: str, found: Mapping[str, str], shown: str) -> str:
    """Sums of money get no sign: a refund is a kind of its own."""
    rule, kind = query.source.rules.negative, query.kind
    if name == "value":
        return value
    below = f"{found[name]} < 0"
    if rule == "absolute":
        query.flags.append((below, f"{name}: sign dropped"))
        return f"abs({value})"
    turned = f"({kind} = {ORDER} AND {found['amount']} < 0)" if rule == "refund" and "amount" in found else "FALSE"
    query.problems.append((f"{below} AND NOT coalesce({kind} = {REFUND} OR {turned}, FALSE)", name, shown, "below 0"))
    if name == "amount" and rule == "refund":
        query.flags.append((turned, "amount below 0: taken as a refund"))
        query.out["kind"] = f"CASE WHEN {turned} THEN CAST({REFUND} AS UTINYINT) ELSE {kind} END"
    return f"abs({value})"


def _attribute(query: Query, name: str, attribute: Attribute) -> str:
    """Read one attribute; the condition on rows whose cell is none, "" where every text will do."""
    columns = () if attribute.constant is not None else attribute.column or (name,)
    cells = query.cells(columns)
    plain = TextField(column=columns, constant=attribute.constant, values=attribute.values, missing=attribute.missing)
    text = sql.text_field(plain, cells, query.steps)
    kind = _type_of(name, attribute)
    if kind == "text":
        query.out[f"a_{name}"] = text
        return ""
    decimal, thousands = attribute.decimal or query.source.decimal, attribute.thousands or query.source.thousands
    number = query.steps(sql.as_number(text, Writing(decimal, thousands)))
    value = query.steps(
        {
            "number": f"CASE WHEN isfinite({number}) THEN {number} END",
            "whole": f"CASE WHEN {number} = trunc({number}) THEN TRY_CAST({number} AS BIGINT) END",
            "truth": _truth(text, *((AGREED, REFUSED) if is_permission(name) else (YES, NO))),
            "date": f"CAST({_date(query, attribute, text, cells)} AS DATE)" if kind == "date" else "NULL",
        }[kind]
    )
    query.out[f"a_{name}"] = value
    broken = f"{value} IS NULL AND {text} IS NOT NULL AND NOT {among(f'trim({text})', MISSING)}"
    if query.source.rules.unreadable == "reject":
        query.problems.append((broken, name, text, f"not {WORDS[kind]}"))
    return broken


def _type_of(name: str, attribute: Attribute) -> str:
    """What a mapping need not say of a permission and its date."""
    if is_permission(name):
        return "truth"
    return "date" if is_date_of_permission(name) else attribute.type


def _date(query: Query, attribute: Attribute, text: str, cells: Sequence[Cell]) -> str:
    field = TimeField(column=attribute.column or ("",), format=attribute.format)
    when = sql.moment(field, cells, query.steps).value
    return f"CASE WHEN {text} IS NULL THEN NULL ELSE {when} END"


def _truth(text: str, yes: Sequence[str], no: Sequence[str]) -> str:
    words = {"TRUE": yes, "FALSE": no}
    cases = " ".join(f"WHEN {among(f'lower(trim({text}))', said)} THEN {value}" for value, said in words.items())
    return f"CASE {cases} END"


def _same(query: Query) -> str:
    """What two rows have in common when one of them is a duplicate; null for rows that have no double."""
    rule = query.source.rules.duplicates
    if rule == "keep":
        return "NULL"
    return f"hash({query.raw.whole_row()})" if rule == "row" else _key(query, rule)


def _key(query: Query, columns: Sequence[str]) -> str:
    """Several cells as one text, null where one of them is."""
    texts = [query.as_text(cell) for cell in query.cells(columns)]
    absent = " OR ".join(f"{text} IS NULL" for text in texts)
    return f"(CASE WHEN {absent} THEN NULL ELSE concat_ws(chr(31), {', '.join(texts)}) END)"
