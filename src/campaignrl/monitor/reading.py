"""The last weeks of a ledger, as a monitor looks at them: decisions, outcomes, permissions taken away.

Not here: what is counted of them (series.py), what is judged (health.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa

from campaignrl.arrays import Float, Float32, Int
from campaignrl.effects import season_factors
from campaignrl.ledger import EPOCH, RULE, SEEN, Ledger, not_sent, renamed, with_customers
from campaignrl.specs import World

BASE_DAYS, FRESH_DAYS = 28, 7  # what is compared with, and what is looked at
LEFT_OUT = ("row_salt", "row_digest", "chain", "chain_before", "run_id", "seed", "guard_hash", "catalog_hash")


@dataclass(frozen=True)
class Window:
    """What a ledger says of the weeks before a morning.

    Attributes:
        today: day of the morning, since 1970-01-01; only earlier days count.
        decisions: rows of those days, in the order of (day, customer), as the ledger has them.
        outcomes: day, customer_id, kind, channel, margin (minor units) of those days.
        refusals: customer_id, channel, day, source of permissions that were taken away.
        failed: decisions whose send was not made.
        models: first day of each policy's content hash in the whole ledger.
        calendar: factor on purchases by day since `start`, as the world declares it; empty where it declares none.
        start: first day of the campaign.
    """

    today: int
    decisions: pd.DataFrame
    outcomes: pd.DataFrame
    refusals: pd.DataFrame
    failed: frozenset[str]
    models: dict[str, int]
    calendar: Float32 = field(default_factory=lambda: np.empty(0, dtype=np.float32))
    start: int = 0

    @property
    def told(self) -> int:
        """The newest day of which any outcome is known: what nobody has told yet is not nothing."""
        return int(self.outcomes["day"].max()) if len(self.outcomes) else self.today - BASE_DAYS - FRESH_DAYS - 1

    def calendar_of(self, day: Int) -> Float:
        """(n,) factor on purchases of each day; 1 where nothing is declared."""
        since = day - self.start
        known = (since >= 0) & (since < len(self.calendar))
        found = np.ones(len(day))
        found[known] = self.calendar[since[known]]
        return found

    @property
    def seen(self) -> list[str]:
        """Columns of what the policy saw."""
        return [name for name in map(str, self.decisions) if name.startswith(SEEN)]


def read_window(ledger: Ledger, today: int, world: World | None = None) -> Window:
    """The weeks before a day, under the names that customers have by now. world: whose calendar holds."""
    start = (ledger.start - EPOCH).days
    first = today - BASE_DAYS - FRESH_DAYS
    columns = [field.name for field in ledger.table("decisions").schema().fields]
    columns = [name for name in columns if name not in LEFT_OUT and not name.startswith(RULE)]
    decided = ledger.read("decisions", ["day", "policy_hash"])
    days = np.unique(decided["day"].to_numpy())
    parts = [ledger.read("decisions", columns, day=int(day)) for day in days[(days >= first) & (days < today)]]
    decisions = _frame(parts, columns)
    outcomes = ledger.read("outcomes").to_pandas()
    outcomes = with_customers(ledger, outcomes[(outcomes["day"] >= first) & (outcomes["day"] < today)])
    said = ledger.read("permissions").to_pandas()
    said = said[~said["allowed"].astype(bool) & (said["day"] >= first) & (said["day"] < today)]
    for frame in (decisions, outcomes, said):
        if ledger.aliases and len(frame):
            frame["customer_id"] = renamed(frame["customer_id"], ledger.aliases)
    ordered = decisions.sort_values(["day", "customer_id"], kind="stable").reset_index(drop=True)
    starts = decided.group_by("policy_hash").aggregate([("day", "min")]).to_pylist()
    return Window(
        today,
        ordered,
        outcomes.reset_index(drop=True),
        said[["customer_id", "channel", "day", "source"]].reset_index(drop=True),
        frozenset(not_sent(ledger)),
        {str(row["policy_hash"]): int(row["day_min"]) for row in starts},
        season_factors(None if world is None else world.season, max(0, today - start)),
        start,
    )


def _frame(parts: list[pa.Table], columns: list[str]) -> pd.DataFrame:
    if not parts:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in columns}).astype({"day": np.int64})
    found: pd.DataFrame = pa.concat_tables(parts, promote_options="default").to_pandas()
    return found
