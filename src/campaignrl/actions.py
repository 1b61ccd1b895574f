"""Offer, Channel, Catalog: the flat table of what may be done to a customer.

Action 0 is always `none` (do nothing). Every other action has an offer and a channel; its name is
`offer@channel` unless a foreign log brings names of its own. Ids never change inside one catalog; its hash
travels with logs and policies. Not here: how customers respond (dynamics/), who may be contacted (guard/).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from campaignrl.display import html_table
from campaignrl.errors import Problem, SpecError, unknown

NONE = 0
NONE_NAME = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What is offered. `discount` is the share of the basket given away, in [0, 1)."""

    name: str
    kind: str = "content"
    discount: float = 0.0
    valid_days: int = 0  # days the offer stays usable once seen; 0: only on the day it is seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A way to reach a customer. `cost` is the price of one send in minor units of the currency."""

    name: str
    cost: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One row of the catalog; offer and channel are None for `none` alone."""

    name: str
    offer: str | None = None
    channel: str | None = None


@dataclass(frozen=True)
class Catalog:
    """All k actions, `none` first, with the offers and channels they are made of.

    Attributes:
        offers, channels: what actions are made of; a channel's cost is in minor units.
        actions: in the order of their ids.
        names: by id, `offer@channel`.
        hash: 16 hex digits that change with anything in it; it travels with logs and policies.

    Raises:
        SpecError: a name is used twice, or an action is made of what there is not.

    Example:
        >>> import campaignrl as crl
        >>> catalog = crl.load_world("coupon_trap").catalog
        >>> catalog
        Catalog: 7 actions (3 offers, 2 channels)
        >>> catalog.id_of("none")
        0
    """

    offers: tuple[Offer, ...]
    channels: tuple[Channel, ...]
    actions: tuple[Action, ...]
    _index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        problems = list(_catalog_problems(self))
        if problems:
            raise SpecError(problems)
        object.__setattr__(self, "_index", {a.name: i for i, a in enumerate(self.actions)})

    @classmethod
    def product(cls, offers: Sequence[Offer], channels: Sequence[Channel], pairs: Sequence[tuple[str, str]]) -> Catalog:
        """`none`, then one action per (offer, channel) pair, named `offer@channel`, in the order given."""
        named = (Action(name=f"{o}@{c}", offer=o, channel=c) for o, c in pairs)
        return cls(tuple(offers), tuple(channels), (Action(name=NONE_NAME), *named))

    @classmethod
    def from_names(cls, names: Sequence[str]) -> Catalog:
        """A catalog of a foreign log: each name is an offer of its own on the one channel `logged`.

        A name written `offer@channel` is split at its last @; `none` is not repeated.
        """
        actions = [Action(name=NONE_NAME)]
        for name in (n for n in names if n != NONE_NAME):
            offer, at, channel = name.rpartition("@")
            actions.append(Action(name=name, offer=offer if at else name, channel=channel if at else "logged"))
        offers = dict.fromkeys(a.offer for a in actions[1:] if a.offer)
        channels = dict.fromkeys(a.channel for a in actions[1:] if a.channel)
        return cls(tuple(Offer(name=o) for o in offers), tuple(Channel(name=c) for c in channels), tuple(actions))

    def __len__(self) -> int:
        return len(self.actions)

    def __repr__(self) -> str:
        return f"Catalog: {len(self)} actions ({len(self.offers)} offers, {len(self.channels)} channels)"

    def _repr_html_(self) -> str:
        rows = [(str(i), a.name, a.offer or "", a.channel or "") for i, a in enumerate(self.actions)]
        return html_table(repr(self), ("id", "action", "offer", "channel"), rows)

    @property
    def names(self) -> tuple[str, ...]:
        """Action names by id."""
        return tuple(a.name for a in self.actions)

    def id_of(self, name: str) -> int:
        """The id of an action by its name; the nearest name is offered for a mistyped one."""
        if name not in self._index:
            raise unknown("action", name, self._index)
        return self._index[name]

    @cached_property
    def offer_of(self) -> npt.NDArray[np.int16]:
        """(k,) index into `offers` for each action; -1 for `none`."""
        at = {o.name: i for i, o in enumerate(self.offers)}
        return np.array([at.get(a.offer or "", -1) for a in self.actions], dtype=np.int16)

    @cached_property
    def channel_of(self) -> npt.NDArray[np.int16]:
        """(k,) index into `channels` for each action; -1 for `none`."""
        at = {c.name: i for i, c in enumerate(self.channels)}
        return np.array([at.get(a.channel or "", -1) for a in self.actions], dtype=np.int16)

    @cached_property
    def cost_of(self) -> npt.NDArray[np.int64]:
        """(k,) minor units that one send of each action costs; 0 for `none`."""
        return np.array([0 if c < 0 else self.channels[c].cost for c in self.channel_of], dtype=np.int64)

    @cached_property
    def hash(self) -> str:
        """16 hex digits that change when any id, name, offer or channel changes."""
        text = json.dumps(self.to_dict(), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; `from_dict` is its inverse."""
        return {
            "offers": [asdict(o) for o in self.offers],
            "channels": [asdict(c) for c in self.channels],
            "actions": [asdict(a) for a in self.actions],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Catalog:
        """Rebuild a catalog from `to_dict`; anything else is a SpecError."""
        try:
            return cls(
                tuple(Offer(**o) for o in data["offers"]),
                tuple(Channel(**c) for c in data["channels"]),
                tuple(Action(**a) for a in data["actions"]),
            )
        except (KeyError, TypeError) as wrong:
            raise SpecError(Problem("catalog", "content", str(wrong), "a catalog as campaignrl writes it")) from None


def _catalog_problems(catalog: Catalog) -> list[Problem]:
    problems = []
    if not catalog.actions or catalog.actions[NONE] != Action(name=NONE_NAME):
        problems.append(Problem("catalog", "actions[0]", catalog.actions[:1], "`none`, the action of doing nothing"))
    for kind, names in (
        ("offers", [o.name for o in catalog.offers]),
        ("channels", [c.name for c in catalog.channels]),
        ("actions", [a.name for a in catalog.actions]),
    ):
        for name in sorted(n for n, times in Counter(names).items() if times > 1):
            problems.append(Problem("catalog", kind, name, "named once", "Give each its own name."))
    offers, channels = {o.name for o in catalog.offers}, {c.name for c in catalog.channels}
    for action in catalog.actions[1:]:
        if action.offer not in offers or action.channel not in channels:
            made_of = (action.offer, action.channel)
            problems.append(Problem("catalog", action.name, made_of, "made of a known offer and channel"))
    return problems
