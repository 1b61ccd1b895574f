"""How a foreign text file writes its cells: separator, encoding, decimal sign, yes and no; found where nobody says.

Numbers become plain texts that a reader of numbers takes; a cell that could mean two things is left as it is, and
reported by whoever reads it. Not here: what the columns mean (log.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from campaignrl.tables.files import NO, YES, found_encoding, found_separator, is_parquet, refuse_foreign
from campaignrl.tables.foreign.mapping import LogMapping

LOOKED_AT = 65_536  # bytes, for the encoding
UTF8 = "utf-8"
POINT = r"^[+-]?\d+\.(\d{1,2}|\d{4,})$"  # a point that is no sign of thousands
COMMA = r"^[+-]?(\d{1,3}(\.\d{3})*|\d+),(\d{1,2}|\d{4,})$"  # and a comma
WITH_COMMA = r"^[+-]?(\d{1,3}(\.\d{3})+(,\d+)?|\d+(,\d+)?)$"
UNSURE = r"^[+-]?\d+\.\d+$"  # where commas are decimal, this is no number


class Written(NamedTuple):
    """How a file is to be read; None: as ours are, or by the look of each column."""

    separator: str | None
    encoding: str | None
    decimal: str | None
    found: tuple[str, ...] = ()  # what nobody said, in words

    def plain(self, table: pa.Table, columns: Iterable[str]) -> tuple[pa.Table, tuple[str, ...]]:
        """The table with these columns of numbers made plain, and in which of them commas were decimal, unsaid."""
        commas = []
        for name in dict.fromkeys(columns):
            column, comma = plain_numbers(table[name], self.decimal)
            table = table.set_column(table.column_names.index(name), name, column)
            commas += [name] if comma and self.decimal is None else []
        return table, tuple(commas)


def as_written(path: Path, mapping: LogMapping, encoding: str | None) -> Written:
    """What the mapping says, else what the file looks like. encoding: as the caller has it, before all else."""
    refuse_foreign(path, encoding or mapping.encoding)
    if is_parquet(path):
        return Written(None, encoding, mapping.decimal)
    found = []
    known = encoding or mapping.encoding
    if known is None:
        with pa.input_stream(str(path)) as stream:
            known = found_encoding(stream.read(LOOKED_AT))
        if known == UTF8:
            known = None
        else:
            found.append(f"encoding {known}")
    separator = mapping.separator
    if separator is None:
        separator = found_separator(path, known)
        found += [] if separator in ",\t" else [f"separator {separator!r}"]
    return Written(separator, known, mapping.decimal, tuple(found))


def plain_numbers(column: pa.ChunkedArray, decimal: str | None) -> tuple[pa.ChunkedArray, bool]:
    """The column with points before decimals, and 1 and 0 for yes and no; whether its commas were decimal."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column, False
    trimmed = pc.utf8_trim_whitespace(column.cast(pa.string()))
    filled = pc.fill_null(trimmed, "")
    words = pc.utf8_lower(filled)
    yes, no, blank = (pc.is_in(words, value_set=pa.array(of)) for of in (YES, NO, ("",)))
    strange = pc.invert(pc.or_(pc.or_(yes, no), blank))
    counted = pc.and_(strange, pc.match_substring_regex(filled, r"\d"))
    if pc.any(pc.or_(yes, no)).as_py() and not pc.any(counted).as_py():  # words; what is no word of ours stays
        return pc.if_else(yes, "1", pc.if_else(no, "0", filled)), False
    if decimal == ".":
        return column, False
    if decimal is None:
        commas = pc.any(pc.match_substring_regex(filled, COMMA), min_count=0).as_py()
        if not commas or pc.any(pc.match_substring_regex(filled, POINT), min_count=0).as_py():
            return column, False
    told = pc.match_substring_regex(filled, WITH_COMMA)
    turned = pc.replace_substring(pc.replace_substring(filled, ".", ""), ",", ".")
    unsure = pc.and_(pc.match_substring_regex(filled, UNSURE), pc.invert(told))
    quoted = pc.binary_join_element_wise("'", filled, "'", "")
    return pc.if_else(told, turned, pc.if_else(unsure, quoted, filled)), True
