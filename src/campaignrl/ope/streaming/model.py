"""Reward models of a log that stays on disk: the ridge, from sums over a capped part of it, or anyone's own.

Cross-fitted by customer exactly as cross_fitting.py does it: where the whole log is within the cap, it is the same
model. Beyond, whole row groups are read, spread evenly over the file, and the answer says how many rows that were.
n rows, k actions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from campaignrl.arrays import Array, Float32
from campaignrl.errors import DataError, Problem
from campaignrl.ope.data.blocks import blocks
from campaignrl.ope.nuisance import predict_unseen
from campaignrl.policies.linear_model import RidgeMean, RidgeStatistics, fit_ridge
from campaignrl.rng import Purpose, customer_keys, uniform
from campaignrl.tables.log import DecisionLog, LogInMemory, LogStream, pieces

Range = tuple[float, float]

SAMPLE = 1_000_000  # rows the ridge is fitted on, at most about; its sums are then a few seconds


class StreamedModel(Protocol):
    """Anything that predicts rows as they come; it must not have seen their customers."""

    def predict(self, log: DecisionLog) -> Array:
        """(m, k) expected reward of every action."""


@dataclass(frozen=True)
class GivenModel:
    """A model that the caller brought, its answers checked."""

    model: StreamedModel

    def predict(self, log: DecisionLog) -> Array:
        """(m, k), finite."""
        q, expected = np.asarray(self.model.predict(log)), (len(log), len(log.catalog))
        if q.shape != expected or not np.isfinite(q).all():
            raise DataError(Problem("reward model", "q", q.shape, f"finite numbers of shape {expected}"))
        return q


@dataclass(frozen=True)
class SampledRidge:
    """One ridge per fold, each for the customers it has not seen; predictions stay in the reward range."""

    models: tuple[RidgeMean, ...]
    seed: int
    reward_range: Range
    rows_used: int

    def predict(self, log: DecisionLog) -> Float32:
        """(m, k) float32."""
        fold = _folds(log, len(self.models), self.seed)
        return predict_unseen(self.models, log.context.encode(), fold, self.reward_range)


def fit_sampled_ridge(
    stream: LogStream | LogInMemory, given: Range | None, folds: int, seed: int, rows: int
) -> SampledRidge:
    """Fit on about `rows` rows at most, the matured ones. given: what a reward can be; None: as those rows show."""
    width = stream.facts.features.width
    parts = [RidgeStatistics.zeros(stream.facts.catalog, width) for _ in range(folds)]
    used, least, largest = 0, np.inf, -np.inf
    for group in sampled_groups(stream.groups, rows):
        for piece in pieces(stream, group, masks=False):
            log = piece.log if piece.log.matured.all() else piece.log.take(np.flatnonzero(piece.log.matured))
            _take_in(parts, log, seed)
            used += len(log)
            least, largest = log.reward.min(initial=least), log.reward.max(initial=largest)
    total = sum(parts[1:], parts[0])
    # Without their posteriors, of which each is some 12 MB at 33 actions and 42 columns.
    models = tuple(fit_ridge(total - part, stream.facts.catalog, l2=None).mean for part in parts)
    return SampledRidge(models, seed, given or _shown(float(least), float(largest)), used)


def sampled_groups(groups: tuple[int, ...], rows: int) -> list[int]:
    """Numbers of the row groups to read: all, or as many as hold about `rows` rows, evenly spread."""
    wanted = max(1, int(len(groups) * rows / max(sum(groups), 1)))
    if wanted >= len(groups):
        return list(range(len(groups)))
    return [int(g) for g in (np.arange(wanted) + 0.5) * len(groups) / wanted]


def _shown(least: float, largest: float) -> Range:
    return (0.0, 1.0) if {least, largest} <= {0.0, 1.0} else (least, largest)


def _take_in(parts: list[RidgeStatistics], log: DecisionLog, seed: int) -> None:
    fold = _folds(log, len(parts), seed)
    for rows in blocks(len(log)):
        X = log.context.take(rows).encode()
        for f, part in enumerate(parts):
            part.add(X, log.action[rows], log.reward[rows], at=np.flatnonzero(fold[rows] == f))


def _folds(log: DecisionLog, folds: int, seed: int) -> Array:
    """(n,) fold of each row's customer, as `folds_of` has it."""
    start = np.flatnonzero(np.diff(log.customer, prepend=-1))
    fold = uniform(customer_keys(log.customers[log.customer[start]]), seed, 0, Purpose.FOLD) * folds
    return np.repeat(fold.astype(np.int64), np.diff(np.append(start, len(log))))
