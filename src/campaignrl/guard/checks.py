"""Each rule by itself: what it needs to know, what it answers, which doors it closes, and its reason in words.

Deny by default: a rule whose facts nobody knows closes its doors, but for those that only real mornings have (a
calendar day, an hour, a customers table). Not here: putting them together (rules.py), stock, budget and capacity, which
tie customers together (budget.py). n customers, k actions, c channels, o offers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Bool, Int
from campaignrl.features import Context
from campaignrl.guard.dates import dates_said, is_valid
from campaignrl.specs import Cap, Condition, OfferSpec, World
from campaignrl.tables import MILLIONTHS


class Facts(NamedTuple):
    """What the rules need to know of n customers."""

    held_out: Bool  # (n,)
    suppressed: Bool | None  # (n,) on the suppression list; None: the caller has no such list
    consent: Bool  # (c, n) known permission by channel; unknown is False
    context: Context
    contacts: Callable[
        [int | None, int], Int
    ]  # (channel or None for all, days) -> (n,) sends in the days that end today
    offer_contacts: Callable[[int, int], Int] | None = None  # (offer, days) -> (n,) sends of it; None: nobody counts
    depth: Callable[[int], Int] | None = None  # days -> (n,) discounts sent, millionths; None: nobody counts
    purposes: Mapping[tuple[int, str], Bool] | None = None  # (n,) by channel and purpose; None: consent is for all
    day: int | None = None  # of the calendar, since 1970-01-01; None: a simulated day
    stale: Bool | None = None  # (n,) rows that are too old, or of no known day; None: of no table
    unclear: Bool | None = None  # (n,) a table does not say clearly whether it holds them out
    shares_address: Bool | None = None  # (n,) another customer of the run stands for the address
    sold_out: Bool | None = None  # (o,) offers of which no stock is left; None: a lot will tell
    quiet: Bool | None = None  # (s + 1, n) it may be quiet in each slot, and without one; None: at no known hour


class Check(NamedTuple):
    """One rule, and the doors it watches: all channels', or a run of single ones.

    met: (n,), or (doors, n) where the rule has an answer of its own for each door; None: the rule does not apply.
    """

    reasons: tuple[str, ...]  # of a refusal; one for each answer
    doors: slice
    met: Callable[[Facts], Bool | None]


class Doors(NamedTuple):
    """What a rule may close: channels, then offers with rules of their own, purposes on channels, and slots.

    needed: (doors, k) whether an action needs a door to be open; the other fields: where each door stands.
    """

    needed: Bool
    offers: dict[int, int]  # by offer index
    purposes: dict[tuple[int, str], int]  # by channel index and purpose
    slots: slice  # s + 1, the last one of actions without a slot; empty where no hour can be quiet


def doors_of(world: World) -> Doors:
    """The doors that the rules of a world watch."""
    catalog, offers = world.catalog, list(world.offers.values())
    rows = [catalog.channel_of == c for c in range(len(catalog.channels))]
    ruled = [o for o, name in enumerate(world.offers) if _has_rule(world, name)]
    by_offer = {o: len(rows) + i for i, o in enumerate(ruled)}
    rows += [catalog.offer_of == o for o in ruled]
    pairs = dict.fromkeys(
        (c, purpose)
        for offer in offers
        if (purpose := offer.purpose) is not None
        for c in (list(world.channels).index(name) for name in offer.channels)
    )
    by_purpose = {pair: len(rows) + i for i, pair in enumerate(pairs)}
    for c, purpose in pairs:
        mine = np.array([offer.purpose == purpose for offer in offers])
        rows.append((catalog.channel_of == c) & mine[catalog.offer_of])  # `none` is on no channel
    start = len(rows)
    if world.guard.quiet_hours is not None and world.guard.timezone is not None:
        sends = catalog.channel_of >= 0
        slots = [*range(len(catalog.slots)), -1]
        rows += [sends & (catalog.slot_of == s) for s in slots]
    return Doors(np.reshape(rows, (-1, len(catalog))), by_offer, by_purpose, slice(start, len(rows)))


def _has_rule(world: World, name: str) -> bool:
    """Whether an offer may be closed by itself."""
    offer = world.offers[name]
    dated = offer.valid_from is not None or offer.valid_until is not None
    return bool(offer.only_if) or dated or offer.stock is not None or name in world.counted_offers


def checks(
    world: World,
    doors: Doors,
    conditions: Mapping[int, Condition],
    caps: Sequence[tuple[int | None, Cap]],
    offer_caps: Sequence[tuple[int, Cap]],
) -> Iterator[Check]:
    """One for each rule, strongest first."""
    channels = world.catalog.channels
    everything = slice(0, len(channels))
    yield from _of_people(world, everything)
    yield Check(tuple(f"no consent: {c.name}" for c in channels), everything, lambda facts: facts.consent)
    for (channel, purpose), door in doors.purposes.items():
        reason = f"no consent: {channels[channel].name} for {purpose}"
        yield Check((reason,), _one(door), _agreed(channel, purpose))
    yield from _of_offers(world, doors, conditions)
    if doors.slots.stop > doors.slots.start:
        quiet = world.guard.quiet_hours
        assert quiet is not None
        reason = f"quiet hours: {quiet.from_hour:g} to {quiet.to_hour:g} o'clock"
        yield Check((reason,) * (doors.slots.stop - doors.slots.start), doors.slots, _awake)
    for scope, cap in caps:
        yield Check((cap.said,), everything if scope is None else _one(scope), _below(scope, cap))
    for offer, cap in offer_caps:
        yield Check((cap.said,), _one(doors.offers[offer]), _offer_below(offer, cap))
    yield from _of_discounts(world, doors)


def _one(door: int) -> slice:
    return slice(door, door + 1)


def _of_people(world: World, everything: slice) -> Iterator[Check]:
    """Rules that close all channels to a customer, whatever is sent."""
    yield Check(("suppressed",), everything, lambda facts: _not(facts.suppressed))
    yield Check(("holdout",), everything, lambda facts: ~facts.held_out)
    yield Check(("holdout: not clear in the table",), everything, lambda facts: _not(facts.unclear))
    if world.guard.max_age_days is not None:
        reason = f"stale: row older than {world.guard.max_age_days} days"
        yield Check((reason,), everything, lambda facts: _not(facts.stale))
    yield Check(("address: another customer stands for it",), everything, lambda facts: _not(facts.shares_address))


def _not(known: Bool | None) -> Bool | None:
    return None if known is None else ~known


def _agreed(channel: int, purpose: str) -> Callable[[Facts], Bool | None]:
    return lambda facts: None if facts.purposes is None else facts.purposes[channel, purpose]


def _of_offers(world: World, doors: Doors, conditions: Mapping[int, Condition]) -> Iterator[Check]:
    """Rules of single offers that look at no earlier send."""
    for offer, (name, spec) in enumerate(world.offers.items()):
        if spec.valid_from is not None or spec.valid_until is not None:
            reason = f"out of date: {name}, {dates_said(spec)}"
            yield Check((reason,), _one(doors.offers[offer]), _in_date(spec))
        if spec.stock is not None:
            yield Check((f"out of stock: {name}",), _one(doors.offers[offer]), _in_stock(offer))
    for offer, condition in conditions.items():
        reason = f"not eligible: {world.catalog.offers[offer].name}"
        yield Check((reason,), _one(doors.offers[offer]), _meets(condition))


def _in_date(offer: OfferSpec) -> Callable[[Facts], Bool | None]:
    def met(facts: Facts) -> Bool | None:
        return None if facts.day is None else np.full(len(facts.held_out), is_valid(offer, facts.day))

    return met


def _in_stock(offer: int) -> Callable[[Facts], Bool | None]:
    def met(facts: Facts) -> Bool | None:
        return None if facts.sold_out is None else np.full(len(facts.held_out), not facts.sold_out[offer])

    return met


def _meets(condition: Condition) -> Callable[[Facts], Bool]:
    return lambda facts: condition.holds(facts.context)


def _awake(facts: Facts) -> Bool | None:
    return None if facts.quiet is None else ~facts.quiet


def _below(channel: int | None, cap: Cap) -> Callable[[Facts], Bool]:
    # The window of per_days days ends today, so a send on day d no longer counts on day d + per_days.
    return lambda facts: facts.contacts(channel, cap.per_days) < cap.at_most


def _offer_below(offer: int, cap: Cap) -> Callable[[Facts], Bool]:
    def met(facts: Facts) -> Bool:
        if facts.offer_contacts is None:
            return np.zeros(len(facts.held_out), dtype=bool)
        return facts.offer_contacts(offer, cap.per_days) < cap.at_most

    return met


def millionths(discount: float) -> int:
    """A share off as a whole number of millionths, so that sums of them are exact."""
    return round(discount * MILLIONTHS)


def discounts_of(world: World) -> dict[int, int]:
    """Share off in millionths of every offer that gives something off, by offer index."""
    return {o: millionths(spec.discount) for o, spec in enumerate(world.offers.values()) if spec.discount > 0.0}


def _of_discounts(world: World, doors: Doors) -> Iterator[Check]:
    """An offer may not take a customer above the depth of discounts of a window."""
    most = world.guard.max_discount_depth
    if most is None:
        return
    for offer, discount in discounts_of(world).items():
        reason = f"discounts: {world.catalog.offers[offer].name} would pass {most.at_most:.4g} in {most.per_days} days"
        room = millionths(most.at_most) - discount
        yield Check((reason,), _one(doors.offers[offer]), _within(room, most.per_days))


def _within(room: int, days: int) -> Callable[[Facts], Bool]:
    def met(facts: Facts) -> Bool:
        if facts.depth is None:
            return np.zeros(len(facts.held_out), dtype=bool)
        return facts.depth(days) <= room

    return met
