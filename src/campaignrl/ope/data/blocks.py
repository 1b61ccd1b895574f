"""Rows of a log in blocks that fit the cache."""

from __future__ import annotations

from collections.abc import Iterator

BLOCK = 65_536  # rows at a time; 41 actions in float64 are then 21 MB


def blocks(n: int) -> Iterator[slice]:
    """Consecutive slices of at most BLOCK rows."""
    return (slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK))
