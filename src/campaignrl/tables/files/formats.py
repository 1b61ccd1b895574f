"""What a file is: its format by name, by its first bytes and its last, and one line of complaint where they differ.

Here: suffixes, magic numbers, turning what libraries raise on a damaged file into a DataError that names it.
Not here: reading and writing (whole_files.py). Nothing is ever unpickled.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from campaignrl.errors import CampaignError, DataError, Problem, unknown
from campaignrl.tables.files.encodings import advice, first_bad_byte, known_encoding, marked

SUFFIXES = (".parquet", ".pq", ".csv", ".csv.gz", ".tsv")
MAGIC = b"PAR1"
FOREIGN = {b"\x80": "a pickle, which is never opened", b"PK": "a zip archive", b"\x1f\x8b": "compressed by gzip"}


def is_parquet(path: Path) -> bool:
    """By suffix; a suffix that we cannot handle is a DataError."""
    name = path.name.lower()
    if not name.endswith(SUFFIXES):
        allowed = "a name that ends in " + " ".join(SUFFIXES)
        raise DataError(Problem(str(path), "file", path.name, allowed))
    return name.endswith((".parquet", ".pq"))


@contextmanager
def reading(path: Path, encoding: str | None = None) -> Iterator[None]:
    """Turns what the libraries raise on a damaged file, or one of another encoding, into one line that names it."""
    try:
        yield
    except CampaignError:
        raise
    except (pa.ArrowException, OSError, ValueError, OverflowError) as wrong:
        reason = str(wrong).strip().partition("\n")[0] or type(wrong).__name__
        raise DataError(f"{path}: cannot be read: {_place_of_bad_byte(path, encoding) or reason}") from None


def refuse_foreign(path: Path, encoding: str | None = None) -> None:
    """Raise unless the file exists and begins and ends as its name promises."""
    parquet = is_parquet(path)
    if not path.exists():
        folder = path.parent
        siblings = [p.name for p in folder.iterdir() if p.name.endswith(SUFFIXES)] if folder.is_dir() else []
        raise unknown("file", path.name, siblings, f"Looked in {folder}.")
    if not path.is_file():
        raise DataError(f"{path}: is not a file.")
    fault = _fault(path, parquet, known_encoding(encoding))
    if fault:
        raise DataError(f"{path}: {fault}")


def _fault(path: Path, parquet: bool, encoding: str) -> str:
    """What is wrong with the first and last bytes, or ""."""
    with open(path, "rb") as file:
        head = file.read(65_536)
        file.seek(-min(4, path.stat().st_size), os.SEEK_END)
        tail = file.read()
    if not head:
        return "is empty: not even a header."
    if parquet:
        if not head.startswith(MAGIC):
            return f"is not Parquet but {_kind(head)}."
        return "" if tail == MAGIC and len(head) > 8 else "is cut short: the end of the Parquet file is missing."
    if path.suffix.lower() == ".gz":
        return "" if head.startswith(b"\x1f\x8b") else f"is not compressed by gzip but {_kind(head)}."
    if head.startswith((MAGIC, *FOREIGN)):
        return f"is not text but {_kind(head)}."
    wide = marked(head, encoding).startswith(("utf-16", "utf-32"))  # letters with NUL bytes in them
    return (
        f"is not text, or not {encoding.upper()}: it holds NUL bytes. {advice(head)}"
        if b"\0" in head and not wide
        else ""
    )


def _kind(head: bytes) -> str:
    if head.startswith(MAGIC):
        return "Parquet (rename it to .parquet)"
    return next((kind for magic, kind in FOREIGN.items() if head.startswith(magic)), "something else")


def _place_of_bad_byte(path: Path, encoding: str | None) -> str:
    """Where a text file leaves its encoding, or ""; only asked once reading has failed."""
    if is_parquet(path):
        return ""
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix.lower() == ".gz" else path.read_bytes()
    except (OSError, EOFError):
        return ""
    return first_bad_byte(data, marked(data, known_encoding(encoding)))
