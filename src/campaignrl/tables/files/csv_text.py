"""CSV as exact text: nothing is guessed that could damage an id, and nothing is run by a spreadsheet.

Every cell is read as text first. A column becomes numbers only when all its values are numbers and none looks
like an id (`007`, or 16 and more digits). Here: delimited text in and out. Not here: choosing the format,
checking that a file is whole (whole_files.py), encodings (encodings.py); UTF-8 is written. LF or CRLF.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from csv import QUOTE_MINIMAL, QUOTE_NONNUMERIC
from pathlib import Path
from typing import Any, BinaryIO, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from campaignrl.errors import DataError, Problem
from campaignrl.tables.files.encodings import UTF8, as_utf8, known_encoding, marked

MISSING = ("", "NA", "N/A", "NaN", "nan", "NULL", "null", "None")  # in a column of numbers; text keeps them
ID_LIKE = r"^\s*[+-]?(0[0-9]|[0-9]{16})"  # leading zeros and long digit strings do not survive a number
FORMULA = re.compile(
    r"'*[=+\-@\t\r]"
)  # a spreadsheet would run it; quotes before it are counted too, so it can be undone
NEUTRALISED = r"^'('*[=+\-@\t\r])"
SEPARATORS = (",", ";", "\t", "|")  # that tables of other people have
DENSEST = 500  # times smaller when packed; more is made to fill a disk, or the memory
SMALLEST = 1 << 20  # bytes of a packed file, below which this is not asked
CHUNK = 4 << 20
LONGEST = 1 << 20  # bytes of a line, which is what the parser holds at once
HEAD = 65_536  # bytes read at a time while a header has not ended
FIRST_LINE = re.compile(rb'[\r\n]*+(?:[^"\r\n]++|"[^"]*+")++[\r\n]')  # the first not empty; quotes hold line ends


def delimiter_of(path: Path) -> str:
    """The tab for `.tsv`, else the comma."""
    return "\t" if ".tsv" in path.suffixes else ","


def found_separator(path: Path, encoding: str | None = None) -> str:
    """The sign that stands most often in the header, outside quotes: comma, semicolon, tab or bar; a tie is the name's.

    For tables of other people; ours are written with `delimiter_of`.
    """
    own = delimiter_of(path)
    data = _text_of(path, encoding) if known_encoding(encoding) != UTF8 or _mark(path) != UTF8 else _head_of(path)
    line = FIRST_LINE.match(data)
    bare = re.sub(rb'"[^"]*"', b"", data if line is None else line[0])
    return max((own, *SEPARATORS), key=lambda sign: bare.count(sign.encode()))


def read_text(
    path: Path, columns: Sequence[str] | None = None, encoding: str | None = None, separator: str | None = None
) -> pa.Table:
    """All columns (or some, known to exist) as text, exactly as written; an empty cell is "".

    The bytes are read first, all of them and by this thread alone. Given an open file, the parser would read ahead in
    a thread that goes on after an error, when the file is closed and another may be open under the same number.
    """
    names = csv_columns(path, encoding, separator)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError([Problem(str(path), "column", name, "named once") for name in twice])
    wanted = names if columns is None else list(columns)
    types = {name: pa.string() for name in names}
    options = csv.ConvertOptions(column_types=types, strings_can_be_null=False, include_columns=wanted)
    data = _text_of(path, encoding)
    return csv.read_csv(pa.BufferReader(data), parse_options=_parsing(path, separator), convert_options=options)


def csv_columns(path: Path, encoding: str | None = None, separator: str | None = None) -> list[str]:
    """The header, of which no more is parsed than its own line."""
    wide = known_encoding(encoding) != UTF8 or _mark(path) != UTF8
    data = _text_of(path, encoding) if wide else _head_of(path)
    line = FIRST_LINE.match(data)
    head = data if line is None else line[0]
    if len(head) > LONGEST:
        fix = "Is it a table, with one line a row, and is its separator the right one?"
        raise DataError(Problem(f"{path}, line 1", "header", f"{len(head):,} bytes", f"at most {LONGEST:,}", fix))
    return list(csv.read_csv(pa.BufferReader(head), parse_options=_parsing(path, separator)).schema.names)


def _head_of(path: Path) -> bytes:
    """As many bytes as hold the first line."""
    head, line = b"", None
    with pa.input_stream(str(path)) as stream:
        while line is None and (more := stream.read(max(HEAD, len(head)))):
            head += more
            line = FIRST_LINE.match(head)
            _refuse_bomb(path, len(head))
    return head


def _text_of(path: Path, encoding: str | None) -> bytes:
    """The whole file in UTF-8, uncompressed."""
    known = known_encoding(encoding)
    with pa.input_stream(str(path)) as stream:
        data: bytes = _unpacked(path, stream) if path.suffix.lower() == ".gz" else stream.read()
    return as_utf8(data, marked(data, known))


def _unpacked(path: Path, stream: pa.NativeFile) -> bytes:
    parts, size = [], 0
    while more := stream.read(CHUNK):
        parts.append(more)
        size += len(more)
        _refuse_bomb(path, size)
    return b"".join(parts)


def _refuse_bomb(path: Path, size: int) -> None:
    """DataError for a packed file that holds more bytes than a table would. size: read so far."""
    packed = path.stat().st_size
    if path.suffix.lower() == ".gz" and size > DENSEST * max(packed, SMALLEST):
        raise DataError(f"{path}: holds over {size:,} bytes in {packed:,}, more than a table would.")


def _mark(path: Path) -> str:
    with pa.input_stream(str(path)) as stream:
        return marked(stream.read(3), UTF8)


def typed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whole numbers, numbers, true/false, or the text itself: the first that fits every value."""
    if pc.any(pc.match_substring_regex(column, ID_LIKE)).as_py():
        return column
    trimmed = pc.utf8_trim_whitespace(column)
    missing = pc.is_in(trimmed, value_set=pa.array(MISSING))
    if pc.all(missing, min_count=0).as_py():  # nothing to go by (also: no rows)
        return column
    values = pc.if_else(missing, pa.scalar(None, pa.string()), trimmed)
    for kind in (pa.int64(), pa.float64(), pa.bool_()):
        try:
            return values.cast(kind)
        except pa.ArrowInvalid:
            continue
    return column


