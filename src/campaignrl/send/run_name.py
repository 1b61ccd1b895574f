"""What a run on a ledger is called: a hash of everything it rests on, so that the same inputs are the same run.

The order of the rows does not count, nor how they are cut up. Not here: what a run leaves (ledger_run.py). n customers.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from campaignrl.policies import Policy, policy_hash
from campaignrl.specs import World, digest, world_hash
from campaignrl.tables import CustomerTable

AT_A_TIME = 65_536  # texts


def run_id(policy: Policy, customers: CustomerTable, world: World, day: datetime.date, *how: Any) -> str:
    """32 hex digits of everything a run rests on; the order of the rows does not count. how: seed and limits."""
    content = content_digest(pa.array(customers.ids, pa.string()), columns_of(customers))
    return run_id_of(policy, content, world, day, *how)


def run_id_of(policy: Policy, content: str, world: World, day: datetime.date, *how: Any) -> str:
    """The same of customers whose content was digested."""
    return digest([policy_hash(policy), world_hash(world), day.isoformat(), content, list(how)])


def columns_of(customers: CustomerTable) -> list[npt.NDArray[Any]]:
    """Everything that is known of customers but their ids, column by column."""
    names = sorted(customers.context.columns)
    arrays = [customers.context.columns[name] for name in names] + [*customers.consent, *customers.contacts.values()]
    arrays += [] if customers.suppressed is None else [customers.suppressed]
    return arrays + [known.values for _, known in sorted(customers.known.items())]


def content_digest(
    ids: pa.Array | pa.ChunkedArray, columns: Iterable[npt.NDArray[Any] | pa.Array | pa.ChunkedArray]
) -> str:
    """Of ids and columns (n,) in the order of the ids; texts as arrays of Arrow or of objects."""
    order = pc.sort_indices(ids)
    body = hashlib.blake2b(digest_size=16)
    for start in range(0, len(ids), AT_A_TIME):
        some = ids.take(order.slice(start, AT_A_TIME)).to_pylist()
        body.update(("\x00" if start else "").encode() + "\x00".join(some).encode())
    place = order.to_numpy()
    for values in columns:
        if isinstance(values, np.ndarray) and values.dtype != object:
            body.update(np.ascontiguousarray(values[place]).tobytes())
        else:
            for piece in _texts(values, order):
                body.update(piece)
    return body.hexdigest()


def _texts(values: Any, order: pa.Array) -> Iterable[bytes]:
    """Texts as bytes of one length; their addresses in memory say nothing."""
    texts = pa.array(values, pa.string()) if isinstance(values, np.ndarray) else values
    width = max(pc.max(pc.utf8_length(texts)).as_py() or 0, 1)
    for start in range(0, len(order), AT_A_TIME):
        yield np.array(texts.take(order.slice(start, AT_A_TIME)).to_pylist(), dtype=f"U{width}").tobytes()
