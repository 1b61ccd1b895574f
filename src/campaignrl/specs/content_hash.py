"""What a world is, as a hash of its content: equal hashes, equal behaviour.

Logs, ledgers and benchmarks carry it, so that what was made in one world is never taken for another's. Not here: the
hash of a catalog (actions.py), of a policy (policies/content_hash.py).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from campaignrl.specs.world import World

# Parts of a world that change nobody's behaviour.
FOR_PEOPLE = ("title", "says", "about", "name", "business", "known_misses")


def world_hash(world: World) -> str:
    """Of everything that shapes behaviour, in the order of the file (order gives ids), without texts for people."""
    return digest(_without_texts(world.model_dump(mode="json", exclude_unset=True)))


RULES = ("only_if", "valid_from", "valid_until", "stock", "purpose", "at_least")  # of an offer
OF_CHANNELS = ("min_gap_days", "at_least")  # beside the capacity


def guard_hash(world: World) -> str:
    """Of the rules alone: [guard], who may get an offer and when, what a channel and a stock can give."""
    told = world.model_dump(mode="json", exclude_unset=True)
    offers = {name: {key: offer[key] for key in RULES if key in offer} for name, offer in told["offers"].items()}
    capacity = {name: channel.get("capacity") for name, channel in told["channels"].items()}
    more = {
        name: {key: channel[key] for key in OF_CHANNELS if key in channel} for name, channel in told["channels"].items()
    }
    rest = [more] if any(more.values()) else []  # hashes of worlds without such rules stay
    return digest([_without_texts(told.get("guard", {})), offers, capacity, *rest])


def digest(content: Any) -> str:
    """32 hex digits of plain JSON content; the order of keys counts."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _without_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_texts(v) for key, v in value.items() if key not in FOR_PEOPLE}
    return [_without_texts(v) for v in value] if isinstance(value, list) else value
