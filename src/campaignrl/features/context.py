"""The one feature schema: name, unit, range and meaning of everything a policy may see.

Tables, logs and rules hold raw values in their units; `Context.encode` turns them into the numbers that
linear models and networks read. Features meet by name, never by position. Here: schema, context.
Not here: the arithmetic of encoding (encoding.py), where values come from (dynamics/observe.py for simulated
customers, tables/ for files).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Float32, Objects
from campaignrl.errors import DataError, Problem, SpecError, nearest
from campaignrl.features.encoding import Arrays, Encoding, Numbers, encode_columns, encode_rows, encoding
from campaignrl.features.feature import UNKNOWN, Feature

Columns = Mapping[str, npt.NDArray[Any]]
Rows = slice | npt.NDArray[Any]
FEW = 128  # customers of whom it is kept what was made of them
MANY = 4_096  # rows, from which on it pays to lay their numbers side by side


@dataclass(frozen=True)
class FeatureSchema:
    """An ordered list of features; what a policy was made for and what a log holds."""

    features: tuple[Feature, ...]

    def __post_init__(self) -> None:
        names = self.names
        twice = sorted(n for n, times in Counter(names).items() if times > 1)
        if twice:
            raise SpecError([Problem("features", "name", n, "named once") for n in twice])

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Feature names in order."""
        return tuple(f.name for f in self.features)

    @property
    def encoded(self) -> tuple[str, ...]:
        """Names of the encoded columns, in order."""
        return tuple(name for f in self.features for name in f.encoded)

    @cached_property
    def width(self) -> int:
        """Number of encoded columns, D."""
        return sum(len(f.encoded) for f in self.features)

    @cached_property
    def encoding(self) -> Encoding:
        """The tables that `Context.encode` works from."""
        return encoding(self.features)

    @cached_property
    def texts(self) -> dict[str, Objects]:
        """Levels of each category as texts by code, the last "" of what is missing."""
        return {f.name: np.array([*f.levels, ""], dtype=object) for f in self.features}

    @cached_property
    def _by_name(self) -> dict[str, Feature]:
        return {feature.name: feature for feature in self.features}

    def __getitem__(self, name: str) -> Feature:
        if name in self._by_name:
            return self._by_name[name]
        raise DataError(Problem("features", "name", name, "a feature of this schema", nearest(name, self.names)))

    def to_list(self) -> list[dict[str, Any]]:
        """Plain JSON types; `from_list` is its inverse."""
        return [asdict(f) for f in self.features]

    @classmethod
    def from_list(cls, data: Sequence[Mapping[str, Any]]) -> FeatureSchema:
        """Rebuild a schema from `to_list`; anything else is a SpecError."""
        try:
            return cls(tuple(Feature(**{**d, "levels": tuple(d["levels"])}) for d in data))
        except (KeyError, TypeError) as wrong:
            raise SpecError(Problem("features", "content", str(wrong), "a schema as campaignrl writes it")) from None


