"""The decision log as columns of a file: DecisionLog -> Arrow batches.

Here: names, types and order of the columns. Not here: the file around them (files.py), the way back
(rows.py). The types never vary, so the same decisions give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from campaignrl.errors import DataError, Problem
from campaignrl.features import Context, Feature
from campaignrl.tables.log.decision_log import DecisionLog

RESERVED = (
    *(
        "decision_id",
        "customer_id",
        "ts",
        "step",
        "eligible",
        "action",
        "offer",
        "channel",
        "creative",
        "slot",
        "propensity",
    ),
    *("reward", "cost", "matured", "wave", "policy_id", "catalog_hash"),
)
OPTIONAL = ("eligible", "wave", "creative", "slot")
NEIGHBOURS = 4_096  # names that lie so close together are all made texts
PREFIX = "context."  # before a context column whose own name is taken


def context_column(feature: str) -> str:
    """The column that holds a feature: its own name, unless the log needs that name itself."""
    return PREFIX + feature if feature in RESERVED or feature.startswith(PREFIX) else feature


def log_schema(log: DecisionLog, metadata: dict[bytes, bytes] | None = None) -> pa.Schema:
    """Columns of the file in order."""
    context = [(context_column(f.name), _context_type(f, log.context)) for f in log.context.schema.features]
    fields: list[tuple[str, Any]] = [
        ("decision_id", pa.string()),
        ("customer_id", pa.string()),
        ("ts", pa.int32()),
        ("step", pa.int32()),
        *context,
        *([] if log.eligible is None else [("eligible", pa.list_(pa.int16()))]),
        ("action", pa.int16()),
        *((name, pa.string()) for name in log.catalog.dimensions),
        ("propensity", pa.float64()),
        ("reward", pa.float64()),
        ("cost", pa.int64()),
        ("matured", pa.bool_()),
        *([] if log.wave is None else [("wave", pa.int32())]),
        ("policy_id", pa.string()),
        ("catalog_hash", pa.string()),  # last: a text file that is cut short shows it here
    ]
    return pa.schema(fields, metadata=metadata)


def log_batches(log: DecisionLog, schema: pa.Schema, rows: int) -> Iterator[pa.RecordBatch]:
    """The log in batches of `rows` rows."""
    try:
        for start in range(0, max(len(log), 1), rows):
            columns = _columns(log.take(slice(start, start + rows)))
            arrays = [_cast(columns[field.name], field.type) for field in schema]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)
    except UnicodeEncodeError as wrong:
        raise DataError(Problem("decision log", "text", wrong.object, "Unicode text")) from None
    except (pa.ArrowInvalid, pa.ArrowTypeError) as wrong:
        raise DataError(f"decision log: a value does not fit its column: {wrong}") from None


def _columns(log: DecisionLog) -> dict[str, Any]:
    """Values of one batch by column, before they take the type of the file."""
    n, catalog = len(log), log.catalog
    customer = _texts(log.customers, log.customer)
    step = pa.array(log.step).cast(pa.string())
    return {
        "decision_id": pc.binary_join_element_wise(customer, step, "-"),
        "customer_id": customer,
        "ts": log.day,
        "step": log.step,
        **{context_column(f.name): _context(f, log.context) for f in log.context.schema.features},
        "eligible": None if log.eligible is None else id_lists(log.eligible),
        "action": log.action,
        **{name: _texts(names, of[log.action]) for name, (names, of) in catalog.dimensions.items()},
        "propensity": log.propensity,
        "reward": log.reward,
        "cost": log.cost,
        "matured": log.matured,
        "wave": log.wave,
        "policy_id": pa.repeat(log.policy_id, n),
        "catalog_hash": pa.repeat(catalog.hash, n),
    }


def id_lists(mask: npt.NDArray[np.bool_]) -> pa.Array:
    """(n, k) mask -> n lists of the action ids that are True."""
    ends = np.cumsum(np.count_nonzero(mask, axis=1), dtype=np.int32)
    offsets = np.concatenate([np.zeros(1, np.int32), ends])
    ids = np.broadcast_to(np.arange(mask.shape[1], dtype=np.int16), mask.shape)[mask]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(ids))


def _context(feature: Feature, context: Context) -> Any:
    values = context.columns[feature.name]
    return _texts(feature.levels, values) if feature.levels else values


def _context_type(feature: Feature, context: Context) -> Any:
    single = context.columns[feature.name].dtype == np.float32
    return pa.string() if feature.levels else pa.float32() if single else pa.float64()


def _texts(names: Any, codes: npt.NDArray[np.integer[Any]]) -> pa.Array:
    """The text of each code; a negative code is missing."""
    low = max(int(codes.min()), 0) if len(codes) else 0
    high = int(codes.max(initial=-1))
    if high - low < NEIGHBOURS:  # a category, or customers whose rows stand together: faster than looking for them
        words = [*(str(name) for name in names[low : high + 1]), None]
        return pa.array(words, pa.string()).take(
            pa.array(np.where(codes < 0, len(words) - 1, codes.astype(np.intp) - low))
        )
    used, at = np.unique(codes, return_inverse=True)  # few of the names occur in one batch
    words = [str(names[code]) if code >= 0 else None for code in used]
    return pa.array(words, pa.string()).take(pa.array(at))


def _cast(values: Any, kind: Any) -> pa.Array:
    array = values if isinstance(values, pa.Array) else pa.array(values, from_pandas=False)
    return array if array.type == kind else array.cast(kind)
