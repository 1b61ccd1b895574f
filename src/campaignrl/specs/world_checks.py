"""What no single field of a world can know: sums of shares, names that meet, amounts, conditions.

The checks read the plain tables of the file, so they can be made, and reported, beside mistakes in single fields. What
is no table, text or number where one belongs is passed over here: its own field says so. Not here: the fields
(world.py and the files beside it).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeGuard, get_args

from campaignrl.actions import Catalog, Channel, Creative, Offer, Slot
from campaignrl.errors import SHOWN, Problem, SpecError, nearest
from campaignrl.features import FeatureSchema
from campaignrl.quantities import MOST
from campaignrl.specs.arrivals import WEEK
from campaignrl.specs.conditions import compile_condition
from campaignrl.specs.market import Money, OfferKind
from campaignrl.specs.provenance import provenance_problems
from campaignrl.specs.rule_checks import rule_problems
from campaignrl.specs.world_features import feature_schema

Tables = Mapping[str, Any]

MOST_ACTIONS = 10_000
DAY = 24.0  # hours


def world_problems(world: Tables) -> list[Problem]:
    """Everything that no single field of a world's tables can know."""
    channels, segments, offers = (_tables(world, name) for name in ("channels", "segments", "offers"))
    problems = [*_share_problems(segments)]
    for name, segment in segments.items():
        problems += _segment_problems(name, segment, channels, _attributes(segments))
        problems += _taste_problems(name, segment, offers)
    for name, offer in offers.items():
        problems += _unknown_channels(f"[offers.{name}]", "channels", _texts(offer.get("channels")), channels)
    caps = _table(world, "guard").get("caps")
    named = [cap.get("channel") for cap in caps if isinstance(cap, Mapping)] if isinstance(caps, list) else []
    problems += _unknown_channels("[guard]", "caps.channel", _texts(named), channels)
    problems += rule_problems(_table(world, "guard"), offers, channels, segments)
    problems += _amount_problems(_table(world, "money"), channels)
    problems += provenance_problems(world)
    problems += dimension_problems(world)
    formats = [table for table in _tables(_table(world, "formats"), "segments").values()]
    known = tuple(dict.fromkeys(str(name) for table in formats for name in table))
    return [*problems, *_catalog_problems(world), *_feature_problems(segments, offers, channels, known)]


def crowd_problems(world: Tables) -> list[Problem]:
    """Tables of more segments, channels or offers, or of more of a segment's attributes, than there may be."""
    segments = _tables(world, "segments")
    crowds = [("", name, _table(world, name)) for name in ("segments", "channels", "offers", "creatives", "slots")]
    if len(segments) <= MOST:
        crowds += [(f"[segments.{name}]", "profile", _table(segment, "profile")) for name, segment in segments.items()]
    return [
        Problem(where, field, f"a table of {len(table)} items", f"one of at most {MOST} items")
        for where, field, table in crowds
        if len(table) > MOST
    ]


def _share_problems(segments: Mapping[str, Tables]) -> Iterator[Problem]:
    shares = [segment.get("share") for segment in segments.values()]
    if shares and _are_numbers(shares) and abs(sum(shares) - 1.0) > 1e-6:
        yield Problem("[segments]", "sum of share", round(sum(shares), 6), "1", "Shares of all segments add up to 1.")


def _segment_problems(
    name: str, segment: Tables, channels: Mapping[str, Tables], attributes: Mapping[str, object]
) -> list[Problem]:
    where, profile = f"[segments.{name}]", _tables(segment, "profile")
    consent = segment.get("consent")
    problems = _unknown_channels(where, "affinity", _table(segment, "affinity"), channels)
    if isinstance(consent, Mapping):
        problems += _unknown_channels(where, "consent", consent, channels)
        absent = [channel for channel in channels if channel not in consent]
        problems += [Problem(where, "consent", list(consent), f"complete: {c} is missing") for c in absent]
    for attribute, table in profile.items():
        shares = list(table.values())
        if _are_numbers(shares) and abs(sum(shares) - 1.0) > 1e-6:
            problems.append(Problem(f"{where} profile", attribute, round(sum(shares), 6), "a table adding up to 1"))
    missing = sorted(attributes.keys() - profile.keys())
    return problems + [Problem(f"{where} profile", a, "(absent)", "given, as other segments give it") for a in missing]


