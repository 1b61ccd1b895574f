"""What is asked for, and what is given.

Not here: how it is decided (rounds.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from campaignrl.tables import CustomerTable


@dataclass(frozen=True)
class Wish:
    """One request for decisions.

    key: what makes it the same when it comes again; body_hash: of what it says; ids: whom it is about, each once;
    table: of one customer who came with features; channels: open now, None: all; ranking: how many of what was allowed
    shall be named; many: answered as a list.
    """

    key: str
    body_hash: str
    ids: tuple[str, ...]
    table: CustomerTable | None = None
    channels: tuple[str, ...] | None = None
    ranking: int = 0
    many: bool = False


@dataclass(frozen=True)
class Given:
    """An answer. replayed: it had been given before."""

    status: int
    body: bytes
    replayed: bool = False


def open_now(
    table: CustomerTable, wishes: Sequence[Wish], turns: Sequence[slice], channels: list[str]
) -> CustomerTable:
    """The table where channels that a request leaves out are closed to its customers, as without a permission."""
    if all(wish.channels is None for wish in wishes):
        return table
    consent = table.consent.copy()
    for wish, turn in zip(wishes, turns, strict=True):
        if wish.channels is not None:
            consent[[name not in wish.channels for name in channels], turn] = False
    return replace(table, consent=consent)
