"""The customers table: what is known of real customers on the morning of a decision.

One row a customer: `customer_id`, a column per feature in its own unit, and for every frequency cap the sends so far
in the window that ends today (`contacts_7d`, `contacts_sms_7d`). Consent that is not known is no consent, a contact
count that is not known is a full one. Not here: what the guard makes of it (guard/), decision logs (whole_files.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
from campaignrl.tables.suppression import COLUMN, LEAST_KNOWN, column_says, listed, misspelled

Window = tuple[str | None, int]  # (channel or None for all, days that end today)

TABLE = "customers"
ID = "customer_id"
FULL = 1 << 53  # sends; what an unknown contact count stands for, above any cap
AT_THE_START = "days_to_go"  # a campaign feature: where the table has no such column, the campaign begins


@dataclass(frozen=True)
class CustomerTable:
    """n customers in the order of their file.

    consent: (c, n) known permission; contacts: (n,) sends so far by window; suppressed: (n,) on the suppression
    list, None where there is no such list; notes: what was repaired on reading, counted.
    """

    ids: npt.NDArray[np.object_]
    context: Context
    consent: Bool
    contacts: dict[Window, npt.NDArray[np.int64]]
    suppressed: Bool | None
    notes: dict[str, int]

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
        for window, counts in self.contacts.items():
            columns[contact_column(window)] = np.where(counts >= FULL, np.nan, counts)
        return pd.DataFrame(columns if self.suppressed is None else {**columns, "suppressed": self.suppressed})

    def take(self, rows: Rows) -> CustomerTable:
        """Some of the customers."""
        return CustomerTable(
            self.ids[rows],
            self.context.take(rows),
            self.consent[:, rows],
            {window: counts[rows] for window, counts in self.contacts.items()},
            None if self.suppressed is None else self.suppressed[rows],
            self.notes,
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
    least_known: float = LEAST_KNOWN,
    encoding: str | None = None,
) -> CustomerTable:
    """Customers from a file, a frame or an Arrow table; every bad row and missing column is reported at once.

    schema: the features that policy and rules need; windows: those of the frequency caps; suppressed: ids never to
    be contacted; least_known: share of them that must be in the table; encoding: of a CSV that is not UTF-8.
    """
    where = str(source) if isinstance(source, str | Path) else TABLE
    table = arrow_table(source, encoding)
    features = [f.name for f in schema.features if f.name != AT_THE_START]
    _require(where, schema, [ID, *features, *map(contact_column, windows)], table.column_names)
    ids = np.array(as_text(table[ID]).to_pylist(), dtype=object)
    problems = _id_problems(ids, table[ID], where) + _misspelled(table.column_names, where)
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
        contacts[window], wrong = _counts(table[contact_column(window)], window, where)
        problems += wrong
    barred = None if suppressed is None else listed(ids, suppressed, where, least_known)
    if COLUMN in table.column_names:
        marked, unclear = column_says(table[COLUMN])
        _note(notes, f"{COLUMN}: neither yes nor no, taken as suppressed", unclear)
        barred = marked if barred is None else marked | barred
    if problems:
        raise DataError(problems)
    return CustomerTable(ids, Context(schema, columns, count=len(ids)), consent, contacts, barred, notes)


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


def _require(where: str, schema: FeatureSchema, wanted: Sequence[str], present: Sequence[str]) -> None:
    """DataError that names every column that is not there, with what it should hold."""
    known = {f.name: f for f in schema.features}
    problems = []
    for name in dict.fromkeys(wanted):
        if name not in present:
            feature = known.get(name)
            holds = "" if feature is None else f"It holds {feature.meaning}: {_values(feature)}."
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


def _misspelled(names: Sequence[str], where: str) -> list[Problem]:
    fix = f"Call it {COLUMN}, so that nobody on it is contacted, or drop it."
    return [Problem(where, "column", name, f"spelled {COLUMN!r}", fix) for name in misspelled(names)]


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
    if hit.any():
        notes[text] = int(hit.sum())


def _counts(column: pa.ChunkedArray, window: Window, where: str) -> tuple[npt.NDArray[np.int64], list[Problem]]:
    name = contact_column(window)
    values, problems = numbers(column, name, where)
    broken = (values < 0) | (values != np.floor(values)) & ~np.isnan(values)
    problems = problems + row_problems(broken, name, values, "a whole number of at least 0", "", where)
    return np.where(np.isnan(values), FULL, np.clip(values, 0, FULL)).astype(np.int64), problems
