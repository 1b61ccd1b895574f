"""One decision for every customer of a table: guard, policy, draw, then what budget and capacity leave.

Deterministic: the same customers, policy, day and seed give the same decisions, whatever the order of the rows. Not
here: what is allowed (guard/), the draws (draw.py), the limits (limits.py), words (reasons.py).
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from campaignrl import rng
from campaignrl.arrays import UInt64
from campaignrl.errors import ArtifactError, Problem, UsageError
from campaignrl.ledger import EPOCH, Ledger, keep_aliases, known_as
from campaignrl.policies import (
    Policy,
    PolicyReference,
    Split,
    doubts_of,
    load_policy,
    parts_of,
    policy_hash,
    require_trained,
)
from campaignrl.policies.deep import Memory, require_memory
from campaignrl.send.customers import Customers, Suppressed, read_customers
from campaignrl.send.decisions import Decisions
from campaignrl.send.draw import Drawn, draw
from campaignrl.send.facts import clock_time, morning_of, one_an_address, require_fresh
from campaignrl.send.ledger_run import (
    LedgerRun,
    begin,
    decided_before,
    require_list,
    require_not_earlier,
    rows_of,
    run_id,
)
from campaignrl.send.limits import limits_of_run, serve
from campaignrl.send.plan_reasons import plan_reasons
from campaignrl.send.reasons import blocked_of, reasons_of
from campaignrl.send.recount import SIMULATED
from campaignrl.send.value_plan import Planned, expected_gain, planned, require_values
from campaignrl.specs import World, WorldReference, load_world, world_hash
from campaignrl.tables import CustomerTable
from campaignrl.tables.log import FACT, CustomerSketch


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
    at, how = clock_time(send_at), () if allocate == "lot" else (allocate, explore)
    decided = partial(
        _decided,
        policy,
        world,
        day,
        how,
        seed=seed,
        budget=budget,
        capacity=capacity,
        at_least=at_least,
        memory=memory,
        send_at=at,
        progress=progress,
    )
    if kept is None:
        return decided(one_an_address(table), None)
    more = [*(() if at is None else (at.isoformat(),)), *([sorted(at_least.items())] if at_least else ())]
    named = (seed, budget, sorted((capacity or {}).items()), *how, *more)
    run = run_id(policy, table, world, day, *named)
    with kept.lock():
        begun = begin(kept, table, world, day, run)
        before = kept.rows_of(run)
        found = replace(decided(one_an_address(begun.customers), begun), run=run, barred_today=begun.barred_today)
        if before is not None:
            return decided_before(before, table.ids, found, world)
        require_not_earlier(begun, day)
        require_list(begun)
        if not dry_run:
            keep_aliases(kept)
            kept.append("decisions", rows_of(found, run, world, begun), run, begun.head)
    return found


def _decided(
    policy: Policy,
    world: World,
    day: datetime.date,
    how: tuple[str, float] | tuple[()],
    table: CustomerTable,
    begun: LedgerRun | None,
    *,
    seed: int,
    budget: float | None,
    capacity: Mapping[str, int] | None,
    at_least: Mapping[str, float] | None,
    memory: Memory | None,
    send_at: datetime.time | None,
    progress: Callable[[int, int], None] | None,
) -> Decisions:
    left = None if begun is None else begun.limits
    limits = limits_of_run(world, len(table), budget, capacity, left, at_least)
    keys, today = rng.customer_keys(table.ids), (day - EPOCH).days
    _meet(policy, memory, keys, day)
    closed = None if begun is None else begun.standing.decided_today
    morning = morning_of(day, send_at, limits, world)
    drawn = draw(policy, memory, table, world, today, seed, closed, progress, morning)
    found = Decisions(
        catalog=world.catalog,
        day=day,
        ids=table.ids,
        action=drawn.action,
        propensity=drawn.propensity,
        propensity_before=drawn.propensity,
        reason=drawn.blocked,
        blocked=drawn.blocked,
        policy=policy.name,
        context=table.context,
        eligible=drawn.eligible,
        customers=table,
        limits=limits,
        morning=morning,
        about={
            **world.log_facts,
            "seed": seed,
            "limited": limits.bind,
            "policy_hash": policy_hash(policy),
            "world_hash": world_hash(world),
        },
        doubts=tuple(doubt for part in parts_of(policy) for doubt in doubts_of(part)),
        deciders=tuple((part.name, policy_hash(part)) for part in parts_of(policy)),
        decider=policy.of(keys) if isinstance(policy, Split) else None,
        learned_until=learned_until(policy),
        gain_unit=world.money.currency if "world" in getattr(policy, "trained_on", {}) else "",
    )
    if how:
        made = planned(policy, world, table.context, drawn, limits, keys, today, seed, how[1])
        return _by_value(found, drawn, made, how[1])
    served = serve(world, drawn, limits, keys, today, seed)
    return replace(
        found,
        action=served.action,
        propensity=served.propensity,
        reason=reasons_of(world.catalog, drawn, served, limits),
        blocked=blocked_of(world.catalog, drawn, served),
        expected_gain=expected_gain(policy, table.context, served.action, keys),
    )


def _by_value(found: Decisions, drawn: Drawn, made: Planned, explore: float) -> Decisions:
    reason, blocked = plan_reasons(found.catalog, drawn, made, found.limits)
    return replace(
        found,
        action=made.action,
        propensity=made.propensity,
        propensity_before=made.before,
        reason=reason,
        blocked=blocked,
        expected_gain=made.gains[np.arange(len(made.action)), made.action].astype(np.float64),
        plan=made.plan,
        about={**found.about, "allocation": "value", "explore": explore},
    )


def require_playable(policy: Policy, world: World) -> None:
    """A policy for the world's own catalog that has learned what it needs."""
    for part in parts_of(policy):
        if part.catalog.hash != world.catalog.hash:
            where, fix = f"policy {part.name}", "Train it again in this world, or give the world it was trained in."
            raise ArtifactError(Problem(where, "catalog", part.catalog.hash, f"that of {world.name}", fix))
        require_trained(part, world.name)


def learned_until(policy: Policy) -> datetime.date | None:
    """Day of the last outcome that a policy has learned from; None: it did not from a log of days of the calendar.

    Of several policies, of the one that learned longest ago.
    """
    if isinstance(policy, Split):
        days = [day for day in map(learned_until, policy.policies) if day is not None]
        return min(days, default=None)
    fact = getattr(policy, "trained_on", {}).get(FACT)
    closed = 0 if fact is None else CustomerSketch.from_dict(fact, policy.name).closed
    return EPOCH + datetime.timedelta(days=closed) if closed > SIMULATED else None


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
