"""What the guard needs to know of the customers of a table, on the morning of a decision.

Not here: the rules (guard/), reading the table (customers.py), what a ledger adds to it (ledger_run.py). n customers.
"""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl import rng
from campaignrl.arrays import Bool, Int
from campaignrl.errors import DataError, Problem, UsageError
from campaignrl.guard import (
    ADDRESS,
    AS_OF,
    HOLDOUT,
    STALE_SHARE,
    ZONE,
    Facts,
    Limits,
    at_address_of,
    depth_column,
    is_stale,
    purposes_of,
    quiet_for,
    shares_address,
)
from campaignrl.ledger import EPOCH
from campaignrl.specs import World, consent_column, offer_column
from campaignrl.tables import HELD, UNCLEAR, CustomerTable, Known


class Morning(NamedTuple):
    """What the rules know of a day.

    day: since 1970-01-01; send_at: hour of the sender's clock, None: not known; sold_out: (o,) offers without stock.
    """

    day: int
    send_at: datetime.time | None = None
    sold_out: Bool | None = None


def morning_of(day: datetime.date, send_at: datetime.time | str | None, limits: Limits, world: World) -> Morning:
    """The morning of a run within these limits.

    Raises:
        UsageError: `send_at` is no time of day, nobody knows of which zone, or it is left out where hours are quiet.
    """
    at = clock_time(send_at)
    if at is not None and world.guard.timezone is None:
        fix = 'Add timezone = "Europe/Berlin" or the like to [guard].'
        raise UsageError(Problem("decide", "send_at", at.isoformat("minutes"), f"in a zone that {world.name} has", fix))
    hours = world.guard.quiet_hours is not None and world.guard.timezone is not None
    if at is None and hours and not world.catalog.slots:
        fix = "Say when the list goes out: --send-at 09:30 (send_at=)."
        raise UsageError(Problem("decide", "send_at", "left out", f"given, since {world.name} has quiet hours", fix))
    sold_out = None if limits.stock is None else limits.stock < 1
    return Morning((day - EPOCH).days, at, sold_out)


def clock_time(send_at: datetime.time | str | None) -> datetime.time | None:
    """A time of day from its text, 09:30; UsageError for anything else."""
    if not isinstance(send_at, str):
        return send_at
    try:
        at = datetime.time.fromisoformat(send_at)
    except ValueError:
        at = None
    if at is None or at.tzinfo is not None:
        raise UsageError(Problem("decide", "send_at", send_at, "a time of day", "Write it as 09:30."))
    return at


def facts_of(customers: CustomerTable, held_out: Bool, world: World, morning: Morning | None = None) -> Facts:
    """What the guard needs to know, from a customers table; morning: None for rules that look at no day."""
    names, known = [None, *world.channels], customers.known
    offers, depth = list(world.offers), depth_column(world)
    held = _values(customers, HOLDOUT)

    def contacts(channel: int | None, days: int) -> npt.NDArray[np.int64]:
        return customers.contacts[names[0 if channel is None else channel + 1], days]

    def offer_contacts(offer: int, days: int) -> Int:
        return known[offer_column(offers[offer], days)].values

    channels = list(world.channels)
    return Facts(
        held_out if held is None else held_out | (held == HELD),
        customers.suppressed,
        customers.consent,
        customers.context,
        contacts,
        offer_contacts,
        None if depth is None else lambda days: known[depth].values,
        {(channels.index(c), p): known[consent_column(c, p)].values for c, p in purposes_of(world)},
        None if morning is None else morning.day,
        stale=None if morning is None else stale_rows(customers, world, morning.day),
        unclear=None if held is None else held == UNCLEAR,
        shares_address=_values(customers, SHARES),
        sold_out=None if morning is None else morning.sold_out,
        quiet=None if morning is None else _quiet(customers, world, morning),
    )


SHARES = "shares_address"  # of CustomerTable.known; made by `one_an_address`


def _values(customers: CustomerTable, name: str) -> npt.NDArray[Any] | None:
    known = customers.known.get(name)
    return None if known is None else known.values


def _quiet(customers: CustomerTable, world: World, morning: Morning) -> Bool | None:
    zones = _values(customers, ZONE)
    if zones is None:
        zones = np.full(len(customers), "", dtype=object)
    return quiet_for(world, EPOCH + datetime.timedelta(days=morning.day), zones, morning.send_at)


def one_an_address(customers: CustomerTable) -> CustomerTable:
    """The customers with who stands for each address; where one is suppressed, so are all who share its address."""
    if ADDRESS not in customers.known:
        return customers
    address = customers.known[ADDRESS].values
    shares = shares_address(rng.customer_keys(customers.ids), address)
    barred = customers.suppressed
    return replace(
        customers,
        suppressed=None if barred is None else at_address_of(barred, address),
        known={**customers.known, SHARES: Known("consent", shares)},
    )


def stale_rows(customers: CustomerTable, world: World, day: int) -> Bool | None:
    """(n,) rows that are too old for the rules; None where these ask for no day."""
    limit = world.guard.max_age_days
    return None if limit is None else is_stale(customers.known[AS_OF].values, day, limit)


def require_fresh(customers: CustomerTable, world: World, day: datetime.date) -> None:
    """DataError where more of the rows are too old than there may be: it is the table of another day."""
    stale = stale_rows(customers, world, (day - EPOCH).days)
    if stale is not None:
        require_few_stale(int(stale.sum()), len(stale), world, day)


def require_few_stale(stale: int, rows: int, world: World, day: datetime.date) -> None:
    """The same of rows that were counted."""
    most = world.guard.max_stale_share
    most = STALE_SHARE if most is None else most
    if stale > most * rows:
        allowed = f"at most {world.guard.max_age_days} days old in {1 - most:.0%} of the rows or more"
        fix = f"Export it again; {AS_OF} is the day on which a row was true."
        value = f"older, to come or unknown on {day.isoformat()} in {stale:,} of {rows:,} rows"
        raise DataError(Problem("customers", AS_OF, value, allowed, fix))
