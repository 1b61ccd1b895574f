"""The one feature schema: name, unit, range and meaning of everything a policy may see.

Tables, logs and rules hold raw values in their units; `Context.encode` turns them into the numbers that
linear models and networks read. Features meet by name, never by position. Here: schema, context, encoding.
Not here: where values come from (dynamics/observe.py for simulated customers, tables/ for files).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.errors import DataError, Problem, SpecError, nearest

Float32 = npt.NDArray[np.float32]
Int = npt.NDArray[np.integer[Any]]
Arrays = list[npt.NDArray[Any]]
Columns = Mapping[str, npt.NDArray[Any]]
Rows = slice | npt.NDArray[Any]

ENCODED_AT_ONCE = 1 << 18  # numbers; rows are encoded in blocks of about so many, which stay in the cache
UNKNOWN = -1  # code of a category value outside the levels, or missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One thing a policy may see.

    A number has a finite range [low, high] in its unit and is clipped to it; a category has levels.
    log: encode by log1p, for counts and money whose small values matter most (needs low >= 0).
    nullable: the value may be missing (NaN), which adds a 0/1 column of its own.
    """

    name: str
    unit: str = ""
    meaning: str = ""
    low: float = 0.0
    high: float = 1.0
    levels: tuple[str, ...] = ()
    log: bool = False
    nullable: bool = False

    def __post_init__(self) -> None:
        if not self.levels and not (np.isfinite([self.low, self.high]).all() and self.low < self.high):
            raise SpecError(Problem(f"feature {self.name}", "range", (self.low, self.high), "finite with low < high"))
        if self.log and self.low < 0:
            raise SpecError(Problem(f"feature {self.name}", "low", self.low, "at least 0 for a log feature"))

    @property
    def encoded(self) -> tuple[str, ...]:
        """Names of the encoded columns of this feature."""
        if self.levels:
            return tuple(f"{self.name}={level}" for level in self.levels)
        return (self.name, f"{self.name}?") if self.nullable else (self.name,)


class Encoding(NamedTuple):
    """A schema as tables for `Context.encode`: D encoded columns, F numbers (log ones first), L levels in all."""

    numbers: tuple[Feature, ...]  # F
    logs: int  # how many of them are log features
    low: Float32  # (F, 1) range in the unit
    high: Float32  # (F, 1)
    base: Float32  # (F, 1) what encodes to 0, after the log
    span: Float32  # (F, 1) how far from it encodes to 1
    number_at: Int  # (F,) encoded column
    nullable: Int  # which of the numbers may be missing
    categories: tuple[Feature, ...]
    category_of: Int  # (L,) index into categories
    code_of: Int  # (L, 1) code of the level within its category
    level_at: Int  # (L,) encoded column


def encoding(features: Sequence[Feature]) -> Encoding:
    """The tables of a list of features."""
    at = dict(zip((f.name for f in features), np.cumsum([0, *(len(f.encoded) for f in features)]), strict=False))
    numbers = sorted((f for f in features if not f.levels), key=lambda f: not f.log)
    ends = [(np.log1p(f.low), np.log1p(f.high)) if f.log else (f.low, f.high) for f in numbers]
    categories = [f for f in features if f.levels]
    levels = [(c, j, at[f.name] + j) for c, f in enumerate(categories) for j in range(len(f.levels))]

    def column(values: list[Any], dtype: Any = np.float32) -> npt.NDArray[Any]:
        return np.array(values, dtype=dtype).reshape(-1, 1)

    return Encoding(
        numbers=tuple(numbers),
        logs=sum(f.log for f in numbers),
        low=column([f.low for f in numbers]),
        high=column([f.high for f in numbers]),
        base=column([low for low, _ in ends]),
        span=column([high - low for low, high in ends]),
        number_at=np.array([at[f.name] for f in numbers], dtype=np.intp),
        nullable=np.array([i for i, f in enumerate(numbers) if f.nullable], dtype=np.intp),
        categories=tuple(categories),
        category_of=np.array([c for c, _, _ in levels], dtype=np.intp),
        code_of=column([j for _, j, _ in levels], np.int16 if len(levels) < 2**15 else np.int64),
        level_at=np.array([column for _, _, column in levels], dtype=np.intp),
    )


