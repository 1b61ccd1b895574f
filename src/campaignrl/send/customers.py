"""The customers of a decision, from a file or a frame, with the columns that a world's policy and rules need.

Not here: how a column is read (tables/customers.py), what the guard makes of it (guard/).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from campaignrl.errors import DataError, Problem, nearest
from campaignrl.guard import cap_windows
from campaignrl.specs import WorldReference, load_world
from campaignrl.tables import ID, LEAST_KNOWN, CustomerTable
from campaignrl.tables import read_customers as read_table
from campaignrl.tables.files import read_frame

Customers = str | Path | pd.DataFrame | CustomerTable
Suppressed = str | Path | pd.DataFrame | Iterable[str]


def read_customers(
    customers: Customers,
    world: WorldReference,
    *,
    suppressed: Suppressed | None = None,
    least_known: float = LEAST_KNOWN,
) -> CustomerTable:
    """The customers of a morning, checked: a table of who they are, what they allow and what they were sent.

    Args:
        customers: a file (Parquet, CSV) or a frame with `customer_id`, a column per feature of the world in its own
            unit, and for every frequency cap the sends so far in its window (`contacts_7d`, `contacts_sms_7d`).
        world: whose features and rules: a World, its name, path or dict.
        suppressed: ids never to be contacted, as a collection, or a table with `customer_id`.
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
    return read_table(
        customers, found.features, list(found.channels), cap_windows(found), barred, least_known=least_known
    )


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
