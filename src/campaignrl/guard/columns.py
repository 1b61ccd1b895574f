"""Columns of a customers table that only rules read, and the facts that follow from them.

Beside features and the contact counts of caps on channels. What a table does not say clearly only takes away. Not here:
reading them (tables/rule_columns.py), the rules (checks.py). n customers.
"""

from __future__ import annotations

import pandas as pd

from campaignrl.arrays import Bool, Int, Objects, UInt64
from campaignrl.guard.rules import offer_windows
from campaignrl.specs import DiscountDepth, World, consent_column, offer_column
from campaignrl.tables import NO_DAY, RuleColumn

STALE_SHARE = 0.5  # of rows, above which a table is taken for that of another day
AS_OF, ZONE, ADDRESS, HOLDOUT = "as_of", "timezone", "address_key", "holdout"


def depth_column(world: World) -> str | None:
    """Name of the column that adds up discounts; None: no rule asks."""
    most = world.guard.max_discount_depth
    return None if most is None else _depth_column(most)


def _depth_column(most: DiscountDepth) -> str:
    return f"discount_depth_{most.per_days}d"


def rule_columns(world: World) -> list[RuleColumn]:
    """What the rules of a world ask of a customers table, in the order in which it is told."""
    found, guard = [], world.guard
    for offer, days in offer_windows(world):
        meaning = f"sends of {offer} in the {days} days that end today; empty counts as full"
        found.append(RuleColumn(offer_column(offer, days), "count", "counted", meaning))
    most = guard.max_discount_depth
    if most is not None:
        meaning = f"shares off of all sends in the {most.per_days} days that end today, added up; empty counts as full"
        found.append(RuleColumn(_depth_column(most), "depth", "counted", meaning))
    for channel, purpose in purposes_of(world):
        meaning = f"may be contacted by {channel} for {purpose}; needs consent_{channel} as well"
        found.append(RuleColumn(consent_column(channel, purpose), "consent", "yes", meaning))
    if guard.max_age_days is not None:
        meaning = f"day on which the row was true; empty, to come, or over {guard.max_age_days} days ago: sends nothing"
        found.append(RuleColumn(AS_OF, "day", "yes", meaning))
    if guard.timezone is not None:
        meaning = f"the customer's IANA time zone; not known: {guard.timezone}"
        found.append(RuleColumn(ZONE, "zone", "no", meaning))
    meaning = "hash of e-mail or phone; a single customer of each is contacted"
    found.append(RuleColumn(ADDRESS, "key", "no", meaning))
    found.append(RuleColumn(HOLDOUT, "held", "no", "held out by yourself: anything but a clear no sends nothing"))
    taken = {feature.name for feature in world.features.features}
    return [column for column in found if column.name not in taken]


def purposes_of(world: World) -> list[tuple[str, str]]:
    """(channel, purpose) of every offer that has a purpose."""
    pairs = [(c, o.purpose) for o in world.offers.values() if o.purpose is not None for c in o.channels]
    return list(dict.fromkeys(pairs))


def is_stale(as_of: Int, day: Int | int, max_age_days: int) -> Bool:
    """(n,) rows that are older than that, of a day to come, or of no known day. as_of, day: since 1970-01-01."""
    stale: Bool = (as_of == NO_DAY) | (as_of > day) | (day - as_of > max_age_days)
    return stale


def shares_address(keys: UInt64, address: Objects) -> Bool:
    """(n,) customers whose address another one stands for: of each address the one with the least key, by their hash.

    The same one whatever the order of the rows and whatever a policy does. keys: (n,) of customers; "": no address.
    """
    table = pd.DataFrame({"address": address, "key": keys})
    known = table[table["address"] != ""]
    first = known.sort_values("key", kind="stable").drop_duplicates("address").index
    shares = (table["address"] != "").to_numpy(copy=True)
    shares[first] = False
    return shares


def at_address_of(marked: Bool, address: Objects) -> Bool:
    """(n,) marked, or with the address of somebody who is marked."""
    theirs = pd.unique(address[marked & (address != "")])
    found: Bool = marked | pd.Series(address).isin(theirs).to_numpy()
    return found
