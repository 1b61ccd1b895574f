"""Minimum shares: sends that there shall be of an offer, or on a channel, where a plan by value can have them.

A share is of the customers of a run. Nobody is sent anything for it that a rule refuses, and no limit is exceeded: what
cannot be had is missed, and said. Not here: the plan that meets them (allocation.py). o offers, c channels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from campaignrl.arrays import Int
from campaignrl.errors import Problem, nearest
from campaignrl.specs import World

DIGITS = 6  # of customers, below which a share is of whole ones: 0.1 of 30 are 3


def least_shares(world: World, given: Mapping[str, float] | None = None) -> dict[str, float]:
    """Share of customers by name of an offer or a channel: those of the world, and what a run gives instead."""
    stated = [(name, offer.at_least) for name, offer in world.offers.items()]
    stated += [(name, channel.at_least) for name, channel in world.channels.items()]
    return {**{name: share for name, share in stated if share is not None}, **(given or {})}


def least_sends(world: World, customers: int, given: Mapping[str, float] | None = None) -> dict[str, Int]:
    """Sends that there shall be by dimension of actions: `offer` (o,), `channel` (c,); empty where none is asked for.

    Example:
        >>> from campaignrl.guard import least_sends
        >>> from campaignrl.specs import load_world
        >>> world = load_world("tight_budget")
        >>> {name: sends.tolist() for name, sends in least_sends(world, 30, {"sms": 0.1}).items()}
        {'channel': [3, 0]}
    """
    shares = least_shares(world, given)
    found: dict[str, Int] = {}
    for dimension, names in (("offer", list(world.offers)), ("channel", list(world.channels))):
        asked = [math.ceil(round(shares.get(name, 0.0) * customers, DIGITS)) for name in names]
        if any(asked):
            found[dimension] = np.array(asked, dtype=np.int64)
    return found


def share_problems(world: World, given: Mapping[str, float]) -> Iterator[Problem]:
    """Everything that is wrong with what a run gives."""
    for name, share in given.items():
        if name in world.offers and name in world.channels:
            yield Problem("decide", "at_least", name, "of what no offer and channel are both called")
        elif name not in world.offers and name not in world.channels:
            fix = nearest(name, [*world.offers, *world.channels])
            yield Problem("decide", "at_least", name, f"an offer or a channel of {world.name}", fix)
        elif not 0.0 <= share <= 1.0:
            yield Problem("decide", f"at_least of {name}", share, "a share of the customers, 0 to 1")
    asked = least_shares(world, given)
    for words, names in (("offers", world.offers), ("channels", world.channels)):
        in_all = math.fsum(share for name, share in asked.items() if name in names)
        if in_all > 1.0 + 1e-9:
            allowed = "at most 1: nobody gets two sends"
            yield Problem("decide", f"at_least of all {words}", round(in_all, 4), allowed)
