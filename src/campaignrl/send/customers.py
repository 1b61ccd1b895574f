"""The customers of a decision, from a file or a frame, with the columns that a world's policy and rules need.

Not here: how a column is read (tables/customers.py), what the guard makes of it (guard/).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from campaignrl.errors import DataError, Problem, nearest
from campaignrl.guard import cap_windows, rule_columns
from campaignrl.specs import World, WorldReference, load_world
from campaignrl.tables import ID, LEAST_KNOWN, CustomerTable, arrow_table, contact_column
from campaignrl.tables import read_customers as read_table
from campaignrl.tables.files import as_text, read_frame

REPEATS = "a further row of an id, of which the first stands"
AGREED = ("consent_", "contacts_", "suppressed", "holdout")  # names of columns begin so
Customers = str | Path | pd.DataFrame | CustomerTable
Suppressed = str | Path | pd.DataFrame | Iterable[str]


def read_customers(
    customers: Customers,
    world: WorldReference,
    *,
    suppressed: Suppressed | None = None,
    least_known: float = LEAST_KNOWN,
    ledger: bool = False,
    encoding: str | None = None,
    dedupe: bool = False,
) -> CustomerTable:
    """The customers of a morning, checked: a table of who they are, what they allow and what they were sent.

    Args:
        customers: a file (Parquet, CSV) or a frame with `customer_id`, a column per feature of the world in its own
            unit, for every frequency cap the sends so far in its window (`contacts_7d`, `contacts_sms_7d`), and what
            other rules of the world read (`table_columns` lists all of them).
        world: whose features and rules: a World, its name, path or dict.
        suppressed: ids never to be contacted, as a collection, or a table with `customer_id`.
        ledger: contacts are counted from a ledger: columns of the table may be left out, and count what others sent.
        encoding: of a CSV that is not UTF-8.
        dedupe: of rows of one id the first stands, instead of being refused; a permission or count on which they do not
            agree is unknown, which is never a yes.
        least_known: share of them that must be among the customers, in [0, 1]; below, it is taken for another list.

    Returns:
        CustomerTable: in the order of the rows; its `notes` count what was repaired.

    Raises:
        UnknownName: there is no such file or world.
        DataError: columns are missing or values broken; every fault at once, with row numbers; or too few of
            `suppressed` are known.

    Example:
        >>> import campaignrl as crl, pandas as pd
        >>> crl.read_customers(pd.DataFrame({"customer_id": ["C-1"]}), "coupon_trap")
        Traceback (most recent call last):
        campaignrl.errors.DataError: customers: column = ...
    """
    if isinstance(customers, CustomerTable):
        return customers
    found = load_world(world)
    barred = _ids(suppressed)
    if ledger or dedupe:
        customers = arrow_table(customers, encoding)
    customers, repeats = without_repeats(customers) if isinstance(customers, pa.Table) and dedupe else (customers, 0)
    if ledger and isinstance(customers, pa.Table):
        customers = without_contacts(customers, found)
    table = read_table(
        customers,
        found.features,
        list(found.channels),
        cap_windows(found),
        barred,
        rules=rule_columns(found),
        least_known=least_known,
        encoding=encoding,
    )
    return replace(table, notes={**table.notes, REPEATS: repeats}) if repeats else table


def without_repeats(table: pa.Table) -> tuple[pa.Table, int]:
    """The first row of every id, and how many went; where rows of an id do not agree on a permission or count: null."""
    if ID not in table.column_names:
        return table, 0
    ids = pd.Series(as_text(table[ID]).to_pylist(), dtype=object)
    again = ids.duplicated() & (ids != "")  # rows without an id stay, to be refused
    for place, name in enumerate(table.column_names) if again.any() else ():
        if name.startswith(AGREED):
            cells = pd.Series(as_text(table[name]).to_pylist(), dtype=object).fillna("")
            differ = cells.groupby(ids).transform("nunique") > 1
            unknown = pa.scalar(None, table[name].type)
            table = table.set_column(place, name, pc.if_else(pa.array(differ), unknown, table[name]))
    return table.filter(pa.array(~again)), int(again.sum())


def without_contacts(table: pa.Table, world: World) -> pa.Table:
    """A customers table in which what a ledger counts may be left out or unknown: nothing by other senders."""
    counted = {contact_column(window) for window in cap_windows(world)}
    counted |= {f.name for f in world.features.features if contact_window(f.name) is not None}
    counted |= {column.name for column in rule_columns(world) if column.needed == "counted"}
    unknown = {name for name in counted & set(table.column_names) if table[name].null_count == len(table)}
    for name in sorted(unknown):
        table = table.drop_columns(name)
    for name in sorted(counted - set(table.column_names)):
        table = table.append_column(name, pa.repeat(0, len(table)))
    return table


@lru_cache(maxsize=1_024)
@lru_cache(maxsize=1_024)  # of every feature in every round of a service
def contact_window(feature: str) -> int | None:
    """Days of a feature that counts contacts on all channels, as contacts_7d; None for any other."""
    middle = feature.removeprefix("contacts_").removesuffix("d")
    return int(middle) if feature == f"contacts_{middle}d" and middle.isdigit() else None


def _ids(suppressed: Suppressed | None) -> frozenset[str] | None:
    """The suppression list as a set; an empty table is refused."""
    if suppressed is None:
        return None
    if not isinstance(suppressed, str | Path | pd.DataFrame):
        return frozenset(str(one) for one in suppressed)
    frame = suppressed if isinstance(suppressed, pd.DataFrame) else read_frame(suppressed, [ID], text=[ID])
    if ID not in frame.columns:
        raise DataError(Problem("suppressed", "column", ID, "in the frame", nearest(ID, map(str, frame.columns))))
    return frozenset(str(one) for one in frame[ID])
