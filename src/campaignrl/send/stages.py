"""The three steps of a run: customers draw, what is scarce is shared, customers are told.

The first and the last are pure functions of some customers, each of whom is looked at by itself; only the second knows
of everybody, and of everybody no more than a wish and a lot. So a run over one table and a run over many shards of it
are the same run. Not here: where customers come from and decisions go (decide.py, shards/), the rules (guard/).
n customers of a shard.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from campaignrl import rng
from campaignrl.arrays import Bool, Float32, Int, Int64, UInt64
from campaignrl.guard import Limits
from campaignrl.ledger import EPOCH
from campaignrl.policies import Policy, Split, doubts_of, parts_of, policy_hash, weighs_rewards
from campaignrl.policies.deep import Memory
from campaignrl.send.decisions import Decisions, joined
from campaignrl.send.draw import Drawn, draw
from campaignrl.send.facts import Morning, clock_time, morning_of
from campaignrl.send.limits import Cuts, as_stocked, cuts_of_run, left_after, limits_of_run, lots, serve_below
from campaignrl.send.reasons import blocked_of, plan_reasons, reasons_of
from campaignrl.send.recount import SIMULATED
from campaignrl.send.value_plan import Planned, Terms, Wishes, expected_gain, planned_rows, terms_of, wishes_of
from campaignrl.specs import World, world_hash
from campaignrl.tables import CustomerTable
from campaignrl.tables.log import FACT, CustomerSketch


@dataclass(frozen=True)
class Run:
    """What holds of all customers of a run.

    explore: share who draw beside a plan by value; None: served by lot. about: what `facts_about` says, where it is
    known already, since it takes long to find out.
    """

    policy: Policy
    world: World
    day: datetime.date
    seed: int
    limits: Limits
    morning: Morning
    explore: float | None = None
    about: Mapping[str, Any] | None = None

    @property
    def today(self) -> int:
        """Days since 1970-01-01."""
        return (self.day - EPOCH).days


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a call asks for, beside policy, customers, rules and day; `decide` says what each of it is."""

    seed: int = 0
    budget: float | None = None
    capacity: Mapping[str, int] | None = None
    allocate: str = "lot"
    explore: float = 0.0
    at_least: Mapping[str, float] | None = None
    send_at: datetime.time | str | None = None

    def named(self) -> tuple[Any, ...]:
        """What of it is in the name of a run."""
        at, how = clock_time(self.send_at), () if self.allocate == "lot" else (self.allocate, self.explore)
        more = [*(() if at is None else (at.isoformat(),))]
        more += [sorted(self.at_least.items())] if self.at_least else []
        return (self.seed, self.budget, sorted((self.capacity or {}).items()), *how, *more)

    def run(self, policy: Policy, world: World, day: datetime.date, customers: int, left: Limits | None) -> Run:
        """The run on so many customers. left: what a ledger says is left of the campaign; None: a day's share."""
        limits = limits_of_run(world, customers, self.budget, self.capacity, left, self.at_least)
        morning = morning_of(day, self.send_at, limits, world)
        return Run(policy, world, day, self.seed, limits, morning, None if self.allocate == "lot" else self.explore)


class Offered(NamedTuple):
    """What customers drew and, of a plan by value, what they ask for."""

    drawn: Drawn
    wishes: Wishes | None


class Asked(NamedTuple):
    """What the second step knows of all m customers: keys, and what each drew or would try.

    parts: of a plan by value, gains and what is allowed, shard by shard.
    """

    keys: UInt64
    action: Int64
    parts: Iterable[tuple[Float32, Bool]] = ()