@dataclass(frozen=True)
class FeatureSchema:
    """An ordered list of features; what a policy was made for and what a log holds."""

    features: tuple[Feature, ...]

    def __post_init__(self) -> None:
        names = self.names
        twice = sorted({n for n in names if names.count(n) > 1})
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
    array of level codes (UNKNOWN: missing or unheard of).
    """

    schema: FeatureSchema
    columns: Columns

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def take(self, rows: Rows) -> Context:
        """The same columns for some rows; a slice copies nothing."""
        return Context(self.schema, {name: column[rows] for name, column in self.columns.items()})

    def labels(self, name: str) -> npt.NDArray[np.object_]:
        """(n,) text of a category column; missing is ""."""
        levels = np.array([*self.schema[name].levels, ""], dtype=object)
        return levels[self.columns[name]]

    def to_schema(self, schema: FeatureSchema) -> Context:
        """The features of `schema` alone, categories in its level codes; matched by name, levels too."""
        self._require(schema)
        return Context(schema, {feature.name: self._codes(feature) for feature in schema.features})

    def encode(self, schema: FeatureSchema | None = None, out: Float32 | None = None) -> Float32:
        """(n, D) float32 for `schema` (default: its own), into `out` if given. Features and levels meet by name."""
        target = schema or self.schema
        if target is not self.schema or any(name not in self.columns for name in target.names):
            self._require(target)
        n, tables = len(self), target.encoding
        numbers = [self.columns[feature.name] for feature in tables.numbers]
        codes = [self._codes(feature) for feature in tables.categories]
        encoded = np.empty((n, target.width), dtype=np.float32) if out is None else out
        rows = max(64, ENCODED_AT_ONCE // max(target.width, 1))
        for part in (slice(i, i + rows) for i in range(0, n, rows)):
            _encode_rows(tables, [x[part] for x in numbers], [c[part] for c in codes], encoded[part])
        return encoded

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


def _encode_rows(
    tables: Encoding, numbers: list[npt.NDArray[Any]], codes: list[npt.NDArray[Any]], out: Float32
) -> None:
    """Write the encoded columns of a few rows, out (m, D): numbers to [0, 1], categories to 0/1.

    Works column by column on contiguous rows of a scratch and turns it round at the end, which is several times
    faster than writing every D-th number of `out`.
    """
    scratch = np.zeros((out.shape[1], len(out)), dtype=np.float32)
    if numbers:
        x = np.empty((len(numbers), len(out)), dtype=np.float32)
        for row, feature, values in zip(x, tables.numbers, numbers, strict=True):
            # Wider numbers are clipped before they become single precision, which they might not fit.
            row[:] = values if values.dtype == np.float32 else np.clip(values, feature.low, feature.high)
        if len(tables.nullable):
            scratch[tables.number_at[tables.nullable] + 1] = np.isnan(x[tables.nullable])
        np.maximum(x, tables.low, out=x)  # three times as fast as clip when the ends differ by row
        np.minimum(x, tables.high, out=x)
        np.log1p(x[: tables.logs], out=x[: tables.logs])
        x -= tables.base
        x /= tables.span
        np.minimum(x, np.float32(1.0), out=x)  # rounding may pass 1
        scratch[tables.number_at] = np.fmax(x, np.float32(0.0), out=x)  # missing becomes 0
    if codes:
        code = np.empty((len(codes), len(out)), dtype=tables.code_of.dtype)
        for c, values in enumerate(codes):
            code[c] = values
        scratch[tables.level_at] = code[tables.category_of] == tables.code_of
    out[:] = scratch.T
