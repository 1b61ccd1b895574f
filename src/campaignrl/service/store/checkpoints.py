"""Checkpoints of a SQLite store beside its rounds: what was committed goes from the log into the file.

By itself SQLite does it within a commit, every thousand pages, and whoever waits for that commit waits for two flushes
more. Here a thread of its own moves what there is, again and again, which hinders nobody; but only when nothing is left
behind does the log begin anew, so that once it is long the round's own thread moves the little that came meanwhile. Not
here: transactions (database.py). A PostgreSQL server does all this itself.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from typing import Any

from campaignrl.service.store.database import Database

LOG = logging.getLogger("campaignrl.service")
EVERY = 0.5  # seconds
LONG = 32_768  # pages of the log, 128 MB, from which on it shall begin anew: all who wait then wait for two flushes
MOVE = "PRAGMA wal_checkpoint(PASSIVE)"  # what it can, without making anybody wait


class Checkpoints:
    """The thread, and what is left for whoever writes."""

    def __init__(self, database: Database) -> None:
        """Nothing where the store is no SQLite file."""
        self._database, self._long, self._end = database, threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._serve, name="checkpoints", daemon=True)
        self._connection: sqlite3.Connection | None = None
        self._turn = threading.Lock()

    def start(self) -> None:
        """Begin; commits leave it to this from now on."""
        if self._database.is_sqlite:
            self._connection = self._database.leave_checkpoints()
            self._thread.start()

    def between_rounds(self) -> None:
        """Let the log begin anew where it is long: called by whoever writes, while nothing is written.

        Not while the thread is at it, which would be waited for: the next round is soon enough.
        """
        if self._long.is_set() and self._turn.acquire(blocking=False):
            try:
                self._long.clear()
                self._moved()
            finally:
                self._turn.release()

    def close(self) -> None:
        """The last of it."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join(10.0)
        if self._connection is not None:
            self._connection.close()

    def _serve(self) -> None:
        while not self._end.wait(EVERY):
            if self._move() > LONG:
                self._long.set()

    def _move(self) -> int:
        with self._turn:
            return self._moved()

    def _moved(self) -> int:
        """Pages that the log holds; 0 where the file cannot be reached now, which whoever writes next will say."""
        assert self._connection is not None
        try:
            row: Any = self._connection.execute(MOVE).fetchone()
        except sqlite3.Error as wrong:
            LOG.warning("no checkpoint: %s", type(wrong).__name__)
            return 0
        return max(int(row[1]), 0)