def neutralised(column: pd.Series[Any]) -> pd.Series[Any]:
    """Text cells that a spreadsheet would run as a formula get a leading quote; numbers are left alone."""
    cells = column.to_numpy(dtype=object)
    formulas = {cell for cell in {one for one in cells if isinstance(one, str)} if FORMULA.match(cell)}  # each once
    if not formulas:
        return column.astype(object)
    safe = ["'" + cell if isinstance(cell, str) and cell in formulas else cell for cell in cells]
    return pd.Series(safe, index=column.index, dtype=object)


def restored(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Inverse of `neutralised`, for text columns of files that `write_csv` wrote."""
    return pc.replace_substring_regex(column, NEUTRALISED, r"\1")


def write_csv(frame: pd.DataFrame, path: Path, out: BinaryIO) -> None:
    """Write the bytes of `path` to `out`: the same frame gives the same bytes, compressed or not."""
    data = csv_bytes(frame, path)
    data = csv_bytes(frame, path, quoted=True) if needs_quotes(data) else data
    out.write(gzip.compress(data, compresslevel=6, mtime=0) if path.suffix == ".gz" else data)


def csv_bytes(frame: pd.DataFrame, path: Path, *, quoted: bool = False, header: bool = True) -> bytes:
    """A frame as text, the rows of which are the same whatever other rows there are; quoted: all that is no number."""
    safe = frame.copy(deep=False)
    for name in (n for n in frame.columns if _may_hold_text(frame[n])):
        safe[name] = neutralised(frame[name].astype(object))
    safe.columns = neutralised(pd.Series(frame.columns, dtype=object)).to_list()
    quoting: Literal[0, 2] = QUOTE_NONNUMERIC if quoted else QUOTE_MINIMAL
    text = safe.to_csv(index=False, sep=delimiter_of(path), lineterminator="\n", quoting=quoting, header=header)
    return _encoded(text, path)


def needs_quotes(data: bytes) -> bool:
    """Whether a text must be quoted: the csv module leaves a lone carriage return bare, and readers see a new row."""
    return b"\r" in data


def _parsing(path: Path, separator: str | None) -> csv.ParseOptions:
    return csv.ParseOptions(delimiter=separator or delimiter_of(path), newlines_in_values=True)


def _may_hold_text(column: pd.Series[Any]) -> bool:
    return isinstance(column.dtype, pd.StringDtype | pd.CategoricalDtype) or column.dtype == object


def _encoded(text: str, path: Path) -> bytes:
    if "\0" in text:
        raise DataError(Problem(str(path), "text", "\0", "text without NUL characters, which CSV cannot hold"))
    try:
        return text.encode()
    except UnicodeEncodeError as wrong:
        raise DataError(Problem(str(path), "text", text[wrong.start], "a Unicode character")) from None