@dataclass(frozen=True, slots=True)
class Context:
    """What is known of n customers at a decision: raw columns by feature name.

    A number column is a float array in the feature's unit (NaN: missing); a category column an integer
    array of level codes (UNKNOWN: missing or unheard of). `beside`: all number columns are the rows of this array, in
    the order of the schema's encoding, where who made them laid them out so; it saves the encoding a copy of each.
    count: how many customers there are where nothing is known of them, so that no column can tell.
    """

    schema: FeatureSchema
    columns: Columns
    beside: Float32 | None = None
    count: int = 0
    _kept: dict[int, tuple[FeatureSchema, Float32]] | None = field(default=None, init=False, compare=False, repr=False)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else self.count

    def take(self, rows: Rows) -> Context:
        """The same columns for some rows; a slice copies nothing."""
        if self.beside is not None:
            beside = _of_rows(self.beside, rows)
            columns = dict(zip(self.schema.encoding.row, beside, strict=True))
            columns |= {name: _of_rows(c, rows) for name, c in self.columns.items() if name not in columns}
            columns = {name: columns[name] for name in self.columns}
            return Context(self.schema, columns, beside)
        if self.columns and isinstance(rows, np.ndarray) and len(rows) >= MANY and rows.dtype.kind == "i":
            return self._gathered(rows)
        columns = {name: column[rows] for name, column in self.columns.items()}
        return Context(self.schema, columns, None, self.count if columns else _how_many(rows, self.count))

    def _gathered(self, rows: npt.NDArray[Any]) -> Context:
        """Many rows by number: the numbers, in single precision, beside each other, where they are encoded from."""
        numbers = self.schema.encoding.row
        columns = {name: column for name, column in self.columns.items() if name not in numbers}
        given = [self.columns[name] for name in numbers if name in self.columns]
        if len(given) < len(numbers) or not given or {column.dtype for column in given} != {np.dtype(np.float32)}:
            return Context(self.schema, {name: column.take(rows) for name, column in self.columns.items()})
        beside = np.empty((len(numbers), len(rows)), dtype=np.float32)
        for column, to in zip(given, beside, strict=True):
            to[:] = column.take(rows)
        taken = dict(zip(numbers, beside, strict=True)) | {name: c.take(rows) for name, c in columns.items()}
        return Context(self.schema, {name: taken[name] for name in self.columns}, beside)

    def labels(self, name: str) -> npt.NDArray[np.object_]:
        """(n,) text of a category column; missing is ""."""
        return self.schema.texts[self.schema[name].name][self.columns[name]]

    def to_schema(self, schema: FeatureSchema) -> Context:
        """The features of `schema` alone, categories in its level codes; matched by name, levels too."""
        self._require(schema)
        return Context(schema, {feature.name: self._codes(feature) for feature in schema.features}, count=len(self))

    def encode(self, schema: FeatureSchema | None = None, out: Float32 | None = None) -> Float32:
        """(n, D) float32 for `schema` (default: its own), into `out` if given. Features and levels meet by name."""
        target = schema or self.schema
        encoded = np.empty((len(self), target.width), dtype=np.float32) if out is None else out
        encode_rows(target.encoding, *self._values(target), encoded)
        return encoded

    def encode_columns(self, schema: FeatureSchema, out: Float32, roughly: bool = False) -> None:
        """Write what `encode` gives turned round, (D, n), into `out`; roughly: within the `rough` of its encoding."""
        encode_columns(schema.encoding, *self._values(schema), out, roughly)

    def once(self, schema: FeatureSchema, make: Callable[[Context, FeatureSchema], Float32]) -> Float32:
        """What `make` gives of it and a schema; of few customers once, where it keeps it, and not to be written on."""
        if self._kept is None or len(self) > FEW:
            return make(self, schema)
        if id(schema) not in self._kept:
            self._kept[id(schema)] = schema, make(self, schema)
            self._kept[id(schema)][1].flags.writeable = False
        return self._kept[id(schema)][1]

    def keeping(self) -> Context:
        """The same for who changes no column any more: what is made of it `once` is kept for who asks again."""
        found = Context(self.schema, self.columns, self.beside, self.count)
        object.__setattr__(found, "_kept", {})
        return found

    def _values(self, target: FeatureSchema) -> tuple[Numbers, Arrays]:
        """Numbers and columns of codes in the order of `target.encoding`."""
        tables = target.encoding
        if self.beside is not None and tables is self.schema.encoding:
            return self.beside, [self.columns[f.name] for f in tables.categories]
        if target is not self.schema or any(name not in self.columns for name in target.names):
            self._require(target)
        return [self.columns[f.name] for f in tables.numbers], [self._codes(f) for f in tables.categories]

    def _codes(self, feature: Feature) -> npt.NDArray[Any]:
        own = self.schema[feature.name]
        values = self.columns[feature.name]
        if own.levels == feature.levels:
            return values
        at = {level: j for j, level in enumerate(feature.levels)}
        return np.array([*(at.get(level, UNKNOWN) for level in own.levels), UNKNOWN])[values]

    def _require(self, target: FeatureSchema) -> None:
        problems = []
        for feature in target.features:
            if feature.name not in self.columns:
                fix = nearest(feature.name, self.columns)
                problems.append(Problem("context", "columns", feature.name, "present", fix or "Add the column."))
            elif bool(self.schema[feature.name].levels) != bool(feature.levels):
                kind = "a category" if feature.levels else "a number"
                problems.append(Problem("context", feature.name, self.schema[feature.name].levels, f"{kind} here"))
        if problems:
            raise DataError(problems)


def _of_rows(values: npt.NDArray[Any], rows: Rows) -> npt.NDArray[Any]:
    """(..., m) of (..., n); numbers of rows are taken, thrice as fast as by an index."""
    if isinstance(rows, np.ndarray) and rows.dtype != bool:
        return values.take(rows, axis=-1)
    return values[..., rows]


def _how_many(rows: Rows, count: int) -> int:
    """How many of `count` rows a slice, a list of rows or a truth value for each of them takes."""
    if isinstance(rows, slice):
        return len(range(*rows.indices(count)))
    return int(rows.sum()) if rows.dtype == bool else len(rows)
