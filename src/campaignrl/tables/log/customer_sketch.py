"""Which customers a log holds, as 256 numbers: enough to tell later whether another log shares customers with it.

The least hashes of a set are a fair sample of it that needs no list (k minimum values; Bar-Yossef et al. 2002). Hashes
of ids are kept, never ids. A simulated customer 17 is another one in another world or seed, so both are part of who a
customer is. A log of few customers from a large one may go unnoticed, a log judged by itself never does. Not here:
what follows for a verdict (ope/diagnostics/verdict.py), exact checks of two logs (ope/diagnostics/holdout.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.errors import ArtifactError, Problem
from campaignrl.rng import customer_keys, mix
from campaignrl.tables.log.decision_log import DecisionLog

KEPT = 256
FACT = "customer_sketch"  # its place among the facts of a bundle
_WIDTH = 16  # hexadecimal digits of a key
IDENTITY = ("world", "seed", "customers_from")  # facts of a log without which its ids are another log's


class CustomerSketch(NamedTuple):
    """The least keys of a log's customers, ascending, and when the last outcome was closed."""

    least: npt.NDArray[np.uint64]  # (m,) at most KEPT
    complete: bool  # these are all of them
    closed: int  # day

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        keys = "".join(f"{key:0{_WIDTH}x}" for key in self.least.tolist())
        return {"least": keys, "complete": self.complete, "closed": self.closed}

    @classmethod
    def from_dict(cls, data: object, where: str) -> CustomerSketch:
        """Back from JSON, or an ArtifactError."""
        try:
            if not isinstance(data, Mapping):
                raise TypeError
            text, complete, closed = data["least"], data["complete"], data["closed"]
            keys = _read_keys(text)
            sound = (
                (len(keys) <= KEPT if complete else len(keys) == KEPT)
                and type(complete) is bool
                and type(closed) is int
            )
            if not sound or bool((keys[1:] <= keys[:-1]).any()):
                raise ValueError
        except (KeyError, TypeError, ValueError, OverflowError):
            raise ArtifactError(Problem(where, FACT, "damaged", "as campaignrl writes it")) from None
        return cls(keys, complete, closed)

    def joined(self, other: CustomerSketch) -> CustomerSketch:
        """The sketch of the customers of both."""
        return _of(
            np.union1d(self.least, other.least), min(self._top, other._top), max(self.closed, other.closed)
        )  # fmt: skip

    def share_of(self, log: DecisionLog) -> float:
        """About which share of the log's customers was there; 0 if all its decisions came after the last outcome."""
        if not len(log) or int(np.min(log.day)) > self.closed:
            return 0.0
        keys = _keys(log)
        comparable = keys[keys <= self._top]
        return float(np.isin(comparable, self.least).mean()) if len(comparable) else 0.0

    @property
    def _top(self) -> int:
        """Keys up to here would have been kept."""
        return int(np.iinfo(np.uint64).max) if self.complete else int(self.least[-1])


def sketch_of(log: DecisionLog) -> CustomerSketch:
    """The sketch of the customers whose outcomes are known: those a learner learns from."""
    known = log.take(np.flatnonzero(log.matured))
    closed = int(np.max(known.day, initial=0)) + int(log.meta.get("outcome_days", 0))
    return _of(np.unique(_keys(known)), int(np.iinfo(np.uint64).max), closed)


@lru_cache(maxsize=16)
def _read_keys(text: str) -> npt.NDArray[np.uint64]:
    """Keys from their text; a service asks for the same ones with every decision."""
    keys = np.array([int(text[i : i + _WIDTH], 16) for i in range(0, len(text), _WIDTH)], dtype=np.uint64)
    keys.flags.writeable = False
    return keys


def _of(keys: npt.NDArray[np.uint64], top: int, closed: int) -> CustomerSketch:
    keys = keys[keys <= top]
    complete = top == int(np.iinfo(np.uint64).max) and len(keys) <= KEPT
    return CustomerSketch(keys[:KEPT], complete, closed)


def _keys(log: DecisionLog) -> npt.NDArray[np.uint64]:
    """(C,) of the customers that have rows."""
    who = json.dumps([log.meta.get(name) for name in IDENTITY], default=str).encode()
    salt = np.uint64(int.from_bytes(hashlib.blake2b(who, digest_size=8).digest(), "little"))
    return mix(customer_keys(log.customers[np.unique(log.customer)]) ^ salt)
