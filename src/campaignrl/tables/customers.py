"""The customers table: what is known of real customers on the morning of a decision.

One row a customer: `customer_id`, a column per feature in its own unit, and for every frequency cap the sends so far
in the window that ends today (`contacts_7d`, `contacts_sms_7d`). Consent that is not known is no consent, a contact
count that is not known is a full one. Not here: what the guard makes of it (guard/), columns of other rules
(rule_columns.py), decision logs (whole_files.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from campaignrl.arrays import Bool
from campaignrl.display import html_table, one_line
from campaignrl.errors import DataError, Problem, nearest
from campaignrl.features import UNKNOWN, Context, Feature, FeatureSchema, Rows
from campaignrl.tables.files import as_text, category_codes, numbers, read_table, row_problems
from campaignrl.tables.rule_columns import FULL, Known, RuleColumn, counts, read_known
from campaignrl.tables.suppression import COLUMN, LEAST_KNOWN, Listed, column_says, listed, misspelled

Window = tuple[str | None, int]  # (channel or None for all, days that end today)

TABLE = "customers"
ID = "customer_id"
AT_THE_START = "days_to_go"  # a campaign feature: where the table has no such column, the campaign begins


@dataclass(frozen=True)
class CustomerTable:
    """n customers in the order of their file.

    consent: (c, n) known permission; contacts: (n,) sends so far by window; suppressed: (n,) on the suppression
    list, None where there is no such list; notes: what was repaired on reading, counted; known: what other rules read,
    by column; listed: the suppression list that it was read with.
    """

    ids: npt.NDArray[np.object_]
    context: Context
    consent: Bool
    contacts: dict[Window, npt.NDArray[np.int64]]
    suppressed: Bool | None
    notes: dict[str, int]
    known: dict[str, Known] = field(default_factory=dict)
    listed: Listed | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return one_line(self._said())

    def _repr_html_(self) -> str:
        return html_table(
            self._said(), ("repaired on reading", "customers"), [(n, f"{c:,}") for n, c in self.notes.items()]
        )

    def _said(self) -> str:
        repaired = f", {len(self.notes)} kinds of repair" if self.notes else ""
        return f"CustomerTable: {len(self):,} customers, {len(self.context.columns)} features{repaired}"

    def to_frame(self) -> pd.DataFrame:
        """One row a customer, with the columns that `read_customers` asks for."""
        columns: dict[str, Any] = {ID: self.ids}
        for feature in self.context.schema.features:
            values = self.context.columns[feature.name]
            columns[feature.name] = self.context.labels(feature.name) if feature.levels else values
        for window, sent in self.contacts.items():
            columns[contact_column(window)] = np.where(sent >= FULL, np.nan, sent)
        columns |= {name: known.to_cells() for name, known in self.known.items()}
        return pd.DataFrame(columns if self.suppressed is None else {**columns, "suppressed": self.suppressed})

    def take(self, rows: Rows) -> CustomerTable:
        """Some of the customers."""
        return replace(
            self,
            ids=self.ids[rows],
            context=self.context.take(rows),
            consent=self.consent[:, rows],
            contacts={window: counts[rows] for window, counts in self.contacts.items()},
            suppressed=None if self.suppressed is None else self.suppressed[rows],
            known={name: known._replace(values=known.values[rows]) for name, known in self.known.items()},
        )


def contact_column(window: Window) -> str:
    """Name of the column that counts sends in a window."""
    channel, days = window
    return f"contacts_{days}d" if channel is None else f"contacts_{channel}_{days}d"


def read_customers(
    source: str | Path | pd.DataFrame | pa.Table,
    schema: FeatureSchema,
    channels: Sequence[str],
    windows: Sequence[Window],
    suppressed: frozenset[str] | None = None,
    *,
    rules: Sequence[RuleColumn] = (),
    least_known: float = LEAST_KNOWN,
    encoding: str | None = None,
    where: str | None = None,
    all_notes: bool = False,
) -> CustomerTable:
    """Customers from a file, a frame or an Arrow table; every bad row and missing column is reported at once.

    schema: the features that policy and rules need; windows: those of the frequency caps; suppressed: ids never to
    be contacted; rules: the columns of other rules; least_known: share of `suppressed` that must be in the table;
    encoding: of a CSV that is not UTF-8; where: what errors call them; all_notes: also those that count nobody, so
    that notes of several tables add up in one order.
    """
    where = where or (str(source) if isinstance(source, str | Path) else TABLE)
    table = arrow_table(source, encoding)
    features = [f.name for f in schema.features if f.name != AT_THE_START]
    asked = [rule.name for rule in rules if rule.needed != "no"]
    _require(where, schema, [ID, *features, *map(contact_column, windows), *asked], table.column_names, rules)
    ids = np.array(as_text(table[ID]).to_pylist(), dtype=object)
    problems = _id_problems(ids, table[ID], where) + _misspelled(table.column_names, rules, where)
    notes: dict[str, int] = {}
    columns: dict[str, npt.NDArray[Any]] = {}
    for feature in schema.features:
        if feature.name not in table.column_names:
            columns[feature.name] = np.full(len(ids), feature.high)
            continue
        values, wrong = _feature(table[feature.name], feature, where, notes)
        columns[feature.name] = values
        problems += wrong
    consent = np.zeros((len(channels), len(ids)), dtype=bool)
    for c, channel in enumerate(channels):
        consent[c] = columns[f"consent_{channel}"] == 1.0
    contacts = {}
    for window in windows:
        name = contact_column(window)
        contacts[window], wrong = counts(table[name], name, where)
        problems += wrong
    known, wrong = read_known(table, rules, where, notes)
    problems += wrong
    barred = None if suppressed is None else listed(ids, suppressed, where, least_known)
    if COLUMN in table.column_names:
        marked, unclear = column_says(table[COLUMN])
        _note(notes, f"{COLUMN}: neither yes nor no, taken as suppressed", unclear)
        barred = marked if barred is None else marked | barred
    if problems:
        raise DataError(problems)
    context = Context(schema, columns, count=len(ids))
    there = Listed.of(suppressed or (), least_known)
    said = notes if all_notes else {text: many for text, many in notes.items() if many}
    return CustomerTable(ids, context, consent, contacts, barred, said, known, there)


def arrow_table(source: str | Path | pd.DataFrame | pa.Table, encoding: str | None = None) -> pa.Table:
    """The customers as Arrow columns, from a file, a frame, or as they are."""
    if isinstance(source, str | Path):
        return read_table(source, encoding=encoding)
    if isinstance(source, pa.Table):
        return source
    try:
        return pa.Table.from_pandas(source, preserve_index=False)
    except (pa.ArrowException, ValueError, TypeError) as wrong:  # mixed kinds in a column, a column twice, no Unicode
        text = " ".join(str(part) for part in wrong.args)
        raise DataError(Problem(TABLE, "frame", text, "one kind of value a column, each column once")) from None


def _require(
    where: str, schema: FeatureSchema, wanted: Sequence[str], present: Sequence[str], rules: Sequence[RuleColumn]
) -> None:
    """DataError that names every column that is not there, with what it should hold."""
    known, meanings = {f.name: f for f in schema.features}, {rule.name: f"It holds: {rule.meaning}." for rule in rules}
    problems = []
    for name in dict.fromkeys(wanted):
        if name not in present:
            feature = known.get(name)
            other = meanings.get(name, "")
            holds = other if feature is None else f"It holds {feature.meaning}: {_values(feature)}."
            problems.append(Problem(where, "column", name, "in the file", f"{nearest(name, present)} {holds}".strip()))
    if problems:
        raise DataError(problems)


def _values(feature: Feature) -> str:
    if feature.levels:
        return "one of " + ", ".join(feature.levels)
    return "1 or 0" if feature.unit == "yes/no" else f"{feature.low:g} to {feature.high:g} {feature.unit}".strip()


def _id_problems(ids: npt.NDArray[np.object_], column: pa.ChunkedArray, where: str) -> list[Problem]:
    twice = pd.Series(ids).duplicated().to_numpy()
    fix = "One row a customer, or the same person is contacted twice."
    problems = row_problems(ids == "", ID, ids, "given", "", where)
    if pa.types.is_floating(column.type):
        exact = 2.0 ** (np.finfo(column.type.to_pandas_dtype()).nmant + 1)  # whole numbers below it are exact
        rounded = np.abs(column.to_numpy()) >= exact
        kept = f"below {exact:.0f}, from where a number loses its last digits"
        problems += row_problems(rounded, ID, ids, kept, "Export ids as text.", where)
    return problems + row_problems(twice, ID, ids, "unique", fix, where)


def _misspelled(names: Sequence[str], rules: Sequence[RuleColumn], where: str) -> list[Problem]:
    """Columns that are called almost as one that only takes away: never to be passed over."""
    return [
        Problem(where, "column", name, f"spelled {right!r}", f"Call it {right}, so that it is heeded, or drop it.")
        for right in (COLUMN, *(rule.name for rule in rules if rule.needed == "no"))
        for name in misspelled(names, right)
    ]


def _feature(
    column: pa.ChunkedArray, feature: Feature, where: str, notes: dict[str, int]
) -> tuple[npt.NDArray[Any], list[Problem]]:
    if feature.levels:
        texts = as_text(column)
        codes = category_codes(texts, feature.levels)
        unheard = (codes == UNKNOWN) & (np.array(texts.to_pylist(), dtype=object) != "")
        _note(notes, f"{feature.name}: level not known to the policy, taken as missing", unheard)
        return codes, []
    values, problems = numbers(column, feature.name, where)
    problems = problems + row_problems(np.isinf(values), feature.name, values, "a finite number", "", where)
    _note(notes, f"{feature.name}: missing", np.isnan(values))
    _note(notes, f"{feature.name}: outside {feature.low:g} to {feature.high:g}, clipped", _outside(values, feature))
    return values, problems


def _outside(values: npt.NDArray[Any], feature: Feature) -> Bool:
    return np.asarray((values < feature.low) | (values > feature.high))


def _note(notes: dict[str, int], text: str, hit: Bool) -> None:
    notes[text] = int(hit.sum())
