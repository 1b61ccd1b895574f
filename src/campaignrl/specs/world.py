"""A world in TOML -> a checked, frozen `World`: who the customers are, how they respond, what may be sent.

Money stands in the currency's unit (0.04) and becomes whole minor units here; time is in days. Not here: the
arithmetic of behaviour (dynamics/), enforcing the rules (guard/).
"""

from __future__ import annotations

from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from campaignrl.actions import Catalog, Channel, Offer
from campaignrl.errors import Problem, SpecError, nearest
from campaignrl.features import FeatureSchema
from campaignrl.specs.bundled import find_file
from campaignrl.specs.conditions import Condition, compile_condition
from campaignrl.specs.schema import feature_schema
from campaignrl.specs.toml import Spec, check, read_toml

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Rate = Annotated[float, Field(gt=0.0, lt=1.0)]  # a probability whose log-odds exist
Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]
Amount = Annotated[float, Field(ge=0.0, le=1_000_000.0)]  # currency; sums of whole minor units stay exact
MOST = 60  # segments, offers or levels: their codes are 8-bit whole numbers
OfferKind = Literal["content", "gift", "coupon", "free_shipping", "perk", "winback"]


class Money(Spec):
    """The currency and the smallest amount that is booked."""

    currency: str = "EUR"
    minor_per_unit: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    unsubscribe: Amount = 0.0  # what one lost permission is worth, in currency


class Purchase(Spec):
    """Orders while the customer is alive: Poisson with a gamma-distributed rate (Pareto/NBD)."""

    rate: Positive  # orders per day, mean over customers
    spread: Positive  # coefficient of variation over customers


class Lifetime(Spec):
    """Silent drop-out: exponential lifetime with a gamma-distributed rate (Pareto/NBD)."""

    days: Positive  # 1 / mean drop-out rate
    spread: Positive  # coefficient of variation of the rate over customers


class Basket(Spec):
    """Order value: lognormal around a customer's own mean."""

    mean: Positive  # currency, mean over customers
    spread: Positive  # coefficient of variation between customers
    within: Positive = 0.4  # coefficient of variation between one customer's orders
    margin: Share  # gross margin as a share of the full price


class Sensitivity(Spec):
    """Price sensitivity: log of the purchase hazard per 10 % off, lognormal over customers."""

    mean: Positive
    spread: Positive = 0.5


class Segment(Spec):
    """One archetype: its share of the customers and the distribution of their traits."""

    share: Share
    says: str = ""  # one sentence for people
    purchase: Purchase
    lifetime: Lifetime
    basket: Basket
    price_sensitivity: Sensitivity
    consent: dict[str, Share]  # share of customers who allow each channel
    affinity: dict[str, float] = {}  # log-odds of opening, by channel
    taste: dict[OfferKind, float] = {}  # log-odds of opening, and log-hazard while usable, by kind of offer
    profile: dict[str, dict[str, Share]] = {}  # share of each level of each attribute


class Reach(Spec):
    """The funnel of one send: each rate given the step before it."""

    deliver: Rate
    open: Rate
    click: Rate


class Unsubscribe(Spec):
    """Chance that a delivered send costs the permission, and how fatigue raises its log-odds."""

    base: Rate
    per_fatigue: NotNegative = 0.0


class ChannelSpec(Spec):
    """One channel."""

    title: str = ""
    cost: Amount  # currency, per send
    reach: Reach
    unsubscribe: Unsubscribe
    fatigue: NotNegative = 1.0  # added to the fatigue stock by one send
    affinity_spread: NotNegative = 0.5  # sd over customers of the log-odds of opening


