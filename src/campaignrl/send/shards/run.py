"""Decisions on more customers than fit into memory: a Parquet file, shard by shard, to send list, log and ledger.

What comes out is what `decide` makes of the whole table, byte for byte, whatever the size of the shards, the number of
workers and the engine. What is done lies in a folder beside the send list, so the same call goes on where one that was
killed stopped. Not here: the steps (steps.py), what all shards share (between.py), the files (outputs.py).
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from campaignrl.errors import DataError
from campaignrl.ledger import Ledger, keep_aliases, keep_plan, known_as
from campaignrl.policies import Policy, policy_hash
from campaignrl.send.decide import require_playable, require_recent
from campaignrl.send.decisions import Decisions
from campaignrl.send.ledger_run import LedgerStart, require_later, require_list
from campaignrl.send.plans import Figures, Plan, plan_of_figures
from campaignrl.send.run_name import run_id_of
from campaignrl.send.shards import between, outputs, repeat, steps
from campaignrl.send.shards.arrays_file import write_arrays
from campaignrl.send.shards.engines import Engine, engine
from campaignrl.send.shards.job import SHARD, Job, Reading, Shard, readings_of
from campaignrl.send.shards.work_folder import WorkFolder
from campaignrl.send.stages import Settings, share
from campaignrl.send.value_plan import Terms, require_values
from campaignrl.specs import World, digest, world_hash
from campaignrl.tables import LEAST_KNOWN, Listed, spelled_list
from campaignrl.tables.files import Writer, parquet_file

Step = Callable[[int, int], None]
FORMAT = 1  # of the folder
STEPS = 3


@dataclass(frozen=True)
class InShards:
    """A run that is decided and, where there is a ledger, committed; its files are still to be written.

    Attributes:
        job, shards: what was done, and to whom.
        figures: what was decided, counted.
        some: decisions of the run on a few customers, for all that holds of everybody.
        repaired: what was repaired on reading, counted.
    """

    job: Job
    shards: tuple[Shard, ...]
    figures: Figures
    some: Decisions
    repaired: dict[str, int]

    def plan(self) -> Plan:
        """The plan in figures."""
        return plan_of_figures(self.figures, self.some, self.job.world, self.job.before())

    def sends_writer(self, path: Path) -> Writer:
        """What writes the send list, of the kind of file that was asked for."""
        return outputs.sends_writer(self.job, self.shards, self.some, path)

    def log_writer(self) -> Writer:
        """What writes the decision log, as Parquet."""
        return outputs.log_writer(self.job, self.shards, self.some)

    def forget(self) -> None:
        """Remove the folder of the run: its files are written."""
        self.job.folder.forget()


def decide_in_shards(
    policy: Policy,
    customers: Path,
    world: World,
    settings: Settings,
    *,
    day: datetime.date,
    folder: Path,
    made: Mapping[str, str],
    suppressed: Collection[str] | None = None,
    least_known: float = LEAST_KNOWN,
    ledger: Ledger | None = None,
    dry_run: bool = False,
    by: str = "local",
    workers: int = 1,
    rows: int = SHARD,
    progress: Step | None = None,
) -> InShards:
    """Decide for every customer of a Parquet file, as `decide` does.

    What of it is as for `decide` is said there. folder: where what is done lies until the run is complete; the same one
    again goes on. made: the send list's name under `sends` (or `parquet`), and `log`, where they shall be written. by,
    workers: the engine, and how many work. rows: customers of a shard. progress: called as (customers done, in all).

    Raises:
        DataError, ArtifactError, UsageError, LedgerMoved: as of `decide`.
    """
    require_playable(policy, world)
    require_values(policy, settings.allocate, settings.explore, settings.at_least)
    require_recent(policy, world, day)
    readings = readings_of(customers, rows)
    spelled = None if suppressed is None else spelled_list(suppressed, least_known)
    listed = Listed(0 if spelled is None else len(spelled), least_known)
    kept = ledger if ledger is None else known_as(ledger, customers)
    with nullcontext() if kept is None else kept.lock(), engine(by, workers) as over:
        asked = [FORMAT, policy_hash(policy), world_hash(world), day.isoformat(), settings.allocate, settings.named()]
        asked += [_of_file(customers), dict(made), dry_run, None if kept is None else str(kept.folder.resolve())]
        asked += [digest([] if spelled is None else list(spelled)), least_known, _aliases(kept)]
        asked += [[[one.index, one.first, one.rows] for reading in readings for one in reading.shards]]
        stands = _stands(folder, kept)
        place = WorkFolder.open(folder, {"asked": digest(asked), "ledger": list(stands.versions)})
        job = Job(place, customers, policy, world, day, listed, kept, stands.versions, made)
        if spelled is not None:
            job = replace(job, list_file=f"list-{digest(list(spelled))}.arrow")
            write_arrays(place.path / job.list_file, {"ids": spelled})
        try:
            return _decided(job, readings, settings, stands.committed, over, dry_run, progress)
        except DataError:  # another table is needed, and so another folder
            place.forget()
            raise


def _decided(
    job: Job,
    readings: Sequence[Reading],
    settings: Settings,
    committed: bool,
    over: Engine,
    dry_run: bool,
    progress: Step | None,
) -> InShards:
    shards = tuple(shard for reading in readings for shard in reading.shards)
    work = _Work(over, shards, progress)
    wrong = [problem for found in over(partial(steps.look, job), readings) for problem in found]
    repaired = between.require_sound(job, shards, wrong)
    job = replace(job, asked=between.asked_names(job, shards), marked=between.mark_addresses(job, shards))
    begun, ledger = None, job.ledger
    if ledger is not None:
        content = between.content_of(job, shards)
        job = replace(job, name=run_id_of(job.policy, content, job.world, job.day, *settings.named()))
        begun = job.start()
        job = replace(job, repeated=not committed and ledger.has_run(job.name))
        if not job.repeated and not committed:
            assert begun is not None
            require_later(begun.past.last_day, job.day)
            require_list(ledger, job.listed)
    left = None if begun is None else begun.limits
    job = replace(job, run=settings.run(job.policy, job.world, job.day, between.rows_of_all(shards), left))
    work.do(steps.make_offer, job, 1)
    job = _shared(job, shards)
    if job.repeated:
        repeat.lay_out(job, shards)
    work.do(steps.make_told, job, 2)
    if outputs.needs_quotes_at_all(job, shards):
        job = replace(job, quoted=True)
        for shard in shards:
            job.folder.file(steps.TOLD, shard.index).unlink()
        work.do(steps.make_told, job, 2)
    some, _ = steps.decisions_of(job, shards[0], first=1)
    some = replace(some, barred_today=outputs.barred_of_all(job, shards), plan=None if job.repeated else some.plan)
    some = some if begun is None else replace(some, overdrawn=begun.overdrawn)
    if begun is not None and not (job.repeated or committed or dry_run):
        _commit(job, shards, begun)
    if begun is not None and not dry_run:
        _keep_prices(job)
    kept = {text: many for text, many in repaired.items() if many}
    return InShards(job, shards, outputs.figures_of_all(job, shards), some, kept)


@dataclass(frozen=True)
class _Work:
    """Goes through all shards, and says how far it is."""

    over: Engine
    shards: tuple[Shard, ...]
    progress: Step | None

    def do(self, step: Callable[[Job, Shard], int], job: Job, number: int) -> None:
        """A step, of which there are three, on every shard."""
        done, total = 0, between.rows_of_all(self.shards)
        for many in self.over(partial(step, job), self.shards):
            done += many
            if self.progress is not None:
                self.progress((number * total + done) // STEPS, total)


def _shared(job: Job, shards: Sequence[Shard]) -> Job:
    """The job with what is scarce shared among all; a plan's actions lie in the folder."""
    assert job.run is not None
    shared = share(job.run, between.asked_of(job, shards))
    if isinstance(shared, Terms):
        write_arrays(job.folder.path / steps.PLAN, {"action": shared.plan.action.astype(np.int16)})
        shared = shared._replace(plan=replace(shared.plan, action=np.zeros(0, dtype=np.int64)))
    return replace(job, shared=shared)


