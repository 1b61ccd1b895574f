"""What no single field of a world can know: sums of shares, names that meet, amounts, conditions.

Here: the checks of a whole world, all reported at once. Not here: the fields (world.py and the files beside it).
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

from campaignrl.errors import Problem, SpecError, nearest
from campaignrl.specs.conditions import compile_condition
from campaignrl.specs.quantities import MOST

if TYPE_CHECKING:
    from campaignrl.specs.people import Segment
    from campaignrl.specs.world import World


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


def _unknown_channels(where: str, field: str, names: Iterable[str], world: World) -> list[Problem]:
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
