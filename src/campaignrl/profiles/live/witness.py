"""A few events and attributes that prove what data there are, so that a handful of customers can be tagged alone.

A tag is unknown where nobody exported its data, which one customer's own events cannot tell: that she never filled a
cart is a zero only if carts are exported. The witness holds, of every kind, an order with an amount, one with a
discount, and of every source enough events to show whether its times are more than days. Not here: what follows of it
(tags/evidence.py).
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from campaignrl.profiles.events import is_permission, text
from campaignrl.profiles.events.database import database
from campaignrl.profiles.tags import ACTIVE, evidence
from campaignrl.tables import COLUMNS, ID
from campaignrl.tables.files import column_names, read_frame

NOBODY = "\x00witness"  # an id that no customer has; dropped from every answer
ENOUGH = 30  # events of one source: more than prove that its times are days
FAR = date(9999, 1, 1)


class Witness(NamedTuple):
    """Rows to be added to those of some customers, under ids that begin with NOBODY."""

    events: pd.DataFrame
    attributes: pd.DataFrame | None


def witness_of(events: Path, attributes: Path | None) -> Witness:
    """The witness of a folder's events and attributes; one pass over each."""
    columns = ", ".join(f'"{name}"' for name in COLUMNS)
    acts = ", ".join(text(kind) for kind in ACTIVE)
    finer = "(minute(ts) <> 0 or second(ts) <> 0 or microsecond(ts) % 1000000 <> 0)"
    spoken = "case when kind in ('subscribed', 'unsubscribed') then channel end"
    sql = f"""
    with kinds as (select {columns} from known qualify row_number() over
      (partition by kind, {spoken}, amount is not null, coalesce(discount, 0) > 0 or offer is not null) = 1),
    hours as (select {columns} from known where kind in ({acts}) qualify row_number() over
      (partition by coalesce(source, ''), hour(ts), {finer}) = 1),
    many as (select {columns} from known where kind in ({acts}) qualify row_number() over
      (partition by coalesce(source, '')) <= {ENOUGH})
    select {columns} from kinds union all select {columns} from hours union all select {columns} from many
    """
    with database(events, None, FAR) as connection:
        whole = evidence(connection)
        rows = connection.execute(sql).df()
    rows[ID] = NOBODY
    with database(rows, None, FAR) as connection:
        assert evidence(connection) == whole, "the witness must prove what the events do"
    return Witness(rows, None if attributes is None else _words(attributes))


def _words(attributes: Path) -> pd.DataFrame | None:
    """A row for every word of every column of permissions, and else nothing."""
    names = [name for name in column_names(attributes) if is_permission(name)]
    if not names:
        return None
    told = read_frame(attributes, names)
    words = [pd.DataFrame({name: told[name].dropna().drop_duplicates().head(ENOUGH)}) for name in names]
    rows = pd.concat(words, ignore_index=True)
    return rows.assign(**{ID: [f"{NOBODY}{j}" for j in range(len(rows))]})
