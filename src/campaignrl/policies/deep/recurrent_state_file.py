"""What a recurrent policy remembers, in a file between one day's run and the next.

Arrays in the container of our bundles (tensor_file.py): customers by key, not by name, the last day, states before and
after it. A file belongs to one policy: to another network its numbers mean nothing. Not here: how states come about
(recurrent_state.py).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NoReturn

import numpy as np

from campaignrl import rng
from campaignrl.errors import ArtifactError, Problem, UsageError
from campaignrl.policies.base import Policy, Tensors
from campaignrl.policies.deep.recurrent_state import NEVER, Memory, Recurrent, memory_for
from campaignrl.policies.tensor_file import pack, unpack
from campaignrl.tables.files import Writer, write_whole

KEY = "campaignrl-memory"
FORMAT = 1
MAX_MEMORY = 1 << 31  # bytes, 2 GB; a customer takes 0.5 kB at 32 numbers remembered
LOW = np.uint64(0xFFFFFFFF)


def open_memory(policy: Policy, path: Path) -> Memory:
    """The memory in a file, or an empty one where there is none; a policy that remembers nothing is a UsageError."""
    if not isinstance(policy, Recurrent):
        raise UsageError(Problem(f"policy {policy.name}", "memory", str(path), "left out: it remembers nothing"))
    return load_memory(policy, path) if path.exists() else memory_for(policy)


def save_memory(memory: Memory, path: str | Path) -> None:
    """Write it whole or not at all. Same memory, same bytes."""
    write_whole(path, memory_writer(memory, path))


def memory_writer(memory: Memory, path: str | Path) -> Writer:
    """What writes it as the file `path`, to be written with what was decided by it."""
    asked = memory.day > NEVER
    keys = memory.keys[asked]
    tensors: Tensors = {
        "key": np.stack([keys >> np.uint64(32), keys & LOW], axis=1).astype(np.float64),  # halves, exact as float64
        "day": memory.day[asked].astype(np.float64),
        "before": memory.before[asked],
        "after": memory.after[asked],
    }
    content = pack({KEY: json.dumps({"format": FORMAT, "policy": memory.of}, sort_keys=True)}, tensors)
    if len(content) > MAX_MEMORY:
        fix = "Keep one memory for each part of the customers, or let the policy remember fewer numbers."
        raise UsageError(Problem(str(path), "size", len(content), f"at most {MAX_MEMORY} bytes", fix))
    return lambda out: out.write(content)


def forget(path: str | Path, customer: str) -> int:
    """Take a customer, by the very id, out of the memory in a file; the number of states that went, 0 or 1.

    Raises:
        ArtifactError: the file is broken.
    """
    where = str(path)
    texts, tensors = unpack(Path(path).read_bytes(), where)
    key = int(rng.customer_keys(np.array([customer], dtype=object))[0])
    mine = (tensors["key"] == [key >> 32, key & int(LOW)]).all(axis=1)
    if mine.any():
        content = pack(texts, {name: array[~mine] for name, array in tensors.items()})
        write_whole(path, lambda out: out.write(content))
    return int(mine.sum())


def load_memory(policy: Recurrent, path: str | Path) -> Memory:
    """The memory of `policy` in a file; every fault is an ArtifactError."""
    where = str(path)
    try:
        if Path(path).stat().st_size > MAX_MEMORY:
            _refuse(where, "size", Path(path).stat().st_size, f"at most {MAX_MEMORY} bytes")
        raw = Path(path).read_bytes()
    except OSError as wrong:
        _refuse(where, "file", wrong.strerror, "readable")
    texts, tensors = unpack(raw, where)
    try:
        manifest = json.loads(texts[KEY])
        written, of = manifest["format"], manifest["policy"]
    except (KeyError, TypeError, ValueError, RecursionError):
        _refuse(where, "content", "something else", "a memory of campaignrl")
    if written != FORMAT:
        _refuse(where, "format", written, str(FORMAT), "It was written by another version.")
    memory = memory_for(policy)
    if of != memory.of:
        fix = "A policy that was trained again begins a memory of its own: name another file."
        _refuse(where, "policy", of, f"{memory.of}, this {policy.name}", fix)
    return _memory(memory, tensors, where)


def _memory(memory: Memory, tensors: Tensors, where: str) -> Memory:
    found = {name: (array.dtype.str, array.shape) for name, array in tensors.items()}
    m = len(tensors["day"]) if "day" in tensors and tensors["day"].ndim else 0
    wanted = {"key": ("<f8", (m, 2)), "day": ("<f8", (m,))}
    wanted |= {name: ("<f4", (m, memory.width)) for name in ("before", "after")}
    if found != wanted:
        _refuse(where, "arrays", found, f"{wanted}")
    halves, day = tensors["key"], tensors["day"]
    if not ((halves >= 0) & (halves <= float(LOW)) & (halves == np.floor(halves))).all():
        _refuse(where, "key", "other numbers", "whole numbers of 32 bits")
    if not ((np.abs(day) < 2**31) & (day == np.floor(day))).all():
        _refuse(where, "day", "other numbers", "whole days")
    high, low = halves.astype(np.uint64).T
    memory.keys, memory.day = (high << np.uint64(32)) | low, day.astype(np.int64)
    memory.before, memory.after = tensors["before"].copy(), tensors["after"].copy()
    if not (memory.keys[1:] > memory.keys[:-1]).all():
        _refuse(where, "key", "in another order", "ascending, each once")
    return memory


def _refuse(where: str, field: str, value: object, allowed: str, fix: str = "") -> NoReturn:
    raise ArtifactError(Problem(where, field, value, allowed, fix))
