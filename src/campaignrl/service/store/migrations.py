"""From an older store to today's, step by step in one transaction; a newer one is refused.

A step is a list of statements; its place in the list is the version it leads to. Not here: the tables (schema.py).
"""

from __future__ import annotations

from sqlalchemy import Connection, insert, inspect, select, text, update

from campaignrl.errors import ArtifactError, Problem
from campaignrl.service.store.schema import facts, metadata

VERSION = "schema"
# Statements that lead from each version to the next; version 1 is what `metadata` made first.
STEPS: tuple[tuple[str, ...], ...] = (
    (),
    (  # every decision was put into two indexes that nobody reads it by
        "DROP INDEX IF EXISTS decisions_by_key",
        "DROP INDEX IF EXISTS sends_by_address",
        "CREATE INDEX sends_by_address ON sends (address) WHERE address != ''",
    ),
    (  # what many records say alike stands once; records of before stay as they are
        "CREATE TABLE IF NOT EXISTS forms (id VARCHAR NOT NULL, members TEXT NOT NULL, PRIMARY KEY (id))",
    ),
)


def migrate(con: Connection, where: str, steps: tuple[tuple[str, ...], ...] = STEPS) -> int:
    """Bring the tables to today's version, which is returned.

    Raises:
        ArtifactError: the store was made by a later version.
    """
    if not inspect(con).has_table(facts.name):
        metadata.create_all(con)
        con.execute(insert(facts).values(name=VERSION, value=str(len(steps))))
        return len(steps)
    found = con.execute(select(facts.c.value).where(facts.c.name == VERSION)).scalar()
    version = int(found) if found is not None and str(found).isdigit() else 0
    if not 1 <= version <= len(steps):
        fix = "Run the version of campaignrl that wrote it, or a later one."
        raise ArtifactError(Problem(where, "version of the store", found, f"1 to {len(steps)}", fix))
    for statements in steps[version:]:
        for statement in statements:
            con.execute(text(statement))
    con.execute(update(facts).where(facts.c.name == VERSION).values(value=str(len(steps))))
    return len(steps)