class OfferSpec(Spec):
    """One offer."""

    title: str = ""
    kind: OfferKind
    channels: Annotated[list[str], Field(min_length=1)]
    discount: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0  # share of the basket given away when redeemed
    face_value: Amount = 0.0  # currency paid by us when redeemed (gift, postage)
    feels_like: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0  # further share off that it feels like to the customer
    valid_days: Annotated[int, Field(ge=0, le=60)] = 0  # days it stays usable after the day it is seen
    appeal: float = 0.0  # log-hazard of buying while usable, beside the price effect
    redeem: Share = 0.0  # chance that an order placed while it is usable uses it
    retention: NotNegative = 0.0  # log by which it lowers the drop-out hazard while usable
    revives: Share = 0.0  # chance that a customer who dropped out returns on opening it
    only_if: str = ""  # who is eligible; empty: everybody


class Response(Spec):
    """Strength of the effects shared by all segments; 0 switches an effect off."""

    click_lift: NotNegative = 0.0  # log-hazard of buying on the day of a click
    open_lift: NotNegative = 0.0  # log-hazard of buying on the day of an open
    dropped_open: NotNegative = 2.5  # log-odds by which customers who dropped out open less


class Fatigue(Spec):
    """The fatigue stock: decays with a half-life, grows with every send."""

    half_life_days: Positive = 7.0
    open: NotNegative = 0.0  # log-odds of opening lost per unit
    drop_out: NotNegative = 0.0  # log of the drop-out hazard per unit


class Tags(Spec):
    """How observed tags differ from the truth."""

    wrong: Share = 0.0  # share of tags that show another level
    missing: Share = 0.0
    price: tuple[float, float] = (0.15, 0.3)  # cuts of the price tag, log-hazard per 10 % off


class Cap(Spec):
    """At most `at_most` sends within any `per_days` days, on one channel or on all together."""

    channel: str | None = None
    per_days: Annotated[int, Field(ge=1, le=60)]
    at_most: Annotated[int, Field(ge=0)]


class GuardSpec(Spec):
    """What may never be broken."""

    caps: list[Cap] = []
    holdout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0  # share of customers who are never contacted
    holdout_salt: int = 0  # change it to draw the holdout anew


class World(Spec):
    """Segments of customers, channels, offers, rules, money and horizon."""

    name: str
    title: str = ""
    horizon: Annotated[int, Field(ge=1, le=3660)] = 90  # days, one decision a day
    outcome_days: Annotated[int, Field(ge=1)] = 7  # an action's reward is counted from its day on, this long
    tenure_days: Positive = 720.0  # customers joined evenly over the days before day 0
    money: Money = Money()
    segments: Annotated[dict[str, Segment], Field(min_length=1, max_length=MOST)]
    channels: Annotated[dict[str, ChannelSpec], Field(min_length=1)]
    offers: Annotated[dict[str, OfferSpec], Field(min_length=1, max_length=MOST)]
    response: Response = Response()
    fatigue: Fatigue = Fatigue()
    tags: Tags = Tags()
    guard: GuardSpec = GuardSpec()

    @model_validator(mode="after")
    def _consistent(self) -> World:
        problems = world_problems(self)
        if problems:
            raise SpecError(problems)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Cross to a worker process as the file's own content; compiled conditions are made again there."""
        return check, (World, self.model_dump(exclude_unset=True), self.name)

    def minor(self, amount: float) -> int:
        """Currency -> whole minor units, exactly; an amount that does not fit is a SpecError."""
        exact = Decimal(str(amount)) * self.money.minor_per_unit
        if exact != exact.to_integral_value():
            fix = f"Raise money.minor_per_unit ({self.money.minor_per_unit})."
            raise SpecError(Problem(f"world {self.name}", "amount", amount, "whole in minor units", fix))
        return int(exact)

    @cached_property
    def catalog(self) -> Catalog:
        """`none`, then every offer on each of its channels, in the order of the file."""
        offers = [
            Offer(name=n, kind=o.kind, discount=o.discount, valid_days=o.valid_days) for n, o in self.offers.items()
        ]
        channels = [Channel(name=n, cost=self.minor(c.cost)) for n, c in self.channels.items()]
        return Catalog.product(offers, channels, [(n, c) for n, o in self.offers.items() for c in o.channels])

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
        return feature_schema(tuple(self.segments), tuple(self.channels), self.attributes, self.horizon)

    @cached_property
    def conditions(self) -> dict[str, Condition]:
        """Eligibility of each offer that has a rule."""
        return {
            n: compile_condition(o.only_if, self.features, f"[offers.{n}]") for n, o in self.offers.items() if o.only_if
        }


