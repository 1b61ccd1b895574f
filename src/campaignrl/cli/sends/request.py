"""What a call of `decide` asks for, read so that all that is wrong with it is said at once, before anything is done.

Not here: what comes of it (decide.py), its files (answer.py).
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Generic, TypeVar

import pandas as pd

from campaignrl.cli.inputs import Inputs, day_of, policy_name
from campaignrl.cli.sends.answer import Outputs
from campaignrl.cli.sends.in_shards import ShardRun
from campaignrl.errors import Problem, UsageError
from campaignrl.ledger import Ledger, known_as
from campaignrl.policies import Policy, Priced, load_policy, read_manifest
from campaignrl.policies.deep import Memory, open_memory
from campaignrl.profiles.items import ITEM
from campaignrl.send import (
    SHARD,
    Decisions,
    Settings,
    is_typed,
    limits_of_run,
    read_customers,
    read_prices,
    require_engine,
    require_values,
)
from campaignrl.send.decide import decide as decide_for
from campaignrl.specs import World, bundled_files, load_world
from campaignrl.tables import ID, CustomerTable
from campaignrl.tables.files import alone, column_names, is_parquet, parquet_file, read_frame, reading, require_apart

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, kw_only=True)
class Request:
    """The words of a call; `made`: where its answers go; `explains`: it asks why one customer gets what it gets."""

    policy: str
    customers: Path
    world: str | None
    as_of: str | None
    suppress: Path | None
    least_known: float
    dedupe: bool
    ledger: Path | None
    budget: float | None
    capacity: Sequence[str]
    allocate: str
    explore: float
    at_least: Sequence[str]
    prices: Path | None
    send_at: str | None
    memory: Path | None
    what_if: Path | None
    items: Path | None
    encoding: str | None
    seed: int
    made: Outputs
    workers: int = 1
    shard: int = SHARD
    engine: str = "local"
    explains: bool = False

    def read(self) -> Run | ShardRun:
        """Everything it rests on; one error for all that is wrong."""
        inputs = Inputs()
        day = inputs.read(lambda: day_of(self.as_of))
        named = inputs.read(lambda: policy_name(self.policy, self.world))
        inputs.read(lambda: column_names(self.customers, encoding=self.encoding))
        kept = inputs.read(lambda: None if self.ledger is None else known_as(Ledger.open(self.ledger), self.customers))
        world = inputs.read(lambda: _world(self.world, kept.value) or load_world(_world_of(named.value)))
        playing = inputs.read(lambda: self._priced(load_policy(named.value, world.value.catalog, world.value.features)))
        how = self.allocate if self.what_if is None else "value"
        capacity = inputs.read(lambda: CAPACITIES.read(self.capacity))
        least = inputs.read(lambda: SHARES.read(self.at_least))
        inputs.read(lambda: require_values(playing.value, how, self.explore, least.value))
        inputs.read(lambda: limits_of_run(world.value, 0, self.budget, capacity.value, at_least=least.value))
        inputs.read(lambda: require_engine(self.engine))
        listed = inputs.read(self._listed)
        in_shards = inputs.read(lambda: self._in_shards(world.value))
        table = inputs.read(lambda: None if in_shards.value else self._customers(world.value, listed.value))
        shown = inputs.read(self._items)
        inputs.read(lambda: _require_output(self.made))
        inputs.read(lambda: require_apart({**self.made.by_option(), "--what-if": self.what_if}, self._given()))
        inputs.check()
        if table.value is None:
            return ShardRun(
                policy=playing.value,
                customers=self.customers,
                world=world.value,
                settings=self._settings(capacity.value, least.value),
                day=day.value,
                made=self.made,
                suppressed=listed.value,
                least_known=self.least_known,
                ledger=kept.value,
                engine=self.engine,
                workers=self.workers,
                shard=self.shard,
            )
        return Run(
            self,
            day.value,
            world.value,
            playing.value,
            table.value,
            kept.value,
            capacity.value,
            least.value,
            shown.value,
        )

    def _priced(self, policy: Policy) -> Policy:
        """The policy, at the prices that are given."""
        if self.prices is None:
            return policy
        if self.allocate != "lot" or self.what_if is not None:
            fix = "A plan makes its own: leave --prices out, or let customers be decided one by one at given ones."
            raise UsageError(Problem("decide", "--prices", str(self.prices), "left out of a plan by value", fix))
        told = read_prices(self.prices)
        return Priced.of(policy, told.of, told.explore)

    def _items(self) -> pd.DataFrame | None:
        return None if self.items is None else read_frame(self.items, text=[ID, ITEM], encoding=self.encoding)

    def _in_shards(self, world: World) -> bool:
        """Whether the table is longer than a shard, and nothing is asked for that needs all of it at once."""
        whole = self.memory is not None or self.items is not None or self.what_if is not None or self.dedupe
        files = [(self.made.decisions, (".parquet", ".pq")), (self.made.send_list, (".parquet", ".pq", ".csv", ".tsv"))]
        fits = all(path is None or path.name.lower().endswith(ends) for path, ends in files)
        if whole or self.explains or not fits or not is_parquet(self.customers):
            return False
        with reading(self.customers), parquet_file(self.customers) as file:
            rows = file.metadata.num_rows
        return rows > self.shard and is_typed(self.customers, world)

    def _settings(self, capacity: dict[str, int], least: dict[str, float]) -> Settings:
        return Settings(
            seed=self.seed,
            budget=self.budget,
            capacity=capacity,
            allocate=self.allocate,
            explore=self.explore,
            at_least=least,
            send_at=self.send_at,
        )

    def _listed(self) -> frozenset[str] | None:
        """The suppression list; None: there is none."""
        if self.suppress is None:
            return None
        return frozenset(read_frame(self.suppress, [ID], text=[ID], encoding=self.encoding)[ID])

    def _customers(self, world: World, listed: frozenset[str] | None) -> CustomerTable:
        return read_customers(
            self.customers,
            world,
            suppressed=listed,
            least_known=self.least_known,
            ledger=self.ledger is not None,
            encoding=self.encoding,
            dedupe=self.dedupe,
        )

    def _given(self) -> dict[str, Path | None]:
        """Its inputs, none of which may be an output."""
        given: dict[str, Path | None] = {"CUSTOMERS": self.customers, "--suppress": self.suppress}
        return given | {
            "--ledger": self.ledger,
            "--items": self.items,
            "--prices": self.prices,
            "POLICY": Path(self.policy),
            "--world": Path(self.world or self.policy),
        }


@dataclass(frozen=True)
class Run:
    """What a call rests on, read and checked."""

    asked: Request
    day: datetime.date
    world: World
    policy: Policy
    table: CustomerTable
    ledger: Ledger | None
    capacity: dict[str, int]
    at_least: dict[str, float]
    items: pd.DataFrame | None

    @cached_property
    def memory(self) -> Memory | None:
        """What the policy remembers, as its file says when it is first asked for."""
        path = self.asked.memory
        return None if path is None else open_memory(self.policy, path)

    def alone(self) -> AbstractContextManager[None]:
        """No other run moves the memory on from when it is read until it is written: one of two would be lost."""
        path = self.asked.memory
        if path is None or self.asked.made.nothing:
            return nullcontext()
        return alone(path.with_name(f".{path.name}.lock"), where="decide", field="--memory", of=path)

    def decide(self, step: Callable[[int, int], None] | None) -> Decisions:
        """The decisions; committed where a list is written and there is a ledger."""
        asked = self.asked
        return decide_for(
            self.policy,
            self.table,
            self.world,
            day=self.day,
            seed=asked.seed,
            budget=asked.budget,
            capacity=self.capacity,
            allocate=asked.allocate,
            explore=asked.explore,
            at_least=self.at_least,
            memory=self.memory,
            ledger=self.ledger,
            dry_run=asked.made.nothing or asked.made.send_list is None,
            send_at=asked.send_at,
            progress=step,
        )


@dataclass(frozen=True)
class Amounts(Generic[Number]):
    """Amounts by name in the words of a call, as sms=20000."""

    option: str
    of: Callable[[str], Number]
    allowed: str
    example: str

    def read(self, given: Sequence[str]) -> dict[str, Number]:
        """By name; UsageError with every fault at once."""
        found: dict[str, Number] = {}
        wrong = []
        for text in given:
            name, _, most = text.rpartition("=")
            try:
                found[name] = self.of(most)
            except ValueError:
                wrong.append(Problem(self.option, "value", text, self.allowed, f"Write it as {self.example}."))
        if wrong:
            raise UsageError(wrong)
        return found


CAPACITIES = Amounts("--capacity", int, "a channel and a whole number", "sms=20000")
SHARES = Amounts("--at-least", float, "an offer or a channel, and a share of the customers", "coupon20=0.02")


def _world(named: str | None, ledger: Ledger | None) -> World | None:
    """The world that is named, or whose rules the ledger was given last; None: neither."""
    if named is not None:
        return load_world(named)
    return None if ledger is None else ledger.form


def _world_of(policy: str) -> str:
    """The bundled world that a bundle says it was trained in; only a name of ours is ever followed."""
    path = Path(policy)
    trained_in = "ecommerce"
    if path.is_file() and path.suffix == ".bundle":
        trained_in = str(read_manifest(path).get("trained_on", {}).get("world", ""))
    if trained_in not in bundled_files("envs"):
        raise UsageError(f"{policy} does not say which bundled world it was trained in: give its rules with --world.")
    return trained_in


def _require_output(made: Outputs) -> None:
    if made.send_list is None and not made.nothing:
        fix = "Give -o FILE; --dry-run and --explain ID need none, --what-if FILE makes a picture."
        raise UsageError(Problem("decide", "--output", "left out", "a file for the send list", fix))
