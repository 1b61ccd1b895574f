"""`campaignrl decide` on a table too long to hold: decided in shards, written part by part.

Not here: when a table is (request.py), the shards themselves (send/shards/).
"""

from __future__ import annotations

import datetime
import hashlib
import tempfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from campaignrl.cli.sends.answer import Outputs, page_writer
from campaignrl.ledger import Ledger
from campaignrl.policies import Policy
from campaignrl.send import InShards, Plan, Settings, decide_in_shards
from campaignrl.specs import World
from campaignrl.tables.files import Writer, is_parquet, write_together, write_whole


class Answer(NamedTuple):
    """The plan, and what was repaired on reading, counted."""

    plan: Plan
    repaired: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class ShardRun:
    """A call, read and checked; its words are those of `decide`."""

    policy: Policy
    customers: Path
    world: World
    settings: Settings
    day: datetime.date
    made: Outputs
    suppressed: Collection[str] | None
    least_known: float
    ledger: Ledger | None
    engine: str
    workers: int
    shard: int

    def write(self, step: Callable[[int, int], None] | None) -> Answer:
        """Decide, commit, and write the files together, the list last; of a dry run the plan alone."""
        if self.made.nothing or self.made.send_list is None:
            with tempfile.TemporaryDirectory(prefix="campaignrl-") as folder:
                found = self._decided(Path(folder) / "run", {}, step)
                plan = found.plan()
            if self.made.plan is not None:
                write_whole(self.made.plan, page_writer(plan))
            return Answer(plan, found.repaired)
        kind = "parquet" if is_parquet(self.made.send_list) else self.made.send_list.name
        files = {"sends": kind} | ({} if self.made.decisions is None else {"log": "parquet"})
        found = self._decided(_folder_of(self.made.send_list), files, step)
        plan = found.plan()
        self._write(found, plan, self.made.send_list)
        found.forget()
        return Answer(plan, found.repaired)

    def _decided(self, folder: Path, files: dict[str, str], step: Callable[[int, int], None] | None) -> InShards:
        return decide_in_shards(
            self.policy,
            self.customers,
            self.world,
            self.settings,
            day=self.day,
            folder=folder,
            made=files,
            suppressed=self.suppressed,
            least_known=self.least_known,
            ledger=self.ledger,
            dry_run=self.made.nothing or self.made.send_list is None,
            by=self.engine,
            workers=self.workers,
            rows=self.shard,
            progress=step,
        )

    def _write(self, found: InShards, plan: Plan, send_list: Path) -> None:
        files: dict[str | Path, Writer] = {}
        if self.made.decisions is not None:
            files[self.made.decisions] = found.log_writer()
        if self.made.plan is not None:
            files[self.made.plan] = page_writer(plan)
        write_together({**files, send_list: found.sends_writer(send_list)})


def _folder_of(send_list: Path) -> Path:
    """Where the shards lie while the list is not written: beside it, so that the same call goes on there."""
    name = hashlib.blake2b(str(send_list.resolve()).encode(), digest_size=4).hexdigest()
    return send_list.with_name(f".{send_list.name[:150]}.{name}.run")
