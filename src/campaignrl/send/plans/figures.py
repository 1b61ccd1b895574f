"""Sums over the decisions of a run, of which those of two shards, put together in order, are those of both.

Counts keep the order in which things first came, so that ties are named alike however the customers are cut up. Not
here: what is said of them (plan.py). n customers.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from campaignrl.actions import NONE
from campaignrl.arrays import Float, Int64, Objects
from campaignrl.ledger import EPOCH, Ledger
from campaignrl.send.decisions import Decisions

NO_TAG = "(no tag)"
SEGMENT = "segment"


@dataclass
class Figures:
    """What was decided, counted.

    Attributes:
        customers: how many.
        listed: by (segment, action), of what may be sent.
        decided: by action, of what was decided.
        blocked: by the text of refusals.
        nothing: by what stands before the colon of the reason, of those who get nothing.
        withdrawn: decisions whose permission was taken away since.
        gains: expected over sending nothing, each.
        notes: what was repaired on reading.
        then: customers of the run before who are here; new, gone, other: of these, as `Change` says.
    """

    customers: int = 0
    listed: Counter[tuple[str, int]] = field(default_factory=Counter)
    decided: Counter[int] = field(default_factory=Counter)
    blocked: Counter[str] = field(default_factory=Counter)
    nothing: Counter[str] = field(default_factory=Counter)
    withdrawn: list[str] = field(default_factory=list)
    gains: list[Float] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)
    then: int = 0
    new: int = 0
    gone: int = 0
    other: int = 0

    @property
    def gain(self) -> float | None:
        """Of all together, exact whatever the order; None where the policy states no values."""
        if any(np.isnan(part).any() for part in self.gains):
            return None
        return math.fsum(one for part in self.gains for one in part.tolist())

    @property
    def sends(self) -> Counter[tuple[str, int]]:
        """By (segment, action), without those who get nothing."""
        return Counter({key: many for key, many in self.listed.items() if key[1] != NONE})

    def of_action(self, counts: Mapping[int, int], actions: int) -> Int64:
        """(k,) counts by action as an array."""
        found = np.zeros(actions, dtype=np.int64)
        for action, many in counts.items():
            found[action] = many
        return found

    def listed_actions(self, actions: int) -> Int64:
        """(k,) what may be sent, by action."""
        found = np.zeros(actions, dtype=np.int64)
        for (_, action), many in self.listed.items():
            found[action] += many
        return found

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds them; without gains."""
        counts = [list(zip(of, of.values(), strict=True)) for of in (self.decided, self.blocked, self.nothing)]
        plain = {"customers": self.customers, "listed": [[*key, many] for key, many in self.listed.items()]}
        plain |= dict(zip(("decided", "blocked", "nothing"), counts, strict=True))
        plain |= {"withdrawn": self.withdrawn, "notes": self.notes}
        return plain | {"then": self.then, "new": self.new, "gone": self.gone, "other": self.other}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], gains: Float) -> Figures:
        """Inverse of `to_dict`."""
        return cls(
            customers=plain["customers"],
            listed=Counter({(segment, action): many for segment, action, many in plain["listed"]}),
            decided=Counter(dict(plain["decided"])),
            blocked=Counter(dict(plain["blocked"])),
            nothing=Counter(dict(plain["nothing"])),
            withdrawn=list(plain["withdrawn"]),
            gains=[gains],
            notes=dict(plain["notes"]),
            then=plain["then"],
            new=plain["new"],
            gone=plain["gone"],
            other=plain["other"],
        )


def together(parts: Iterable[Figures]) -> Figures:
    """Of all shards, in their order."""
    found = Figures()
    for part in parts:
        found.customers += part.customers
        found.then, found.new = found.then + part.then, found.new + part.new
        found.gone, found.other = found.gone + part.gone, found.other + part.other
        for mine, more in (
            (found.listed, part.listed),
            (found.decided, part.decided),
            (found.blocked, part.blocked),
            (found.nothing, part.nothing),
        ):
            mine.update(more)  # type: ignore[arg-type]
        found.withdrawn += part.withdrawn
        found.gains += part.gains
        found.notes = notes_together([found.notes, part.notes])
    return found