def load_world(reference: str | Path | World, **changes: Any) -> World:
    """A world by bundled name or path of a TOML file; `changes` replace top-level fields (horizon=30)."""
    if isinstance(reference, World):
        return (
            check(World, {**reference.model_dump(exclude_unset=True), **changes}, reference.name)
            if changes
            else reference
        )
    path = find_file("envs", reference, "world")
    return check(World, {"name": path.stem, **read_toml(path), **changes}, path.name)


def world_problems(world: World) -> list[Problem]:
    """Everything that no single field can know: sums of shares, names that meet, amounts, conditions."""
    problems: list[Problem] = []
    total = sum(s.share for s in world.segments.values())
    if abs(total - 1.0) > 1e-6:
        problems.append(
            Problem("[segments]", "sum of share", round(total, 6), "1", "Shares of all segments add up to 1.")
        )
    for name, segment in world.segments.items():
        problems += _segment_problems(name, segment, world)
    for name, offer in world.offers.items():
        problems += _unknown_channels(f"[offers.{name}]", "channels", offer.channels, world)
    for cap in world.guard.caps:
        problems += _unknown_channels("[guard]", "caps.channel", [cap.channel] if cap.channel else [], world)
    amounts = [(f"[channels.{n}]", "cost", c.cost) for n, c in world.channels.items()]
    for where, field, amount in amounts:
        exact = Decimal(str(amount)) * world.money.minor_per_unit
        if exact != exact.to_integral_value():
            problems.append(Problem(where, field, amount, f"whole in 1/{world.money.minor_per_unit} of the currency"))
    return problems or _name_problems(world) or _condition_problems(world)


def _segment_problems(name: str, segment: Segment, world: World) -> list[Problem]:
    where = f"[segments.{name}]"
    problems = _unknown_channels(where, "affinity", segment.affinity, world)
    problems += _unknown_channels(where, "consent", segment.consent, world)
    for channel in world.channels:
        if channel not in segment.consent:
            problems.append(Problem(where, "consent", list(segment.consent), f"complete: {channel} is missing"))
    for attribute, table in segment.profile.items():
        if abs(sum(table.values()) - 1.0) > 1e-6:
            problems.append(
                Problem(f"{where} profile", attribute, round(sum(table.values()), 6), "a table adding up to 1")
            )
    missing = world.attributes.keys() - segment.profile.keys()
    problems += [
        Problem(f"{where} profile", a, "(absent)", "given, as other segments give it") for a in sorted(missing)
    ]
    return problems


def _unknown_channels(where: str, field: str, names: Any, world: World) -> list[Problem]:
    return [
        Problem(
            where,
            field,
            name,
            "a channel of this world",
            nearest(name, world.channels) or f"Known: {list(world.channels)}.",
        )
        for name in names
        if name not in world.channels
    ]


def _name_problems(world: World) -> list[Problem]:
    """Names that would meet in the catalog or among the features, and attributes with more levels than codes."""
    problems = [
        Problem("[segments] profile", name, f"{len(levels)} levels", f"of at most {MOST} levels")
        for name, levels in world.attributes.items()
        if len(levels) > MOST
    ]
    for build in (lambda: world.catalog, lambda: world.features):
        try:
            build()
        except SpecError as wrong:
            problems += wrong.problems
    return problems


def _condition_problems(world: World) -> list[Problem]:
    problems: list[Problem] = []
    for name, offer in world.offers.items():
        try:
            if offer.only_if:
                compile_condition(offer.only_if, world.features, f"[offers.{name}] only_if")
        except SpecError as wrong:
            problems += wrong.problems
    return problems
