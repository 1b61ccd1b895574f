"""What changed between two dates: the tags, the shares of the segments, and who went where.

Tags: the population stability index (PSI) over ten bins of the earlier date, beside what chance alone would give.
Segments: one segmentation, fitted once, assigns both tables. Not here: fitting segments, pictures (report/).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import special

from campaignrl.arrays import Float, Int64
from campaignrl.errors import DataError, Problem
from campaignrl.profiles.segments.segments import Segmentation
from campaignrl.profiles.table import Tag, check_profiles, codes_of, numbers_of, require_tags, tags_of
from campaignrl.tables import ID

BINS = 10
SMALLEST = 0.5  # customers put into an empty bin, so that the index stays finite
SOME, LARGE = 0.1, 0.25  # the usual marks of the index: some change, a large one
CHANCE = 0.99  # of indices without any change, how many lie below the one called chance
CONFIDENCE = 0.95


class TagDrift(NamedTuple):
    """One tag: its index, the index that chance alone reaches in 1 % of the cases, and a sentence."""

    tag: str
    psi: float
    chance: float
    says: str

    @property
    def changed(self) -> bool:
        """Whether the index is beyond chance and of a size that matters."""
        return self.psi > max(self.chance, SOME)


class ShareDrift(NamedTuple):
    """One segment: its shares, the difference with its interval, and a sentence."""

    segment: str
    before: float
    after: float
    low: float  # 95 % interval of after - before
    high: float
    says: str

    @property
    def changed(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0.0 or self.high < 0.0


class Drift(NamedTuple):
    """Everything that changed. migration[i, j]: customers of both dates who went from segment i to segment j."""

    tags: tuple[TagDrift, ...]
    shares: tuple[ShareDrift, ...]
    names: tuple[str, ...]
    migration: Int64  # (k, k)
    gone: Int64  # (k,) customers of the earlier date alone
    new: Int64  # (k,) customers of the later date alone


def drift(before: pd.DataFrame, after: pd.DataFrame, segmentation: Segmentation) -> Drift:
    """Compare two profiles tables of one business; customers meet by their id."""
    for table in (before, after):
        check_profiles(table)
        require_tags(table, segmentation.tags)
    names = segmentation.names
    codes = [pd.Series(segmentation.codes(t), index=t[ID].astype(str).to_numpy()) for t in (before, after)]
    both = codes[0].index.intersection(codes[1].index)
    k = len(names)
    moved = codes[0].loc[both].to_numpy() * k + codes[1].loc[both].to_numpy()
    migration = np.bincount(moved, minlength=k * k).reshape(k, k).astype(np.int64)
    totals = [np.bincount(c.to_numpy(), minlength=k) for c in codes]
    gone, new = totals[0] - migration.sum(axis=1), totals[1] - migration.sum(axis=0)
    shares = tuple(_share(names, j, totals, migration) for j in range(k))
    return Drift(_tags(before, after), shares, names, migration, gone, new)


def psi(before: Int64, after: Int64) -> tuple[float, float]:
    """Counts by bin at two dates -> the population stability index, and its 99 % quantile where nothing changed.

    Without change the index times n m / (n + m) is about chi-squared with bins - 1 degrees (Yurdakul & Naranjo 2020).
    """
    used = (before + after) > 0
    a, b = np.maximum(before[used], SMALLEST), np.maximum(after[used], SMALLEST)
    p, q = a / a.sum(), b / b.sum()
    index = float(((q - p) * np.log(q / p)).sum())
    scale = 1.0 / max(before.sum(), 1) + 1.0 / max(after.sum(), 1)
    return index, float(scale * 2 * special.gammaincinv(max(int(used.sum()) - 1, 1) / 2, CHANCE))


def _tags(before: pd.DataFrame, after: pd.DataFrame) -> tuple[TagDrift, ...]:
    names = [str(c) for c in before.columns if c != ID and c in after.columns]
    if not names:
        raise DataError(Problem("profiles", "tags", [], "at least one tag that both tables have"))
    tags = [tag for tag in tags_of(before, names) if tag.kind != "date"]  # dates move with the calendar
    require_tags(after, tags)
    return tuple(_tag(before, after, tag) for tag in tags)


def _tag(before: pd.DataFrame, after: pd.DataFrame, tag: Tag) -> TagDrift:
    binned, middle = (_levels if tag.kind == "category" else _tenths)(before, after, tag)
    index, chance = psi(*binned)
    size = "a large change" if index > LARGE else "some change" if index > SOME else "little change"
    size = size if index > chance else "no change beyond chance"
    return TagDrift(tag.name, index, chance, f"{tag.name}: {size} (PSI {index:.2f}; {middle})")


def _levels(before: pd.DataFrame, after: pd.DataFrame, tag: Tag) -> tuple[tuple[Int64, Int64], str]:
    size = len(tag.levels) + 1  # the last: missing, or a level nobody had
    counts = [np.bincount(codes_of(t, tag) % size, minlength=size) for t in (before, after)]
    shares = [c / max(c.sum(), 1) for c in counts]
    most = int(np.argmax(np.abs(shares[1] - shares[0])))
    level = "missing or new" if most == size - 1 else tag.levels[most]
    return (counts[0], counts[1]), f"{level} {100 * shares[0][most]:.1f} % -> {100 * shares[1][most]:.1f} %"


def _tenths(before: pd.DataFrame, after: pd.DataFrame, tag: Tag) -> tuple[tuple[Int64, Int64], str]:
    values = [numbers_of(before, tag), numbers_of(after, tag)]
    given = [v[~np.isnan(v)] for v in values]
    edges: Float = np.zeros(0)
    if len(given[0]):
        edges = np.unique(np.quantile(given[0], np.arange(1, BINS) / BINS, method="inverted_cdf"))
    counts = []
    for value in values:
        bins = np.where(np.isnan(value), len(edges) + 1, np.searchsorted(edges, value, side="left"))
        counts.append(np.bincount(bins, minlength=len(edges) + 2))
    middles = [float(np.median(g)) if len(g) else float("nan") for g in given]
    word = "median"
    if middles[0] == middles[1] and all(map(len, given)):
        middles, word = [float(g.mean()) for g in given], "mean"
    return (counts[0], counts[1]), f"{word} {middles[0]:.4g} -> {middles[1]:.4g}"


def _share(names: Sequence[str], j: int, totals: Sequence[Int64], migration: Int64) -> ShareDrift:
    n, m = int(totals[0].sum()), int(totals[1].sum())
    before, after = float(totals[0][j] / n), float(totals[1][j] / m)
    low, high = share_change(totals, migration, j)
    says = f"{names[j]}: {100 * before:.1f} % -> {100 * after:.1f} % of customers"
    points = f"{100 * (after - before):+.1f} points, 95 % {100 * low:+.1f} to {100 * high:+.1f}"
    moves = [_most("came were", migration[:, j], names, j), _most("left are now", migration[j], names, j)]
    return ShareDrift(names[j], before, after, low, high, "; ".join([f"{says} ({points})", *filter(None, moves)]))


def share_change(totals: Sequence[Int64], migration: Int64, j: int) -> tuple[float, float]:
    """95 % interval of the change of a segment's share; customers of both dates count as pairs.

    The variance of the two shares less twice their covariance, which the customers of both dates make; one customer
    more who came and one who went keeps it from being empty where few or none moved (as Agresti & Min 2005).
    """
    n, m = float(totals[0].sum()), float(totals[1].sum())
    p, q = totals[0][j] / n, totals[1][j] / m
    pairs = float(migration.sum())
    stayed = float(migration[j, j])
    first, second = float(migration[j].sum()), float(migration[:, j].sum())
    covariance = (stayed - first * second / max(pairs, 1.0)) / (n * m)
    variance = p * (1.0 - p) / n + q * (1.0 - q) / m - 2.0 * covariance + 2.0 / (max(n, m) ** 2)
    half = float(special.ndtri(0.5 + CONFIDENCE / 2.0)) * float(np.sqrt(max(variance, 0.0)))
    return float(q - p - half), float(q - p + half)


def _most(verb: str, counts: Int64, names: Sequence[str], j: int) -> str:
    others = counts.copy()
    others[j] = 0
    most = int(np.argmax(others))
    return f"most who {verb} {names[most]} ({others[most]:,})" if others[most] > 0 else ""
