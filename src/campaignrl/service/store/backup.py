"""A copy of a store that is in use, and back.

A copy is one SQLite file, of a SQLite and of a PostgreSQL store alike: every table as one transaction saw it. It
appears whole or not at all. Not here: the ledger, which has its own files.
"""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import Connection, func, insert, inspect, select, text

from campaignrl.errors import ArtifactError, Problem, UsageError
from campaignrl.service.store.database import Database
from campaignrl.service.store.migrations import migrate
from campaignrl.service.store.schema import facts, metadata

AT_ONCE = 5_000


def back_up(url: str, path: Path) -> dict[str, int]:
    """Copy a store into a new file; rows by table.

    Raises:
        UsageError: the file is there already, or there is no store.
    """
    if path.exists():
        raise UsageError(Problem("store backup", "output", str(path), "a file that is not there yet"))
    source = _there(url)
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    target = Database(f"sqlite:///{part}")
    try:
        with source.writing() as read, target.writing() as write:  # writing: so that one state is copied
            migrate(write, str(path))
            counts = _copy(read, write)
        with target.reading() as con:
            con.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        source.close()
        target.close()
    with open(part, "rb+") as file:
        os.fsync(file.fileno())
    part.rename(path)
    for rest in ("-wal", "-shm"):
        part.with_name(part.name + rest).unlink(missing_ok=True)
    return counts


def restore(path: Path, url: str) -> dict[str, int]:
    """Make a store from a copy; rows by table. The store must be empty or not there.

    Raises:
        UsageError: there is no such file, or the store holds something.
        ArtifactError: the file is no copy, or a broken one.
    """
    if not path.is_file():
        raise UsageError(Problem("store restore", "file", str(path), "a copy that `store backup` made"))
    source, target = Database(f"sqlite:///{path}"), Database(url)
    try:
        with source.reading() as read:
            if read.exec_driver_sql("PRAGMA integrity_check").scalar() != "ok":
                raise ArtifactError(Problem(str(path), "content", "damaged", "the copy it was", "Take another copy."))
            with target.writing() as write:
                migrate(write, target.shown)
                if write.execute(select(facts.c.name).where(facts.c.name == "id")).scalar() is not None:
                    fix = "Give a new file or an empty database."
                    raise UsageError(Problem("store restore", "store", target.shown, "empty", fix))
                return _copy(read, write)
    finally:
        source.close()
        target.close()


def _there(url: str) -> Database:
    found = Database(url)
    if found.is_sqlite and not found.file.is_file():
        raise UsageError(Problem("store", "url", found.shown, "a store that is there"))
    return found


def _copy(read: Connection, write: Connection) -> dict[str, int]:
    counts, there = {}, set(inspect(read).get_table_names())
    for table in metadata.sorted_tables:
        write.execute(table.delete())
        if table.name not in there:  # of an older store
            continue
        rows = read.execute(select(table)).mappings()
        many = 0
        while part := [dict(row) for row in rows.fetchmany(AT_ONCE)]:
            write.execute(insert(table), part)
            many += len(part)
        counts[table.name] = many
        if write.dialect.name == "postgresql" and "seq" in table.c:
            last = write.execute(select(func.max(table.c.seq))).scalar() or 0
            asked = text("SELECT setval(pg_get_serial_sequence(:name, 'seq'), :last, :used)")
            write.execute(asked, {"name": table.name, "last": max(last, 1), "used": last > 0})
    return counts
