"""What was known at each row of a foreign log: its numbers and categories, with the ranges and levels seen.

Not here: what the mapping may say of them (mapping.py), encoding for a model (features.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pyarrow as pa

from campaignrl.errors import DataError, Problem, nearest
from campaignrl.features import Feature
from campaignrl.tables.files import Converted, as_text, category_codes, numbers, row_problems
from campaignrl.tables.foreign.mapping import ContextPart

MAX_LEVELS = 1_000  # levels of one category; more is an id or free text, not something to learn from


def expanded(part: ContextPart, present: Sequence[str], path: Path) -> ContextPart:
    """The same contexts with every wildcard replaced by the columns it stands for."""
    numeric = _matching(part.numbers, present, path)
    return part.model_copy(update={"numbers": numeric, "categories": _matching(part.categories, present, path)})


def _matching(patterns: Sequence[str], present: Sequence[str], path: Path) -> tuple[str, ...]:
    """Column names as they are, wildcards by what they match, in the order of the file."""
    found: dict[str, None] = {}
    for pattern in patterns:
        if pattern in present or not set(pattern) & set("*?["):
            found[pattern] = None  # a missing one is reported together with the others
            continue
        matched = [name for name in present if fnmatchcase(name, pattern)]
        if not matched:
            fix = nearest(pattern, present)
            raise DataError(Problem(str(path), "contexts", pattern, "a pattern that any column matches", fix))
        found |= dict.fromkeys(matched)
    return tuple(found)


def number_feature(table: pa.Table, name: str, part: ContextPart, where: str) -> tuple[Feature, Converted]:
    """A number of the context; its range is what the log holds."""
    values, problems = numbers(table[name], name, where)
    problems = problems + row_problems(np.isinf(values), name, values, "a finite number", "", where)
    seen = values[np.isfinite(values)]
    low, high = (float(seen.min()), float(seen.max())) if len(seen) else (0.0, 1.0)
    log = name in part.log
    if log and low < 0.0:
        problems += row_problems(values < 0.0, name, values, "at least 0, as its log scale asks", "", where)
        log = False
    feature = Feature(
        name=name,
        unit=part.units.get(name, ""),
        low=low,
        high=high if high > low else low + 1.0,
        log=log,
        nullable=bool(np.isnan(values).any()),
    )
    return feature, Converted(values, problems)


def category_feature(table: pa.Table, name: str, where: str) -> tuple[Feature, Converted]:
    """A category of the context; its levels are the texts that the log holds, an empty cell is missing."""
    texts = as_text(table[name])
    levels = sorted(set(texts.unique().to_pylist()) - {""})
    problems = []
    if len(levels) > MAX_LEVELS:
        problems.append(Problem(where, name, f"{len(levels)} levels", f"a category of at most {MAX_LEVELS} levels"))
        levels = levels[:MAX_LEVELS]
    feature = Feature(name=name, levels=tuple(levels) or ("",))
    return feature, Converted(category_codes(texts, levels), problems)
