"""A learner from logs that needs rows, and learns on from a bundle: a replay sample, and sums of all other rows.

What linear models learn from is sums by fold, which hold any number of rows; what else a kind asks of rows (prices, a
cut, a policy's own value, returns that run on into the next log) it asks of those at hand. So a bundle keeps the rows
of some customers (replay_sample.py) and, of everybody else's, the sums as they were last learned from, with the
baselines and scores of that day. A log that fits into the sample is not told apart from one that never was in a bundle.
Not here: what is learned (base.py and the kinds). n rows, k actions, D = 1 + encoded columns, P rewards, K folds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from campaignrl.actions import Catalog
from campaignrl.arrays import Bool, Float32
from campaignrl.errors import ArtifactError, Problem, UsageError
from campaignrl.features import FeatureSchema
from campaignrl.policies.base import ANY, Shapes, Tensors
from campaignrl.policies.blas_threads import one_blas_thread
from campaignrl.policies.learner_settings import require_catalog
from campaignrl.policies.linear_model import RidgeStatistics
from campaignrl.policies.offline.advantage_regression import RegressionRows, Sums, rows_with_a_choice, scored_sums
from campaignrl.policies.offline.base import OfflineConfig, OfflineLearner
from campaignrl.policies.offline.merge_logs import merge_logs
from campaignrl.policies.offline.replay_sample import by_key, forgotten, packed, replay_shapes, sampled, unpacked
from campaignrl.tables.log import DecisionLog


class ReplayConfig(OfflineConfig):
    """The settings of base.py.

    keep_rows: of the log in the bundle at most, of whole customers, so that a loaded learner learns on; 0: none, and it
    does not. A row takes 72 + 4 x features bytes, the sums of other rows 8 x folds x actions x columns squared.
    """

    keep_rows: int = Field(default=50_000, ge=0, le=500_000)

    @classmethod
    def with_names_of_today(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Bundles of before there were rows in them hold none."""
        return {"keep_rows": 0, **settings}


class ReplayLearner(OfflineLearner):
    """Keeps the logs it was given while it lives, and a sample and sums of them in its bundle."""

    Config: ClassVar[type[ReplayConfig]] = ReplayConfig
    config: ReplayConfig
    SUMS: ClassVar[tuple[str, ...]] = ("rewards",)  # names of the sums that a kind learns from

    def __init__(self, catalog: Catalog, schema: FeatureSchema, config: Any, name: str) -> None:
        super().__init__(catalog, schema, config, name)
        self._logs: list[DecisionLog] = []  # at most one: everything at hand
        self._kept: Bool = np.zeros(0, dtype=bool)  # (n,) rows of it that the bundle holds
        self._from_bundle = False
        self._before: dict[str, list[Sums]] = {}  # of rows that an earlier bundle held as sums alone
        self._aside: dict[str, list[Sums]] = {}  # of these and the rows that the next bundle holds as sums alone
        self._rows_before = 0

    def update(self, log: DecisionLog) -> None:
        """Learn anew from the matured rows of all logs given so far; folds and returns need them together."""
        require_catalog(log, self.catalog, self.name)
        if self._from_bundle and self._rows and not self.config.keep_rows:
            fix = "Train a new one instead, with keep_rows above 0."
            raise UsageError(f"{self.name} was loaded from a bundle that holds no rows of its log. {fix}")
        whole = merge_logs([*self._logs, by_key(log) if self._from_bundle else log])
        self._logs, keep = [whole], self.config.keep_rows
        self._kept = sampled(whole, keep, self.config.seed) if keep else np.ones(len(whole), dtype=bool)
        if len(rows_with_a_choice(whole)):
            self._aside = {}
            with one_blas_thread():  # so that the last digits do not depend on how many there are
                self._rows, self._fitted = self._rows_before + int(whole.matured.sum()), self._learn(whole)

    @classmethod
    def shapes(cls, catalog: Catalog, schema: FeatureSchema, config: Any) -> Shapes:
        """What `tensors` holds."""
        if not config.keep_rows:
            return super().shapes(catalog, schema, config)
        k, D = len(catalog), schema.width + 1
        sums: Shapes = {"aside_rows": ("F64", (1,))}
        for name in cls.SUMS:
            sums |= {f"{name}_gram": ("F64", (ANY, k, D, D)), f"{name}_count": ("F64", (ANY, k))}
            sums |= {f"{name}_moments": ("F64", (ANY, ANY, k, D)), f"{name}_squares": ("F64", (ANY, ANY, k))}
        return {**super().shapes(catalog, schema, config), **replay_shapes(catalog, schema), **sums}

    def tensors(self) -> Tensors:
        """What the choice reads, the rows at hand that the bundle keeps, and sums of the others."""
        if not self.config.keep_rows:
            return super().tensors()
        rows = self._logs[0].matured & ~self._kept if self._logs else np.zeros(0, dtype=bool)
        aside = np.array([self._rows_before + int(rows.sum())], dtype=np.float64)
        found = {**super().tensors(), "aside_rows": aside}
        for name in self.SUMS:
            found |= _tensors_of(name, self._aside.get(name, []), self)
        if not self._logs:
            return {**found, **_nothing(replay_shapes(self.catalog, self.schema))}
        return {**found, **packed(self._logs[0], self._kept, self.schema)}

    def deciding_tensors(self) -> Tensors:
        """What the choice reads alone: a customer who is forgotten changes no decision."""
        return super().tensors()

    def restore(self, tensors: Tensors) -> None:
        """Take back what `tensors` gave."""
        super().restore(tensors)
        self._from_bundle = True
        if not self.config.keep_rows:
            return
        held = unpacked(tensors, self.catalog, self.schema)
        self._logs = [held] if len(held) else []
        self._kept, self._rows_before = np.ones(len(held), dtype=bool), int(tensors["aside_rows"][0])
        self._before = {name: sums for name in self.SUMS if (sums := _sums_from(name, tensors, self.config.folds))}
        self._aside = dict(self._before)

    def forget(self, customer: str) -> int:
        """Take a customer's rows out, by the id, and say how many; the choice stays as it was learned."""
        left, gone = forgotten(self.tensors(), customer) if self.config.keep_rows and self._logs else ({}, 0)
        if gone:
            self.restore(left)
        return gone

    def _sums(self, log: DecisionLog, data: RegressionRows, name: str = "rewards") -> list[Sums]:
        """Sums by fold of the rows at hand and before; name: one of `SUMS`, under which a bundle keeps them."""
        plain = super()._sums
        return self._with_others(name, data, lambda part: plain(log, part))

    def _scored_sums(self, log: DecisionLog, data: RegressionRows, q: Float32, most: float) -> list[Sums]:
        """The same of doubly robust scores, under the name of "scored"."""
        return self._with_others("scored", data, lambda part: scored_sums(log, part, self.schema, q, most))

    def _with_others(self, name: str, data: RegressionRows, of: Callable[[RegressionRows], list[Sums]]) -> list[Sums]:
        kept, aside = self._kept[data.rows], self._before.get(name, [])
        if not kept.all():
            aside = _added(aside, of(_some(data, ~kept)))
        if aside:
            self._aside[name] = aside
        return _added(aside, of(_some(data, kept) if not kept.all() else data))


