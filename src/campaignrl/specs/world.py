"""A world in TOML -> a checked, frozen `World`: who the customers are, how they respond, what may be sent.

Money stands in the currency's unit (0.04) and becomes whole minor units here; time is in days. Not here: the
parts (segments.py, market.py, tags.py, effects/), the arithmetic of behaviour (dynamics/), enforcing rules (guard/).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ModelWrapValidatorHandler, ValidationError, model_validator

from campaignrl.actions import Catalog, Channel, Creative, Offer, Slot
from campaignrl.display import html_table, one_line
from campaignrl.effects import EffectSections
from campaignrl.errors import Problem, SpecError
from campaignrl.features import FeatureSchema
from campaignrl.quantities import MOST, Positive, Share
from campaignrl.specs.arrivals import Arrivals
from campaignrl.specs.bundled import find_file
from campaignrl.specs.conditions import Condition, compile_condition
from campaignrl.specs.guard_spec import GuardSpec
from campaignrl.specs.market import ChannelSpec, CreativeSpec, Money, OfferSpec, SlotSpec
from campaignrl.specs.provenance import Provenance
from campaignrl.specs.segments import Segment
from campaignrl.specs.tags import Tags
from campaignrl.specs.world_checks import crowd_problems, ways, world_problems
from campaignrl.specs.world_features import feature_schema
from campaignrl.toml import Sparse, check, field_problems, read_toml, require_sense

Business = Literal["web_shop", "bank", "store_chain", "travel", "study"]  # study: none, so that nothing judges it


class _Market(Sparse):
    """The fields of a world that stand before its effects."""

    optional_parts: ClassVar[tuple[str, ...]] = (
        "creatives", "slots", "arrivals", "formats", "hours", "drift", "joined_by_order",
    )  # fmt: skip

    name: str
    title: str = ""
    business: Business = "study"  # the kind of business it claims to be: whose published figures it must lie inside
    known_misses: dict[str, str] = {}  # figures that it misses all the same, by their id, with the reason
    horizon: Annotated[int, Field(ge=1, le=3660)] = 90  # days, one decision a day
    outcome_days: Annotated[int, Field(ge=1)] = 7  # an action's reward is counted from its day on, this long
    tenure_days: Positive = 720.0  # customers joined evenly over the days before day 0
    joined_by_order: bool | None = None  # joining is the first order, where a shop knows its customers by orders alone
    leavers_kept: Share = 1.0  # of those who have gone for good by day 0, the share still in the table
    money: Money = Money()
    segments: Annotated[dict[str, Segment], Field(min_length=1, max_length=MOST)]
    channels: Annotated[dict[str, ChannelSpec], Field(min_length=1, max_length=MOST)]
    offers: Annotated[dict[str, OfferSpec], Field(min_length=1, max_length=MOST)]
    creatives: Annotated[dict[str, CreativeSpec], Field(max_length=MOST)] = {}  # a further dimension of actions
    slots: Annotated[dict[str, SlotSpec], Field(max_length=MOST)] = {}  # likewise
    arrivals: Arrivals | None = None  # None: nobody arrives


class World(EffectSections, _Market):
    """Segments of customers and how they respond, channels, offers, effects, rules, money and horizon.

    Attributes:
        name, title: what it is called.
        business: the kind of business it claims to be; `study`: none.
        horizon: days of a campaign, one decision a day.
        outcome_days: an action's reward is counted from its day on, this many days.
        segments, channels, offers: by name.
        guard: what may be sent at all.
        catalog: the k actions.
        features: what a policy may see of a customer.

    Example:
        >>> import campaignrl as crl
        >>> crl.load_world("coupon_trap").catalog.names[:2]
        ('none', 'content@email')
    """

    tags: Tags = Tags()
    guard: GuardSpec = GuardSpec()
    provenance: dict[str, Provenance] = {}  # where numbers came from, by their place: "segments.all.purchase.rate"

    @model_validator(mode="wrap")
    @classmethod
    def _every_mistake(cls, data: Any, build: ModelWrapValidatorHandler[World]) -> World:
        """Mistakes in single fields and those that no single field can know, all in one error."""
        crowds = crowd_problems(data) if isinstance(data, Mapping) else []
        if crowds:  # alone: what else is wrong with thousands of them would take long to find and to read
            raise SpecError(crowds)
        try:
            world = build(data)
        except ValidationError as wrong:
            beside = world_problems(data) if isinstance(data, Mapping) else []
            raise SpecError([*field_problems(wrong, cls), *beside]) from None
        problems = world_problems(world.model_dump())
        if problems:
            raise SpecError(problems)
        return world

    def __reduce__(self) -> tuple[Any, ...]:
        """Cross to a worker process as the file's own content; compiled conditions are made again there."""
        return check, (World, self.model_dump(exclude_unset=True), self.name)

    def __repr__(self) -> str:
        return one_line(f"World {self.name}: {self._size()}")

    __str__ = __repr__

    def _repr_html_(self) -> str:
        rows = [(name, f"{s.share:.0%}") for name, s in self.segments.items()]
        about = f"World {self.name}: {self.title}" if self.title else f"World {self.name}"
        return html_table(about, ("segment", "share"), rows, (self._size(),))

    def _size(self) -> str:
        many, catalog = len(self.catalog), self.catalog
        actions = f"{many} actions ({catalog.said})"
        return f"{len(self.segments)} segments, {actions}, {self.horizon} days"

    def minor(self, amount: float) -> int:
        """Currency -> whole minor units, exactly; an amount that does not fit is a SpecError."""
        exact = Decimal(str(amount)) * self.money.minor_per_unit
        if exact != exact.to_integral_value():
            fix = f"Raise money.minor_per_unit ({self.money.minor_per_unit})."
            raise SpecError(Problem(f"world {self.name}", "amount", amount, "whole in minor units", fix))
        return int(exact)

    @cached_property
    def catalog(self) -> Catalog:
        """`none`, then every offer on each of its channels, each way and at each hour, in the order of the file."""
        offers = [
            Offer(name=n, kind=o.kind, discount=o.discount, valid_days=o.valid_days) for n, o in self.offers.items()
        ]
        channels = [Channel(name=n, cost=self.minor(c.cost)) for n, c in self.channels.items()]
        creatives = [Creative(name=n, format=c.format, tone=c.tone) for n, c in self.creatives.items()]
        slots = [Slot(name=n, from_hour=s.hours[0], to_hour=s.hours[1]) for n, s in self.slots.items()]
        parts = [
            (n, c, creative, slot)
            for n, offer in self.offers.items()
            for c in offer.channels
            for creative in ways(self.creatives, offer.creatives, self.channels[c].creatives)
            for slot in ways(self.slots, None, self.channels[c].slots)
        ]
        return Catalog.made_of(offers, channels, parts, creatives, slots)

    @cached_property
    def attributes(self) -> dict[str, tuple[str, ...]]:
        """Levels of each profile attribute, in the order in which they first appear."""
        found: dict[str, dict[str, None]] = {}
        for segment in self.segments.values():
            for name, table in segment.profile.items():
                found.setdefault(name, {}).update(dict.fromkeys(table))
        return {name: tuple(levels) for name, levels in found.items()}

    @cached_property
    def features(self) -> FeatureSchema:
        """What a policy may see of a customer of this world."""
        formats = () if self.formats is None else self.formats.names
        return feature_schema(tuple(self.segments), tuple(self.channels), self.attributes, self.horizon, formats)

    @property
    def log_facts(self) -> dict[str, Any]:
        """What a decision log of this world says of itself, as plain JSON: what its rewards are, in which money."""
        return {
            "world": self.name,
            "outcome_days": self.outcome_days,
            "reward": f"{self.money.currency}, contribution over {self.outcome_days} days",
            "currency": self.money.currency,
            "minor_per_unit": self.money.minor_per_unit,
            "holdout": self.guard.holdout,
            "holdout_salt": self.guard.holdout_salt,
        }

    @cached_property
    def counted_offers(self) -> tuple[str, ...]:
        """The offers of which a rule counts how often each customer was sent them."""
        capped = {cap.offer for cap in self.guard.caps}
        depth = self.guard.max_discount_depth is not None
        return tuple(n for n, o in self.offers.items() if n in capped or (depth and o.discount > 0.0))

    @cached_property
    def conditions(self) -> dict[str, Condition]:
        """Eligibility of each offer that has a rule."""
        return {
            n: compile_condition(o.only_if, self.features, f"[offers.{n}]") for n, o in self.offers.items() if o.only_if
        }


