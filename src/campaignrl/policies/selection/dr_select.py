"""`dr_select`: candidates judged by cross-fitted doubly robust value; the logging policy if none is shown better.

Candidates, the simplest first: nothing sent, means by segment, linear, with products of columns, a shallow tree. Each
is fitted on all folds of customers but one and judged on that one, with reward models that have seen neither the row's
own fold nor the judged one (Chernozhukov et al. 2018; Athey & Wager 2021). A simpler one gives way only to what is
ahead by more than a standard error, and what is taken is fitted anew on all rows. A log that hardly did anything but
one thing, or too short a one, shows nothing to be better: then the policy does what the log did, as a tree of its
actions' shares tells, and says so. Not here: a whole campaign's value (fitted_q.py), the evaluator's verdict (ope/).
n rows, k actions, d encoded columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np
from pydantic import Field

from campaignrl import rng
from campaignrl.actions import NONE, Catalog
from campaignrl.arrays import Bool, Float, Float32, Int64
from campaignrl.features import FeatureSchema
from campaignrl.policies.base import Shapes, Tensors
from campaignrl.policies.choice import best_of, uniform_over
from campaignrl.policies.linear_model import with_intercept
from campaignrl.policies.offline import (
    ReplayConfig,
    ReplayLearner,
    doubly_robust_scores,
    encoded,
    fit_parts,
    overlap_of,
)
from campaignrl.policies.selection import candidates as classes
from campaignrl.policies.selection.candidates import PAIRS, Candidate, Linear, Scored, Treed
from campaignrl.policies.selection.judgement import Judged, LoggedRows, best_allowed, chosen, judged
from campaignrl.policies.selection.policy_tree import Tree, gini, grown
from campaignrl.tables.log import DecisionLog

NOTHING, SEGMENTS, LINEAR, PRODUCTS, TREE, LOGGED = range(6)
NAMES = ("nothing sent", "segment means", "linear", "products of columns", "tree", "the log's own way")
COPIED = 6  # depth of the tree that copies a log
CERTAIN = 0.9  # mean chance of what was logged, from which on a log hardly did anything else


class DRSelectConfig(ReplayConfig):
    """Settings of `dr_select`.

    by: categories of the segment means (not given: the first of the features); depth: of the tree; max_weight:
    1 / propensity is cut there; rows: that candidates are fitted to and judged on, at most. The rest as in
    replay_learner.py.
    """

    folds: int = Field(default=3, ge=3, le=20)  # of customers: fitted on all but one, judged on that one
    by: tuple[str, ...] | None = None
    depth: int = Field(default=3, ge=1, le=COPIED)
    max_weight: float = Field(default=100.0, ge=1.0)
    rows: int = Field(default=40_000, ge=100)


class _Rows(NamedTuple):
    """Rows at hand of some customers."""

    X: Float32  # (n, d)
    allowed: Bool  # (n, k)
    fold: Int64  # (n,)
    logged: LoggedRows  # its q of the other folds


class DRSelect(ReplayLearner):
    """One of several classes of policy, or the log's own way.

    facts: what the candidates were found to be worth, plain JSON; told: the same in words. Both are empty for a policy
    from a file.
    """

    kind: ClassVar[str] = "dr_select"
    Config: ClassVar[type[ReplayConfig]] = DRSelectConfig
    config: DRSelectConfig

    def __init__(self, catalog: Catalog, schema: FeatureSchema, config: Any, name: str) -> None:
        super().__init__(catalog, schema, config, name)
        self.facts: dict[str, Any] = {}
        self.told: list[str] = []

    @property
    def score_unit(self) -> str:  # type: ignore[override]
        """Scores are gains, unless they are shares of what was logged."""
        return "share of the log" if self.taken == NAMES[LOGGED] else "reward"

    @property
    def taken(self) -> str:
        """Which candidate decides."""
        return NAMES[int(np.clip(self._fitted["choice"][0], 0, len(NAMES) - 1))]

    @classmethod
    def fitted_shapes(cls, catalog: Catalog, schema: FeatureSchema, config: Any) -> Shapes:
        """Which candidate decides; a linear one and a tree, of which one is in use."""
        k, leaves = len(catalog), 2**COPIED
        return {
            "choice": ("F32", (1,)),
            "coefficients": ("F32", (1 + schema.width + PAIRS, k)),
            "pairs": ("F32", (PAIRS, 2)),
            "tree_column": ("F32", (leaves - 1,)),
            "tree_threshold": ("F32", (leaves - 1,)),
            "tree_scores": ("F32", (leaves, k)),
        }

    def _learn(self, log: DecisionLog) -> Tensors:
        data, overlap = self._regression_rows(log), overlap_of(log)
        sums = self._sums(log, data)
        l2 = self._models(log, sums)[0].l2

        def q_without(*folds: int) -> Float32:
            others = [each for g, each in enumerate(sums) if g not in folds]
            return fit_parts(others, self.catalog, [overlap], l2)[0].coefficients

        rows = self._rows_at_hand(log, data, q_without)
        found, choices = self._candidates_judged(rows, overlap, q_without)
        place = chosen(found, rows.logged, choices)
        self._tell(found, place, float(log.propensity[data.rows].mean()))
        if place is None:
            return self._as_tensors(LOGGED, _copy_of_log(rows, len(self.catalog)))
        whole = Scored(rows.X, self._gains(rows, np.ones(len(rows.X), dtype=bool), rows.logged.q), rows.allowed)
        return self._as_tensors(place, self._fit(whole, overlap)[place])

    def _rows_at_hand(self, log: DecisionLog, data: Any, q_without: Callable[..., Float32]) -> _Rows:
        drawn = rng.uniform(rng.customer_keys(log.customers), self.config.seed, 0, rng.Purpose.FOLD, k=5)
        some = np.flatnonzero(drawn[log.customer[data.rows]] < self.config.rows / len(data.rows))
        some = some if len(some) > 1 else np.arange(len(data.rows))
        rows, fold = data.rows[some], data.fold[some]
        X = np.concatenate([part for _, part in encoded(log, rows, self.schema)])
        q = np.zeros((len(some), len(self.catalog)))
        for f in range(self.config.folds):
            q[fold == f] = _predicted(X[fold == f], q_without(f))
        weight = np.minimum(1.0 / log.propensity[rows], self.config.max_weight)
        logged = LoggedRows(log.action[rows], weight, data.rewards[some, 0], log.customer[rows], q)
        return _Rows(X, log.allowed(rows), fold, logged)

    def _candidates_judged(
        self, rows: _Rows, overlap: float, q_without: Callable[..., Float32]
    ) -> tuple[list[Judged], list[Int64]]:
        """Each candidate, the simplest first, and what those fitted on other folds would have done in each row."""
        folds = range(self.config.folds)
        choices = [np.zeros(len(rows.X), dtype=np.int64) for _ in range(LOGGED)]
        for f in folds:
            held, others = rows.fold == f, rows.fold != f
            if not held.any() or not others.any():
                continue
            q = np.zeros_like(rows.logged.q)
            for g in folds:
                mine = rows.fold == g
                if g != f and mine.any():
                    q[mine] = _predicted(rows.X[mine], q_without(f, g))
            data = Scored(rows.X[others], self._gains(rows, others, q), rows.allowed[others])
            for choice, each in zip(choices, self._fit(data, overlap), strict=True):
                choice[held] = best_allowed(each.scores(rows.X[held]), rows.allowed[held])
        return [judged(name, rows.logged, c) for name, c in zip(NAMES, choices, strict=False)], choices

    def _gains(self, rows: _Rows, which: Bool, q: Float) -> Float:
        """(m, k) doubly robust gains over `none` of these rows, by a reward model's q (n, k)."""
        logged = rows.logged
        gamma = doubly_robust_scores(q[which], logged.action[which], logged.reward[which], logged.weight[which])
        with_none = rows.allowed[which][:, NONE]
        return np.asarray(np.where(with_none[:, None], gamma - gamma[:, [NONE]], gamma))

    def _fit(self, data: Scored, overlap: float) -> list[Candidate]:
        """Every candidate but the log's own way, in the order of `NAMES`."""
        k, D = len(self.catalog), 1 + data.X.shape[1] + PAIRS
        idle = np.zeros((D, k), dtype=np.float32)
        idle[0] = -1.0
        idle[0, NONE] = 0.0
        plain = classes.linear(data, self.catalog, overlap)
        columns = classes.columns_of(self.schema, self.config.by)
        return [
            Linear(idle, np.zeros((PAIRS, 2), dtype=np.int64)),
            classes.segment_means(data, self.catalog, columns, overlap),
            plain,
            classes.with_products(data, self.catalog, overlap, plain),
            classes.tree(data, self.config.depth),
        ]

    def _tell(self, found: list[Judged], place: int | None, chance: float) -> None:
        taken = NAMES[LOGGED if place is None else place]
        self.facts = {"taken": taken, "candidates": [one.to_dict() for one in found]}
        self.told = [f"taken: {taken}", *(one.said() for one in found)]
        if place is None:
            self.told.append("caution: this log shows nothing to be better than its own way, which is kept.")
        if chance >= CERTAIN:
            self.told.append(
                f"caution: the log hardly did anything else; what it did had a chance of {chance:.2f} on average."
            )

    def _as_tensors(self, place: int, one: Candidate) -> Tensors:
        empty = {name: np.zeros_like(array) for name, array in self._fitted.items()}
        found: Tensors = {**empty, "choice": np.array([place], dtype=np.float32)}
        if isinstance(one, Linear):
            return {**found, "coefficients": one.coefficients, "pairs": one.pairs.astype(np.float32)}
        tree = one.tree.deepened(COPIED)
        found |= {"tree_column": tree.column.astype(np.float32), "tree_threshold": tree.threshold}
        return {**found, "tree_scores": tree.scores}

    def _means(self, phi: Float32) -> Float32:
        X, found = phi[:, 1:], self._fitted
        if self.taken in (NAMES[TREE], NAMES[LOGGED]):
            column = np.clip(found["tree_column"], 0, max(X.shape[1] - 1, 0)).astype(np.int64)
            return Treed(Tree(column, found["tree_threshold"], found["tree_scores"])).scores(X)
        pairs = np.clip(found["pairs"], 0, max(X.shape[1] - 1, 0)).astype(np.int64)
        return Linear(found["coefficients"], pairs).scores(X)

    def _shares(self, phi: Float32, allowed: Bool) -> Float:
        scores = self._means(phi)
        if self.taken != NAMES[LOGGED]:
            return best_of(scores, allowed)
        shares = np.where(allowed, np.maximum(scores, 0.0), 0.0).astype(np.float64)
        total = shares.sum(axis=1, keepdims=True)
        unseen = total[:, 0] <= 0.0
        shares[unseen], total[unseen] = uniform_over(allowed)[unseen], 1.0
        return np.asarray(shares / total)


def _predicted(X: Float32, coefficients: Float32) -> Float:
    return np.asarray(with_intercept(X) @ coefficients, dtype=np.float64)


def _copy_of_log(rows: _Rows, k: int) -> Treed:
    """Shares of what was done, by leaf."""
    return Treed(grown(rows.X, np.eye(k)[rows.logged.action], COPIED, gini))
