"""The folder: transactional tables, what they are of, appends that happen exactly once.

Who decides holds a lock, which the system frees when a process dies. Not here: the tables as files (delta_tables.py),
what the rows say (schemas.py), counts (standing.py), files that come in (incoming.py).
"""

from __future__ import annotations

import datetime
import hashlib
import json
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from campaignrl.errors import ArtifactError, Problem, UsageError
from campaignrl.ledger import chain
from campaignrl.ledger.aliases import read_aliases
from campaignrl.ledger.delta_tables import (
    Filters,
    LedgerMoved,
    add_parts,
    add_rows,
    batches_of,
    chains_seen,
    count_rows,
    create_table,
    distinct_rows,
    is_committed,
    open_table,
    open_to_write,
    read_rows,
    rewrite,
)
from campaignrl.ledger.forms import keep_form, kept_form
from campaignrl.ledger.schemas import HASHED, TABLES
from campaignrl.specs import World, world_hash
from campaignrl.tables import same_spelling
from campaignrl.tables.files import alone, flush_folder, write_whole

if TYPE_CHECKING:
    from deltalake import DeltaTable

FORMAT = 2
SALT = 16  # bytes
FACTS, LOCK = "ledger.json", ".lock"
EPOCH = datetime.date(1970, 1, 1)
PATIENCE = 60.0  # seconds to wait for another run


