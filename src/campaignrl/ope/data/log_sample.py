"""Some rows of a log, spread evenly over it, that checks look at: as good as all of them, at a cost that is bounded.

Rows are taken in windows by their place in the log alone, so that a log in memory and the same log read in pieces give
the same rows; those of the pieces are joined in order. Here: which rows, what is kept of them, and what a policy would
do there, noted while it is asked anyway. Not here: what is looked for in them (diagnostics/). n rows, m of the sample,
k actions.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from campaignrl.arrays import Array, Bool, Float, Float32, Rows
from campaignrl.features import FeatureSchema
from campaignrl.ope.data.target_policy import TargetPolicy
from campaignrl.tables.log import DecisionLog

WINDOW = 256  # rows that stand together: most of a customer's rows, where they do
LEAST, SHARE, MOST = 1 << 14, 32, 1 << 18  # rows: all of a small log, one in so many of a large one, never more


class LogSample(NamedTuple):
    """m rows; `wanted` (m, k) is what the valued policy would do there, None of the logging policy itself."""

    schema: FeatureSchema
    customer: Array  # (m,) whole numbers that differ where customers do
    action: Array
    propensity: Float
    reward: Float
    eligible: Bool | None
    columns: Mapping[str, Array]
    wave: Array | None
    day: Array | None
    wanted: Float32 | None
    gain: Float | None = (
        None  # (3, m) residuals, weights and terms of the lift; where rows are not held also the value's
    )

    @classmethod
    def of(cls, log: DecisionLog, at: Rows, customer: Array, wanted: Float32 | None) -> LogSample:
        """Rows `at` of a log. customer: of these rows."""

        def of(column: Array) -> Array:
            return column if len(at) == len(log) else column.take(at, axis=0)

        return cls(
            log.context.schema, customer, of(log.action), of(log.propensity), of(log.reward),
            None if log.eligible is None else of(log.eligible),
            {name: of(column) for name, column in log.context.columns.items()},
            None if log.wave is None else of(log.wave), of(log.day), wanted,
        )  # fmt: skip

    def as_done(self) -> Float32:
        """(m,) what the policy would do of what was done."""
        assert self.wanted is not None
        place = np.asarray(self.action, dtype=np.intp)
        # An action's numbers stand together, `Noted`: picked out of a flat array at a third of the time.
        return np.asarray(self.wanted.T.ravel().take(place * len(place) + np.arange(len(place))))


def sampled(first: int, count: int, rows: int) -> Rows:
    """Places, counted from `first`, of those of `count` rows that belong to the sample of a log of `rows`."""
    share = min(max(LEAST, rows // SHARE), MOST) / max(rows, 1)
    if share >= 1.0:
        return np.arange(count)
    window = np.arange(first // WINDOW, (first + count - 1) // WINDOW + 1 if count else first // WINDOW)
    kept = window[np.floor((window + 1) * share) > np.floor(window * share)]
    at: Rows = (kept[:, None] * WINDOW + (np.arange(WINDOW) - first)).ravel()
    if len(at) and at[0] >= 0 and at[-1] < count:
        return at
    return np.asarray(at[(at >= 0) & (at < count)], dtype=np.intp)


def sampled_of_kept(matured: Bool) -> Rows:
    """Places, among the rows that are kept, of those in the sample of the whole log."""
    at = sampled(0, len(matured), len(matured))
    if matured.all():
        return at
    return np.asarray(np.cumsum(matured) - 1)[at[matured[at]]]


class Noted:
    """What a policy would do at some rows, written down while it is asked about blocks of all of them."""

    def __init__(self, at: Rows, k: int) -> None:
        """at: (m,) rows, ascending; most follow each other."""
        # An action's numbers stand together, for it is they that are added up.
        self.wanted: Float32 = np.zeros((k, len(at)), dtype=np.float32).T  # (m, k)
        first = np.flatnonzero(np.diff(at, prepend=-2) != 1)  # of rows that follow each other
        self._places = [*first.tolist(), len(at)]
        self._begins = at[first].tolist()

    def take(self, p: Array, rows: slice) -> None:
        """Write the rows of `p`, a block's probabilities; what has no such shape is left alone."""
        if p.shape != (rows.stop - rows.start, self.wanted.shape[1]):
            return
        for i in range(max(bisect_right(self._begins, rows.start) - 1, 0), bisect_left(self._begins, rows.stop)):
            begin, place = self._begins[i], self._places[i]
            start, stop = max(begin, rows.start), min(begin + self._places[i + 1] - place, rows.stop)
            if start < stop:
                self.wanted[place + start - begin : place + stop - begin] = p[start - rows.start : stop - rows.start]


def noted(target: TargetPolicy, at: Rows, k: int) -> tuple[TargetPolicy, Float32 | None]:
    """The same target, whose answers at rows `at`, ascending, are written down when blocks of rows are asked for."""
    answer = target.answer
    if answer is None:
        return target, None
    kept = Noted(at, k)

    def listened(rows: slice) -> Array:
        p = np.asarray(answer(rows))
        kept.take(p, rows)
        return p

    return replace(target, answer=listened), kept.wanted


def joined_samples(parts: Sequence[LogSample]) -> LogSample | None:
    """The sample of a whole log from those of its parts, in order; None where there are none."""
    if len(parts) < 2:
        return parts[0] if parts else None

    def both(of: str) -> Any:
        found = [getattr(part, of) for part in parts]
        return None if found[0] is None else np.concatenate(found, axis=-1 if of == "gain" else 0)

    whole: dict[str, Any] = {name: both(name) for name in LogSample._fields if name not in ("schema", "columns")}
    whole["columns"] = {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns}
    return LogSample(parts[0].schema, **whole)
