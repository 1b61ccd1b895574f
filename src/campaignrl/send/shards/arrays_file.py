"""Named arrays as one file that appears whole or not at all, with a note beside them.

Numbers and truths keep their kind, texts are texts, and rows of a matrix are lists of one length: nothing is pickled,
and a reader takes only the columns and the rows it asks for. Not here: what the arrays are (customers_file.py,
steps.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from campaignrl.tables.files import write_whole

Arrays = Mapping[str, npt.NDArray[Any]]
NOTE = b"note"
PACKED = pa.ipc.IpcWriteOptions(compression="lz4")


def write_arrays(path: Path, arrays: Arrays, note: Mapping[str, Any] | None = None) -> None:
    """Write arrays (n,) or (n, k)."""
    columns = {name: _column(values) for name, values in arrays.items()}
    write_arrow(path, pa.table(columns), note)


def write_arrow(path: Path, table: pa.Table, note: Mapping[str, Any] | None = None) -> None:
    """Write an Arrow table."""
    table = table.replace_schema_metadata({NOTE: json.dumps(note or {})})

    def write(out: Any) -> None:
        with pa.ipc.new_file(out, table.schema, options=PACKED) as writer:
            writer.write_table(table)

    write_whole(path, write)


def read_arrow(path: Path, names: Sequence[str] | None = None) -> pa.Table:
    """The table, or some of its columns."""
    with pa.OSFile(str(path)) as source, pa.ipc.open_file(source) as reader:
        if names is None:
            return reader.read_all()
        places = [reader.schema.get_field_index(name) for name in names]
    options = pa.ipc.IpcReadOptions(included_fields=places)
    with pa.OSFile(str(path)) as source, pa.ipc.open_file(source, options=options) as reader:
        return reader.read_all()


def read_arrays(path: Path, names: Sequence[str] | None = None) -> dict[str, npt.NDArray[Any]]:
    """The arrays, or some of them."""
    table = read_arrow(path, names)
    return {name: _array(table[name]) for name in table.column_names}


def read_note(path: Path) -> dict[str, Any]:
    """What was noted beside the arrays."""
    with pa.OSFile(str(path)) as source, pa.ipc.open_file(source) as reader:
        note: dict[str, Any] = json.loads(reader.schema.metadata[NOTE])
    return note


def _column(values: npt.NDArray[Any]) -> pa.Array:
    if values.dtype == object:
        return pa.array(values, pa.string()).dictionary_encode() if _few(values) else pa.array(values, pa.string())
    if values.ndim == 1:
        return pa.array(values, from_pandas=False)
    flat = pa.array(np.ascontiguousarray(values).reshape(-1), from_pandas=False)
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def _few(texts: npt.NDArray[Any], among: int = 1_024) -> bool:
    """Whether texts repeat: then each is kept once."""
    return len(set(texts[:among].tolist())) * 4 < min(len(texts), among)


def _array(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    kind = column.type
    if pa.types.is_fixed_size_list(kind):
        flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
        return np.asarray(flat).reshape(len(column), kind.list_size)
    if pa.types.is_dictionary(kind):
        one = column.unify_dictionaries().combine_chunks()
        words = np.array([*one.dictionary.to_pylist(), None], dtype=object)
        return np.asarray(words[one.indices.to_numpy(zero_copy_only=False)])
    values = column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy()
    return np.array(values) if not values.flags.writeable else values
