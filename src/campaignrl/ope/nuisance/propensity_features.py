"""What may have driven a logging policy's choice, as columns: contexts, wave and day, and squares and products of them.

Numbers have spread 1 around 0, as far as a log shows, so that one penalty suits all. Not here: the regression on them
(propensity_model.py). n rows, d columns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from campaignrl.arrays import Array, Float, Int
from campaignrl.features import Rows
from campaignrl.tables.log import DecisionLog

MOST_WAVES = 24  # that have a column of their own, the largest; the others share none
STRETCHES = 8  # of days
MOST_SQUARED = 16  # columns at most whose squares and products are taken
LOOKED_AT = 20_000  # rows that the spread is read off


@dataclass(frozen=True)
class Columns:
    """The columns of a log's rows, made block by block."""

    log: DecisionLog
    waves: Int  # (w,) with a column each
    edges: Int  # (s,) days at which stretches end
    middle: Float  # (d,)
    spread: Float
    with_products: bool = False

    @classmethod
    def of(cls, log: DecisionLog) -> Columns:
        """Contexts, and wave and day where they differ between rows."""
        found = cls(log, _waves(log), _edges(log), np.zeros(0), np.ones(0))
        some = found.plain(slice(None, None, -(-len(log) // LOOKED_AT)) if len(log) else slice(0))
        spread = some.std(axis=0) if len(some) else np.ones(some.shape[1])
        middle = some.mean(axis=0) if len(some) else np.zeros(some.shape[1])
        return replace(found, middle=middle, spread=np.where(spread > 1e-9, spread, 1.0))

    @property
    def may_be_squared(self) -> bool:
        """Whether there are few enough columns."""
        return 0 < len(self.middle) <= MOST_SQUARED

    @property
    def squared_width(self) -> int:
        """How many columns there are with squares and products."""
        d = len(self.middle)
        return d + d * (d + 1) // 2

    def squared(self) -> Columns:
        """The same with squares and products."""
        return replace(self, with_products=True)

    def plain(self, rows: Rows) -> Float:
        """(m, d) as they are."""
        log = self.log
        parts: list[Array] = [log.context.take(rows).encode().astype(np.float64)]
        if log.wave is not None and len(self.waves):
            parts.append((log.wave[rows][:, None] == self.waves).astype(np.float64))
        if len(self.edges):
            day = np.asarray(log.day[rows])
            parts += [day[:, None].astype(np.float64), (day[:, None] > self.edges).astype(np.float64)]
        return np.concatenate(parts, axis=1)

    def take(self, rows: Rows) -> Float:
        """(m, d) of spread 1, with squares and products if asked for."""
        X = (self.plain(rows) - self.middle) / self.spread
        if not self.with_products:
            return X
        i, j = np.triu_indices(X.shape[1])
        return np.concatenate([X, X[:, i] * X[:, j]], axis=1)


def _waves(log: DecisionLog) -> Int:
    if log.wave is None:
        return np.zeros(0, dtype=np.int64)
    values, counts = np.unique(log.wave, return_counts=True)
    if len(values) < 2:
        return np.zeros(0, dtype=np.int64)
    return np.asarray(np.sort(values[np.argsort(-counts, kind="stable")[:MOST_WAVES]]), dtype=np.int64)


def _edges(log: DecisionLog) -> Int:
    day = np.asarray(log.day)
    if not len(day) or day.min() == day.max():
        return np.zeros(0, dtype=np.int64)
    edges = np.unique(np.quantile(day, np.arange(1, STRETCHES) / STRETCHES, method="inverted_cdf"))
    return np.asarray(edges[edges < day.max()], dtype=np.int64)
