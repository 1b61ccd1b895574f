"""What may be sent at all: one mask over the catalog, with the rule that removed each action.

The one implementation: environments, batch decisions and audits call it. Deny by default: what is not known to be
allowed is not allowed; `none` always is. A new rule can only remove options. Not here: each rule by itself (checks.py),
budget, capacity and stock, which tie customers together (budget.py). n customers, k actions, c channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, reduce
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.actions import NONE, Catalog
from campaignrl.arrays import Bool, Rows
from campaignrl.guard.budget import Lanes, lanes_of, stock_of
from campaignrl.guard.checks import Check, Doors, Facts, checks, doors_of
from campaignrl.specs import Cap, Condition, Gap, World


@dataclass(frozen=True)
class Rules:
    """The rules of a world, ready to be applied."""

    world: World

    @property
    def catalog(self) -> Catalog:
        """The k actions."""
        return self.world.catalog

    @cached_property
    def conditions(self) -> dict[int, Condition]:
        """Eligibility by offer index."""
        offers = list(self.world.offers)
        return {offers.index(name): condition for name, condition in self.world.conditions.items()}

    @cached_property
    def caps(self) -> tuple[tuple[int | None, Cap], ...]:
        """Caps and gaps by channel index; None for all channels. Not those by offer."""
        channels = list(self.world.channels)
        return tuple((None if c.channel is None else channels.index(c.channel), c) for c in _channel_caps(self.world))

    @cached_property
    def offer_caps(self) -> tuple[tuple[int, Cap], ...]:
        """Caps by offer index."""
        offers = list(self.world.offers)
        return tuple((offers.index(cap.offer), cap) for cap in self.world.guard.caps if cap.offer is not None)

    @cached_property
    def doors(self) -> Doors:
        """What a rule may close."""
        return doors_of(self.world)

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        """One for each rule, strongest first."""
        return tuple(checks(self.world, self.doors, self.conditions, self.caps, self.offer_caps))

    @cached_property
    def barred(self) -> tuple[tuple[Bool, Bool], ...]:
        """By check, actions that need any of the doors that it may close (k,), and those that need each (doors, k)."""
        each = [self.doors.needed[check.doors] for check in self.checks]
        return tuple((np.asarray(needed.any(axis=0)), needed) for needed in each)

    @cached_property
    def lanes(self) -> Lanes:
        """Which actions share their cuts."""
        return lanes_of(self.catalog, stock_of(self.world))

    @cached_property
    def ways(self) -> tuple[Ways, ...]:
        """What is left of the catalog when some doors are closed."""
        return tuple(_ways(self.doors.needed))


class Ways(NamedTuple):
    """Up to 8 doors as the bits of a number, and by that number the actions (k,) to which the open ones lead."""

    doors: slice
    bits: npt.NDArray[np.uint8]  # (doors, 1)
    allowed: Bool  # (2 ** doors, k)


class Block(NamedTuple):
    """One rule's refusals: of whom, and of what."""

    reason: str
    refused: Bool  # (n,)
    actions: Bool  # (k,)


class _Same:
    """A world that is known again by being the same one: to compare all it says would take longer than its rules."""

    __slots__ = ("world",)

    def __init__(self, world: World) -> None:
        self.world = world

    def __hash__(self) -> int:
        return id(self.world)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.world is other.world


@lru_cache(maxsize=32)
def _kept(one: _Same) -> Rules:
    return Rules(one.world)


def rules_of(world: World) -> Rules:
    """The rules that a world's file states; worked out once for each of the last worlds."""
    return _kept(_Same(world))


def cap_windows(world: World) -> list[tuple[str | None, int]]:
    """(channel or None for all, days) of every cap and gap: the contact counts a customers table must bring."""
    return list(dict.fromkeys((cap.channel, cap.per_days) for cap in _channel_caps(world)))


def offer_windows(world: World) -> list[tuple[str, int]]:
    """(offer, days) of every cap by offer: the further contact counts."""
    return list(dict.fromkeys((cap.offer, cap.per_days) for cap in world.guard.caps if cap.offer is not None))


