"""The store of a service: what it is of, and how it is opened.

Not here: connections (database.py), what is written (the other files).
"""

from __future__ import annotations

import datetime
import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from campaignrl.errors import ArtifactError, Problem, UsageError
from campaignrl.service.store.database import PATIENCE, Database
from campaignrl.service.store.decided import unpacked
from campaignrl.service.store.migrations import migrate
from campaignrl.service.store.schema import decisions, facts
from campaignrl.specs import World, world_hash
from campaignrl.tables import same_spelling

SALT = 16  # bytes
HASHED = "hash:"
WANTED = ("id", "salt", "world", "world_hash", "start", "customers")


@dataclass(frozen=True)
class Store:
    """One store that is open.

    Attributes:
        database: its connections.
        id: 12 hex digits that no other store has.
        salt: of the hashes that outlive an erasure.
        world, world_hash: whose rules it was begun with.
        start: first day of the campaign.
        customers: whom budget and capacity are for.
    """

    database: Database
    id: str
    salt: str
    world: str
    world_hash: str
    start: datetime.date
    customers: int

    @classmethod
    def begin(
        cls, url: str, world: World, *, start: datetime.date, customers: int, salt: str = "", patience: float = PATIENCE
    ) -> Store:
        """The store of a URL; where there is none yet, one for this world.

        salt: of a ledger that it will flow into; "": of its own.

        Raises:
            UsageError: it is of another world, or the URL is none.
            ArtifactError: it was made by a later version.
            StoreDown: it cannot be reached.
        """
        database = Database(url, patience)
        with database.closed_if_refused(), database.writing() as con:
            migrate(con, database.shown)
            if con.execute(select(facts.c.value).where(facts.c.name == "id")).scalar() is None:
                told = {"id": secrets.token_hex(6), "salt": salt or secrets.token_hex(SALT), "world": world.name}
                told |= {"world_hash": world_hash(world), "start": start.isoformat(), "customers": str(customers)}
                con.execute(insert(facts), [{"name": name, "value": value} for name, value in told.items()])
        with database.closed_if_refused():
            found = cls._read(database)
            found.require(world)
        return found

    @classmethod
    def open(cls, url: str, patience: float = PATIENCE) -> Store:
        """A store that is there.

        Raises:
            UsageError: there is none at this URL.
        """
        database = Database(url, patience)
        fix = "Begin one: campaignrl serve ... --store URL."
        if database.is_sqlite and not database.file.is_file():
            raise UsageError(Problem("store", "url", database.shown, "a store that is there", fix))
        with database.closed_if_refused():
            with database.writing() as con:
                migrate(con, database.shown)
            return cls._read(database)

    @classmethod
    def _read(cls, database: Database) -> Store:
        with database.reading() as con:
            told = {name: value for name, value in con.execute(select(facts.c.name, facts.c.value)).all()}
        lost = [name for name in WANTED if name not in told]
        if lost:
            fix = "Begin it: campaignrl serve ... --store URL."
            raise ArtifactError(Problem(database.shown, "facts", ", ".join(lost), "in the store", fix))
        start = datetime.date.fromisoformat(told["start"])
        own = told["id"], told["salt"], told["world"], told["world_hash"]
        return cls(database, *own, start, int(told["customers"]))

    def require(self, world: World) -> None:
        """UsageError where the world is another one, or its rules changed since the store was begun."""
        if self.world != world.name or self.world_hash != world_hash(world):
            said = world.name if self.world != world.name else f"{world.name}, changed"
            fix = "If its rules were meant to change: campaignrl store rules STORE --world FILE."
            raise UsageError(Problem("serve", "world", said, f"{self.world}, as the store knows it", fix))

    def accept(self, world: World) -> Store:
        """The store with the world's rules from now on: those that changed, or another world's of the same actions.

        As a ledger accepts them, whose campaign moves into the world that was calibrated on it.

        Raises:
            UsageError: it has other actions or costs than its decisions were made with.
        """
        with self.database.writing() as con:
            last = con.execute(select(decisions.c.record).order_by(decisions.c.seq.desc()).limit(1)).scalar()
            if last is not None and unpacked(con, [last])[0]["catalog_hash"] != world.catalog.hash:
                fix = "Begin another store for them."
                raise UsageError(Problem("store rules", "actions", "others, or at other costs", "as they were", fix))
            for name, value in (("world", world.name), ("world_hash", world_hash(world))):
                con.execute(update(facts).where(facts.c.name == name).values(value=value))
        return self._read(self.database)

    def hash_of(self, customer: str) -> str:
        """The keyed hash that stands for an erased customer, as a ledger of the same salt writes it."""
        return self.hashes_of([customer])[0]

    def hashes_of(self, customers: list[str]) -> list[str]:
        """Of each, the same of every spelling."""
        return [HASHED + self._hash(one) for one in same_spelling(customers)]

    def address_hash(self, address: str) -> str:
        """The keyed hash of an address; "" of none."""
        return self._hash(f"address\x00{address}") if address else ""

    def _hash(self, text: str) -> str:
        return hashlib.blake2b(text.encode(), digest_size=16, key=bytes.fromhex(self.salt)).hexdigest()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction in which nothing else changes; see Database.writing."""
        with self.database.writing() as con:
            yield con

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One state of the store; see Database.reading."""
        with self.database.reading() as con:
            yield con

    def close(self) -> None:
        """Give all connections back."""
        self.database.close()
