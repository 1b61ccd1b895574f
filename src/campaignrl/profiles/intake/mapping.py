"""Event mappings: a TOML file that says what raw exports of shop, app, store and campaign tools mean.

Here: the model and its checks. Not here: reading (readers.py), the rules at work (rules.py). At the top:

about, currency   words; the currency of the result where no [currency] says so
[ids]             order = kinds of id, the strongest first (default: one kind, "customer"); conflicts = "report" (two
                  members that share a weaker id stay two) or "merge"; region = "GB", of phone numbers without a
                  country code (default: by the currency, else CN)
[currency]        to, rates = currency -> units of `to`; amounts in a currency without a rate are rejected
[[source]]        one file of the data set:
  name, file      the file is looked for under the data folder; rows = "events" | "attributes" | "links" | "optouts"
                  (ids that must not be contacted on `channel`, or on any; `ts` is since when)
                  file may be a name with * in it, a folder of daily files, or a zip archive
  source          instead of `file`: "sqlite:///shop.db", "duckdb:///x.duckdb" or
                  "postgresql://reader:${SHOP_PASSWORD}@host/shop", with table = "orders" or query = "SELECT ..."
  format          csv | parquet | jsonl (a JSON object a line, or one array of them) | excel | blanks (cells apart by
                  blanks); default: by name
  sheet           of a workbook (default: the first that holds rows)
  each            an array inside JSON objects, such as `props.items`: a row for each of its items
  separator, header, columns (names where the file has no header), encoding; default: found, and told
  decimal, thousands   "," and "." for 1.234,50; also of one number or attribute
  customer        the id column, or ids = { member = "...", device = "..." } by kind
  hash            personal columns -> how they are written first: "exact", "lower", "digits"; then a keyed hash
  lookup          tables beside it: file, on (column here), key (column there), columns = new name -> column there
  kind            one of the kinds of the events table, or { column, values, patterns (globs), default }; "ignore"
                  leaves rows out, counted
  ts              a column, or { column, format (one or several), unit + since (a number of hours since a moment),
                  zone }; what is read without a format stands in moments.py
  channel, offer, category, brand, currency     a column, several (the first that is given), or { constant }, and
                  values = raw -> ours, missing = texts that mean "not known"
  amount, discount, value     a column, or { expression = "Quantity * Price" }, { constant }
  attributes      names, or name -> { column, type = text | number | whole | date | truth, values, missing };
                  consent_CHANNEL is yes or no in English or Chinese, consent_CHANNEL_at since when
  rules           see Rules
Columns inside JSON objects are written `value.amount`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from campaignrl.errors import Problem, SpecError, nearest, unknown
from campaignrl.profiles.events import ALL_OUT, AT, OPT_OUT
from campaignrl.profiles.intake.field_spec import (
    Attribute,
    KindField,
    Lookup,
    NumberField,
    Rules,
    TextField,
    TimeField,
)
from campaignrl.specs import Spec, check, read_toml
from campaignrl.tables import NUMBERS, TEXTS
from campaignrl.tables.databases import Address, address_problem
from campaignrl.tables.files import WORKBOOKS, compile_expression

FORMATS = {
    "parquet": (".parquet", ".pq"),
    "jsonl": (".jsonl", ".ndjson", ".json", ".jsonl.gz", ".ndjson.gz", ".json.gz"),
    "csv": (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz"),
    "excel": WORKBOOKS,
}


# The region whose phone numbers need no country code, by the currency of the result.
REGIONS = {
    "CNY": "CN", "USD": "US", "GBP": "GB", "JPY": "JP", "HKD": "HK", "TWD": "TW", "SGD": "SG", "CAD": "CA", "AUD": "AU",
    "INR": "IN", "KRW": "KR", "CHF": "CH", "SEK": "SE", "NOK": "NO", "DKK": "DK", "PLN": "PL", "BRL": "BR", "MXN": "MX",
}  # fmt: skip


def _column(value: object) -> object:
    return {"column": value} if isinstance(value, str | list | tuple) else value


AsText = Annotated[TextField | None, BeforeValidator(_column)]
AsNumber = Annotated[NumberField | None, BeforeValidator(_column)]


def _kind(value: object) -> object:
    return {"constant": value} if isinstance(value, str) else value


def _attributes(value: object) -> object:
    if isinstance(value, list | tuple):
        return {name: {"column": name} for name in value}
    return {k: _column(v) for k, v in value.items()} if isinstance(value, dict) else value


class Source(Spec):
    """One file, and what its rows mean."""

    name: str
    file: str = ""
    source: str | None = None
    table: str | None = None
    query: str | None = None
    about: str = ""
    rows: Literal["events", "attributes", "links"] = "events"
    format: Literal["csv", "parquet", "jsonl", "blanks", "excel"] | None = None
    sheet: str | None = None
    each: str | None = None
    separator: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    header: bool = True
    columns: tuple[str, ...] = ()
    encoding: str = "utf-8"
    decimal: Literal[".", ","] = "."
    thousands: Annotated[str, Field(max_length=1)] = ""
    customer: str | None = None
    ids: dict[str, str] = Field(default_factory=dict)
    hash: dict[str, Literal["exact", "lower", "digits"]] = Field(default_factory=dict)
    lookup: tuple[Lookup, ...] = ()
    kind: Annotated[KindField | None, BeforeValidator(_kind)] = None
    ts: Annotated[TimeField | None, BeforeValidator(_column)] = None
    channel: AsText = None
    offer: AsText = None
    category: AsText = None
    brand: AsText = None
    currency: AsText = None
    amount: AsNumber = None
    discount: AsNumber = None
    value: AsNumber = None
    attributes: Annotated[dict[str, Attribute], BeforeValidator(_attributes)] = Field(default_factory=dict)
    rules: Rules = Rules()

    @model_validator(mode="before")
    @classmethod
    def _list_of_opt_outs(cls, data: Any) -> Any:
        return _as_attributes(data) if isinstance(data, dict) and data.get("rows") == "optouts" else data

    @field_validator("file")
    @classmethod
    def _stays_in_the_folder(cls, file: str) -> str:
        path = PurePosixPath(file)
        if path.is_absolute() or ".." in path.parts or "\\" in file or "\0" in file:
            raise ValueError("a file under the data folder")
        return file

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = list(_source_problems(self))
        if problems:
            raise SpecError(problems)
        return self

    def kind_of(self, name: str) -> str:
        """The format of one of the files, by its name where the mapping does not say; "" where nothing tells."""
        if self.format is not None:
            return self.format
        return next((kind for kind, ends in FORMATS.items() if name.lower().endswith(ends)), "")

    @property
    def database(self) -> Address | None:
        """Where the rows come from, if from a database."""
        return None if self.source is None else Address(self.source, self.table, self.query)

    @property
    def origin(self) -> str:
        """The file or the database, for messages."""
        return self.file if self.database is None else self.database.shown

    @property
    def fields(self) -> tuple[str, ...]:
        """The nullable fields that this source gives."""
        return tuple(n for n in (*TEXTS[:-1], *NUMBERS) if getattr(self, n) is not None)


class Ids(Spec):
    """Kinds of id, the strongest first, and what to do about two strong ones that share a weak one."""

    order: Annotated[tuple[str, ...], Field(min_length=1)] = ("customer",)
    conflicts: Literal["report", "merge"] = "report"
    region: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None


class Currency(Spec):
    """The currency of the result, and what others are worth in it."""

    to: str
    rates: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)


class IntakeMapping(Spec):
    """How to read one data set as events and attributes."""

    about: str = ""
    where: str = Field(default="mapping", exclude=True)  # name of the file, for messages
    ids: Ids = Ids()
    currency: Currency | None = None
    source: tuple[Source, ...]  # at least one; checked below, so that a mistake in the first is not also "none"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = list(_mapping_problems(self))
        if problems:
            raise SpecError(problems)
        return self

    def id_columns(self, source: Source) -> dict[str, str]:
        """Kind of id -> column; `customer = "..."` is the strongest kind."""
        strongest = {} if source.customer is None else {self.ids.order[0]: source.customer}
        given = {**strongest, **source.ids}
        return {kind: given[kind] for kind in self.ids.order if kind in given}

    def columns_of(self, source: Source) -> tuple[str, ...]:
        """Every column of the file that the mapping speaks of."""
        names = [*self.id_columns(source).values(), *source.hash, *source.rules.merge]
        if not isinstance(source.rules.duplicates, str):
            names += source.rules.duplicates
        for part in (source.kind, source.ts, source.currency, *(getattr(source, name) for name in source.fields)):
            if isinstance(part, NumberField) and part.expression is not None:
                names += compile_expression(part.expression, f"[[source]] {source.name!r}").columns
            names += () if part is None else part.column
        for name, attribute in source.attributes.items():
            names += attribute.column or (() if attribute.constant is not None else (name,))
        return tuple(dict.fromkeys(names))

    @property
    def phones_of(self) -> str:
        """The region of phone numbers without a country code."""
        told = "" if self.currency is None else REGIONS.get(self.currency.to, "")
        return self.ids.region or told or REGIONS["CNY"]

    @property
    def hashes(self) -> bool:
        """Whether any source holds personal columns."""
        return any(source.hash for source in self.source)


def load_intake_mapping(path: str | Path) -> IntakeMapping:
    """The mapping of a TOML file; every mistake in it is in one SpecError."""
    source = Path(path)
    if not source.is_file():
        near = [p.name for p in source.parent.glob("*.toml")]
        raise unknown("mapping", source.name, near, f"Looked in {source.parent}.")
    return parse_intake_mapping(read_toml(source), source.name)


def parse_intake_mapping(tables: Mapping[str, Any], where: str = "mapping") -> IntakeMapping:
    """The mapping of plain tables."""
    data = {**tables, "where": where}
    if isinstance(data.get("currency"), str):
        data["currency"] = {"to": data["currency"]}
    return check(IntakeMapping, data, where)


def _as_attributes(data: dict[str, Any]) -> dict[str, Any]:
    """A list of opt-outs: one attribute that is yes for everybody on it, and its date."""
    given = {key: value for key, value in data.items() if key not in ("channel", "ts")}
    channel = data.get("channel")
    if isinstance(channel, dict):
        channel = channel.get("constant")
    if "channel" in data and not isinstance(channel, str):
        fix = 'Write channel = "sms"; a list of several channels is read as events of kind "unsubscribed".'
        raise SpecError(Problem("[[source]]", "channel", data["channel"], "the channel of the whole list", fix))
    name = ALL_OUT if channel is None else OPT_OUT + channel
    attributes: dict[str, Any] = {name: {"constant": "yes", "type": "truth"}}
    if "ts" in data:
        attributes[name + AT] = {**_column(data["ts"]), "type": "date"}  # type: ignore[dict-item]
    return {**given, "rows": "attributes", "attributes": attributes}


def _source_problems(source: Source) -> list[Problem]:
    where = f"[[source]] {source.name!r}"
    problems = _origin_problems(source, where)
    if (source.customer is None) == (not source.ids):
        problems.append(Problem(where, "customer", source.customer, "the one way to tell the customer, or `ids`"))
    lacking = [n for n in ("kind", "ts") if source.rows == "events" and getattr(source, n) is None]
    problems += [Problem(where, name, "(absent)", "given", "Every event has one.") for name in lacking]
    if source.rows == "attributes" and not source.attributes:
        problems.append(Problem(where, "attributes", "(absent)", "given"))
    if source.rows != "events" and (source.fields or source.kind):
        problems.append(Problem(where, "rows", source.rows, '"events", since it has fields of events'))
    if (source.format == "blanks" or not source.header) and not source.columns:
        problems.append(Problem(where, "columns", "(absent)", "given", "Name the columns: the file has no header."))
    return problems + _rule_problems(source, where)


def _origin_problems(source: Source, where: str) -> list[Problem]:
    """Either a file of a known kind, or a database and what of it."""
    if source.source is None:
        several = source.file.endswith((".zip", "/", "*")) or not PurePosixPath(source.file).suffix
        known = source.file and (several or source.kind_of(source.file))
        fix = "Say so: format = csv, jsonl, parquet, excel" if source.file else "Or name a database by `source`."
        problems = [] if known else [Problem(where, "file", source.file or "(absent)", "of a known kind", fix)]
        given = [name for name in ("table", "query") if getattr(source, name) is not None]
        return problems + [Problem(where, name, getattr(source, name), "beside `source`") for name in given]
    wrong = address_problem(source.source, where)
    problems = [] if wrong is None else [wrong]
    if (source.table is None) == (source.query is None):
        problems.append(Problem(where, "table", source.table, "the one word for what to read, or `query`"))
    words = {"file", "format", "sheet", "each", "separator", "header", "columns", "encoding"} & source.model_fields_set
    return problems + [
        Problem(where, name, getattr(source, name), "of files, not of a database") for name in sorted(words)
    ]


def _rule_problems(source: Source, where: str) -> list[Problem]:
    known, problems = source.fields, []
    for rule in ("missing", "outliers"):
        for name in getattr(source.rules, rule):
            if name not in known:
                near = nearest(name, known)
                problems.append(Problem(where, f"rules.{rule}", name, "a field of this source", near))
    for name in source.rules.outliers:
        if name not in NUMBERS:
            problems.append(Problem(where, "rules.outliers", name, f"one of {', '.join(NUMBERS)}"))
    return problems


def _mapping_problems(mapping: IntakeMapping) -> list[Problem]:
    problems = [] if mapping.source else [Problem("", "source", "[]", "at least one [[source]]")]
    names = [source.name for source in mapping.source]
    for name in sorted({n for n in names if names.count(n) > 1}):
        problems.append(Problem("[[source]]", "name", name, "given to one source"))
    order = mapping.ids.order
    if len(set(order)) < len(order):
        problems.append(Problem("[ids]", "order", list(order), "each kind once"))
    seen: dict[str, str] = {}
    for source in mapping.source:
        where = f"[[source]] {source.name!r}"
        for kind in source.ids:
            if kind not in order:
                problems.append(Problem(where, "ids", kind, "a kind of [ids] order", nearest(kind, order)))
        if source.rows == "links" and len(mapping.id_columns(source)) < 2:
            problems.append(Problem(where, "ids", list(source.ids), "two kinds of id, to link them"))
        if source.currency is not None and mapping.currency is None:
            fix = 'Add [currency] to = "CNY", and rates where there is more than one.'
            problems.append(Problem(where, "currency", "a column", "given without [currency] to", fix))
        for name in source.attributes:
            if name in seen or name == "customer_id":
                other = f"given by one source (also in {seen.get(name, 'every')!r})"
                problems.append(Problem(where, "attributes", name, other))
            seen[name] = source.name
    return problems
