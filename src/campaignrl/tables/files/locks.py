"""A lock that one process holds at a time: what is read, changed and written again is not changed in between.

The system frees it when a process dies. Who waits too long is told for whom. Not here: what is done under it.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from campaignrl.errors import Problem, UsageError

PATIENCE = 60.0  # seconds to wait for another process


@contextmanager
def alone(lock: Path, *, where: str, field: str, of: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Hold the file `lock`, which stays where it is; errors call what it guards `where: field = of`.

    Raises:
        UsageError: another process holds it for longer than `patience`, or the file cannot be written.
    """
    with _opened(lock, of) as held:
        until = time.monotonic() + patience
        while not _taken(held.fileno()):
            if time.monotonic() > until:
                held.seek(0)
                fix = f"Wait for it, or stop it: {held.read().strip() or 'another process'}."
                raise UsageError(Problem(where, field, str(of), "free", fix))
            time.sleep(0.05)
        held.seek(0)
        held.truncate()
        held.write(f"process {os.getpid()} since {time.strftime('%Y-%m-%d %H:%M:%S')}")
        held.flush()
        yield


def _opened(lock: Path, of: Path) -> TextIO:
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        return open(lock, "a+", encoding="utf-8")
    except OSError as wrong:
        raise UsageError(f"{of}: cannot be written: {wrong.strerror or wrong}.") from wrong


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