WorldReference = str | Path | Mapping[str, Any] | World  # a name, a path, a dict like a file, or itself


def load_world(world: WorldReference, **changes: Any) -> World:
    """A world by bundled name, by path of a TOML file, or from a dict of what such a file holds.

    Args:
        world: a name (`ecommerce`), a path, a dict (its `name` is "world" unless it says so), or a World.
        changes: top-level fields that replace the world's own, in the file's units: `horizon=30` is days.

    Returns:
        World: checked and frozen.

    Raises:
        UnknownName: no world goes by that name, and there is no such file.
        SpecError: something in it is wrong; every mistake at once.

    Example:
        >>> import campaignrl as crl
        >>> crl.load_world("ecommerce", horizon=30)
        World ecommerce: 5 segments, 33 actions (8 offers, 5 channels), 30 days
        >>> tables = crl.load_world("coupon_trap").model_dump(exclude_unset=True)
        >>> crl.load_world({**tables, "name": "fortnight", "horizon": 14})
        World fortnight: 2 segments, 7 actions (3 offers, 2 channels), 14 days
    """
    if isinstance(world, World):
        return check(World, {**world.model_dump(exclude_unset=True), **changes}, world.name) if changes else world
    if isinstance(world, Mapping):
        tables = {"name": "world", **world, **changes}
        require_sense(tables, str(tables["name"]))
        return check(World, tables, str(tables["name"]))
    path = find_file("envs", world, "world")
    return check(World, {"name": path.stem, **read_toml(path), **changes}, path.name)