def _taste_problems(name: str, segment: Tables, offers: Mapping[str, Tables]) -> Iterator[Problem]:
    kinds = get_args(OfferKind)
    unknown = [key for key in _table(segment, "taste") if key not in kinds and key not in offers]
    for number, key in enumerate(unknown):
        near = nearest(str(key), [*kinds, *offers]) if number < SHOWN else ""  # slow to find
        near = near or f"Kinds: {', '.join(kinds)}."
        yield Problem(f"[segments.{name}.taste]", "key", key, "a kind of offer, or an offer of this world", near)


def _unknown_channels(where: str, field: str, names: Iterable[str], channels: Mapping[str, Tables]) -> list[Problem]:
    known = f"Known: {list(channels)}."
    return [
        Problem(where, field, name, "a channel of this world", nearest(str(name), channels) or known)
        for name in names
        if name not in channels
    ]


def dimension_problems(world: Tables) -> list[Problem]:
    """Creatives, slots, segments and offers that are named and not there; arrivals that are too many."""
    channels, offers, segments = (_tables(world, n) for n in ("channels", "offers", "segments"))
    problems = []
    for field in ("creatives", "slots"):
        known = _tables(world, field)
        users = [*_places("channels", channels), *_places("offers", offers)]
        for where, table in users:
            problems += _unknown(where, field, _texts(table.get(field)), known, f"one of the {field} of this world")
    for section in ("formats", "hours", "arrivals"):
        named = _table(_table(world, section), "segments")
        problems += _unknown(f"[{section}.segments]", "key", named, segments, "a segment of this world")
    tones = _tables(_table(world, "formats"), "tones")
    for name, tone in tones.items():
        named = _table(tone, "segments")
        problems += _unknown(f"[formats.tones.{name}.segments]", "key", named, segments, "a segment of this world")
    changes = _table(world, "drift").get("changes")
    for number, change in enumerate(changes if isinstance(changes, list | tuple) else ()):
        for field, known in (("segment", segments), ("offer", offers)):
            named_one = _texts([change.get(field)]) if isinstance(change, Mapping) else []
            where = f"[drift.changes.{number}]"
            problems += _unknown(where, field, named_one, known, f"{_a(field)} of this world")
    return [*problems, *_arrival_problems(world), *_shift_problems(channels, _table(world, "guard"))]


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _places(name: str, tables: Mapping[str, Tables]) -> list[tuple[str, Tables]]:
    return [(f"[{name}.{key}]", table) for key, table in tables.items()]


def _unknown(where: str, field: str, names: Iterable[str], known: Mapping[str, Any], allowed: str) -> list[Problem]:
    absent = [name for name in names if name not in known]
    fix = f"Known: {', '.join(known)}." if known else ""
    hints = [nearest(str(name), known) if number < SHOWN else "" for number, name in enumerate(absent)]
    return [Problem(where, field, name, allowed, hint or fix) for name, hint in zip(absent, hints, strict=True)]


def _shift_problems(channels: Mapping[str, Tables], guard: Tables) -> Iterator[Problem]:
    """Shifts that lie in quiet hours alone: nothing would ever be sent."""
    quiet: list[Any] = [_table(guard, "quiet_hours").get(name) for name in ("from_hour", "to_hour")]
    for name, channel in channels.items():
        shift = channel.get("shift")
        if not isinstance(shift, list | tuple) or len(shift) != 2 or not _are_numbers([*shift, *quiet]):
            continue
        (start, end), (begins, ends) = shift, quiet
        into, length = (start - begins) % DAY, (end - start) % DAY or DAY
        if into + length <= (ends - begins) % DAY:
            yield Problem(f"[channels.{name}]", "shift", list(shift), "with an hour outside the quiet hours")


def _arrival_problems(world: Tables) -> Iterator[Problem]:
    """More arrivals over the campaign than there are customers at its start."""
    horizon = world.get("horizon", 90)
    for field, days in (("per_day", 1), ("per_week", WEEK)):
        rate: Any = _table(world, "arrivals").get(field)
        if _are_numbers([rate, horizon]) and 0.0 <= rate <= 1.0 and rate * horizon / days > 1.0 + 1e-9:
            total, fix = round(rate * horizon / days, 6), f"At most {days / horizon:.6g}, or a shorter horizon."
            yield Problem("[arrivals]", f"{field} over {horizon} days", total, "a share of at most 1", fix)


