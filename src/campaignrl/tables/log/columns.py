"""The decision log as columns of a file: DecisionLog -> Arrow batches.

Here: names, types and order of the columns. Not here: the file around them (files.py), the way back
(rows.py). The types never vary, so the same decisions give the same bytes. Texts that repeat are made as codes and the
names they stand for, and become texts only where a frame wants them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from campaignrl.errors import DataError, Problem
from campaignrl.features import UNKNOWN, Context, Feature
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
FEW_NAMES = 4_096  # so few are all made texts, whether they occur or not
MASKED_AT_ONCE = 4_096  # rows
CODED = pa.dictionary(pa.int32(), pa.string())  # texts that repeat, as Parquet keeps them
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


def coded(schema: pa.Schema) -> pa.Schema:
    """The same columns as a Parquet file keeps them: repeated texts as codes, and numbers never missing.

    Arrow writes codes four times as fast as texts, and a column without gaps in two thirds of the time.
    """
    fields = []
    for field in schema:
        if pa.types.is_string(field.type) and field.name != "decision_id":
            field = field.with_type(CODED)
        elif pa.types.is_list(field.type):
            ids = pa.field("element", field.type.value_type, nullable=False)
            field = pa.field(field.name, pa.list_(ids), nullable=False)
        elif field.name != "decision_id":
            field = field.with_nullable(False)
        fields.append(field)
    return pa.schema(fields, metadata=schema.metadata)


def log_batches(log: DecisionLog, schema: pa.Schema, rows: int) -> Iterator[pa.RecordBatch]:
    """The log in batches of `rows` rows."""
    try:
        for start in range(0, max(len(log), 1), rows):
            columns = _columns(log, slice(start, start + rows))
            arrays = [_cast(columns[field.name], field.type) for field in schema]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)
    except UnicodeEncodeError as wrong:
        raise DataError(Problem("decision log", "text", wrong.object, "Unicode text")) from None
    except (pa.ArrowInvalid, pa.ArrowTypeError) as wrong:
        raise DataError(f"decision log: a value does not fit its column: {wrong}") from None


def _columns(log: DecisionLog, rows: slice) -> dict[str, Any]:
    """Values of one batch by column, before they take the type of the file."""
    catalog, action, step = log.catalog, log.action[rows], log.step[rows]
    customer, one = _some_texts(log.customers, log.customer[rows]), np.zeros(len(action), dtype=np.int8)
    return {
        "decision_id": pc.binary_join_element_wise(customer.cast(pa.string()), pa.array(step).cast(pa.string()), "-"),
        "customer_id": customer,
        "ts": log.day[rows],
        "step": step,
        **{context_column(f.name): _context(f, log.context, rows) for f in log.context.schema.features},
        "eligible": None if log.eligible is None else id_lists(log.eligible[rows]),
        "action": action,
        **{name: _texts(names, of[action]) for name, (names, of) in catalog.dimensions.items()},
        "propensity": log.propensity[rows],
        "reward": log.reward[rows],
        "cost": log.cost[rows],
        "matured": log.matured[rows],
        "wave": None if log.wave is None else log.wave[rows],
        "policy_id": _texts([log.policy_id], one),
        "catalog_hash": _texts([catalog.hash], one),
    }


def id_lists(mask: npt.NDArray[np.bool_]) -> pa.Array:
    """(n, k) mask -> n lists of the action ids that are True."""
    n, k = mask.shape
    ends = np.cumsum(_counts(mask), dtype=np.int32)
    ids = np.empty(int(ends[-1]) if n else 0, dtype=np.int16)
    every = np.tile(np.arange(k, dtype=np.int16), (min(n, MASKED_AT_ONCE), 1))
    done = 0
    for start in range(0, n, MASKED_AT_ONCE):  # both stay in the cache
        part = mask[start : start + MASKED_AT_ONCE]
        found = every[: len(part)][part]
        ids[done : done + len(found)] = found
        done += len(found)
    return pa.ListArray.from_arrays(pa.array(np.concatenate([np.zeros(1, np.int32), ends])), pa.array(ids))


def _counts(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.integer[Any]]:
    """(n,) how many of each row are True, counted 64 at a time."""
    packed = np.packbits(mask, axis=1)
    words = np.zeros((len(packed), -(-packed.shape[1] // 8) * 8), dtype=np.uint8)
    words[:, : packed.shape[1]] = packed
    return np.asarray(np.bitwise_count(words.view(np.uint64)).sum(axis=1, dtype=np.int32))


def _context(feature: Feature, context: Context, rows: slice) -> Any:
    values = context.columns[feature.name][rows]
    return _texts(feature.levels, values) if feature.levels else values


def _context_type(feature: Feature, context: Context) -> Any:
    single = context.columns[feature.name].dtype == np.float32
    return pa.string() if feature.levels else pa.float32() if single else pa.float64()


def _texts(names: Any, codes: npt.NDArray[np.integer[Any]]) -> pa.Array:
    """The text of each code, as codes of all `names`; a negative code is missing."""
    if len(names) > FEW_NAMES:
        return _some_texts(names, codes)
    return _dictionary([str(name) for name in names], codes.astype(np.int32), codes)


def _some_texts(names: Any, codes: npt.NDArray[np.integer[Any]]) -> pa.Array:
    """The same as codes of the names that occur, in order of their first row, however all of them are numbered."""
    at, used = pd.factorize(codes)
    return _dictionary([str(names[code]) if code >= 0 else "" for code in used], at.astype(np.int32), codes)


def as_of_these_rows(array: pa.DictionaryArray) -> pa.Array:
    """Texts of a part cut anew, with the codes that `log_batches` gives these rows alone."""
    return _some_texts(array.dictionary.to_pylist(), array.indices.fill_null(UNKNOWN).to_numpy(zero_copy_only=False))


def named_by_rows(log: DecisionLog) -> set[str]:
    """The columns whose codes are of the texts that occur, and not of all that there are."""
    names = {context_column(f.name): len(f.levels) for f in log.context.schema.features}
    names |= {name: len(known) for name, (known, _) in log.catalog.dimensions.items()}
    return {"customer_id", *(name for name, many in names.items() if many > FEW_NAMES)}


def _dictionary(words: list[str], at: npt.NDArray[np.int32], codes: npt.NDArray[np.integer[Any]]) -> pa.Array:
    """words[at], missing where `codes` are negative. A dictionary may hold a word only once."""
    once = list(dict.fromkeys(words))
    if len(once) < len(words):
        place = {word: i for i, word in enumerate(once)}
        at = np.array([place[word] for word in words], dtype=np.int32)[at]
    missing = codes < 0 if codes.min(initial=0) < 0 else None
    return pa.DictionaryArray.from_arrays(pa.array(at, mask=missing), pa.array(once, pa.string()))


def _cast(values: Any, kind: Any) -> pa.Array:
    array = values if isinstance(values, pa.Array) else pa.array(values, from_pandas=False)
    if pa.types.is_list(kind):
        return pa.ListArray.from_arrays(array.offsets, array.values, type=kind)  # names and gaps of the ids apart
    return array if array.type == kind else array.cast(kind)