def offer(
    run: Run,
    table: CustomerTable,
    keys: UInt64,
    closed: Bool | None = None,
    memory: Memory | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Offered:
    """Guard, policy, draw. closed: (n,) who gets nothing more today."""
    drawn = draw(run.policy, memory, table, run.world, run.today, run.seed, closed, progress, run.morning, keys)
    if run.explore is None:
        return Offered(drawn, None)
    return Offered(drawn, wishes_of(run.policy, table.context, drawn.eligible, keys, run.today, run.seed))


def wanted(offered: Offered) -> Int64:
    """(n,) what the second step has to know: what was drawn, or would be tried."""
    return offered.drawn.action if offered.wishes is None else offered.wishes.tried


def share(run: Run, asked: Asked) -> Cuts | Terms | None:
    """What is scarce, shared among everybody; None where nothing is."""
    if run.explore is None:
        return cuts_of_run(run.world, asked.action, lots(asked.keys, run.seed, run.today), run.limits)
    catalog, today = run.world.catalog, run.today
    return terms_of(catalog, asked.parts, asked.action, run.limits, asked.keys, today, run.seed, run.explore)


def tell(run: Run, table: CustomerTable, keys: UInt64, offered: Offered, shared: Cuts | Terms | None) -> Decisions:
    """The decisions on customers, each by itself; shared: of a plan by value with the actions of these alone."""
    drawn, world, policy = offered.drawn, run.world, run.policy
    decider = policy.of(keys) if isinstance(policy, Split) else None
    if isinstance(shared, Terms):
        told: dict[str, Any] = {"action": drawn.action, "propensity": drawn.propensity, "reason": drawn.blocked}
        told["blocked"] = drawn.blocked
    else:
        told = _by_lot(run, table, keys, drawn, shared, decider)
    found = Decisions(
        catalog=world.catalog,
        day=run.day,
        ids=table.ids,
        propensity_before=drawn.propensity,
        policy=policy.name,
        context=table.context,
        eligible=drawn.eligible,
        customers=table,
        limits=run.limits,
        morning=run.morning,
        about=_about(run),
        doubts=tuple(doubt for part in parts_of(policy) for doubt in doubts_of(part)),
        deciders=_deciders(policy),
        decider=decider,
        learned_until=learned_until(policy),
        gain_unit=world.money.currency if "world" in getattr(policy, "trained_on", {}) else "",
        **told,
    )
    return _by_value(run, found, keys, offered, shared) if isinstance(shared, Terms) else found


def _by_lot(
    run: Run, table: CustomerTable, keys: UInt64, drawn: Drawn, cuts: Cuts | None, decider: Int | None
) -> dict[str, Any]:
    """What the cuts leave of the draws, why, and what it is expected to bring."""
    catalog, policy = run.world.catalog, run.policy
    served = serve_below(run.world, drawn, cuts, lambda: lots(keys, run.seed, run.today))
    return {
        "action": served.action,
        "propensity": served.propensity,
        "reason": reasons_of(catalog, drawn, served, run.limits, _weighed(policy, len(keys), decider)),
        "blocked": blocked_of(catalog, drawn, served),
        "expected_gain": expected_gain(policy, table.context, served.action, keys),
    }


def _weighed(policy: Policy, n: int, decider: Int | None) -> Bool:
    """(n,) whether who decided chose by what actions bring."""
    parts = np.array([weighs_rewards(one) for one in parts_of(policy)])
    return parts[np.zeros(n, dtype=np.int64) if decider is None else decider]


def _deciders(policy: Policy) -> tuple[tuple[str, str], ...]:
    """Names and hashes of the parts of a split; of one policy `about` says them already."""
    return tuple((part.name, policy_hash(part)) for part in policy.policies) if isinstance(policy, Split) else ()


def facts_about(policy: Policy, world: World, seed: int) -> dict[str, Any]:
    """What every decision of a policy in a world says of both."""
    hashes = {"policy_hash": policy_hash(policy), "world_hash": world_hash(world)}
    return {**world.log_facts, "seed": seed, "limited": False, **hashes}


def _about(run: Run) -> dict[str, Any]:
    known = facts_about(run.policy, run.world, run.seed) if run.about is None else run.about
    return {**known, "limited": run.limits.bind}


def _by_value(run: Run, found: Decisions, keys: UInt64, offered: Offered, terms: Terms) -> Decisions:
    assert run.explore is not None
    assert offered.wishes is not None
    catalog, limits, drawn = found.catalog, run.limits, offered.drawn
    how = (terms, limits, keys, run.today, run.seed, run.explore)
    made: Planned = planned_rows(run.policy, catalog, found.context, drawn.eligible, offered.wishes, *how)
    reason, blocked = plan_reasons(catalog, drawn, made, limits)
    return replace(
        found,
        action=made.action,
        propensity=made.propensity,
        propensity_before=made.before,
        reason=reason,
        blocked=blocked,
        expected_gain=made.gains[np.arange(len(made.action)), made.action].astype(np.float64),
        plan=made.plan,
        about={**found.about, "allocation": "value", "explore": run.explore},
    )


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


def decisions_on(
    run: Run,
    table: CustomerTable,
    closed: Bool | None,
    memory: Memory | None,
    progress: Callable[[int, int], None] | None,
) -> Decisions:
    """All three steps for customers who are all of a run."""
    keys = rng.customer_keys(table.ids)
    offered = offer(run, table, keys, closed, memory, progress)
    parts = [] if offered.wishes is None else [(offered.wishes.gains, offered.drawn.eligible)]
    return tell(run, table, keys, offered, share(run, Asked(keys, wanted(offered), parts)))


def decide_in_turn(
    policy: Policy,
    world: World,
    table: CustomerTable,
    limits: Limits,
    turns: Sequence[slice],
    *,
    day: datetime.date,
    about: Mapping[str, Any],
    closed: Bool | None = None,
    send_at: datetime.time | None = None,
    ask_as: Policy | None = None,
) -> Decisions:
    """Several runs at once, each of which finds of the limits what those before it left: as one call of `decide` each.

    Args:
        policy: which decides; it remembers nothing.
        world: whose rules hold.
        table: n customers, each once, with what earlier runs left counted in.
        limits: what the first run may send and spend.
        turns: the runs, as rows of the table, one behind the other from the first row to the last.
        day: of the decisions.
        about: what `facts_about` says, which takes long to find out.
        closed: (n,) who gets nothing more today.
        send_at: hour of the sender's clock.
        ask_as: the policy as it is asked for probabilities, where somebody stands between; None: itself.
    """
    keys, parts, left, waiting = rng.customer_keys(table.ids), list[Decisions](), limits, list(turns)
    while waiting:
        rest = slice(waiting[0].start, len(table))
        run = Run(policy, world, day, about["seed"], left, morning_of(day, send_at, left, world), about=about)
        some = table if rest.start == 0 else table.take(rest)
        shut = None if closed is None else closed[rest]
        offered = offer(replace(run, policy=ask_as or policy), some, keys[rest], shut)
        own = [slice(turn.start - rest.start, turn.stop - rest.start) for turn in waiting]
        told = list(_told_in_turn(run, some, keys[rest], offered.drawn, own))
        parts = [*parts, *told]
        done = sum(len(part.ids) for part in parts)
        waiting = [turn for turn in waiting if turn.start >= done]
        if waiting:
            left = left_after(told[-1].limits, world.catalog, told[-1].action)
    return parts[0] if len(parts) == 1 else joined(parts, table, limits)


def _told_in_turn(
    run: Run, table: CustomerTable, keys: UInt64, drawn: Drawn, turns: Sequence[slice]
) -> Iterator[Decisions]:
    """The decisions of each turn within the limits that the one before left; of all as one where nothing is scarce.

    It ends early where the stock of an offer is used up, since the guard then refuses it to the runs to come.
    """
    catalog, limits = run.world.catalog, run.limits
    if not limits.bind:
        yield tell(run, table, keys, Offered(drawn, None), None)
        return
    after = left_after(limits, catalog, drawn.action)
    if after.money >= 0 and (after.sends >= 0).all() and as_stocked(limits, after):
        turns = [slice(0, len(drawn.action))]
    for rows in turns:
        own, lot = drawn.take(rows), lots(keys[rows], run.seed, run.today)
        cuts = cuts_of_run(run.world, own.action, lot, limits)
        some = table if rows == slice(0, len(table)) else table.take(rows)
        found = tell(replace(run, limits=limits), some, keys[rows], Offered(own, None), cuts)
        yield found
        if rows.stop == len(table):
            return
        after = left_after(limits, catalog, found.action)
        if not as_stocked(limits, after):
            return
        limits = after
