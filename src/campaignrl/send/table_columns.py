"""Which columns a customers table must have for a world, with unit, levels, range and meaning, and five example rows.

Not here: reading the table (tables/customers.py), what the rules make of it (guard/).
"""

from __future__ import annotations

import datetime
from typing import NamedTuple

import pandas as pd

from campaignrl.envs import Panel, customers_frame
from campaignrl.features import Feature
from campaignrl.guard import cap_windows, rule_columns
from campaignrl.send.customers import contact_window
from campaignrl.specs import World, WorldReference, load_world
from campaignrl.tables import AT_THE_START, ID, RuleColumn, contact_column

EXAMPLES = 5


class TableColumn(NamedTuple):
    """One column of a customers table.

    Attributes:
        name: in the file.
        unit: days, count, currency, share, yes/no or text.
        values: its levels, or its range.
        needed: yes; no; or "no, with a ledger" where the ledger counts it.
        meaning: in words.
    """

    name: str
    unit: str
    values: str
    needed: str
    meaning: str


def table_columns(world: WorldReference) -> list[TableColumn]:
    """The columns that `decide` reads for a world, in the order of its features.

    Example:
        >>> from campaignrl.send import table_columns
        >>> [column.name for column in table_columns("coupon_trap")][:3]
        ['customer_id', 'segment', 'price_tag']
    """
    found = load_world(world)
    rows = [TableColumn(ID, "text", "unique", "yes", "who it is; kept to the letter")]
    rows += [_of_feature(feature, found) for feature in found.features.features]
    named = {row.name for row in rows}
    for channel, days in cap_windows(found):
        name = contact_column((channel, days))
        if name not in named:
            on = "all channels" if channel is None else channel
            meaning = f"sends on {on} in the {days} days that end today; empty counts as full"
            rows.append(TableColumn(name, "count", "whole, from 0", "no, with a ledger", meaning))
    rows += [_of_rule(column) for column in rule_columns(found)]
    meaning = "on a suppression list: anything but a clear no sends nothing"
    return [*rows, TableColumn("suppressed", "yes/no", "yes, no", "no", meaning)]


_VALUES = {
    "count": ("count", "whole, from 0"),
    "depth": ("share", "from 0"),
    "consent": ("yes/no", "1 or 0; empty is no"),
    "day": ("day", "2026-11-21"),
    "zone": ("text", "Europe/Berlin"),
    "key": ("text", "any; empty is none"),
    "held": ("yes/no", "yes, no"),
}


def _of_rule(column: RuleColumn) -> TableColumn:
    needed = "no, with a ledger" if column.needed == "counted" else column.needed
    return TableColumn(column.name, *_VALUES[column.kind], needed, column.meaning)


def example_customers(world: WorldReference) -> pd.DataFrame:
    """Five simulated customers as a table that `decide` accepts today: a template to fill in."""
    return customers_frame(Panel(load_world(world), EXAMPLES, seed=1), as_of=datetime.date.today())


def _of_feature(feature: Feature, world: World) -> TableColumn:
    if feature.levels:
        return TableColumn(feature.name, "text", ", ".join(feature.levels), "yes", feature.meaning)
    needed = "yes"
    if contact_window(feature.name) is not None:
        needed = "no, with a ledger"
    elif feature.name == AT_THE_START:
        needed = "no"
    values = "1 or 0; empty is no" if feature.unit == "yes/no" else f"{feature.low:g} to {feature.high:g}"
    unit = world.money.currency if feature.unit == "currency" else feature.unit
    return TableColumn(feature.name, unit, values, needed, feature.meaning)
