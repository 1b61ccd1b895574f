"""What a policy remembers of customers from one day to the next.

A recurrent policy is a pure function of a state and today's context; the states themselves are kept here, outside it,
so that two campaigns of one policy do not disturb each other. A state moves on once a customer and day: asking again
for the same day begins from the same state and gives the same answer. Here: the protocol, the keeper of states, asking
with and without one, states along a log. Not here: networks (recurrent_ppo.py), files (recurrent_state_file.py). n
rows, S numbers a state.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Protocol, TypeGuard, overload, runtime_checkable

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Bool, Float, Float32, Int, UInt64
from campaignrl.errors import ArtifactError, DataError, Problem, UsageError
from campaignrl.features import Context, FeatureSchema
from campaignrl.policies.base import Policy
from campaignrl.policies.tensor_file import pack
from campaignrl.tables.files import row_problems
from campaignrl.tables.log import DecisionLog

NEVER = np.iinfo(np.int64).min  # day of a customer who has not been decided for


@runtime_checkable
class Recurrent(Policy, Protocol):
    """A policy whose answer depends on what it has seen of a customer before; zeros stand for nothing seen.

    `probabilities` answers as for customers it has never seen.
    """

    schema: FeatureSchema

    @property
    def state_width(self) -> int:
        """Numbers in a state, S."""

    def remember(self, context: Context, state: Float32) -> Float32:
        """(n,) contexts, (n, S) remembered until now -> (n, S) once today's contexts have been seen."""

    def shares(self, context: Context, state: Float32, allowed: Bool) -> Float:
        """(n,) contexts, (n, S) what is remembered, today included; (n, k) mask -> (n, k) exact probabilities."""

    def outputs(self, context: Context, state: Float32) -> Float32:
        """(n,), (n, S) -> (n, k) scores of the actions, whose differences within a row mean something."""


class Memory:
    """States by customer: before and after the last day on which it was decided for, and that day.

    Customers are met first (`meet`); after that, calls for different customers may run on threads. of: what tells the
    policy it belongs to from others (`fingerprint`); width: S.
    """

    def __init__(self, of: str, width: int) -> None:
        self.of, self.width = of, width
        self.keys: UInt64 = np.empty(0, dtype=np.uint64)  # (m,) ascending, as rng.customer_keys gives them
        self.day: npt.NDArray[np.int64] = np.empty(0, dtype=np.int64)  # (m,)
        self.before: Float32 = np.empty((0, width), dtype=np.float32)  # (m, S)
        self.after: Float32 = np.empty((0, width), dtype=np.float32)  # (m, S)

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def last_day(self) -> int | None:
        """The latest day that anybody was decided for."""
        return int(self.day.max()) if (self.day > NEVER).any() else None

    def meet(self, keys: UInt64) -> None:
        """Make room for customers not known yet, of whom nothing is remembered."""
        at = np.minimum(np.searchsorted(self.keys, keys), max(len(self) - 1, 0))
        new = np.unique(keys if not len(self) else keys[self.keys[at] != keys])
        if not len(new):
            return
        merged = np.concatenate([self.keys, new])
        order = np.argsort(merged)
        nothing = np.zeros((len(new), self.width), dtype=np.float32)
        self.keys = merged[order]
        self.day = np.concatenate([self.day, np.full(len(new), NEVER)])[order]
        self.before = np.concatenate([self.before, nothing])[order]
        self.after = np.concatenate([self.after, nothing])[order]

    def states(self, keys: UInt64, day: int) -> Float32:
        """(n, S) what was remembered on the morning of `day`; a day that is past for a customer is a DataError."""
        rows = np.searchsorted(self.keys, keys)
        last = self.day[rows]
        fix = "A memory only moves forward. Begin another one to decide for earlier days."
        problems = row_problems(last > day, "last day", last, f"{day} or earlier, the day to decide for", fix, "memory")
        if problems:
            raise DataError(problems)
        return np.where((last == day)[:, None], self.before[rows], self.after[rows])

    def keep(self, keys: UInt64, day: int, before: Float32, after: Float32) -> None:
        """Remember what `states` gave for `day`, and what became of it."""
        rows = np.searchsorted(self.keys, keys)
        self.day[rows], self.before[rows], self.after[rows] = day, before, after


@overload
def memory_for(policy: Recurrent) -> Memory: ...


@overload
def memory_for(policy: Policy) -> Memory | None: ...


def memory_for(policy: Policy) -> Memory | None:
    """An empty memory for a recurrent policy; None for one that remembers nothing."""
    return Memory(fingerprint(policy), policy.state_width) if isinstance(policy, Recurrent) else None