@dataclass(frozen=True)
class Ledger:
    """One ledger on disk.

    Attributes:
        folder: where it lies.
        world: name of the world whose rules hold.
        start: first day of the campaign, of which budget and horizon are counted.
        rules: hashes of the worlds it was begun with and, since then, given (`accept`), the last one last.
        customers: how many the budget and the capacities are for.
        currency, minor_per_unit: of all money in it; amounts are whole minor units.
        salt: of the hashes that outlive an erasure; never leaves the folder.
        aliases: earlier names of customers -> those of today.
    """

    folder: Path
    world: str
    rules: tuple[str, ...]
    start: datetime.date
    customers: int
    currency: str
    minor_per_unit: int
    salt: str
    aliases: Mapping[str, str] = field(default_factory=dict, compare=False)

    @classmethod
    def create(cls, folder: str | Path, world: World, *, start: datetime.date, customers: int) -> Ledger:
        """Begin a ledger in a folder that is not there yet, or empty; it is there whole, or not at all.

        Raises:
            UsageError: something lies there already, or it cannot be written.
        """
        place = Path(folder)
        if place.exists() and (not place.is_dir() or any(p.name != LOCK for p in place.iterdir())):
            fix = "Give a new folder, or leave the ledger that is there as it is."
            raise UsageError(Problem("ledger", "folder", str(place), "a new or empty folder", fix))
        if customers < 1:
            raise UsageError(Problem("ledger", "customers", customers, "at least 1"))
        facts = {"format": FORMAT, "world": world.name, "rules": [world_hash(world)]}
        facts |= {"start": start.isoformat(), "customers": customers}
        facts |= {"currency": world.money.currency, "minor_per_unit": world.money.minor_per_unit}
        facts |= {"salt": secrets.token_hex(SALT)}
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(dir=place.parent, prefix=f".{place.name}-") as scratch:
                _begin(Path(scratch) / place.name, world, facts)
                _put(Path(scratch) / place.name, place)
        except OSError as wrong:
            raise UsageError(f"{place}: cannot be written: {wrong}.") from wrong
        return cls.open(place)

    @classmethod
    def open(cls, folder: str | Path) -> Ledger:
        """The ledger of a folder.

        Raises:
            UsageError: there is none.
            ArtifactError: it is of another version, or its description is broken.
        """
        place = Path(folder)
        try:
            facts = json.loads((place / FACTS).read_bytes())
            assert isinstance(facts, dict)
        except FileNotFoundError:
            fix = f"Begin one: campaignrl ledger create {place} --world WORLD --customers N."
            raise UsageError(Problem("ledger", "folder", str(place), "a folder with ledger.json", fix)) from None
        except (ValueError, AssertionError, OSError):
            raise ArtifactError(Problem(str(place / FACTS), "content", "unreadable", "the JSON it was")) from None
        if facts.get("format") != FORMAT:
            raise ArtifactError(Problem(str(place / FACTS), "format", facts.get("format"), str(FORMAT)))
        try:
            start = datetime.date.fromisoformat(facts["start"])
            rules = tuple(str(rule) for rule in facts["rules"])
            unit = str(facts["currency"]), int(facts["minor_per_unit"])
            salt = str(facts["salt"])
            if len(bytes.fromhex(salt)) != SALT:
                raise ValueError("salt")
            aliases = read_aliases(place)
            return cls(place, str(facts["world"]), rules, start, int(facts["customers"]), *unit, salt, aliases)
        except (KeyError, ValueError, TypeError) as wrong:
            raise ArtifactError(Problem(str(place / FACTS), "content", str(wrong), "the facts it held")) from None

    def money(self, minor: int) -> str:
        """An amount in its currency."""
        return f"{minor / self.minor_per_unit:,.2f} {self.currency}"

    def hash_of(self, customer: str) -> str:
        """The keyed hash that stands for an erased customer; without the ledger's salt it says nothing."""
        return self.hashes_of([customer])[0]

    def hashes_of(self, customers: Collection[str]) -> list[str]:
        """The keyed hash of each, the same of every spelling."""
        return [HASHED + self._hash(one) for one in same_spelling([str(one) for one in customers])]

    def address_hashes(self, addresses: Collection[str]) -> list[str]:
        """The keyed hash of each address, which no customer's hash equals; "" of none."""
        return [self._hash(f"address\x00{one}") if one else "" for one in addresses]

    def _hash(self, text: object) -> str:
        return hashlib.blake2b(str(text).encode(), digest_size=16, key=bytes.fromhex(self.salt)).hexdigest()

    @property
    def form(self) -> World | None:
        """The world whose rules hold now, as it was given; None where an earlier version kept none."""
        return kept_form(self.folder, self.rules[-1])

    def forms(self) -> dict[str, World]:
        """Every form of the rules that is kept, by its hash."""
        return {form: world for form in self.rules if (world := kept_form(self.folder, form)) is not None}

    def require(self, world: World) -> None:
        """UsageError where the world is another one, or its rules changed since it was given to the ledger."""
        if world_hash(world) in self.rules:
            return
        if self.world != world.name:
            other = "or, if another one with the same actions is to hold from now on"
            fix = f"Give the world it was begun for; {other}: {self._rules_verb()}."
            raise UsageError(Problem("ledger", "world", world.name, f"{self.world}, of {self.folder}", fix))
        fix = f"If it was meant to change: {self._rules_verb()}."
        raise UsageError(Problem("ledger", "world", f"{world.name}, changed", "as the ledger knows it", fix))

    def _rules_verb(self) -> str:
        return f"campaignrl ledger rules {self.folder} --world FILE"

    def accept(self, world: World) -> Ledger:
        """The ledger with the world's rules from now on: those that changed, or another world's of the same actions.

        A world that was calibrated on the campaign's own exports takes the place of the template's so.

        Raises:
            UsageError: it has other actions, or other costs of them, or another currency: no log could hold both.
        """
        if self.form is None and self.world != world.name:
            self.require(world)
        unit = world.money.currency, world.money.minor_per_unit
        if unit != (self.currency, self.minor_per_unit):
            allowed = f"{self.currency}, {self.minor_per_unit} minor units to one"
            raise UsageError(Problem("ledger rules", "money", f"{unit[0]}, {unit[1]} minor units to one", allowed))
        if self.form is not None and self.form.catalog.hash != world.catalog.hash:
            allowed = "the actions and costs that its decisions were made with"
            fix = f"Begin another ledger for them: campaignrl ledger create; --customers {self.customers} as here."
            raise UsageError(Problem("ledger rules", "actions", "others, or at other costs", allowed, fix))
        facts = json.loads((self.folder / FACTS).read_bytes())
        keep_form(self.folder, world)
        given = world_hash(world)
        facts |= {"world": world.name, "rules": [*(one for one in self.rules if one != given), given]}
        text = json.dumps(facts, indent=2).encode()
        write_whole(self.folder / FACTS, lambda out: out.write(text))
        return Ledger.open(self.folder)

    @contextmanager
    def lock(self, patience: float = PATIENCE) -> Iterator[None]:
        """Only one run decides at a time; the others wait, and are told for whom if that takes too long."""
        with alone(self.folder / LOCK, where="ledger", field="lock", of=self.folder, patience=patience):
            yield

    def table(self, name: str) -> DeltaTable:
        """A table as it stands now."""
        return open_table(self.folder / name)

    @property
    def head(self) -> int:
        """Version of `decisions`."""
        return int(self.table("decisions").version())

    def versions(self) -> dict[str, int]:
        """How often each table was written: as long as they stand, whatever is counted stays as it is."""
        return {name: int(self.table(name).version()) for name in TABLES}

    @property
    def chain_head(self) -> str:
        """The last entry of the chain over runs and erasures; "" before the first."""
        links = distinct_rows(self.folder / "decisions", ["chain", "chain_before"])
        return chain.head_of(links, self.read("erasures"))

    def chains_seen(self) -> set[str]:
        """Entries of the chain that stood there when something was added to any table: all of them must still."""
        return set[str]().union(*(chains_seen(self.folder / name) for name in TABLES))

    def read(
        self, name: str, columns: Sequence[str] | None = None, *more: str, among: Filters = (), **equal: Any
    ) -> pa.Table:
        """Rows of a table; more: columns that it may have by now; equal: only those whose columns have these values.

        among: (column, operator, value), of which all have to hold.
        """
        filters = [*among, *((column, "=", value) for column, value in equal.items())]
        return read_rows(self.folder / name, columns, more, filters)

    def has_run(self, run_id: str) -> bool:
        """Whether a run of this id has decided."""
        return is_committed(self.table("decisions"), run_id)

    def rows_of(self, run_id: str) -> pa.Table | None:
        """What a run wrote, in its order; None where there was no such run."""
        return self.read("decisions", run_id=run_id) if self.has_run(run_id) else None

    def batches_of(self, run_id: str) -> Iterator[pa.RecordBatch]:
        """What a run wrote, in its order, a batch at a time."""
        return batches_of(self.folder / "decisions", "run_id", run_id)

    def append(self, name: str, rows: pa.Table, run_id: str, head: int | None = None) -> bool:
        """Add rows once: False where a run of this id has added them before.

        head: the version of the table that the rows rest on; another one in between is LedgerMoved.
        """
        table = self._open_for(name, run_id, head)
        if table is None:
            return False
        last = self.chain_head
        if name == "decisions":
            rows = chain.linked(rows, run_id, last)
            last = rows["chain"][0].as_py() if len(rows) else last
        add_rows(table, rows, run_id, self.folder, run_id if name == "erasures" else last)
        return True

    def append_sealed(self, parts: Iterable[pa.Table], digests: bytes, run_id: str, head: int) -> bool:
        """Add decisions that were sealed part by part (`chain.sealed`), in one commit and with bounded memory.

        parts: of one schema, in order; digests: of all of their rows, one after the other.
        """
        table = self._open_for("decisions", run_id, head)
        if table is None:
            return False
        before = self.chain_head
        linked = chain.linked_parts(parts, run_id, digests, before)
        last = chain.entry_of_sealed(run_id, digests, before) if digests else before
        add_parts(table, linked, run_id, self.folder, last)
        return True

    def _open_for(self, name: str, run_id: str, head: int | None) -> DeltaTable | None:
        """The table to add to; None where the run did."""
        table = open_to_write(self.folder / name)
        if is_committed(table, run_id):
            return None
        if head is not None and int(table.version()) != head:
            raise LedgerMoved(f"{self.folder}: another run committed in between. Run it again.")
        return table

    def replace(self, name: str, rows: pa.Table) -> None:
        """Write a table anew with these rows alone, and remove every file that held others."""
        rewrite(self.folder / name, rows, self.folder)

    def counts(self) -> dict[str, int]:
        """Rows by table."""
        return {name: count_rows(self.folder / name) for name in TABLES}

    def runs(self) -> list[dict[str, Any]]:
        """Every run: day, policy, decisions, sends and cost in minor units, in the order of days."""
        table = self.read("decisions", ["day", "run_id", "policy_id", "action", "cost"])
        sent = pc.not_equal(table["action"], 0).cast(pa.int64())
        groups = table.append_column("sends", sent).group_by(["day", "run_id", "policy_id"])
        found = groups.aggregate([("action", "count"), ("sends", "sum"), ("cost", "sum")]).to_pylist()
        rows = [
            {
                "day": (EPOCH + datetime.timedelta(days=row["day"])).isoformat(),
                "run": row["run_id"],
                "policy": row["policy_id"],
                "decisions": row["action_count"],
                "sends": row["sends_sum"],
                "cost_minor": row["cost_sum"],
            }
            for row in found
        ]
        return sorted(rows, key=lambda row: (row["day"], str(row["run"])))


def _begin(place: Path, world: World, facts: Mapping[str, Any]) -> None:
    """Write empty tables, the world's form and the facts."""
    for name in TABLES:
        create_table(place / name, name, world.features)
    keep_form(place, world)
    text = json.dumps(facts, indent=2).encode()
    write_whole(place / FACTS, lambda out: out.write(text))


def _put(made: Path, place: Path) -> None:
    """Give a folder its name; where another process was faster it is left as it is (OSError)."""
    if place.is_dir():
        (place / LOCK).unlink(missing_ok=True)
        place.rmdir()
    made.rename(place)
    flush_folder(place.parent)
