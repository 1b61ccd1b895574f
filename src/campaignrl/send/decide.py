"""One decision for every customer of a table: guard, policy, draw, then what budget and capacity leave.

Deterministic: the same customers, policy, day and seed give the same decisions, whatever the order of the rows. Not
here: the steps of a run (stages.py), a table too big to hold (shards/), what is allowed (guard/), the draws (draw.py).
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from campaignrl import rng
from campaignrl.arrays import UInt64
from campaignrl.errors import ArtifactError, Problem, UsageError
from campaignrl.ledger import EPOCH, Ledger, keep_aliases, keep_plan, known_as
from campaignrl.policies import Policy, PolicyReference, load_policy, parts_of, require_trained
from campaignrl.policies.deep import Memory, require_memory
from campaignrl.send.customers import Customers, Suppressed, read_customers
from campaignrl.send.decisions import Decisions
from campaignrl.send.facts import clock_time, one_an_address, require_fresh
from campaignrl.send.ledger_run import (
    LedgerRun,
    begin,
    decided_before,
    require_list,
    require_not_earlier,
    rows_of,
)
from campaignrl.send.run_name import run_id
from campaignrl.send.stages import Settings, decisions_on, learned_until
from campaignrl.send.value_plan import require_values
from campaignrl.specs import World, WorldReference, load_world
from campaignrl.tables import CustomerTable


def decide(
    policy: PolicyReference,
    customers: Customers,
    world: WorldReference,
    *,
    day: datetime.date | str,
    suppressed: Suppressed | None = None,
    seed: int = 0,
    budget: float | None = None,
    capacity: Mapping[str, int] | None = None,
    allocate: str = "lot",
    explore: float = 0.0,
    at_least: Mapping[str, float] | None = None,
    memory: Memory | None = None,
    ledger: Ledger | str | Path | None = None,
    dry_run: bool = False,
    send_at: datetime.time | str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Decisions:
    """Decide for every customer what to send on a day, within the rules, the budget and the capacity of a world.

    Deterministic: the same customers, policy, day and seed give the same decisions, whatever the order of the rows.
    Without a ledger the world's budget counts as one day's share, its capacities as they stand; with one, contacts,
    money and sends are counted from it, the decisions are added to it exactly once, and a run of the same inputs gives
    what it gave before, its list without those whose permission was taken away since. Where there is too little for
    all, customers are served by lot, and propensities count that; or, by value, those for whom it brings most.

    Args:
        policy: a Policy, a bundle, a spec, a bundled name, `always:ACTION`, or a Split: several policies, each for its
            share of the customers; a learner must have learned.
        customers: a frame, a file, or what `read_customers` gave; n rows.
        world: whose rules hold: a World, its name, path or dict.
        day: a date, or its text, 2026-11-21.
        suppressed: ids never to be contacted, as a collection, or a table with `customer_id`.
        seed: of the draws of a policy that explores.
        budget: money of this run, in the world's currency; no more than a day's share of the world's own.
        capacity: sends of this run by channel; no more than the world's own.
        allocate: "lot", or "value": the plan of the highest expected value within the limits, by a policy that states
            values in the unit of rewards. Its actions are certain, so its log values no other policy, but for:
        explore: share of customers, in [0, 1], who beside a plan by value draw among all allowed, served by lot.
        at_least: by offer or channel, the share of the customers whom a plan by value shall send it, where it can;
            instead of the world's own.
        memory: of a recurrent policy, which it reads and moves on; the same day again gives the same decisions.
        ledger: of the campaign, or its folder; the decisions are committed there. Earlier names of customers, in an
            `aliases.parquet` beside a file of customers, count as theirs.
        dry_run: commit nothing.
        send_at: when the list goes out, as 09:30, in the world's zone; nobody is sent anything in quiet hours.
        progress: called as (customers done, in all).

    Returns:
        Decisions: one for every customer, also to send nothing, with propensities and reasons.

    Raises:
        DataError: the table breaks its contract, every fault at once; or too many of its rows are too old; or the
            suppression list shrank since the last run of the ledger.
        ArtifactError: the policy is for another catalog than the world's.
        UsageError: the policy has learned nothing yet, or too long ago, or states no values; day or
            hour is none, or a limit no amount.
        LedgerMoved: another run committed to the ledger in between; run it again.

    Example:
        >>> import campaignrl as crl
        >>> from campaignrl.envs import Panel, customers_frame
        >>> frame = customers_frame(Panel(crl.load_world("coupon_trap"), 100))
        >>> found = crl.decide("uniform", frame, "coupon_trap", day="2026-11-21")
        >>> len(found.to_frame()), list(found.sends())[:4]
        (100, ['customer_id', 'ts', 'offer', 'channel'])
    """
    world, day = load_world(world), _date(day)
    policy = load_policy(policy, world)
    if suppressed is not None and isinstance(customers, CustomerTable):
        fix = "The table was read already: give the list to read_customers."
        raise UsageError(Problem("decide", "suppressed", "given", "beside a frame or a file", fix))
    kept = Ledger.open(ledger) if isinstance(ledger, str | Path) else ledger
    kept = kept if kept is None else known_as(kept, customers)
    table = read_customers(customers, world, suppressed=suppressed, ledger=kept is not None)
    require_playable(policy, world)
    require_values(policy, allocate, explore, at_least)
    require_fresh(table, world, day)
    require_recent(policy, world, day)
    asked = Settings(
        seed=seed,
        budget=budget,
        capacity=capacity,
        allocate=allocate,
        explore=explore,
        at_least=at_least,
        send_at=clock_time(send_at),
    )
    decided = partial(_decided, policy, world, day, asked, memory=memory, progress=progress)
    if kept is None:
        return decided(one_an_address(table), None)
    run = run_id(policy, table, world, day, *asked.named())
    with kept.lock():
        begun = begin(kept, table, world, day, run)
        before = kept.rows_of(run)
        found = replace(decided(one_an_address(begun.customers), begun), run=run)
        found = replace(found, barred_today=begun.barred_today, overdrawn=begun.overdrawn)
        if before is not None:
            if not dry_run:
                _keep_prices(kept, found)
            return decided_before(before, table.ids, found, world)
        require_not_earlier(begun, day)
        require_list(kept, begun.customers.listed)
        if not dry_run:
            keep_aliases(kept)
            kept.append("decisions", rows_of(found, run, world, begun), run, begun.head)
            _keep_prices(kept, found)
    return found


def _keep_prices(ledger: Ledger, found: Decisions) -> None:
    """Those of a plan by value, for who asks later in the day; a run that was killed does it when it is repeated."""
    if found.plan is not None:
        told = {"prices": found.plan.prices, "explore": found.about["explore"]}
        keep_plan(ledger.folder, found.day, found.run, told)


def _decided(
    policy: Policy,
    world: World,
    day: datetime.date,
    asked: Settings,
    table: CustomerTable,
    begun: LedgerRun | None,
    *,
    memory: Memory | None,
    progress: Callable[[int, int], None] | None,
) -> Decisions:
    run = asked.run(policy, world, day, len(table), None if begun is None else begun.limits)
    _meet(policy, memory, rng.customer_keys(table.ids), day)
    closed = None if begun is None else begun.standing.decided_today
    return decisions_on(run, table, closed, memory, progress)


def require_playable(policy: Policy, world: World) -> None:
    """A policy for the world's own catalog that has learned what it needs."""
    for part in parts_of(policy):
        if part.catalog.hash != world.catalog.hash:
            where, fix = f"policy {part.name}", "Train it again in this world, or give the world it was trained in."
            raise ArtifactError(Problem(where, "catalog", part.catalog.hash, f"that of {world.name}", fix))
        require_trained(part, world.name)


