"""What learners share: settings, and the rows of a decision log that may teach, in blocks, with their weights.

Not here: what is learned from them (linear.py, counts.py, dr_greedy.py, ...), forgetting (forgetting.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

from campaignrl.actions import Catalog
from campaignrl.arrays import Float, Float32, Int64
from campaignrl.errors import DataError, Problem
from campaignrl.features import FeatureSchema, Rows
from campaignrl.policies.base import ROWS_AT_A_TIME
from campaignrl.policies.choice import allowed_counts
from campaignrl.specs import Spec
from campaignrl.tables.log import DecisionLog

Penalty = Annotated[float, Field(gt=0.0)] | Literal["auto"]  # pseudo-observations, or the best by evidence

MIN_SEEN = 0.1  # of outcomes to be expected by now; a younger row would count for more than ten


class LearningConfig(Spec):
    """Settings of every bandit.

    explore: floor, as a share of uniform; forget: weight that everything learned before keeps at an update (1:
    nothing is forgotten); window: learn from so many latest updates only (0: from all); importance: weigh each row
    of a log by 1 / (propensity x allowed actions), as if a uniform policy had written it, cut at max_weight;
    delay_days: mean of an exponential delay of outcomes, with which rows whose window is still open teach, too,
    their outcomes so far divided by the share to be expected by now (not given: only closed windows teach);
    seed: of the learner's own draws.
    """

    explore: float = Field(default=0.01, ge=0.0, le=1.0)
    forget: float = Field(default=1.0, gt=0.0, le=1.0)
    window: int = Field(default=0, ge=0, le=52)
    importance: bool = False
    max_weight: float = Field(default=100.0, ge=1.0)
    delay_days: float | None = Field(default=None, gt=0.0)
    seed: int = Field(default=0, ge=0)


class TrainingRows(NamedTuple):
    """m rows that teach."""

    rows: Int64  # (m,) row numbers in the log
    X: Float32  # (m, d) encoded context, without intercept
    action: npt.NDArray[np.integer]  # (m,)
    reward: Float  # (m,)
    weight: Float | None  # (m,) rows each counts for; None: one each


def fixed_penalty(l2: Penalty) -> float | None:
    """The penalty as `fit_ridge` takes it."""
    return None if l2 == "auto" else l2


def require_catalog(log: DecisionLog, catalog: Catalog, name: str) -> None:
    """Ids mean the same in both, or a DataError."""
    if log.catalog.hash != catalog.hash:
        where, fix = f"policy {name}", "Build the policy on the log's own catalog."
        raise DataError(Problem(where, "catalog of the log", log.catalog.hash, f"its own, {catalog.hash}", fix))


def encoded_blocks(log: DecisionLog, schema: FeatureSchema) -> Iterator[tuple[Int64, Float32]]:
    """Row numbers (m,) and encoded contexts (m, d) of the matured rows, a block at a time."""
    for rows in _blocks(np.flatnonzero(log.matured)):
        yield rows, log.context.take(_run(rows)).encode(schema)


def training_rows(log: DecisionLog, schema: FeatureSchema, config: LearningConfig) -> Iterator[TrainingRows]:
    """The rows that teach under `config`, a block at a time."""
    seen = log.matured.astype(np.float64) if config.delay_days is None else share_seen(log, config.delay_days)
    for rows in _blocks(np.flatnonzero(seen >= MIN_SEEN)):
        X = log.context.take(_run(rows)).encode(schema)
        weight = uniform_weight(log, rows, config.max_weight) if config.importance else None
        yield TrainingRows(rows, X, log.action[_run(rows)], expected_reward(log, rows, seen[rows]), weight)


def uniform_weight(log: DecisionLog, rows: Int64, most: float) -> Float:
    """(m,) chance of the logged action under a uniform policy over its chance under the logging policy, at most `most`.

    Rows drawn by a policy then count as if a uniform one had drawn them; the mean weight is 1.
    """
    weight: Float = np.minimum(1.0 / (log.propensity[rows] * allowed_counts(log.allowed(rows))), most)
    return weight


def share_seen(log: DecisionLog, delay_days: float) -> Float:
    """(n,) share of each row's outcomes to be expected by the end of the log; 1 where its window has closed.

    P(delay <= age | delay <= window) for an exponential delay of mean `delay_days` (Chapelle 2014, KDD). The end of
    the log is its horizon, or the day after its last row where it does not say.
    """
    end = int(log.meta.get("horizon", int(log.day.max(initial=0)) + 1))
    window = float(log.meta.get("outcome_days", np.inf))
    age = np.minimum(end - log.day, window)
    seen: Float = np.expm1(-age / delay_days) / np.expm1(-window / delay_days)
    return np.where(log.matured, 1.0, seen)


def expected_reward(log: DecisionLog, rows: Int64, seen: Float) -> Float:
    """(m,) rewards with outcomes still to come added in expectation; the cost of the send is paid at once.

    seen: (m,) from `share_seen`. A log that does not say what a minor unit is has no costs in its rewards.
    """
    reward = np.asarray(log.reward[rows], dtype=np.float64)
    if bool((seen == 1.0).all()):
        return reward
    per_unit = log.meta.get("minor_per_unit")
    cost = log.cost[rows] / float(per_unit) if per_unit else 0.0
    return np.where(seen < 1.0, (reward + cost) / seen - cost, reward)


def _run(rows: Int64) -> Rows:
    """The same rows as a slice, if they follow one another: nothing is copied then."""
    first, last = int(rows[0]), int(rows[-1])
    return slice(first, last + 1) if last - first + 1 == len(rows) else rows


def _blocks(rows: Int64) -> Iterator[Int64]:
    for start in range(0, len(rows), ROWS_AT_A_TIME):
        yield rows[start : start + ROWS_AT_A_TIME]
