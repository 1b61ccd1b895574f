"""What a running service is told at its start; nothing here changes while it runs.

Not here: how the words of a call become settings (cli/service/), what the store remembers from start to start.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from campaignrl.errors import Problem, UsageError
from campaignrl.send import clock_time
from campaignrl.specs import World


def today() -> datetime.date:
    """The day of the sender's clock."""
    return datetime.date.today()


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One service.

    Attributes:
        world: whose rules hold.
        policy: bundle, spec, bundled name or `always:ACTION` that decides until another is promoted.
        store: URL, sqlite:///FILE or postgresql://...
        customers: table of whom it decides for, taken into the store at the start; None: those the store holds.
        campaign: folder of a campaign, whose kill switch is obeyed; None: only the store's own.
        policies: folder of the bundles that may be promoted; None: bundled ones alone.
        ledger: folder of the ledger whose plans by value say the prices; None: only what flows says them.
        salt: of the ledger that the store will flow into, where it is new; "": of its own.
        fallback: the policy that decides where the champion is missing, fails or is slow.
        seed: of the draws.
        horizon_customers: whom budget and capacity are for, where the store is new; None: the customers of the table.
        start: first day of the campaign, where the store is new; None: the day of the start.
        send_at: hour of the sender's clock, as for `decide`.
        prices: of a plan by value, as `decide --json` says them, at which the champion decides until the ledger has
            another; None: those the store holds, if any.
        policy_seconds: how long the champion may take for one round of requests.
        largest_body: bytes of a request.
        largest_batch: customers of one request.
        waiting: requests that may wait; more are told to come again.
        per_second: requests of one token a second, with bursts of ten times as many; inf: without limit.
        body_seconds: how long a request may take to arrive.
        drain_seconds: how long what is under way may take once the service is told to stop.
        open_without_token: everybody who reaches it may do everything; for trials on one's own machine.
        clock: what day it is.
    """

    world: World
    policy: str
    store: str
    customers: Path | None = None
    campaign: Path | None = None
    policies: Path | None = None
    ledger: Path | None = None
    salt: str = ""
    fallback: str = "none"
    seed: int = 0
    horizon_customers: int | None = None
    start: datetime.date | None = None
    send_at: datetime.time | None = None
    prices: Path | None = None
    policy_seconds: float = 1.0
    largest_body: int = 2_000_000
    largest_batch: int = 5_000
    waiting: int = 2_000
    per_second: float = math.inf
    body_seconds: float = 10.0
    drain_seconds: float = 20.0
    open_without_token: bool = False
    clock: Callable[[], datetime.date] = today

    def __post_init__(self) -> None:
        """Every number is one that can be kept to."""
        least = {"policy_seconds": 0.0, "body_seconds": 0.0, "drain_seconds": 0.0, "per_second": 0.0}
        whole = ("largest_body", "largest_batch", "waiting")
        wrong = [
            Problem("serve", name, getattr(self, name), "a number above 0")
            for name in (*least, *whole)
            if not getattr(self, name) > 0
        ]
        if wrong:
            raise UsageError(wrong)
        clock_time(self.send_at)
