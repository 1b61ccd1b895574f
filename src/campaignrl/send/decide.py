"""One decision for every customer of a table: the guard first, the policy inside it, an exact propensity.

Deterministic: the same customers, policy, day and seed give the same decisions, whatever the order of the rows. Not
here: what is allowed (guard/rules.py), the policy's probabilities (policies/). n customers, k actions.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from campaignrl import rng
from campaignrl.actions import NONE, Catalog
from campaignrl.arrays import Bool, Objects, UInt64
from campaignrl.display import html_table, one_line
from campaignrl.errors import ArtifactError, Problem, UsageError
from campaignrl.features import Context
from campaignrl.guard import Facts, Rules, allowed, blocks, rules_of
from campaignrl.policies import Policy, PolicyReference, load_policy, require_trained, sample
from campaignrl.policies.deep import Memory, ask, require_memory
from campaignrl.rng import Purpose
from campaignrl.send.customers import Customers, Suppressed, read_customers
from campaignrl.specs import World, WorldReference, load_world
from campaignrl.tables import ID, CustomerTable
from campaignrl.tables.files import write_frame
from campaignrl.tables.log import DecisionLog

ROWS_AT_A_TIME = 65_536
EPOCH = datetime.date(1970, 1, 1)


@dataclass(frozen=True)
class Decisions:
    """What was decided for n customers on one day.

    Attributes:
        catalog: the k actions.
        day: of the decisions.
        ids: (n,) customer ids, in the order of their table.
        action: (n,) ids in the catalog; 0 sends nothing.
        propensity: (n,) probability with which that action was taken, after the guard.
        reason, blocked: (n,) texts for people: why this, and which rules refused something.
        policy: its name.
        context, eligible: what the policy saw of them, and (n, k) what the guard allowed.
        about: plain JSON facts: world, seed, currency, outcome window, holdout.

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
    reason: Objects
    blocked: Objects
    policy: str
    context: Context
    eligible: Bool
    about: dict[str, Any]

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
                "policy_id": self.policy,
                "catalog_hash": self.catalog.hash,
            }
        )

    def sends(self) -> pd.DataFrame:
        """The send list: only customers to whom something is sent."""
        sent: pd.DataFrame = self.to_frame()[self.action != NONE].reset_index(drop=True)
        return sent

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

    def blocked_counts(self) -> dict[str, int]:
        """Customers hit by each rule, most frequent first."""
        rules = pd.Series(self.blocked).str.split("; ").explode()
        return {str(rule): int(count) for rule, count in rules[rules != ""].value_counts().items()}


