"""Tensors and a few texts in one file, in the safetensors format: a length, a JSON header, raw numbers.

We write the header in one canonical form and read no other, with limits of our own: a file says nothing that
makes us allocate more than its own length, and nothing in it is ever run. safetensors itself reads these files
too. Here: bytes in and out, and naming foreign files. Not here: what the tensors mean (bundle.py).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from campaignrl.errors import ArtifactError, Problem
from campaignrl.policies.base import Tensors

MAX_FILE = 1 << 28  # bytes, 256 MB; a linear policy over 80 actions and 110 features has 13 MB
MAX_HEADER = 1 << 22  # bytes, 4 MB; catalog and features of any size a person can read
MAX_TENSORS = 256
MAX_RANK = 4
DTYPES: Mapping[str, npt.DTypeLike] = {"F32": "<f4", "F64": "<f8"}

_FOREIGN = (
    (b"\x80", "a pickle"),
    (b"PK\x03\x04", "a zip archive (torch, npz or a joblib folder)"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x1f\x8b", "gzip data (a joblib dump?)"),
    (b"x\x9c", "zlib data (a joblib dump?)"),
    (b"x\x01", "zlib data (a joblib dump?)"),
    (b"x\xda", "zlib data (a joblib dump?)"),
    (b"BZh", "bzip2 data (a joblib dump?)"),
    (b"\xfd7zXZ\x00", "xz data (a joblib dump?)"),
    (b"\x28\xb5\x2f\xfd", "zstd data"),
    (b"\x89HDF", "an HDF5 file"),
    (b"PAR1", "a Parquet file"),
)


def pack(texts: Mapping[str, str], tensors: Tensors) -> bytes:
    """One file: same texts and tensors, same bytes. A digest of everything is put beside the texts."""
    table: dict[str, Any] = {}
    parts, at = [], 0
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        dtype = next(d for d, t in DTYPES.items() if np.dtype(t) == array.dtype)
        raw = array.astype(DTYPES[dtype], copy=False).tobytes()
        table[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [at, at + len(raw)]}
        parts.append(raw)
        at += len(raw)
    data = b"".join(parts)
    table["__metadata__"] = dict(texts)
    table["__metadata__"]["sha256"] = _digest(table, data)
    header = _canonical(table)
    return len(header).to_bytes(8, "little") + header + data


def unpack(raw: bytes, where: str) -> tuple[dict[str, str], Tensors]:
    """Texts and tensors of one file; anything but what `pack` writes is an ArtifactError naming `where`."""
    table, data = _header(raw, where)
    texts = table.pop("__metadata__", None)
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        _refuse(where, "metadata", texts, "texts by name")
    found = texts.pop("sha256", None)
    wanted = _digest({**table, "__metadata__": texts}, data)
    if found != wanted:
        _refuse(where, "sha256", found, f"{wanted}, the digest of the content", "It was damaged or changed.")
    return texts, _tensors(table, data, where)


def _header(raw: bytes, where: str) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(raw[:8], "little")
    if len(raw) < 10 or length > MAX_HEADER or raw[8:9] != b"{":
        _refuse(where, "content", foreign_name(raw), "a bundle", "Only *.bundle files of campaignrl are opened.")
    header = raw[8 : 8 + length]
    try:
        table = json.loads(header)
        canonical = _canonical(table) if isinstance(table, dict) else b""
    except (ValueError, RecursionError):
        canonical = b""
    if header != canonical:
        _refuse(where, "header", f"{len(raw)} bytes", "whole and as campaignrl writes it", "Copy or train it again.")
    return table, raw[8 + length :]


def foreign_name(raw: bytes) -> str:
    """What a file that is no bundle seems to be, by its first bytes."""
    if not raw:
        return "an empty file"
    return next((name for magic, name in _FOREIGN if raw.startswith(magic)), "some other file")


def _tensors(table: dict[str, Any], data: bytes, where: str) -> Tensors:
    if len(table) > MAX_TENSORS:
        _refuse(where, "tensors", len(table), f"at most {MAX_TENSORS}")
    tensors: Tensors = {}
    at = 0
    for name in sorted(table):
        dtype, shape, end = _entry(table[name], at, f"{where}: tensor {name!r}")
        if end > len(data):
            _refuse(where, "length", f"{len(data)} bytes", f"at least {end} bytes of numbers", "It was cut short.")
        array = np.frombuffer(data[at:end], dtype=DTYPES[dtype]).reshape(shape)
        if not np.isfinite(array).all():
            _refuse(where, name, "NaN or infinity", "finite", "Train it again on clean data.")
        tensors[name], at = array, end
    if at != len(data):
        _refuse(where, "length", f"{len(data)} bytes", f"{at} bytes of numbers, as its header says")
    return tensors


def _entry(entry: Any, begin: int, where: str) -> tuple[str, tuple[int, ...], int]:
    """dtype, shape and end of one tensor that must begin at `begin`."""
    if not isinstance(entry, dict) or sorted(entry) != ["data_offsets", "dtype", "shape"]:
        _refuse(where, "entry", entry, "dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        _refuse(where, "dtype", dtype, f"one of {', '.join(DTYPES)}")
    # Each size is bounded before they are multiplied: bool is no size, and Python's integers do not overflow.
    if not isinstance(shape, list) or len(shape) > MAX_RANK or not all(_is_size(size) for size in shape):
        _refuse(where, "shape", shape, f"at most {MAX_RANK} sizes from 0 to {MAX_FILE}")
    end = begin + math.prod(shape) * np.dtype(DTYPES[dtype]).itemsize
    if offsets != [begin, end] or not all(type(offset) is int for offset in offsets):
        _refuse(where, "data_offsets", offsets, f"[{begin}, {end}]")
    return dtype, tuple(shape), end


def _is_size(size: object) -> bool:
    return type(size) is int and 0 <= size <= MAX_FILE


def _canonical(table: dict[str, Any]) -> bytes:
    text = json.dumps(table, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()
    return text + b" " * (-len(text) % 8)  # numbers begin at a multiple of eight


def _digest(table: dict[str, Any], data: bytes) -> str:
    return hashlib.sha256(_canonical(table) + data).hexdigest()


def _refuse(where: str, field: str, value: object, allowed: str, fix: str = "") -> NoReturn:
    raise ArtifactError(Problem(where, field, value, allowed, fix))