def require_recent(policy: Policy, world: World, day: datetime.date) -> None:
    """UsageError for a policy that learned too long ago, by the world's rules."""
    most, last = world.guard.max_policy_age_days, learned_until(policy)
    if most is not None and last is not None and (day - last).days > most:
        allowed = f"at most {most} days before {day.isoformat()}"
        fix = "Let it learn on: campaignrl ledger log, then campaignrl train BUNDLE --log LOG."
        raise UsageError(
            Problem(f"policy {policy.name}", "last outcome it learned from", last.isoformat(), allowed, fix)
        )


def _date(day: datetime.date | str) -> datetime.date:
    """The day of a decision, without the time of day."""
    if isinstance(day, str):
        try:
            return datetime.date.fromisoformat(day)
        except ValueError:
            raise UsageError(Problem("decide", "day", day, "a day", "Write it as 2026-11-21.")) from None
    return day.date() if isinstance(day, datetime.datetime) else day


def _meet(policy: Policy, memory: Memory | None, keys: UInt64, day: datetime.date) -> None:
    """A memory that fits the policy makes room for the customers; it cannot go back to an earlier day."""
    require_memory(policy, memory, "Give the same memory every day: --memory FILE (memory=Memory).")
    if memory is None:
        return
    if memory.last_day is not None and memory.last_day > (day - EPOCH).days:
        stands = EPOCH + datetime.timedelta(days=memory.last_day)
        fix = "A memory only moves forward. Begin another one to decide for earlier days."
        raise UsageError(Problem("decide", "day", day.isoformat(), f"{stands}, where the memory stands, or later", fix))
    memory.meet(keys)
