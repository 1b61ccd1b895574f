"""Erasure in files: a customer's rows go from lists, logs, tables, profile folders and bundles; a search proves it.

A table is written anew without the customer's rows, whole or not at all, its other rows and metadata as they were;
hashes of a manifest beside it are made anew. What is no table is only searched: where the id still stands there, it is
named. Not here: the ledger (erasure.py), whose a row of an earlier export is (kept_lines.py).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from campaignrl.errors import Problem, UsageError
from campaignrl.ledger.kept_lines import MEMBERS, SEPARATOR, id_columns, is_lines, owners
from campaignrl.policies import forget_in_bundle
from campaignrl.policies.deep import KEY, forget
from campaignrl.tables import ID, same_spelling
from campaignrl.tables.files import frame_writer, is_parquet, read_table, write_together, write_whole
from campaignrl.tables.log import is_own_log, log_writers, read_own_log

MANIFEST = "manifest.json"
HEAD = 4096  # bytes in which a file says what it is
REJECTED = "value"  # a column of refused rows, which may hold an id
ID_COLUMNS = (ID, REJECTED, "id", "alias", MEMBERS)


class ErasedFile(NamedTuple):
    """What went from one file. rows: of the customer."""

    path: str
    rows: int


def erase_in_files(paths: list[Path], customer: str) -> list[ErasedFile]:
    """Remove a customer, however the id is spelled, from every table in these files and folders.

    Returns:
        The tables that held rows, and how many.

    Raises:
        UsageError: there is no such path, or the id is empty.
        DataError: a table cannot be read.
    """
    if not customer.strip():
        raise UsageError(Problem("erase", "customer_id", customer, "an id"))
    missing = [Problem("erase", "path", str(path), "a file or folder") for path in paths if not path.exists()]
    if missing:
        raise UsageError(missing)
    files = sorted(_files(paths), key=lambda path: not is_lines(path))  # these first: links say whose they are
    found = [ErasedFile(str(path), _erase_in(path, customer)) for path in files]
    changed = [one for one in found if one.rows]
    for folder in {Path(one.path).parent for one in changed}:
        _renew(folder / MANIFEST, [Path(one.path) for one in changed])
    return changed


def still_found(paths: list[Path], customer: str) -> list[str]:
    """Files in which the id still stands: a cell of a table, or a word of any other file."""
    word = re.compile(rb"(?<![\w-])" + re.escape(customer.strip().encode()) + rb"(?![\w-])")
    return [str(path) for path in _files(paths) if _holds(path, customer, word)]


def _files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        yield from sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]


def _is_table(path: Path) -> bool:
    return path.name.endswith((".parquet", ".pq", ".csv", ".csv.gz", ".tsv"))


def _is_memory(path: Path) -> bool:
    """Whether it is what a recurrent policy remembers."""
    with path.open("rb") as file:
        return KEY.encode() in file.read(HEAD)


def _erase_in(path: Path, customer: str) -> int:
    if path.name.endswith(".bundle"):
        return forget_in_bundle(path, customer)
    if not _is_table(path):
        return forget(path, customer) if _is_memory(path) else 0
    if is_own_log(path):
        log = read_own_log(path)
        theirs = _spelled(pd.Series(log.customers), customer).to_numpy()[log.customer]
        if theirs.any():
            write_together(log_writers(log.take(~theirs), path))
        return int(theirs.sum())
    if is_parquet(path):
        table = read_table(path)
        theirs = _rows_of(table, customer)
        if is_lines(path):
            theirs = pa.array(_spelled(pd.Series(owners(path, table)), customer), pa.bool_())
        kept, named = _without_member(table.filter(pc.invert(theirs)), customer)
        rows = int(pc.sum(theirs).as_py() or 0) + named
        if rows:
            write_whole(path, lambda out: _write(kept, out))
        return rows
    text = read_table(path).to_pandas()
    if ID not in text.columns:
        return 0
    mine = _spelled(text[ID], customer)
    if mine.any():
        write_together({path: frame_writer(text[~mine].reset_index(drop=True), path)})
    return int(mine.sum())


def _write(table: pa.Table, out: BinaryIO) -> None:
    pq.write_table(table, out)


def _rows_of(table: pa.Table, customer: str) -> pa.Array:
    """(n,) rows that are the customer's; of refused rows those whose cell is the id."""
    column = ID if ID in table.column_names else REJECTED if REJECTED in table.column_names else None
    if column is None or not _is_text(table.schema.field(column).type):
        return pa.repeat(False, len(table))
    return pa.array(_spelled(table[column].to_pandas(), customer), pa.bool_())


def _without_member(table: pa.Table, customer: str) -> tuple[pa.Table, int]:
    """The table without the customer among those who share an id of others, and in how many rows it stood there."""
    if MEMBERS not in table.column_names or not _is_text(table.schema.field(MEMBERS).type):
        return table, 0
    column, place = table[MEMBERS].to_pandas(), table.column_names.index(MEMBERS)
    cells = column.dropna().str.split(SEPARATOR, regex=False).explode()
    hit = cells[_spelled(cells, customer)].index
    if not len(hit):
        return table, 0
    left = cells[~_spelled(cells, customer)].groupby(level=0).agg(SEPARATOR.join)
    changed = column.where(~column.index.isin(hit), left.reindex(column.index))
    values = pa.array(changed, table.schema.field(MEMBERS).type, from_pandas=True)
    return table.set_column(place, table.schema.field(MEMBERS), values), hit.nunique()


def _spelled(ids: pd.Series, customer: str) -> pd.Series:
    texts = ids.fillna("").astype(str)
    same: pd.Series = pd.Series(same_spelling(texts), index=ids.index) == same_spelling([customer])[0]
    found: pd.Series = same & (texts != "")
    return found


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _holds(path: Path, customer: str, word: re.Pattern[bytes]) -> bool:
    """A table is searched in the columns that hold ids, where it has any; everything else by the word."""
    table = read_table(path) if _is_table(path) else None
    named = [] if table is None else [name for name in ID_COLUMNS if name in table.column_names]
    named += id_columns(table) if table is not None and is_lines(path) else []
    if table is None or not (named or is_parquet(path)):
        return word.search(path.read_bytes()) is not None
    texts = [table[name].to_pandas() for name in named if _is_text(table.schema.field(name).type)]
    parts = (column.dropna().astype(str).str.split(SEPARATOR, regex=False).explode() for column in texts)
    return any(bool(_spelled(column, customer).any()) for column in parts)


def _renew(manifest: Path, changed: list[Path]) -> None:
    """Sizes and hashes of changed files in a manifest beside them."""
    if not manifest.is_file():
        return
    told = json.loads(manifest.read_bytes())
    for path in changed:
        if path.parent == manifest.parent and path.name in told.get("files", {}):
            content = path.read_bytes()
            told["files"][path.name] |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    text = json.dumps(told, indent=2).encode()
    write_whole(manifest, lambda out: out.write(text))
