"""Offer, Channel, Creative, Slot, Catalog: the flat table of what may be done to a customer.

Action 0 is always `none` (do nothing). Every other action has an offer and a channel; its name is
`offer@channel` unless a foreign log brings names of its own; where a world declares creatives or slots, they follow
behind a stroke: `content@email/video/evening`. Ids never change inside one catalog; its hash
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

from campaignrl.arrays import Objects
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
class Creative:
    """A way to present an offer; customers have a taste for its format, and may have one for its tone."""

    name: str
    format: str = ""  # of the content: "video", "picture", "text"; empty: its own name
    tone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A band of hours of the day, local time, from 0 to 24; `to_hour` below `from_hour` goes over midnight."""

    name: str
    from_hour: float
    to_hour: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One row of the catalog; offer and channel are None for `none` alone.

    creative, slot: None where the action has none: it is presented in the one way there is, or at no hour of choice.
    """

    name: str
    offer: str | None = None
    channel: str | None = None
    creative: str | None = None
    slot: str | None = None


@dataclass(frozen=True)
class Catalog:
    """All k actions, `none` first, with the offers and channels they are made of.

    Attributes:
        offers, channels: what actions are made of; a channel's cost is in minor units.
        creatives, slots: the further dimensions, where there are any.
        actions: in the order of their ids.
        names: by id, `offer@channel`, with `/creative` and `/slot` where an action has them.
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
    creatives: tuple[Creative, ...] = ()
    slots: tuple[Slot, ...] = ()
    _index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        problems = list(_catalog_problems(self))
        if problems:
            raise SpecError(problems)
        object.__setattr__(self, "_index", {a.name: i for i, a in enumerate(self.actions)})

    @classmethod
    def product(cls, offers: Sequence[Offer], channels: Sequence[Channel], pairs: Sequence[tuple[str, str]]) -> Catalog:
        """`none`, then one action per (offer, channel) pair, named `offer@channel`, in the order given."""
        return cls.made_of(offers, channels, [(o, c, None, None) for o, c in pairs])

    @classmethod
    def made_of(
        cls,
        offers: Sequence[Offer],
        channels: Sequence[Channel],
        parts: Sequence[tuple[str, str, str | None, str | None]],
        creatives: Sequence[Creative] = (),
        slots: Sequence[Slot] = (),
    ) -> Catalog:
        """`none`, then one action per (offer, channel, creative, slot), in the order given; None: without.

        Example:
            >>> from campaignrl.actions import Catalog, Channel, Creative, Offer, Slot
            >>> offers, channels = [Offer(name="news")], [Channel(name="email")]
            >>> creatives, slots = [Creative(name="video")], [Slot(name="evening", from_hour=18, to_hour=22)]
            >>> Catalog.made_of(offers, channels, [("news", "email", "video", "evening")], creatives, slots).names
            ('none', 'news@email/video/evening')
        """
        named = (
            Action(name="/".join((f"{o}@{c}", *filter(None, rest))), offer=o, channel=c, creative=rest[0], slot=rest[1])
            for o, c, *rest in parts
        )
        actions = (Action(name=NONE_NAME), *named)
        return cls(tuple(offers), tuple(channels), actions, tuple(creatives), tuple(slots))

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
        return f"Catalog: {len(self)} actions ({self.said})"

    @property
    def said(self) -> str:
        """What actions are made of, in words."""
        parts = [f"{len(self.offers)} offers", f"{len(self.channels)} channels"]
        parts += [f"{len(self.creatives)} creatives"] if self.creatives else []
        return ", ".join([*parts, *([f"{len(self.slots)} slots"] if self.slots else [])])

    def _repr_html_(self) -> str:
        rows = [(str(i), a.name, a.offer or "", a.channel or "") for i, a in enumerate(self.actions)]
        return html_table(repr(self), ("id", "action", "offer", "channel"), rows)

    @cached_property
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
    def offer_names(self) -> Objects:
        """Of offers by index, the last "" of none."""
        return np.array([*(o.name for o in self.offers), ""], dtype=object)

    @cached_property
    def channel_names(self) -> Objects:
        """Of channels by index, the last "" of none."""
        return np.array([*(c.name for c in self.channels), ""], dtype=object)

    @cached_property
    def creative_of(self) -> npt.NDArray[np.int16]:
        """(k,) index into `creatives` for each action; -1 without."""
        at = {c.name: i for i, c in enumerate(self.creatives)}
        return np.array([at.get(a.creative or "", -1) for a in self.actions], dtype=np.int16)

    @cached_property
    def slot_of(self) -> npt.NDArray[np.int16]:
        """(k,) index into `slots` for each action; -1 without."""
        at = {s.name: i for i, s in enumerate(self.slots)}
        return np.array([at.get(a.slot or "", -1) for a in self.actions], dtype=np.int16)

    @property
    def dimensions(self) -> dict[str, tuple[tuple[str, ...], npt.NDArray[np.int16]]]:
        """Names and (k,) index of each dimension that actions have: offer, channel, and creative and slot if any."""
        found: dict[str, tuple[tuple[str, ...], npt.NDArray[np.int16]]] = {
            "offer": (tuple(o.name for o in self.offers), self.offer_of),
            "channel": (tuple(c.name for c in self.channels), self.channel_of),
        }
        if self.creatives:
            found["creative"] = (tuple(c.name for c in self.creatives), self.creative_of)
        if self.slots:
            found["slot"] = (tuple(s.name for s in self.slots), self.slot_of)
        return found

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
        """Plain JSON types; `from_dict` is its inverse. Without creatives and slots nothing is said of them."""
        absent = [name for name in ("creative", "slot") if not getattr(self, f"{name}s")]
        actions = [{name: value for name, value in asdict(a).items() if name not in absent} for a in self.actions]
        return {
            "offers": [asdict(o) for o in self.offers],
            "channels": [asdict(c) for c in self.channels],
            "actions": actions,
            **({"creatives": [asdict(c) for c in self.creatives]} if self.creatives else {}),
            **({"slots": [asdict(s) for s in self.slots]} if self.slots else {}),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Catalog:
        """Rebuild a catalog from `to_dict`; anything else is a SpecError."""
        try:
            return cls(
                tuple(Offer(**o) for o in data["offers"]),
                tuple(Channel(**c) for c in data["channels"]),
                tuple(Action(**a) for a in data["actions"]),
                tuple(Creative(**c) for c in data.get("creatives", ())),
                tuple(Slot(**s) for s in data.get("slots", ())),
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
        ("creatives", [c.name for c in catalog.creatives]),
        ("slots", [s.name for s in catalog.slots]),
        ("actions", [a.name for a in catalog.actions]),
    ):
        for name in sorted(n for n, times in Counter(names).items() if times > 1):
            problems.append(Problem("catalog", kind, name, "named once", "Give each its own name."))
    offers, channels = {o.name for o in catalog.offers}, {c.name for c in catalog.channels}
    creatives, slots = {None, *(c.name for c in catalog.creatives)}, {None, *(s.name for s in catalog.slots)}
    for action in catalog.actions[1:]:
        if action.offer not in offers or action.channel not in channels:
            made_of = (action.offer, action.channel)
            problems.append(Problem("catalog", action.name, made_of, "made of a known offer and channel"))
        if action.creative not in creatives or action.slot not in slots:
            ways = (action.creative, action.slot)
            problems.append(Problem("catalog", action.name, ways, "with a known creative and slot, or without"))
    return problems
