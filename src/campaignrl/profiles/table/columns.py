"""The columns of a profiles table: which tag is a number, a yes/no, a category or a date, and its values as arrays.

One row a customer: `customer_id` and a column per tag. A missing number is NaN, a missing category is UNKNOWN. Here:
kinds, checks, arrays. Not here: making tags (tag_set.py), what is done with them (segments.py, population.py). n rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from campaignrl.arrays import Float, Int64
from campaignrl.errors import DataError, Problem, nearest
from campaignrl.features import UNKNOWN, Context, Feature, FeatureSchema
from campaignrl.profiles.table.profile_file import profile_path, read_profiles_file
from campaignrl.specs import LARGEST, Spec
from campaignrl.tables import ID
from campaignrl.tables.files import row_problems

Kind = Literal["number", "yes_no", "category", "date"]

WHERE = "profiles"
SEGMENT = "segment"  # column of the segments that a folder keeps
MOST_LEVELS = 64  # of a category; the rarer ones are one level, OTHER
OTHER = "(other)"
MOST_DECIMALS = 4  # places behind the point at which a number still counts as rounded


class Tag(Spec):
    """One column as it was when a model was fitted to it.

    levels: of a category, the most frequent first; decimals: places behind the point, None where not rounded;
    gaps: whether values were missing.
    """

    name: str
    kind: Kind
    levels: tuple[str, ...] = ()
    decimals: int | None = None
    gaps: bool = False


def read_profiles(path: str | Path, *, encoding: str | None = None) -> pd.DataFrame:
    """A profiles table from Parquet or CSV, or from the folder that holds it; its ids kept as text, checked."""
    frame, _ = read_profiles_file(path, encoding=encoding)
    return check_profiles(frame, str(profile_path(path)))


def check_profiles(profiles: pd.DataFrame, where: str = WHERE) -> pd.DataFrame:
    """The table itself, or a DataError: at least one row, ids given and unique."""
    if ID not in profiles.columns:
        raise DataError(Problem(where, "column", ID, "in the table", nearest(ID, map(str, profiles.columns))))
    if not len(profiles):
        raise DataError(Problem(where, "rows", 0, "at least one customer"))
    ids = np.array(profiles[ID].astype(object).where(profiles[ID].notna(), "").astype(str), dtype=object)
    twice = pd.Series(ids).duplicated().to_numpy()
    problems = row_problems(ids == "", ID, ids, "given", "", where)
    problems += row_problems(twice, ID, ids, "unique", "A profiles table has one row a customer.", where)
    if problems:
        raise DataError(problems)
    return profiles


def tags_of(profiles: pd.DataFrame, names: Sequence[str] | None = None) -> tuple[Tag, ...]:
    """Every column but the id as a Tag, or those of `names`; unknown names are reported at once, with the nearest."""
    present = [str(c) for c in profiles.columns if c != ID]
    wanted = present if names is None else list(dict.fromkeys(names))
    _require(wanted, present)
    tags, problems = [], []
    for name in wanted:
        kind = kind_of(profiles[name])
        if kind is None:
            problems.append(Problem(WHERE, name, _first(profiles[name]), "numbers, texts, yes/no or dates alike"))
            continue
        kind = "yes_no" if kind == "number" and profiles[name].dropna().isin((0, 1)).all() else kind
        tags.append(_tag(profiles, name, kind))
    if problems:
        raise DataError(problems)
    return tuple(tags)


def require_tags(profiles: pd.DataFrame, tags: Sequence[Tag]) -> None:
    """DataError naming every tag that is missing (with the nearest name) or has become of another kind."""
    _require([tag.name for tag in tags], [str(c) for c in profiles.columns if c != ID])
    problems = []
    for tag in tags:
        kind = kind_of(profiles[tag.name])
        numeric = {kind, tag.kind} <= {"number", "yes_no"}
        if kind != tag.kind and not numeric and not profiles[tag.name].isna().all():
            problems.append(Problem(WHERE, tag.name, _first(profiles[tag.name]), f"a {tag.kind} as before"))
    if problems:
        raise DataError(problems)


def numbers_of(profiles: pd.DataFrame, tag: Tag) -> Float:
    """(n,) values of a number, yes/no (1, 0) or date (days since 1970); missing is NaN, infinity is refused."""
    column = profiles[tag.name]
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        days: Float = _epoch_days(column)
        return days
    values: Float = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    problems = row_problems(np.isinf(values), tag.name, values, "a finite number", "", WHERE)
    if problems:
        raise DataError(problems)
    return values


def codes_of(profiles: pd.DataFrame, tag: Tag) -> Int64:
    """(n,) codes into the levels of a category; missing and unheard of are UNKNOWN, unless OTHER is a level."""
    texts = profiles[tag.name].astype(object)
    known = pd.Index(list(tag.levels), dtype=object)
    plain = texts.where(texts.notna(), "").astype(str).astype(object)
    codes: Int64 = known.get_indexer(pd.Index(plain)).astype(np.int64)
    if OTHER in tag.levels:
        given = texts.notna().to_numpy() & (texts.astype(str).to_numpy() != "")
        codes = np.where((codes == UNKNOWN) & given, tag.levels.index(OTHER), codes)
    return codes


def context_of(profiles: pd.DataFrame, tags: Sequence[Tag]) -> Context:
    """The tags as a Context, so that conditions can be answered; numbers beyond single precision are clipped."""
    features, columns = [], {}
    for tag in tags:
        if tag.kind == "category":
            features.append(Feature(name=tag.name, levels=tag.levels))
            columns[tag.name] = codes_of(profiles, tag)
        else:
            features.append(Feature(name=tag.name, low=-LARGEST, high=LARGEST))
            columns[tag.name] = np.clip(numbers_of(profiles, tag), -LARGEST, LARGEST)
    return Context(FeatureSchema(tuple(features)), columns)


def _require(wanted: Sequence[str], present: Sequence[str]) -> None:
    missing = [name for name in dict.fromkeys(wanted) if name not in present]
    if missing:
        raise DataError([Problem(WHERE, "tag", name, "in the table", nearest(name, present)) for name in missing])


def _tag(profiles: pd.DataFrame, name: str, kind: Kind) -> Tag:
    gaps = bool(profiles[name].isna().any())
    if kind == "category":
        texts = profiles[name].dropna().astype(str)
        texts = texts[texts != ""]
        counts = texts.value_counts().sort_index(kind="stable").sort_values(ascending=False, kind="stable")
        levels = [str(level) for level in counts.index]
        if len(levels) > MOST_LEVELS:
            levels = [*(level for level in levels[: MOST_LEVELS - 1] if level != OTHER), OTHER]
        return Tag(name=name, kind=kind, levels=tuple(levels), gaps=len(texts) < len(profiles))
    return Tag(name=name, kind=kind, decimals=_decimals(numbers_of(profiles, Tag(name=name, kind=kind))), gaps=gaps)


def _decimals(values: Float) -> int | None:
    given = values[~np.isnan(values)]
    return next((d for d in range(MOST_DECIMALS + 1) if (given == np.round(given, d)).all()), None)


def kind_of(column: pd.Series[Any]) -> Kind | None:
    """What a column is; None where its values are not alike."""
    dtype = column.dtype
    if pd.api.types.is_bool_dtype(dtype):
        return "yes_no"
    if pd.api.types.is_numeric_dtype(dtype):
        return "number"
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "date"
    seen = pd.api.types.infer_dtype(column, skipna=True)
    known: dict[str, Kind] = {
        "string": "category", "empty": "category", "boolean": "yes_no", "integer": "number", "floating": "number",
        "mixed-integer-float": "number", "decimal": "number", "categorical": "category",
    }  # fmt: skip
    return known.get(seen)


def _epoch_days(column: pd.Series[Any]) -> Float:
    naive = column if getattr(column.dtype, "tz", None) is None else column.dt.tz_convert("UTC").dt.tz_localize(None)
    stamps = naive.to_numpy().astype("datetime64[us]")
    days: Float = np.where(np.isnat(stamps), np.nan, stamps.astype(np.int64) / 86_400e6)
    return days


def _first(column: pd.Series[Any]) -> object:
    given = column.dropna()
    return given.iloc[0] if len(given) else None