def is_recurrent(policy: Policy) -> TypeGuard[Recurrent]:
    """Whether the policy remembers customers; told at once of nearly all that do not, for it is asked day by day."""
    return hasattr(policy, "remember") and isinstance(policy, Recurrent)


def fingerprint(policy: Recurrent) -> str:
    """A digest of settings, catalog, features and weights: to another network the numbers of a state mean nothing."""
    known = {"settings": policy.settings(), "catalog": policy.catalog.hash, "features": policy.schema.encoded}
    return hashlib.sha256(pack({"policy": json.dumps(known, sort_keys=True)}, policy.tensors())).hexdigest()[:16]


def ask(policy: Policy, memory: Memory | None, keys: UInt64, day: int, context: Context, allowed: Bool) -> Float:
    """(n, k) probabilities of any policy for customers on a day; a recurrent one reads and moves on `memory`."""
    if not is_recurrent(policy):
        return policy.probabilities(context, allowed)
    if memory is None:
        require_memory(policy, memory, "memory_for(policy) makes one.")
    assert memory is not None
    before = memory.states(keys, day)
    after = policy.remember(context, before)
    memory.keep(keys, day, before, after)
    return policy.shares(context, after, allowed)


def require_memory(policy: Policy, memory: Memory | None, fix: str) -> None:
    """A UsageError where a recurrent policy would forget everything from day to day, or another one has a memory.

    A memory of another policy is an ArtifactError.
    """
    where, remembers = f"policy {policy.name}", isinstance(policy, Recurrent)
    if remembers and memory is None:
        raise UsageError(Problem(where, "memory", "none", "given: it remembers customers from day to day", fix))
    if not remembers and memory is not None:
        raise UsageError(Problem(where, "memory", "given", "left out: it remembers nothing"))
    if isinstance(policy, Recurrent) and memory is not None and memory.of != fingerprint(policy):
        raise ArtifactError(Problem(where, "memory", memory.of, f"{fingerprint(policy)}: it is of another policy"))


def states_on(policy: Recurrent, log: DecisionLog) -> Float32:
    """(n, S) what `policy` remembers at each row, today included; see `along`."""
    states = np.empty((len(log), policy.state_width), dtype=np.float32)
    for rows, state in along(policy, log):
        states[rows] = state
    return states


def answers_on(policy: Recurrent, log: DecisionLog) -> Float:
    """(n, k) probabilities of `policy` at each row; see `along`."""
    p = np.empty((len(log), len(log.catalog)))
    for rows, state in along(policy, log):
        p[rows] = policy.shares(log.context.take(rows), state, log.allowed(rows))
    return p


def along(policy: Recurrent, log: DecisionLog) -> Iterator[tuple[Int, Float32]]:
    """Rows of a log and the states there, first steps of customers first, had `policy` followed it from the start.

    Rows are seen in the order of a customer's steps, wherever they stand; what a customer did on days without a row
    is not seen, and before the first row nothing is remembered (`gaps_in` tells of both).
    """
    order, first = _customers_in_order(log)
    length = np.diff(np.append(first, len(order)))
    held = np.zeros((len(first), policy.state_width), dtype=np.float32)
    for t in range(int(length.max(initial=0))):
        going = np.flatnonzero(length > t)
        rows = order[first[going] + t]
        held[going] = policy.remember(log.context.take(rows), held[going])
        yield rows, held[going]


def gaps_in(log: DecisionLog) -> tuple[str, ...]:
    """What keeps a memory along a log from being whole, in sentences; none for episodes from their first step on."""
    order, first = _customers_in_order(log)
    if not len(order):
        return ()
    if len(first) == len(order):
        return ("The policy remembers customers, but each has a single row here: it is valued without its memory.",)
    step, said = log.step[order], []
    late = float((step[first] > 0).mean())
    if late > 0.0:
        said.append(f"The policy remembers customers, and meets {late:.0%} of them in mid-episode, as if new.")
    skipped = float((np.delete(np.diff(step), first[1:] - 1) != 1).mean())
    if skipped > 0.0:
        said.append(f"The policy remembers customers, and after {skipped:.0%} of rows it misses the next step.")
    return tuple(said)


def _customers_in_order(log: DecisionLog) -> tuple[Int, Int]:
    """(n,) rows by customer and step, (m,) where each customer begins among them."""
    order = np.lexsort((log.step, log.customer))
    return order, np.flatnonzero(np.diff(log.customer[order], prepend=-1))
