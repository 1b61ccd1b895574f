"""Simulated customers as a customers table, as a marketer's system would export it.

The same features under the same names, so that a policy trained in a world can decide for the rows of a file. Not
here: reading such a table (tables/customers.py).
"""

from __future__ import annotations

import pandas as pd

from campaignrl.envs.panel import Panel
from campaignrl.guard import cap_windows
from campaignrl.tables import ID, contact_column


def customers_frame(panel: Panel) -> pd.DataFrame:
    """One row a customer: what may be known of it on the panel's day. Ids are text."""
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
    return pd.DataFrame(columns)
