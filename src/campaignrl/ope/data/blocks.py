"""Rows of a log in blocks that fit the cache."""

from __future__ import annotations

from collections.abc import Iterator

BLOCK = 65_536  # rows at a time
NUMBERS = 1 << 18  # of rows by actions at a time, 2 MB


def blocks(n: int, k: int = 1) -> Iterator[slice]:
    """Consecutive slices of at most BLOCK rows, of fewer where each has many numbers, k."""
    size = min(BLOCK, max(1, NUMBERS // k))
    return (slice(start, min(start + size, n)) for start in range(0, n, size))
