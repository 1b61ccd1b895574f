"""The decision log: one row a decision, with the propensity after the guard. The only thing the evaluator reads.

Here: the columns as arrays, and the contract they must keep. Not here: files (files.py), foreign tables
(mapping.py), estimates (ope/). n rows, k actions.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from campaignrl.actions import Catalog
from campaignrl.arrays import Bool, Float, Int
from campaignrl.display import html_table, one_line
from campaignrl.errors import SHOWN, DataError, Problem
from campaignrl.features import Context, FeatureSchema, Rows
from campaignrl.tables.files import row_problems

PER_ROW = ("customer", "step", "day", "action", "propensity", "reward", "cost", "matured")
LEAST_PROPENSITY, MOST_REWARD = 1e-100, 1e100


@dataclass(frozen=True)
class DecisionLog:
    """n decisions in a fixed order, with the propensity after the guard; the only thing the evaluator reads.

    Attributes:
        catalog: the k actions.
        customers: the distinct customer ids, as text.
        customer: (n,) index into `customers`.
        step: (n,) 0-based in the episode.
        day: (n,) whole day of the decision.
        context: what the policy saw, n rows.
        action: (n,) id in the catalog.
        propensity: (n,) chance the logging policy had of `action` after masks and caps, in (0, 1].
        reward: (n,) in the unit named by `meta["reward"]`.
        cost: (n,) minor units.
        matured: (n,) its outcome window has closed.
        eligible: (n, k) what was allowed; None: everything.
        wave: (n,) campaign wave; None: not known.
        meta: plain JSON facts about the log (policy_id, seed, world, currency, outcome_days ...), kept in files.

    Raises:
        DataError: a row breaks the contract; every fault at once, with row numbers.

    Example:
        >>> import campaignrl as crl
        >>> log = crl.simulate("coupon_trap", "uniform", customers=20)
        >>> frame = log.to_frame()
        >>> again = crl.DecisionLog.from_frame(
        ...     frame, catalog=log.catalog, features=log.context.schema, meta=log.meta
        ... )
        >>> bool((again.propensity == log.propensity).all())
        True
    """

    catalog: Catalog
    customers: npt.NDArray[np.object_]
    customer: Int
    step: Int
    day: Int
    context: Context
    action: Int
    propensity: Float
    reward: Float
    cost: Int
    matured: Bool
    eligible: Bool | None = None
    wave: Int | None = None
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.context.columns:  # nothing is known of anybody: only the other columns tell how many rows there are
            object.__setattr__(self, "context", replace(self.context, count=len(self.action)))
        problems = contract_problems(self)
        if problems:
            raise DataError(problems)

    def __len__(self) -> int:
        return len(self.action)

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        catalog: Catalog,
        features: FeatureSchema | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> DecisionLog:
        """A log from a frame with the columns of `to_frame`, its rows checked like those of a file.

        It needs customer_id, step, action (or offer and channel), propensity and reward, and each feature. Left out,
        ts is the step, decision_id `customer-step`, cost the catalog's (where there are action ids), and every row
        is matured. features: the context columns, none if not given; meta: facts about the log.
        """
        frames = import_module("campaignrl.tables.log.frames")  # which needs this class
        log: DecisionLog = frames.log_of(frame, catalog, features, meta)
        return log

    def to_frame(self) -> pd.DataFrame:
        """One row a decision, with the columns of the log's file; `eligible` holds arrays of action ids."""
        frame: pd.DataFrame = import_module("campaignrl.tables.log.frames").frame_of(self)
        return frame

    def __repr__(self) -> str:
        return one_line(self._said())

    def _repr_html_(self) -> str:
        ids, counts = np.unique(self.action, return_counts=True)
        order = np.argsort(-counts, kind="stable")[:SHOWN]
        rows = [
            (self.catalog.names[ids[i]], f"{counts[i]:,}", f"{self.reward[self.action == ids[i]].mean():.4g}")
            for i in order
        ]
        reward = str(self.meta.get("reward", "reward"))
        return html_table(self._said(), ("action", "decisions", "mean reward"), rows, (f"reward: {reward}",))

    def _said(self) -> str:
        many = f"{len(self):,} decisions of {len(self.customers):,} customers, {len(self.catalog)} actions"
        return f"DecisionLog: {many}, logged by {self.policy_id}"

    @property
    def policy_id(self) -> str:
        """Name of the logging policy; "unknown" where the log does not say."""
        return str(self.meta.get("policy_id", "unknown"))

    @property
    def decision_id(self) -> npt.NDArray[np.object_]:
        """(n,) text ids `customer-step`."""
        pairs = zip(self.customers[self.customer], self.step, strict=True)
        return np.array([f"{customer}-{step}" for customer, step in pairs], dtype=object)

    def allowed(self, rows: Rows = slice(None)) -> Bool:
        """(n, k) eligible actions of some rows; all True where the log does not say."""
        if self.eligible is not None:
            return self.eligible[rows]
        return np.ones((len(self.action[rows]), len(self.catalog)), dtype=bool)

    def take(self, rows: Rows) -> DecisionLog:
        """The same log with some rows only; customers keep their numbering."""

        def of(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
            if isinstance(rows, np.ndarray) and rows.dtype.kind in "iu":
                return values.take(rows, axis=0)  # in a third of the time
            return values[rows]

        taken: dict[str, Any] = {name: of(getattr(self, name)) for name in PER_ROW}
        known = bool(self.context.columns)
        taken["context"] = self.context.take(rows) if known else replace(self.context, count=len(taken["action"]))
        taken |= {name: of(of_all) for name in ("eligible", "wave") if (of_all := getattr(self, name)) is not None}
        log = copy(self)  # and no new one, whose rows would be looked at again: rows of a sound log are sound
        for name, value in taken.items():
            object.__setattr__(log, name, value)
        return log


def contract_problems(log: DecisionLog) -> list[Problem]:
    """Everything wrong with the rows, each kind with its row numbers (0-based, capped)."""
    n, k = len(log.action), len(log.catalog)
    lengths = {name: len(getattr(log, name)) for name in PER_ROW}
    problems = [Problem("decision log", x, f"{m} rows", f"{n} rows, like action") for x, m in lengths.items() if m != n]
    if log.eligible is not None and log.eligible.shape != (n, k):
        problems.append(Problem("decision log", "eligible", log.eligible.shape, f"of shape ({n}, {k})"))
    if problems:
        return problems
    p, action = log.propensity, log.action
    known = (action >= 0) & (action < k)
    problems += row_problems(~known, "action", action, f"an action id from 0 to {k - 1}")
    fix = "Give the probability after masks and caps; a row with none cannot be evaluated."
    problems += row_problems(~((p > 0.0) & (p <= 1.0)), "propensity", p, "in (0, 1]", fix)
    small = f"at least {LEAST_PROPENSITY:g}, or the square of its weight is no number"
    problems += row_problems((p > 0.0) & (p < LEAST_PROPENSITY), "propensity", p, small, fix)
    problems += row_problems(~np.isfinite(log.reward), "reward", log.reward, "a finite number")
    with np.errstate(invalid="ignore"):
        large = np.isfinite(log.reward) & (np.abs(log.reward) > MOST_REWARD)
    problems += row_problems(large, "reward", log.reward, f"at most {MOST_REWARD:g} either way, or its square is none")
    if log.eligible is not None:
        barred = known & ~log.eligible[np.arange(n), np.where(known, action, 0)]
        problems += row_problems(barred, "action", action, "among the row's eligible actions")
    return problems


def repeated(customer: Int, step: Int) -> Bool:
    """(n,) True for a row whose customer and step an earlier row already has."""
    ascending = customer[1:] > customer[:-1]
    ascending |= (customer[1:] == customer[:-1]) & (step[1:] > step[:-1])
    if ascending.all():  # as a campaign leaves them; sorting takes ten times as long as looking
        return np.zeros(len(customer), dtype=bool)
    order = np.lexsort((step, customer))
    same = (np.diff(customer[order]) == 0) & (np.diff(step[order]) == 0)
    again = np.zeros(len(order), dtype=bool)
    again[order[1:][same]] = True
    return again
