"""What was decided for every customer of a run, as a frame, a send list and a decision log.

Not here: how it was decided (decide.py), the files (cli/sends/decide.py). n customers, k actions.
"""

from __future__ import annotations

import datetime
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from campaignrl.actions import NONE, Catalog
from campaignrl.arrays import Bool, Float, Int, Objects
from campaignrl.display import html_table, one_line
from campaignrl.features import Context
from campaignrl.guard import Allocation, Limits
from campaignrl.ledger import EPOCH
from campaignrl.send.facts import Morning
from campaignrl.tables import ID, CustomerTable
from campaignrl.tables.files import write_frame
from campaignrl.tables.log import DecisionLog


@dataclass(frozen=True)
class Decisions:
    """What was decided for n customers on one day.

    Attributes:
        catalog: the k actions.
        day: of the decisions.
        ids: (n,) customer ids, in the order of their table.
        action: (n,) ids in the catalog; 0 sends nothing.
        propensity: (n,) probability with which that action was taken, after guard, budget and capacity.
        propensity_before: (n,) that of what was drawn, before budget and capacity.
        reason, blocked: (n,) texts for people: why this, and which rules refused something.
        policy: its name.
        context, eligible: what the policy saw of them, and (n, k) what the guard allowed.
        customers: the table they rest on, with what a ledger counted in.
        limits: what the run might send and spend.
        morning: what the rules knew of the day; None: the day alone.
        run: the name of the run in a ledger, 32 hex digits of all it rests on; "" without one.
        learned_until: day of the last outcome that the policy learned from; None: not of the calendar, or not known.
        expected_gain: (n,) what the action is expected to bring over sending nothing, its cost taken off, in the unit
            of the rewards that the policy learned from; NaN where it states no values; None: not asked.
        gain_unit: of expected gains: the currency, where the policy learned in a world; "" where it does not say.
        plan: the certificate of a plan by value, of everybody, exploring ones too; None: served by lot, or repeated.
        withdrawn: (n,) of a run that is repeated, whose permission was taken away since; None: nobody's.
        deciders: name and content hash of each policy that decided.
        decider: (n,) which of them decided for each customer; None: the only one.
        doubts: what the policy's bundle says is not shown of it, such as that it brings more than sending nothing.
        barred_today: decisions of earlier runs of the day that may no longer leave: whom they are for may not be
            contacted any more, or what they send is out of date by now.
        overdrawn: what of the campaign's days, money and stock is used up and more, in words.
        about: plain JSON facts: world, seed, currency, outcome window, holdout, hashes of policy and world.

    Example:
        >>> import campaignrl as crl
        >>> from campaignrl.envs import Panel, customers_frame
        >>> frame = customers_frame(Panel(crl.load_world("coupon_trap"), 100))
        >>> crl.decide("none", frame, "coupon_trap", day="2026-11-21")
        Decisions of none for 2026-11-21: 0 sends to 100 customers
    """

    catalog: Catalog
    day: datetime.date
    ids: Objects
    action: npt.NDArray[np.int64]
    propensity: npt.NDArray[np.float64]
    propensity_before: npt.NDArray[np.float64]
    reason: Objects
    blocked: Objects
    policy: str
    context: Context
    eligible: Bool
    customers: CustomerTable
    limits: Limits
    about: dict[str, Any]
    morning: Morning | None = None
    run: str = ""
    withdrawn: Bool | None = None
    barred_today: tuple[str, ...] = ()
    overdrawn: tuple[str, ...] = ()
    learned_until: datetime.date | None = None
    expected_gain: Float | None = None
    gain_unit: str = ""
    plan: Allocation | None = None
    doubts: tuple[str, ...] = ()
    deciders: tuple[tuple[str, str], ...] = ()
    decider: Int | None = None

    def to_frame(self) -> pd.DataFrame:
        """Every decision, also to send nothing, in the order of the customers."""
        return pd.DataFrame(
            {
                ID: self.ids,
                "ts": self.day.isoformat(),
                **{
                    name: np.array([*names, ""], dtype=object)[of[self.action]]  # -1: without
                    for name, (names, of) in self.catalog.dimensions.items()
                },
                "propensity": self.propensity,
                "reason": self.reason,
                "blocked": self.blocked,
                "cost": self.catalog.cost_of[self.action] / self.about["minor_per_unit"],
                "expected_gain": self.gains().round(6),
                "policy_id": self.by_decider(0),
                "catalog_hash": self.catalog.hash,
                "decision_id": self.decision_id,
            }
        )

    def by_decider(self, part: int) -> Objects:
        """(n,) who decided for each customer: part 0 of `deciders`, the name, or 1, the content hash."""
        if self.decider is None:
            alone = self.policy if part == 0 else self.about["policy_hash"]
            return np.full(len(self.ids), alone, dtype=object)
        return np.array([one[part] for one in self.deciders], dtype=object)[self.decider]

    @property
    def decision_id(self) -> Objects:
        """(n,) what hand-overs and outcomes name: that of the ledger, or without one that of the day's log."""
        names = [f"{self.run[:12]}-{one}" if self.run else f"{one}-0" for one in self.ids]
        return np.array(names, dtype=object)

    def sends(self) -> pd.DataFrame:
        """The send list: only customers to whom something is sent, and may still be."""
        sent: pd.DataFrame = self.to_frame()[self.listed() != NONE].reset_index(drop=True)
        return sent

    def listed(self) -> npt.NDArray[np.int64]:
        """(n,) the action on the send list: 0 also where the permission was taken away since."""
        if self.withdrawn is None:
            return self.action
        return np.where(self.withdrawn, NONE, self.action)

    def to_log(self) -> DecisionLog:
        """The decision log of the day, for `evaluate` and `train` once outcomes are known: no row has matured yet.

        Rewards stand at 0 and count for nothing until `matured` is set with them; ts is the day since 1970-01-01.
        """
        n = len(self.ids)
        return DecisionLog(
            catalog=self.catalog,
            customers=self.ids,
            customer=np.arange(n),
            step=np.zeros(n, dtype=np.int64),
            day=np.full(n, (self.day - EPOCH).days),
            context=self.context,
            action=self.action,
            propensity=self.propensity,
            reward=np.zeros(n),
            cost=self.catalog.cost_of[self.action],
            matured=np.zeros(n, dtype=bool),
            eligible=self.eligible,
            meta={"policy_id": self.policy, **self.about},
        )

    def write_sends(self, path: str | Path) -> Path:
        """Write the send list as CSV or Parquet, whole or not at all; the same decisions give the same bytes."""
        write_frame(self.sends(), path)
        return Path(path)

    def __repr__(self) -> str:
        return one_line(self._said())

    def _repr_html_(self) -> str:
        ids, counts = np.unique(self.action, return_counts=True)
        rows = [(self.catalog.names[i], f"{count:,}") for i, count in zip(ids, counts, strict=True)]
        refused = [f"refused to {count:,}: {rule}" for rule, count in self.blocked_counts().items()]
        return html_table(self._said(), ("action", "customers"), rows, refused)

    def _said(self) -> str:
        sends = f"{int((self.action != NONE).sum()):,} sends to {len(self.ids):,} customers"
        return f"Decisions of {self.policy} for {self.day.isoformat()}: {sends}"

    @property
    def cost(self) -> int:
        """Cost of all sends, minor units."""
        return int(self.catalog.cost_of[self.action].sum())

    def gains(self) -> Float:
        """(n,) expected gains; NaN where none are known."""
        return np.full(len(self.ids), np.nan) if self.expected_gain is None else self.expected_gain

    @property
    def gain(self) -> float | None:
        """What all of it is expected to bring over sending nothing; None where the policy states no values."""
        gains = self.gains()
        if self.withdrawn is not None:
            gains = np.where(self.withdrawn, 0.0, gains)
        return None if np.isnan(gains).any() else math.fsum(gains.tolist())

    def blocked_counts(self) -> dict[str, int]:
        """Customers hit by each rule, most frequent first."""
        return rule_counts(Counter(self.blocked.tolist()))


def rule_counts(texts: Mapping[str, int]) -> dict[str, int]:
    """Customers hit by each rule, most frequent first. texts: how often each refusal, "; " between rules, was told."""
    counts: Counter[str] = Counter()
    for text, many in texts.items():  # few texts, of many customers
        for rule in dict.fromkeys(filter(None, text.split("; "))):
            counts[rule] += many
    return dict(counts.most_common())


def joined(parts: Sequence[Decisions], table: CustomerTable, limits: Limits) -> Decisions:
    """Decisions of several runs of one day, policy and world as one. table: of all of them; limits: of the first."""
    arrays = ("action", "propensity", "propensity_before", "reason", "blocked", "eligible", "expected_gain")
    found: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in arrays}
    return replace(parts[0], ids=table.ids, context=table.context, customers=table, limits=limits, **found)
