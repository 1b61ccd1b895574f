"""Simulated customers as a customers table, as a marketer's system would export it.

The same features under the same names, so that a policy trained in a world can decide for the rows of a file. Not
here: reading such a table (tables/customers.py).
"""

from __future__ import annotations

import datetime

import pandas as pd

from campaignrl.envs.panel import Panel
from campaignrl.guard import AS_OF, Facts, cap_windows, depth_column, offer_windows, purposes_of
from campaignrl.specs import World, consent_column, offer_column
from campaignrl.tables import ID, MILLIONTHS, contact_column


def customers_frame(panel: Panel, as_of: datetime.date | None = None) -> pd.DataFrame:
    """One row a customer: what may be known of it on the panel's day. Ids are text.

    as_of: the day of the calendar that it stands for, told where the world's rules ask how old a row is.
    """
    context = panel.observe()
    facts = panel.facts(context)
    columns = {ID: pd.Series(panel.ids).astype(str)}
    for feature in context.schema.features:
        values = context.labels(feature.name) if feature.levels else context.columns[feature.name]
        columns[feature.name] = pd.Series(values, dtype="str" if feature.levels else None)
    names = list(panel.world.channels)
    for name, days in cap_windows(panel.world):
        channel = None if name is None else names.index(name)
        columns[contact_column((name, days))] = pd.Series(facts.contacts(channel, days).astype("int64"))
    columns |= _rule_cells(panel.world, facts)
    if as_of is not None and panel.world.guard.max_age_days is not None:
        columns[AS_OF] = pd.Series([as_of.isoformat()] * len(panel), dtype="str")
    return pd.DataFrame(columns)


def _rule_cells(world: World, facts: Facts) -> dict[str, pd.Series]:
    """What other rules ask and a simulation knows: counts of offers, discounts, consent, which is for all purposes."""
    offers, channels, cells = list(world.offers), list(world.channels), {}
    assert facts.offer_contacts is not None
    assert facts.depth is not None
    for offer, days in offer_windows(world):
        cells[offer_column(offer, days)] = pd.Series(facts.offer_contacts(offers.index(offer), days).astype("int64"))
    depth, most = depth_column(world), world.guard.max_discount_depth
    if depth is not None and most is not None:
        cells[depth] = pd.Series(facts.depth(most.per_days) / MILLIONTHS)
    for channel, purpose in purposes_of(world):
        cells[consent_column(channel, purpose)] = pd.Series(facts.consent[channels.index(channel)].astype("float32"))
    return cells
