"""Personal cells (a phone number, an e-mail address) become keyed hashes before anything is stored.

The key comes from the environment and appears in no mapping, file, message or query. Here: the key and the hash.
Not here: which columns are personal (the mapping's `hash`).
"""

from __future__ import annotations

import hashlib
import os
import unicodedata
from pathlib import Path

import duckdb
import phonenumbers
import pyarrow as pa
from duckdb.func import PythonUDFType

from campaignrl.errors import UsageError

KEY, KEY_FILE = "CAMPAIGNRL_HASH_KEY", "CAMPAIGNRL_HASH_KEY_FILE"
SHORTEST, LONGEST = 16, 64  # bytes; blake2b takes at most 64
DIGEST = 16  # bytes: 128 bits, 32 hexadecimal digits


def hash_key() -> bytes:
    """The key of the environment: the text of CAMPAIGNRL_HASH_KEY, or the bytes of CAMPAIGNRL_HASH_KEY_FILE."""
    text, file = os.environ.get(KEY), os.environ.get(KEY_FILE)
    if text is None and file is None:
        raise UsageError(f"the mapping holds personal columns: set {KEY}, or {KEY_FILE} to the path of a key file.")
    try:
        key = text.encode() if text is not None else Path(file or "").read_bytes().strip()
    except OSError as wrong:
        raise UsageError(f"{KEY_FILE}: the key file cannot be read: {wrong.strerror}.") from None
    if not SHORTEST <= len(key) <= LONGEST:
        source = KEY if text is not None else KEY_FILE
        raise UsageError(f"{source}: the key has {len(key)} bytes; {SHORTEST} to {LONGEST} are allowed.")
    return key


def keyed_hash(key: bytes, text: str) -> str:
    """Hexadecimal BLAKE2b of `text` under `key`."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST, key=key).hexdigest()


def phone_form(text: str, region: str) -> str:
    """One form of all spellings of a phone number: E.164 (+8613800138000); of what is none, its digits.

    region: of numbers without a country code, such as CN.
    """
    narrow = unicodedata.normalize("NFKC", text).strip()
    digits = "".join(sign for sign in narrow if sign.isdecimal())
    abroad = f"+{digits.removeprefix('00')}"
    for attempt, place in ((abroad if narrow.startswith(("+", "00")) else digits, region), (abroad, None)):
        try:
            found = phonenumbers.parse(attempt, place)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(found):
            return str(phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164))
    return digits


def teach(con: duckdb.DuckDBPyConnection, key: bytes, region: str) -> None:
    """Give the engine the functions `keyed_hash(text)` and `phone_form(text)`; the key stays in Python."""

    def phones(texts: pa.ChunkedArray) -> pa.Array:
        coded = pa.chunked_array(texts).combine_chunks().dictionary_encode()
        forms = [None if one is None else phone_form(one, region) for one in coded.dictionary.to_pylist()]
        return pa.array(forms, pa.string()).take(coded.indices)

    def hashed(texts: pa.ChunkedArray) -> pa.Array:
        return pa.array([None if text is None else keyed_hash(key, text) for text in texts.to_pylist()], pa.string())

    con.create_function("phone_form", phones, ["VARCHAR"], "VARCHAR", type=PythonUDFType.ARROW)
    con.create_function("keyed_hash", hashed, ["VARCHAR"], "VARCHAR", type=PythonUDFType.ARROW)


def hashed_sql(text: str, written: str) -> str:
    """The hash of a text cell, its writing first made one: exact, lower (e-mail), digits (a phone: `phone_form`)."""
    plain = {
        "exact": text,
        "lower": f"lower(trim({text}))",
        "digits": f"phone_form({text})",
    }[written]
    return f"keyed_hash(nullif({plain}, ''))"