def _some(data: RegressionRows, which: Bool) -> RegressionRows:
    return RegressionRows(data.rows[which], data.fold[which], data.rewards[which])


def _added(one: list[Sums], other: list[Sums]) -> list[Sums]:
    """Fold by fold; where one counts more parts of a return, the other's rows brought nothing in them."""
    if not one:
        return other
    parts = max(len(each.moments) for each in (*one, *other))
    return [_of_parts(a, parts) + _of_parts(b, parts) for a, b in zip(one, other, strict=True)]


def _of_parts(sums: Sums, parts: int) -> Sums:
    more = parts - len(sums.moments)
    if not more:
        return sums
    moments = np.concatenate([sums.moments, np.zeros((more, *sums.moments.shape[1:]))])
    return Sums(sums.stats, moments, np.concatenate([sums.squares, np.zeros((more, sums.squares.shape[1]))]))


def _tensors_of(name: str, sums: list[Sums], learner: ReplayLearner) -> Tensors:
    if not sums:
        shapes = learner.shapes(learner.catalog, learner.schema, learner.config)
        return _nothing({full: shapes[full] for full in shapes if full.startswith(f"{name}_")})
    return {
        f"{name}_gram": np.stack([each.stats.gram for each in sums]),
        f"{name}_count": np.stack([each.stats.count for each in sums]),
        f"{name}_moments": np.stack([each.moments for each in sums]),
        f"{name}_squares": np.stack([each.squares for each in sums]),
    }


def _sums_from(name: str, tensors: Tensors, folds: int) -> list[Sums]:
    gram, count, moments, squares = (tensors[f"{name}_{part}"] for part in ("gram", "count", "moments", "squares"))
    if not len(gram) == len(count) == len(moments) == len(squares) or len(gram) not in (0, folds):
        raise ArtifactError(Problem("sums", name, len(gram), f"none, or of {folds} folds"))
    if len(gram) and (moments.shape[1] != squares.shape[1] or not moments.shape[1]):
        raise ArtifactError(Problem("sums", name, moments.shape, "moments and squares of as many parts"))
    return [
        Sums(RidgeStatistics(gram[f].copy(), moments[f, 0].copy(), squares[f, 0].copy(), count[f].copy()), m, s)
        for f, (m, s) in enumerate(zip(moments, squares, strict=True))
    ]


def _nothing(shapes: Shapes) -> Tensors:
    """Tensors of these shapes without rows."""
    kinds = {"F32": np.float32, "F64": np.float64}
    return {name: np.zeros([max(size, 0) for size in shape], kinds[dtype]) for name, (dtype, shape) in shapes.items()}
