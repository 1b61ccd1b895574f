"""How the bytes of a text file stand for letters: as UTF-8 unless told otherwise, and what to say where they do not.

A byte order mark at the head of a file (UTF-8, UTF-16) is believed before anything else. Tables of our own are never
read by a guess, which is only part of the advice; raw exports are (`found_encoding`), and told. Not here: cells and
columns (csv_text.py).
"""

from __future__ import annotations

import codecs
import re

from charset_normalizer import from_bytes

from campaignrl.errors import UsageError

UTF8 = "utf-8"
MARKS = {codecs.BOM_UTF8: UTF8, codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
HIGH = re.compile(rb"[\x80-\xff]+")
SAMPLE = 65_536  # bytes that the advice is formed on
ASIAN = ("big5", "shift_jis", "euc_jp", "euc_kr")  # told from each other only by text of some length
TELLING = 20  # bytes beyond ASCII, below which the commonest encoding is more likely than the best fit
SOUND = 4  # times as many letters in UTF-8 as bytes that are none, for a file to be damaged UTF-8


def known_encoding(name: str | None) -> str:
    """The encoding to read with; UTF-8 for None, UsageError for a name that is none."""
    try:
        found = codecs.lookup(UTF8 if name is None else name)
    except (LookupError, ValueError):  # a NUL in the name is a ValueError
        found = None
    if found is None or not found._is_text_encoding:
        raise UsageError(f"--encoding {name!r} is not a known encoding; such are utf-8, gb18030, utf-16, latin-1.")
    return UTF8 if found.name == "utf-8-sig" else found.name


def marked(data: bytes, encoding: str) -> str:
    """What the byte order mark at the head of `data` says; `encoding` where there is none."""
    return next((said for mark, said in MARKS.items() if data.startswith(mark)), encoding)


def as_utf8(data: bytes, encoding: str) -> bytes:
    """The same text in UTF-8; bytes that `encoding` does not have are a UnicodeError."""
    return data if encoding == UTF8 else data.decode(encoding).encode(UTF8)


def first_bad_byte(data: bytes, encoding: str) -> str:
    """Where `data` is no text of `encoding`, and how to say what it is; "" where it is."""
    try:
        data.decode(encoding)
    except UnicodeDecodeError as wrong:
        row = data[: wrong.start].decode(encoding, "replace").count("\n") + 1
        return f"byte {wrong.start} (line {row}) is not {encoding.upper()}. {advice(data, encoding)}"
    return ""


def advice(data: bytes, tried: str = UTF8) -> str:
    """The option that would help, by the look of the bytes: a guess, so the others are named too."""
    look = data[:SAMPLE]
    likely = next((name for mark, name in MARKS.items() if look.startswith(mark)), None)
    if likely is None:
        runs = [len(run) for run in HIGH.findall(look)]
        likely = "latin-1" if 2 * runs.count(1) > len(runs) else "gb18030"  # accents stand alone, Chinese in pairs
    likely = UTF8 if likely == tried else likely
    others = [name for name in ("gb18030", "utf-16", "latin-1") if name not in (likely, tried)]
    return f"Say how it is written: --encoding {likely} (or {', '.join(others)}); or save it as UTF-8."


def found_encoding(data: bytes) -> str:
    """The encoding of a text by the look of its first bytes: UTF-8 or UTF-16, GB18030, others of Asia, Cyrillic, Latin.

    A few bytes that are no UTF-8 among many that are leave it UTF-8.
    """
    said = marked(data, "")
    if said:
        return said
    if data[1::2].count(0) > len(data) // 8:
        return "utf-16-le"
    if data[::2].count(0) > len(data) // 8:
        return "utf-16-be"
    text = codecs.getincrementaldecoder(UTF8)("replace").decode(data)  # a letter cut off at the end is no damage
    damaged = text.count("\ufffd")
    if not damaged or sum(sign > "\x7f" for sign in text) - damaged >= SOUND * damaged:
        return UTF8
    high = b"\n".join(line for line in data.splitlines() if HIGH.search(line))[:SAMPLE]
    runs = [len(run) for run in HIGH.findall(high)]
    if sum(runs) < 2:  # one byte alone is damage, whatever it could mean
        return UTF8
    best = from_bytes(high, cp_isolation=["gb18030", "cp1252", "cp1251", *ASIAN]).best()
    fit = "" if best is None else best.encoding
    if 2 * runs.count(1) > len(runs):  # accents stand alone, letters of other scripts together
        candidates = ["cp1252", "latin-1"]
    elif sum(runs) >= TELLING and fit in (*ASIAN, "cp1251"):
        candidates = [fit, "gb18030", "cp1252", "latin-1"]
    else:
        candidates = ["gb18030", "cp1252", "latin-1"]
    return next(name for name in candidates if _decodes(high, name))


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(data)
    except UnicodeDecodeError:
        return False
    return True
