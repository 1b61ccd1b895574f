"""Which action each row of a foreign log holds, and which actions there are at all.

The set of actions comes from the mapping, else from a table of items beside the log, else from the values seen;
`origin` says which, because a policy may only be valued on actions that the log knows of. n rows, k actions.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import compress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from campaignrl.actions import NONE_NAME, Action, Catalog, Channel, Offer
from campaignrl.arrays import Int
from campaignrl.errors import Problem
from campaignrl.tables.files import as_text, category_codes, read_table
from campaignrl.tables.foreign.mapping import ActionPart
from campaignrl.tables.log import unknown_names

FROM_MAPPING, FROM_LOG = "mapping", "values seen in the log"


class Actions(NamedTuple):
    """The catalog, (n,) action ids (0 where unknown), where the set comes from, and what was wrong."""

    catalog: Catalog
    action: Int
    origin: str
    problems: list[Problem]


def actions_of(table: pa.Table, part: ActionPart, path: Path, encoding: str | None = None) -> Actions:
    """Actions of all rows; `path` is the log, beside which a table of items may lie."""
    raw = _raw(table, part)
    names, origin = _names(part, raw, path.parent, encoding)
    values = list(names)
    code = category_codes(raw, values)
    field = part.column or f"{part.offer_column}@{part.channel_column}"
    problems = unknown_names(raw, code, field, values, str(path), f"an action ({origin})")
    catalog = _catalog(names.values(), part)
    ids = np.array([*(catalog.id_of(name) for name in names.values()), 0], dtype=np.int64)
    return Actions(catalog, ids[code], origin, problems)


def _raw(table: pa.Table, part: ActionPart) -> pa.ChunkedArray:
    """(n,) value of each row; of two columns `offer@channel`, without an offer `none`."""
    if part.column is not None:
        return as_text(table[part.column])
    offer, channel = as_text(table[part.offer_column]), as_text(table[part.channel_column])
    nothing = pc.is_in(offer, value_set=pa.array(["", NONE_NAME]))
    return pc.if_else(nothing, NONE_NAME, pc.binary_join_element_wise(offer, channel, "@"))


def _names(part: ActionPart, raw: pa.ChunkedArray, folder: Path, encoding: str | None) -> tuple[dict[str, str], str]:
    """Raw value -> action name, and where the set comes from."""
    if part.values is not None:
        return dict(part.values), FROM_MAPPING
    origin, values = FROM_LOG, _ordered(raw.unique().to_pylist())
    if part.items is not None and (folder / part.items.file).is_file():
        items = read_table(folder / part.items.file, [part.items.column], encoding=encoding)
        origin, values = part.items.file, as_text(items[part.items.column]).to_pylist()
    present = (value for value in values if value)  # an empty cell is no action: its rows are reported
    return {v: v if v == NONE_NAME else part.name.replace("{value}", v) for v in present}, origin


def _ordered(values: Iterable[str]) -> list[str]:
    """Whole numbers by size, before texts by letter."""
    texts = sorted(values)
    whole = [v.isascii() and v.isdigit() for v in texts]
    return sorted(compress(texts, whole), key=int) + [v for v, number in zip(texts, whole, strict=True) if not number]


def _catalog(names: Iterable[str], part: ActionPart) -> Catalog:
    """`none` and the names in order, each once, made of what the mapping says or of their own name."""
    plain = Catalog.from_names(list(dict.fromkeys(names)))
    if not part.made_of:
        return plain
    made = {a.name: a for a in plain.actions}
    made |= {name: Action(name=name, offer=m.offer, channel=m.channel) for name, m in part.made_of.items()}
    actions = tuple(made[name] for name in plain.names)
    offers = dict.fromkeys(a.offer for a in actions if a.offer is not None)
    channels = dict.fromkeys(a.channel for a in actions if a.channel is not None)
    return Catalog(tuple(Offer(name=o) for o in offers), tuple(Channel(name=c) for c in channels), actions)