def _amount_problems(money: Tables, channels: Mapping[str, Tables]) -> Iterator[Problem]:
    minor = money.get("minor_per_unit", Money().minor_per_unit)
    for name, channel in channels.items():
        cost: Any = channel.get("cost")
        if not (_are_numbers([cost]) and isinstance(minor, int) and math.isfinite(cost)):
            continue
        exact = Decimal(str(cost)) * minor
        if exact != exact.to_integral_value():
            yield Problem(f"[channels.{name}]", "cost", cost, f"whole in 1/{minor} of the currency")


def ways(known: Iterable[str], *chosen: Sequence[str] | None) -> list[str | None]:
    """The creatives or slots in which something can be sent: those known and chosen by all; None alone: no such way."""
    left = [name for name in known if all(names is None or name in names for names in chosen)]
    return [*left] or [None]


def _catalog_problems(world: Tables) -> tuple[Problem, ...]:
    """Names that would meet in the catalog, and more actions than a log can number."""
    channels, offers, creatives, slots = (_tables(world, n) for n in ("channels", "offers", "creatives", "slots"))

    def chosen(table: Tables, name: str) -> list[str] | None:
        return None if table.get(name) is None else _texts(table[name])

    parts = [
        (name, c, creative, slot)
        for name, offer in offers.items()
        for c in _texts(offer.get("channels"))
        if c in channels
        for creative in ways(creatives, chosen(offer, "creatives"), chosen(channels[c], "creatives"))
        for slot in ways(slots, chosen(channels[c], "slots"))
    ][: MOST_ACTIONS + 1]
    if len(parts) > MOST_ACTIONS:
        fix = "Let channels and offers name the creatives and slots that are theirs."
        return (Problem("catalog", "actions", f"more than {MOST_ACTIONS}", f"at most {MOST_ACTIONS}", fix),)
    try:
        Catalog.made_of(
            [Offer(name=name) for name in offers],
            [Channel(name=name) for name in channels],
            parts,
            [Creative(name=name) for name in creatives],
            [Slot(name=name, from_hour=0.0, to_hour=24.0) for name in slots],
        )
    except SpecError as wrong:
        return wrong.problems
    return ()


def _feature_problems(
    segments: Mapping[str, Tables],
    offers: Mapping[str, Tables],
    channels: Mapping[str, Tables],
    formats: tuple[str, ...],
) -> list[Problem]:
    """Names that would meet among the features, attributes with more levels than codes, and conditions."""
    attributes = _attributes(segments)
    problems = [
        Problem("[segments] profile", name, f"{len(levels)} levels", f"of at most {MOST} levels")
        for name, levels in attributes.items()
        if len(levels) > MOST
    ]
    try:
        schema = feature_schema(tuple(segments), tuple(channels), attributes, 1, formats)
    except SpecError as wrong:
        return [*problems, *wrong.problems]
    return [*problems, *_condition_problems(offers, schema)]


def _condition_problems(offers: Mapping[str, Tables], schema: FeatureSchema) -> Iterator[Problem]:
    for name, offer in offers.items():
        condition = offer.get("only_if")
        if isinstance(condition, str) and condition:
            try:
                compile_condition(condition, schema, f"[offers.{name}] only_if")
            except SpecError as wrong:
                yield from wrong.problems


def _attributes(segments: Mapping[str, Tables]) -> dict[str, tuple[str, ...]]:
    """Levels of each profile attribute, in the order in which they first appear."""
    found: dict[str, dict[str, None]] = {}
    for segment in segments.values():
        for name, table in _tables(segment, "profile").items():
            found.setdefault(name, {}).update(dict.fromkeys(map(str, table)))
    return {name: tuple(levels) for name, levels in found.items()}


def _table(tables: Tables, name: str) -> Tables:
    found = tables.get(name)
    return found if isinstance(found, Mapping) else {}


def _tables(tables: Tables, name: str) -> dict[str, Tables]:
    """The tables under `name` by their own names."""
    return {str(key): value for key, value in _table(tables, name).items() if isinstance(value, Mapping)}


def _texts(values: object) -> list[str]:
    return [value for value in values if isinstance(value, str)] if isinstance(values, list | tuple) else []


def _are_numbers(values: list[Any]) -> TypeGuard[list[float]]:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
