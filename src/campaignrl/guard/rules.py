"""What may be sent at all: one mask over the catalog, with the rule that removed each action.

The one implementation: environments, batch decisions and audits call it. Deny by default: what is not known to be
allowed is not allowed; `none` always is. A new rule can only remove options. Not here: budget and capacity, which
tie customers together. n customers, k actions, c channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.actions import NONE, Catalog
from campaignrl.arrays import Bool, Int
from campaignrl.features import Context
from campaignrl.specs import Cap, Condition, World


class Facts(NamedTuple):
    """What the rules need to know of n customers."""

    held_out: Bool  # (n,)
    suppressed: Bool | None  # (n,) on the suppression list; None: the caller has no such list
    consent: Bool  # (c, n) known permission by channel; unknown is False
    context: Context
    contacts: Callable[
        [int | None, int], Int
    ]  # (channel or None for all, days) -> (n,) sends in the days that end today


@dataclass(frozen=True)
class Rules:
    """The rules of a world, ready to be applied."""

    catalog: Catalog
    conditions: dict[int, Condition]  # by offer index
    caps: tuple[tuple[int | None, Cap], ...]  # channel index or None for all channels

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        """One for each rule, strongest first."""
        return tuple(_checks(self))

    @cached_property
    def ways(self) -> tuple[Ways, ...]:
        """What is left of the catalog when some channels and offers are closed."""
        return tuple(_ways(self))


class Check(NamedTuple):
    """One rule, and the doors it watches: a channel's, those of all channels, or an offer's; numbered in this order.

    met: (n,), or (c, n) where the rule has an answer of its own for each channel; None: the rule does not apply.
    """

    reasons: tuple[str, ...]  # of a refusal; one for each answer
    doors: slice
    met: Callable[[Facts], Bool | None]
    channel: int | None = None
    offer: int | None = None


class Ways(NamedTuple):
    """Up to 8 doors as the bits of a number, and by that number the actions (k,) to which the open ones lead."""

    doors: slice
    bits: npt.NDArray[np.uint8]  # (doors, 1)
    allowed: Bool  # (2 ** doors, k)


class Block(NamedTuple):
    """One rule's refusals: for everything, for one channel, or for one offer."""

    reason: str
    refused: Bool  # (n,)
    channel: int | None = None
    offer: int | None = None


def rules_of(world: World) -> Rules:
    """The rules that a world's file states."""
    channels, offers = list(world.channels), list(world.offers)
    conditions = {offers.index(name): condition for name, condition in world.conditions.items()}
    caps = tuple((None if c.channel is None else channels.index(c.channel), c) for c in world.guard.caps)
    return Rules(world.catalog, conditions, caps)


def cap_windows(world: World) -> list[tuple[str | None, int]]:
    """(channel or None for all, days) of every cap: the contact counts a customers table must bring."""
    return list(dict.fromkeys((cap.channel, cap.per_days) for cap in world.guard.caps))


def blocks(rules: Rules, facts: Facts) -> list[Block]:
    """Every refusal, strongest rule first; the first that hits an action is its reason."""
    found = []
    for check in rules.checks:
        met = check.met(facts)
        if met is None:
            continue
        if met.ndim == 1:
            found.append(Block(check.reasons[0], ~met, check.channel, check.offer))
        else:
            rows = zip(check.reasons, ~met, strict=True)
            found += [Block(reason, refused, channel=c) for c, (reason, refused) in enumerate(rows)]
    return found


def open_channels(rules: Rules, facts: Facts) -> Bool:
    """(c, n) the channels that no rule closes, before conditions of offers; does not read the context.

    A customer without any can only be sent `none`.
    """
    doors = np.ones((len(rules.catalog.channels), len(facts.held_out)), dtype=bool)
    for check in rules.checks:
        met = check.met(facts) if check.offer is None else None
        if met is not None:
            open_ = doors[check.doors]
            np.logical_and(open_, met, out=open_)
    return doors


def allowed(rules: Rules, facts: Facts) -> Bool:
    """(n, k) what may be sent; column 0 (`none`) is always True."""
    doors = np.ones((len(rules.catalog.channels) + len(rules.conditions), len(facts.held_out)), dtype=bool)
    for check in rules.checks:
        met = check.met(facts)
        if met is not None:
            open_ = doors[check.doors]
            np.logical_and(open_, met, out=open_)
    return reduce(np.logical_and, (_beyond(ways, doors[ways.doors]) for ways in rules.ways))


def _beyond(ways: Ways, doors: Bool) -> Bool:
    """(n, k) what these doors lead to. doors: (8 or fewer, n) whether each is open."""
    number: npt.NDArray[np.uint8] = np.bitwise_or.reduce(doors.view(np.uint8) * ways.bits, axis=0)
    return ways.allowed.take(number, axis=0)


def _checks(rules: Rules) -> Iterator[Check]:
    channels = rules.catalog.channels
    all_channels = slice(0, len(channels))
    yield Check(("suppressed",), all_channels, lambda facts: None if facts.suppressed is None else ~facts.suppressed)
    yield Check(("holdout",), all_channels, lambda facts: ~facts.held_out)
    yield Check(tuple(f"no consent: {c.name}" for c in channels), all_channels, lambda facts: facts.consent)
    for door, (offer, condition) in enumerate(rules.conditions.items(), start=len(channels)):
        reason = f"not eligible: {rules.catalog.offers[offer].name}"
        yield Check((reason,), slice(door, door + 1), _meets(condition), offer=offer)
    for channel, cap in rules.caps:
        scope = "all channels" if channel is None else channels[channel].name
        doors = all_channels if channel is None else slice(channel, channel + 1)
        reason = f"cap: {cap.at_most} in {cap.per_days} days on {scope}"
        yield Check((reason,), doors, _below(channel, cap), channel=channel)


def _meets(condition: Condition) -> Callable[[Facts], Bool]:
    return lambda facts: condition.holds(facts.context)


def _below(channel: int | None, cap: Cap) -> Callable[[Facts], Bool]:
    # The window of per_days days ends today, so a send on day d no longer counts on day d + per_days.
    return lambda facts: facts.contacts(channel, cap.per_days) < cap.at_most


def _ways(rules: Rules) -> Iterator[Ways]:
    catalog = rules.catalog
    by_channel = [catalog.channel_of == c for c in range(len(catalog.channels))]
    by_offer = [catalog.offer_of == o for o in rules.conditions]
    needed = np.reshape([*by_channel, *by_offer], (-1, len(catalog)))  # (doors, k) whether an action needs it open
    for start in range(0, max(len(needed), 1), 8):
        mine = needed[start : start + 8]
        places = np.arange(len(mine), dtype=np.uint8)
        closed = ~(np.arange(1 << len(mine))[:, None] >> places) & 1
        shut_out = closed @ mine.astype(np.int64) > 0
        yield Ways(slice(start, start + len(mine)), np.uint8(1) << places[:, None], ~shut_out)


def reasons(rules: Rules, facts: Facts) -> npt.NDArray[np.object_]:
    """(n, k) the rule that removed each action; "" where it is allowed."""
    catalog = rules.catalog
    text = np.full((len(facts.held_out), len(catalog)), "", dtype=object)
    for block in blocks(rules, facts):
        for k in range(1, len(catalog)):
            hit = (block.channel is None or block.channel == catalog.channel_of[k]) and (
                block.offer is None or block.offer == catalog.offer_of[k]
            )
            if hit:
                text[block.refused & (text[:, k] == ""), k] = block.reason
    text[:, NONE] = ""
    return text