def _commit(job: Job, shards: Sequence[Shard], begun: LedgerStart) -> None:
    """Write down that a commit is about to be made, then make it: whoever goes on knows whose it was."""
    assert job.ledger is not None
    job.folder.write({**job.folder.manifest(), "commits": job.name})
    keep_aliases(job.ledger)
    outputs.commit(job, shards, begun.head)


def _keep_prices(job: Job) -> None:
    """Those of a plan by value, as `decide` does."""
    assert job.ledger is not None
    assert job.run is not None
    if isinstance(job.shared, Terms):
        told = {"prices": job.shared.plan.prices, "explore": job.run.explore}
        keep_plan(job.ledger.folder, job.day, job.name, told)


class _Stands(NamedTuple):
    """How the tables of a ledger stood when the run began, and whether it has been committed since."""

    versions: tuple[int, ...]
    committed: bool


def _stands(folder: Path, ledger: Ledger | None) -> _Stands:
    """As the tables stand now or, where nothing but the commit of this very folder came since, stood before it."""
    if ledger is None:
        return _Stands((), False)
    now, said = ledger.versions(), WorkFolder(folder).manifest()
    then, run = said.get("rests_on", {}).get("ledger"), said.get("commits")
    before = {**now, "decisions": now["decisions"] - 1}
    if run is not None and then == list(before.values()) and ledger.has_run(run):
        return _Stands(tuple(before.values()), True)
    return _Stands(tuple(now.values()), False)


def _of_file(path: Path) -> list[Any]:
    """What tells a file from another one of its name."""
    about = path.stat()
    with parquet_file(path) as file:
        rows = file.metadata.num_rows
    return [str(path.resolve()), about.st_size, about.st_mtime_ns, rows]


def _aliases(ledger: Ledger | None) -> list[list[str]]:
    return [] if ledger is None else sorted([name, now] for name, now in ledger.aliases.items())
