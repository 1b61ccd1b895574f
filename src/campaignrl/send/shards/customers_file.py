"""A shard of customers as a file: everything that was read of them, so that the source is read once.

Not here: reading the source (look.py), arrays as files (arrays_file.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from campaignrl.features import Context
from campaignrl.guard import cap_windows, rule_columns
from campaignrl.specs import World
from campaignrl.tables import CustomerTable, Known, Listed, contact_column

IDS, KEYS, SUPPRESSED = "ids", "keys", "suppressed"
SEEN, CONTACTS, KNOWN = "seen ", "contacts ", "known "  # before names of columns


def arrays_of(table: CustomerTable) -> dict[str, npt.NDArray[Any]]:
    """Everything that is known of customers, by name."""
    found: dict[str, npt.NDArray[Any]] = {IDS: table.ids}
    found |= {SEEN + name: values for name, values in table.context.columns.items()}
    found |= {CONTACTS + contact_column(window): counts for window, counts in table.contacts.items()}
    found |= {KNOWN + name: known.values for name, known in table.known.items()}
    return found if table.suppressed is None else {**found, SUPPRESSED: table.suppressed}


def table_of(
    arrays: Mapping[str, npt.NDArray[Any]], notes: dict[str, int], world: World, listed: Listed | None
) -> CustomerTable:
    """Inverse of `arrays_of`."""
    columns = {f.name: arrays[SEEN + f.name] for f in world.features.features}
    consent = np.array([columns[f"consent_{channel}"] == 1.0 for channel in world.channels], dtype=bool)
    return CustomerTable(
        ids=arrays[IDS],
        context=Context(world.features, columns, count=len(arrays[IDS])),
        consent=consent.reshape(len(world.channels), len(arrays[IDS])),
        contacts={window: arrays[CONTACTS + contact_column(window)] for window in cap_windows(world)},
        suppressed=arrays.get(SUPPRESSED),
        notes=notes,
        known={c.name: Known(c.kind, arrays[KNOWN + c.name]) for c in rule_columns(world) if KNOWN + c.name in arrays},
        listed=listed,
    )


def names_in_order(table: CustomerTable) -> list[str | int]:
    """The columns in the order in which a run's name counts them; a number stands for consent on that channel."""
    found: list[str | int] = [SEEN + name for name in sorted(table.context.columns)]
    found += range(len(table.consent))
    found += [CONTACTS + contact_column(window) for window in table.contacts]
    found += [] if table.suppressed is None else [SUPPRESSED]
    return found + [KNOWN + name for name in sorted(table.known)]