def _channel_caps(world: World) -> list[Cap]:
    """Caps that are not by offer, and gaps, which are caps of one send."""
    gaps = [(None, world.guard.min_gap_days), *((name, c.min_gap_days) for name, c in world.channels.items())]
    stated = [cap for cap in world.guard.caps if cap.offer is None]
    return [*stated, *(Gap(channel=channel, per_days=days) for channel, days in gaps if days is not None)]


Met = Sequence[Bool | None]  # what each check answers, in their order


def answers(rules: Rules, facts: Facts) -> Met:
    """What each rule says of the customers, for whoever asks both what is allowed and what was refused."""
    return [check.met(facts) for check in rules.checks]


def blocks(rules: Rules, facts: Facts, said: Met | None = None) -> list[Block]:
    """Every refusal, strongest rule first; the first that hits an action is its reason. said: the rules' `answers`."""
    found = []
    said = answers(rules, facts) if said is None else said
    for check, met, barred in zip(rules.checks, said, rules.barred, strict=True):
        if met is None:
            continue
        if met.ndim == 1:
            found.append(Block(check.reasons[0], ~met, barred[0]))
        else:
            found += [Block(*row) for row in zip(check.reasons, ~met, barred[1], strict=True)]
    return found


def open_channels(rules: Rules, facts: Facts) -> Bool:
    """(c, n) the channels that no rule closes, before conditions of offers; does not read the context.

    A customer without any can only be sent `none`.
    """
    many = len(rules.catalog.channels)
    doors = np.ones((many, len(facts.held_out)), dtype=bool)
    for check in rules.checks:
        met = check.met(facts) if check.doors.stop <= many else None
        if met is not None:
            open_ = doors[check.doors]
            np.logical_and(open_, met, out=open_)
    return doors


def allowed(rules: Rules, facts: Facts, said: Met | None = None, rows: Rows | None = None) -> Bool:
    """(n, k) what may be sent; column 0 (`none`) is always True.

    said: the rules' `answers`, where they are known; rows: (m,) of those it is wanted of, (m, k), None: of all.
    """
    doors = np.ones((len(rules.doors.needed), len(facts.held_out)), dtype=bool)
    for i, check in enumerate(rules.checks):  # one answer at a time, where none is kept
        met = check.met(facts) if said is None else said[i]
        if met is not None:
            open_ = doors[check.doors]
            np.logical_and(open_, met, out=open_)
    return reduce(np.logical_and, (_beyond(ways, doors[ways.doors], rows) for ways in rules.ways))


def _beyond(ways: Ways, doors: Bool, rows: Rows | None) -> Bool:
    """(n, k) what these doors lead to, or (m, k) for these rows. doors: (8 or fewer, n) whether each is open."""
    number: npt.NDArray[np.uint8] = np.bitwise_or.reduce(doors.view(np.uint8) * ways.bits, axis=0)
    return ways.allowed.take(number if rows is None else number[rows], axis=0)


def _ways(needed: Bool) -> Iterator[Ways]:
    """needed: (doors, k) whether an action needs a door to be open."""
    for start in range(0, max(len(needed), 1), 8):
        mine = needed[start : start + 8]
        places = np.arange(len(mine), dtype=np.uint8)
        closed = ~(np.arange(1 << len(mine))[:, None] >> places) & 1
        shut_out = closed @ mine.astype(np.int64) > 0
        yield Ways(slice(start, start + len(mine)), np.uint8(1) << places[:, None], ~shut_out)


def reasons(rules: Rules, facts: Facts) -> npt.NDArray[np.object_]:
    """(n, k) the rule that removed each action; "" where it is allowed."""
    text = np.full((len(facts.held_out), len(rules.catalog)), "", dtype=object)
    for block in blocks(rules, facts):
        for k in np.flatnonzero(block.actions):
            text[block.refused & (text[:, k] == ""), k] = block.reason
    text[:, NONE] = ""
    return text