def decide(
    policy: PolicyReference,
    customers: Customers,
    world: WorldReference,
    *,
    day: datetime.date | str,
    suppressed: Suppressed | None = None,
    seed: int = 0,
    memory: Memory | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Decisions:
    """Decide for every customer what to send on a day, within the rules of a world.

    Deterministic: the same customers, policy, day and seed give the same decisions, whatever the order of the rows.

    Args:
        policy: a Policy, a bundle, a spec, a bundled name, `always:ACTION`; a learner must have learned.
        customers: a frame, a file, or what `read_customers` gave; n rows.
        world: whose rules hold: a World, its name, path or dict.
        day: a date, or its text, 2026-11-21.
        suppressed: ids never to be contacted, as a collection, or a table with `customer_id`.
        seed: of the draws of a policy that explores.
        memory: of a recurrent policy, which it reads and moves on; the same day again gives the same decisions.
        progress: called as (customers done, in all).

    Returns:
        Decisions: one for every customer, also to send nothing, with propensities and reasons.

    Raises:
        DataError: the table breaks its contract; every fault at once.
        ArtifactError: the policy is for another catalog than the world's.
        UsageError: the policy has learned nothing yet, or the day is none.

    Example:
        >>> import campaignrl as crl
        >>> from campaignrl.envs import Panel, customers_frame
        >>> frame = customers_frame(Panel(crl.load_world("coupon_trap"), 100))
        >>> found = crl.decide("uniform", frame, "coupon_trap", day="2026-11-21")
        >>> len(found.to_frame()), list(found.sends())[:4]
        (100, ['customer_id', 'ts', 'offer', 'channel'])
    """
    world, day = load_world(world), _date(day)
    policy = load_policy(policy, world)
    if suppressed is not None and isinstance(customers, CustomerTable):
        fix = "The table was read already: give the list to read_customers."
        raise UsageError(Problem("decide", "suppressed", "given", "beside a frame or a file", fix))
    customers = read_customers(customers, world, suppressed=suppressed)
    if policy.catalog.hash != world.catalog.hash:
        where, fix = f"policy {policy.name}", "Train it again in this world, or give the world it was trained in."
        raise ArtifactError(Problem(where, "catalog", policy.catalog.hash, f"that of {world.name}", fix))
    require_trained(policy, world.name)
    rules, keys, n = rules_of(world), rng.customer_keys(customers.ids), len(customers)
    _meet(policy, memory, keys, day)
    held_out = rng.uniform(keys, world.guard.holdout_salt, 0, Purpose.HOLDOUT) < world.guard.holdout
    today = (day - EPOCH).days
    u = rng.uniform(keys, seed, today, Purpose.ACTION)
    action, propensity = np.zeros(n, dtype=np.int64), np.ones(n)
    reason, blocked = np.full(n, "", dtype=object), np.full(n, "", dtype=object)
    eligible = np.zeros((n, len(world.catalog)), dtype=bool)
    for start in range(0, n, ROWS_AT_A_TIME):
        part = slice(start, start + ROWS_AT_A_TIME)
        facts = facts_of(customers.take(part), held_out[part], world)
        mask = eligible[part] = allowed(rules, facts)
        probabilities = ask(policy, memory, keys[part], today, facts.context, mask)
        action[part] = sample(probabilities, u[part])
        propensity[part] = probabilities[np.arange(len(mask)), action[part]]
        reason[part] = _reason(action[part], propensity[part], probabilities, mask)
        blocked[part] = _blocked(rules, facts)
        if progress is not None:
            progress(min(start + ROWS_AT_A_TIME, n), n)
    decided = (action, propensity, reason, blocked, policy.name, customers.context, eligible)
    return Decisions(world.catalog, day, customers.ids, *decided, world.log_facts | {"seed": seed})


def _date(day: datetime.date | str) -> datetime.date:
    """The day of a decision, without the time of day."""
    if isinstance(day, str):
        try:
            return datetime.date.fromisoformat(day)
        except ValueError:
            raise UsageError(Problem("decide", "day", day, "a day", "Write it as 2026-11-21.")) from None
    return day.date() if isinstance(day, datetime.datetime) else day


def _meet(policy: Policy, memory: Memory | None, keys: UInt64, day: datetime.date) -> None:
    """A memory that fits the policy makes room for the customers; it cannot go back to an earlier day."""
    require_memory(policy, memory, "Give the same memory every day: --memory FILE (memory=Memory).")
    if memory is None:
        return
    if memory.last_day is not None and memory.last_day > (day - EPOCH).days:
        stands = EPOCH + datetime.timedelta(days=memory.last_day)
        fix = "A memory only moves forward. Begin another one to decide for earlier days."
        raise UsageError(Problem("decide", "day", day.isoformat(), f"{stands}, where the memory stands, or later", fix))
    memory.meet(keys)


def facts_of(customers: CustomerTable, held_out: Bool, world: World) -> Facts:
    """What the guard needs to know, from a customers table."""
    names = [None, *world.channels]

    def contacts(channel: int | None, days: int) -> npt.NDArray[np.int64]:
        return customers.contacts[names[0 if channel is None else channel + 1], days]

    return Facts(held_out, customers.suppressed, customers.consent, customers.context, contacts)


def _reason(
    action: npt.NDArray[np.int64],
    propensity: npt.NDArray[np.float64],
    probabilities: npt.NDArray[np.float64],
    mask: Bool,
) -> Objects:
    """Why this action, in words."""
    options = mask.sum(axis=1)
    best = propensity >= probabilities.max(axis=1)
    words = np.where(best, "best", "exploring")
    texts = [
        f"{word}: probability {p:.3f} among {m} allowed" if m > 1 else "nothing may be sent"
        for word, p, m in zip(words, propensity, options, strict=True)
    ]
    return np.array(texts, dtype=object)


def _blocked(rules: Rules, facts: Facts) -> Objects:
    """Which rules refuse something to each customer, "; " between them; one text per distinct pattern."""
    found = blocks(rules, facts)
    refused = np.array([block.refused for block in found]).T  # (n, rules)
    patterns, which = np.unique(refused, axis=0, return_inverse=True)
    texts = ["; ".join(block.reason for block, hit in zip(found, row, strict=True) if hit) for row in patterns]
    return np.array(texts, dtype=object)[which.ravel()]
