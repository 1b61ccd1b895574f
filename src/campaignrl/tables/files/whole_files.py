"""Files: written whole or not at all, alone or with those they belong to; read whole or refused.

Here: whole-or-nothing writing, no output over an input, frames in and out in any supported format. Not here: what a
file is (formats.py), what the columns mean (log/, foreign/), CSV cells (csv_text.py).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from campaignrl.errors import DataError, Problem, UsageError, nearest
from campaignrl.tables.files import csv_text as csvfile
from campaignrl.tables.files.formats import is_parquet, reading, refuse_foreign

Writer = Callable[[BinaryIO], object]  # what puts a file's content into a handle
NOTHING: Mapping[str, str] = MappingProxyType({})

ROW_GROUP = 131_072  # rows; fixed, so that the same rows give the same bytes


def write_whole(path: str | Path, write: Writer) -> None:
    """Give `write` a handle; `path` appears complete and on disk, or stays exactly as it was."""
    write_together({path: write})


def write_together(files: Mapping[str | Path, Writer]) -> None:
    """Files that belong together: nothing is renamed before all of them are complete and on disk.

    The last one vouches for the others: it is taken away before they change, and comes back after them.
    """
    parts: dict[Path, Path] = {}
    target = Path()
    try:
        for path, write in files.items():
            target = Path(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_dir():
                raise IsADirectoryError(None, "it is a folder")
            parts[target] = _part(target, write, parts)
        if len(parts) > 1:
            target.unlink(missing_ok=True)
        for target, part in parts.items():
            os.replace(part, target)
        for folder in {target.parent for target in parts}:
            flush_folder(folder)  # the new names are on disk too
    except OSError as wrong:
        raise UsageError(f"{target}: cannot be written: {wrong.strerror or wrong}.") from wrong
    finally:
        for part in parts.values():
            with suppress(OSError):  # not there, or nothing can be changed here: what went wrong has been said
                part.unlink()


def write_frame(frame: pd.DataFrame, path: str | Path) -> None:
    """CSV or Parquet by suffix, without the index; the same frame gives the same bytes."""
    write_whole(path, frame_writer(frame, path))


def frame_writer(frame: pd.DataFrame, path: str | Path) -> Writer:
    """What writes a frame as the file `path`, CSV or Parquet by its suffix."""
    target = Path(path)
    if is_parquet(target):
        table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
        return lambda out: write_parquet(table, out)
    return lambda out: csvfile.write_csv(frame, target, out)


def require_apart(outputs: Mapping[str, Path | None], inputs: Mapping[str, Path | None]) -> None:
    """UsageError where an output is an input or lies in one, or two outputs are one file.

    Both: option -> file or folder, None if not given.
    """
    problems, taken = [], {name: path for name, path in inputs.items() if path is not None}
    for name, path in outputs.items():
        if path is None:
            continue
        other = next((other for other, known in taken.items() if _same_file(path, known)), None)
        if other is not None:
            fix = "Give it a name of its own."
            problems.append(Problem(name, "file", str(path), f"another file than {other}", fix))
        taken[name] = path
    if problems:
        raise UsageError(problems)


def write_parquet(table: pa.Table, out: BinaryIO) -> None:
    """One table as Parquet with the settings all our files share."""
    with parquet_writer(table.schema, out) as writer:
        writer.write_table(table, row_group_size=ROW_GROUP)


def write_parquet_parts(parts: Iterable[pa.Table], out: BinaryIO) -> None:
    """One table, which comes in parts of whatever length: the bytes are those of `write_parquet` of all of them."""
    rest = iter(parts)
    first = next(rest)
    with parquet_writer(first.schema, out) as writer:
        for group in regrouped(chain((first,), rest), ROW_GROUP):
            writer.write_table(group, row_group_size=ROW_GROUP)


def regrouped(parts: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
    """The same rows in tables of so many, the last one of what is left."""
    waiting = list[pa.Table]()
    for part in parts:
        waiting.append(part)
        while sum(map(len, waiting)) >= rows:
            table = pa.concat_tables(waiting)
            yield table.slice(0, rows).unify_dictionaries().combine_chunks()
            waiting = [table.slice(rows)]
    rest = pa.concat_tables(waiting)
    if len(rest):
        yield rest.unify_dictionaries().combine_chunks()


def parquet_writer(
    schema: pa.Schema, out: BinaryIO, plain: Sequence[str] = (), codecs: Mapping[str, str] = NOTHING, **options: Any
) -> pq.ParquetWriter:
    """A writer with the settings all our files share; `plain` columns hardly repeat and get no dictionary.

    codecs: of columns that are not compressed by zstd; options: of Arrow's writer, where a file has its own.
    """
    leaves = {f.name: f"{f.name}.list.element" if pa.types.is_list(f.type) else f.name for f in schema}
    with_dictionary = [leaf for name, leaf in leaves.items() if name not in plain]
    codec = {leaf: codecs.get(name, "zstd") for name, leaf in leaves.items()} if codecs else "zstd"
    settings = {"compression": codec, "use_dictionary": with_dictionary, "write_page_checksum": True}
    return pq.ParquetWriter(out, schema, **settings, **options)


def read_frame(
    path: str | Path, columns: Sequence[str] | None = None, text: Sequence[str] = (), *, encoding: str | None = None
) -> pd.DataFrame:
    """A table from a file. Columns named in `text` stay text to the letter ("007", "1e5"), "" where empty.

    columns: the ones to read (default: all); a missing one is a DataError, all named at once. encoding: of a CSV that
    is not UTF-8, as gb18030, utf-16 or latin-1.
    """
    source = Path(path)
    table = read_table(source, columns, encoding=encoding)
    with reading(source):
        ready = {n: as_text(table[n]) if n in text else _natural(table[n], source) for n in table.column_names}
        frame: pd.DataFrame = pa.table(ready).to_pandas()
    return frame


def read_table(
    path: str | Path,
    columns: Sequence[str] | None = None,
    *,
    encoding: str | None = None,
    separator: str | None = None,
) -> pa.Table:
    """The Arrow table of a file: Parquet in its own types, CSV all text, of any encoding and separator."""
    source = Path(path)
    names = column_names(source, encoding=encoding, separator=separator)
    if columns is not None:
        require_columns(source, columns, names)
    with reading(source, encoding):
        if not is_parquet(source):
            return csvfile.read_text(source, columns, encoding, separator)
        wanted = None if columns is None else list(columns)
        with parquet_file(source) as file:
            return file.read(columns=wanted)


def parquet_file(path: str | Path, codes: Sequence[str] = ()) -> pq.ParquetFile:
    """An open Parquet file, to be read in pieces, its checksums compared; `codes`: columns read as dictionaries."""
    return pq.ParquetFile(path, read_dictionary=list(codes), page_checksum_verification=True)


def parquet_note(path: str | Path, key: bytes) -> bytes | None:
    """What a Parquet file says of itself under `key`; None where it says nothing."""
    source = Path(path)
    with reading(source):
        found = (pq.read_schema(source).metadata or {}).get(key)
    return None if found is None else bytes(found)


def column_names(path: str | Path, *, encoding: str | None = None, separator: str | None = None) -> list[str]:
    """The columns of a file, in its order; also the check that it is what its name says.

    separator: between the cells of a text; None: the comma, or the tab of a `.tsv`.
    """
    source = Path(path)
    refuse_foreign(source, encoding)
    with reading(source, encoding):
        if is_parquet(source):
            return list(pq.read_schema(source).names)
        return csvfile.csv_columns(source, encoding, separator)


def require_columns(path: str | Path, wanted: Sequence[str], present: Sequence[str]) -> None:
    """DataError that names every column of `wanted` that is not `present`, each with the nearest name."""
    missing = [name for name in dict.fromkeys(wanted) if name not in present]
    if missing:
        raise DataError([Problem(str(path), "column", name, "in the file", nearest(name, present)) for name in missing])


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Ids and names as text, "" where missing; 17 and 17.0 alike become "17"."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        with suppress(pa.ArrowInvalid):
            column = column.cast(pa.int64())
    return column.cast(pa.string()).fill_null("")


def _part(target: Path, write: Writer, parts: dict[Path, Path]) -> Path:
    """The complete content under another name beside `target`, on disk; noted in `parts` before it is begun."""
    short = target.name.encode(errors="ignore")[:200].decode(errors="ignore")  # of 255 bytes that a name may have
    part = target.with_name(f".{short}.{secrets.token_hex(8)}.part")
    parts[target] = part  # so that it is taken away whatever happens
    with open(part, "xb") as out:
        write(out)
        out.flush()
        os.fsync(out.fileno())
    return part


def flush_folder(path: Path) -> None:
    """Have the names in a folder on disk."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _same_file(one: Path, other: Path) -> bool:
    """Whether two names lead to one file, by a link or by another spelling too, or one into the folder `other`."""
    if os.path.realpath(one) == os.path.realpath(other):
        return True
    if other.is_dir() and Path(os.path.realpath(one)).is_relative_to(os.path.realpath(other)):
        return True
    return one.exists() and other.exists() and os.path.samefile(one, other)


def _natural(column: pa.ChunkedArray, path: Path) -> pa.ChunkedArray:
    return column if is_parquet(path) else csvfile.typed(column)