def notes_together(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Notes of several shards, added up in their order."""
    found: Counter[str] = Counter()
    for part in parts:
        found.update(part)
    return dict(found)


def figures_of(found: Decisions, before: Before | None = None) -> Figures:
    """The figures of some customers' decisions. before: the run before."""
    listed, segments = found.listed(), _segments(found)
    gains = found.gains()
    if found.withdrawn is not None:
        gains = np.where(found.withdrawn, 0.0, gains)
    nothing: Counter[str] = Counter()
    for text, many in Counter(found.reason[found.action == NONE].tolist()).items():
        nothing[str(text).split(":", 1)[0]] += many
    made = Figures(
        customers=len(found.ids),
        listed=_pairs(segments, listed, len(found.catalog)),
        decided=Counter(dict(enumerate(np.bincount(found.action, minlength=len(found.catalog)).tolist()))),
        blocked=Counter(found.blocked.tolist()),
        nothing=nothing,
        withdrawn=[] if found.withdrawn is None else found.decision_id[found.withdrawn].tolist(),
        gains=[gains],
        notes=dict(found.customers.notes),
    )
    return made if before is None else before.compared(made, found.ids, listed)


@dataclass(frozen=True)
class Before:
    """The last run of an earlier day: when, by which policies, what it sent to whom; (k,) decisions by action."""

    day: int
    policies: tuple[str, ...]
    action: pd.Series[int]
    was: Int64

    def compared(self, made: Figures, ids: Objects, listed: Int64) -> Figures:
        """The figures with what these customers got then."""
        place = self.action.index.get_indexer(pd.Index(ids))
        then = np.append(self.action.to_numpy(dtype=np.int64), NONE)[place]
        made.then = int((place >= 0).sum())
        made.new = int(((then == NONE) & (listed != NONE)).sum())
        made.gone = int(((then != NONE) & (listed == NONE)).sum())
        made.other = int(((then != NONE) & (listed != NONE) & (then != listed)).sum())
        return made


def before(ledger: Ledger, today: int, actions: int) -> Before | None:
    """The last run of a ledger on a day before today; None: there is none."""
    days = ledger.read("decisions", ["day"])
    earlier = days.filter(pc.less(days["day"], today))
    if not len(earlier):
        return None
    day = pc.max(earlier["day"]).as_py()
    last = ledger.read("decisions", ["policy_id", "customer_id", "action"], day=day).to_pandas()
    sent = last[last["action"] != NONE].drop_duplicates("customer_id").set_index("customer_id")["action"]
    was = np.bincount(last["action"], minlength=actions)
    return Before(int(day), tuple(sorted(set(last["policy_id"]))), sent, was)


def day_said(day: int) -> str:
    """A day since 1970-01-01 as text."""
    return (EPOCH + pd.Timedelta(days=day)).isoformat()


def _segments(found: Decisions) -> Objects:
    """(n,) the segment tag; all in one where the world has no such tag."""
    if SEGMENT not in found.context.columns:
        return np.full(len(found.ids), "all", dtype=object)
    tags = found.context.labels(SEGMENT).astype(object)
    return np.where(tags == "", NO_TAG, tags)


def _pairs(segments: Objects, action: Int64, actions: int) -> Counter[tuple[str, int]]:
    """How often each comes with each, in the order in which they first come."""
    codes, names = pd.factorize(segments)
    found, first, many = np.unique(codes * actions + action, return_index=True, return_counts=True)
    order = np.argsort(first)
    keys = ((str(names[int(pair) // actions]), int(pair) % actions) for pair in found[order])
    return Counter(dict(zip(keys, many[order].tolist(), strict=True)))
