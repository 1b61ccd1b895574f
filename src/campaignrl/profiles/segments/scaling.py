"""Tags -> the space in which customers are compared: logs of skewed numbers, standardised; categories one-hot.

Every tag weighs about the same: a number has standard deviation 1, the columns of a category have together the
variance 1. The scaling is fitted once and stored, so that later customers meet the same space. Not here: what finds
groups in it (clustering.py). n customers, d columns.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from campaignrl.arrays import Float
from campaignrl.profiles.table import Tag, codes_of, numbers_of
from campaignrl.specs import Spec

SKEWED = 1.0  # a non-negative number more skewed than this is compared on a log scale
FARTHEST = 4.0  # standard deviations; beyond them a customer is no farther away, so that outliers own no segment


class ScaledTag(Spec):
    """How one tag enters the space. A constant tag has spread 0 and no column."""

    tag: Tag
    log: bool = False
    centre: float = 0.0
    spread: float = 1.0
    shares: tuple[float, ...] = ()  # of the levels of a category
    weight: float = 1.0  # of a category's columns, and of the column that marks a missing number

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of its columns in the space."""
        if self.tag.kind == "category":
            return tuple(f"{self.tag.name}={level}" for level in self.tag.levels) if self.weight > 0 else ()
        value = (self.tag.name,) if self.spread > 0 else ()
        return (*value, f"{self.tag.name}?") if self.weight > 0 and self.tag.gaps else value


def fit_scale(profiles: pd.DataFrame, tags: Sequence[Tag]) -> tuple[ScaledTag, ...]:
    """One ScaledTag per tag, from these customers."""
    return tuple(_category(profiles, t) if t.kind == "category" else _number(profiles, t) for t in tags)


def scaled(profiles: pd.DataFrame, scale: Sequence[ScaledTag]) -> Float:
    """(n, d) customers in the space of `scale`. A missing number stands at the centre, and is marked."""
    columns: list[Float] = []
    for part in scale:
        columns += _one_hot(profiles, part) if part.tag.kind == "category" else _standard(profiles, part)
    return np.column_stack(columns) if columns else np.zeros((len(profiles), 0))


def _category(profiles: pd.DataFrame, tag: Tag) -> ScaledTag:
    codes = codes_of(profiles, tag)
    shares = np.bincount(codes[codes >= 0], minlength=len(tag.levels)) / max(len(codes), 1)
    variance = float((shares * (1.0 - shares)).sum())
    return ScaledTag(tag=tag, shares=tuple(shares.tolist()), weight=1.0 / np.sqrt(variance) if variance > 0 else 0.0)


def _number(profiles: pd.DataFrame, tag: Tag) -> ScaledTag:
    values = numbers_of(profiles, tag)
    given = values[~np.isnan(values)]
    missing = 1.0 - len(given) / len(values)
    weight = 1.0 / np.sqrt(missing * (1.0 - missing)) if 0.0 < missing < 1.0 else 0.0
    log = bool(len(given) and given.min() >= 0.0 and _skew(given) > SKEWED)
    given = np.log1p(given) if log else given
    centre, spread = (float(given.mean()), float(given.std())) if len(given) else (0.0, 0.0)
    tiny = 1e-12 * max(abs(centre), 1.0)  # what rounding leaves of a constant
    return ScaledTag(tag=tag, log=log, centre=centre, spread=spread if spread > tiny else 0.0, weight=weight)


def _skew(values: Float) -> float:
    away = values - values.mean()
    deviation = float(np.sqrt((away**2).mean()))
    return float(((away / deviation) ** 3).mean()) if deviation > 0 else 0.0


def _one_hot(profiles: pd.DataFrame, part: ScaledTag) -> list[Float]:
    if not part.columns:
        return []
    codes = codes_of(profiles, part.tag)
    return [part.weight * ((codes == j) - share) for j, share in enumerate(part.shares)]


def _standard(profiles: pd.DataFrame, part: ScaledTag) -> list[Float]:
    values = numbers_of(profiles, part.tag)
    missing = np.isnan(values)
    columns = []
    if part.spread > 0:
        raw = np.log1p(np.maximum(values, 0.0)) if part.log else values
        away = np.clip((raw - part.centre) / part.spread, -FARTHEST, FARTHEST)
        columns.append(np.where(missing, 0.0, away))
    if part.weight > 0 and part.tag.gaps:
        columns.append(np.minimum(part.weight, FARTHEST) * missing)
    return columns
