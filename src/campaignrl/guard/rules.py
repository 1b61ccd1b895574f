"""What may be sent at all: one mask over the catalog, with the rule that removed each action.

The one implementation: environments, batch decisions and audits call it. Deny by default: what is not known to be
allowed is not allowed; `none` always is. A new rule can only remove options. Not here: budget and capacity, which
tie customers together. n customers, k actions, c channels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.actions import NONE, Catalog
from campaignrl.features import Context
from campaignrl.specs.conditions import Condition
from campaignrl.specs.market import Cap
from campaignrl.specs.world import World

Bool = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.integer]


class Facts(NamedTuple):
    """What the rules need to know of n customers."""

    held_out: Bool  # (n,)
    suppressed: Bool | None  # (n,) on the suppression list; None: the caller has no such list
    consent: Bool  # (c, n) known permission by channel; unknown is False
    context: Context
    contacts: Callable[
        [int | None, int], Counts
    ]  # (channel or None for all, days) -> (n,) sends in the days that end today


class Rules(NamedTuple):
    """The rules of a world, ready to be applied."""

    catalog: Catalog
    conditions: dict[int, Condition]  # by offer index
    caps: tuple[tuple[int | None, Cap], ...]  # channel index or None for all channels


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
    found = [] if facts.suppressed is None else [Block("suppressed", facts.suppressed)]
    found.append(Block("holdout", facts.held_out))
    channels = rules.catalog.channels
    found += [Block(f"no consent: {ch.name}", ~facts.consent[c], channel=c) for c, ch in enumerate(channels)]
    for offer, condition in rules.conditions.items():
        name = rules.catalog.offers[offer].name
        found.append(Block(f"not eligible: {name}", ~condition.holds(facts.context), offer=offer))
    for channel, cap in rules.caps:
        scope = "all channels" if channel is None else channels[channel].name
        # The window of per_days days ends today, so a send on day d no longer counts on day d + per_days.
        full = facts.contacts(channel, cap.per_days) >= cap.at_most
        found.append(Block(f"cap: {cap.at_most} in {cap.per_days} days on {scope}", full, channel=channel))
    return found


def allowed(rules: Rules, facts: Facts) -> Bool:
    """(n, k) what may be sent; column 0 (`none`) is always True."""
    catalog, n = rules.catalog, len(facts.held_out)
    anything = np.ones(n, dtype=bool)
    by_channel = np.ones((len(catalog.channels), n), dtype=bool)
    by_offer = np.ones((len(catalog.offers), n), dtype=bool)
    for block in blocks(rules, facts):
        target = anything
        if block.channel is not None:
            target = by_channel[block.channel]
        elif block.offer is not None:
            target = by_offer[block.offer]
        target &= ~block.refused
    by_channel &= anything
    mask = np.ones((len(catalog), n), dtype=bool)
    np.logical_and(by_channel[catalog.channel_of[1:]], by_offer[catalog.offer_of[1:]], out=mask[1:])
    return mask.T


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
