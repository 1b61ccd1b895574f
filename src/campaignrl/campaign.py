"""The verb that joins a world and a policy: run a campaign, keep its totals and, if asked, its decision log.

Here: the daily loop and the totals it keeps. Not here: the log it writes (recorder.py), behaviour (dynamics/), what is
allowed (guard/), estimates from logs (ope/). n customers, T days.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from campaignrl import rng
from campaignrl.actions import NONE
from campaignrl.arrays import Float, Int
from campaignrl.display import html_table, one_line
from campaignrl.dynamics import Outcome
from campaignrl.envs import BLOCK, Panel
from campaignrl.envs.clock import Hours, run_clock
from campaignrl.features import Context
from campaignrl.guard import Spending, propensity_after, throttle
from campaignrl.policies import Policy, PolicyReference, load_policy, require_trained, sample
from campaignrl.policies.deep import Memory, ask, memory_for
from campaignrl.recorder import Choice, Recorder
from campaignrl.rng import Purpose
from campaignrl.specs import World, WorldReference, load_world
from campaignrl.tables.log import DecisionLog

Progress = Callable[[int, int], None]  # (days done, days in all)

GROUPS = 50  # of customers, for the spread of daily sums without keeping every customer's every day


@dataclass(frozen=True)
class Campaign:
    """One policy in one world, from the first to the last day, for n customers and T days.

    Attributes:
        world, policy, seed: what was run.
        totals: per field of Outcome (reward, revenue, sent, bought ...) the sum over the days, (n,) float64.
        daily: the same summed over customers, (T,).
        value: (n,) contribution of each customer, in the world's currency.
        segment: (n,) true codes, into the world's segments.
        log: the decision log; None unless it was asked for.

    Example:
        >>> import campaignrl as crl
        >>> campaign = crl.run_campaign("coupon_trap", "none", customers=50)
        >>> campaign.daily["sent"].sum()
        np.float64(0.0)
    """

    world: World
    policy: str
    seed: int
    segment: npt.NDArray[np.int8]
    totals: dict[str, Float]
    daily: dict[str, Float]
    active: dict[str, npt.NDArray[np.bool_]]  # (n,) "start" and "end": alive, which only the simulator knows
    orders_before: Int  # (n,) before day 0
    action_counts: Float  # (segments, k) decisions by true segment
    reward_by_group: Float  # (T, groups) daily reward of each group of customers; a customer's group is its place
    log: DecisionLog | None = None

    @property
    def value(self) -> Float:
        """(n,) contribution of each customer over the campaign, currency."""
        return self.totals["reward"]

    def to_frame(self) -> pd.DataFrame:
        """One row a customer: its true segment and the totals over the campaign."""
        names = np.array(list(self.world.segments), dtype=object)
        return pd.DataFrame({"segment": names[self.segment], **self.totals})

    def __repr__(self) -> str:
        return one_line(self._said())

    def _repr_html_(self) -> str:
        rows = [(name, f"{values.mean():,.4g}", f"{values.sum():,.6g}") for name, values in self.totals.items()]
        return html_table(self._said(), ("per campaign", "a customer", "all"), rows)

    def _said(self) -> str:
        who = f"{len(self.value):,} customers, {self.world.horizon} days"
        worth = f"{self.value.mean():,.2f} {self.world.money.currency} a customer"
        return f"Campaign of {self.policy} in {self.world.name}: {who}, {worth}"


def simulate(
    world: WorldReference,
    policy: PolicyReference = "uniform",
    *,
    customers: int | Int = 20_000,
    seed: int = 0,
    threads: int | None = None,
    block: int = BLOCK,
    progress: Progress | None = None,
) -> DecisionLog:
    """Run a policy in a world and return its decision log, customer by customer, day by day.

    Args:
        world: a World, its bundled name, a path of a TOML file, or a dict of what such a file holds.
        policy: a Policy, a bundle, a spec, a bundled name, `always:ACTION`; a learner must have learned.
        customers: how many (ids 0 to n - 1), or their ids (n,).
        seed: of every draw; the same seed gives the same customers the same luck, whatever the policy.
        threads: of the engine; results do not depend on it. None: one a core.
        block: customers at a time in one thread.
        progress: called as (days done, days in all).

    Returns:
        DecisionLog: customers x horizon rows. The reward of a row is the customer's contribution over the world's
        outcome window, in its currency, from the day of the decision on; rows whose window ends after the horizon
        are not matured.

    Raises:
        UnknownName: no world, policy or action goes by that name.
        UsageError: the policy has learned nothing yet, or the log would not fit into memory.

    Example:
        >>> import campaignrl as crl
        >>> crl.simulate("coupon_trap", "uniform", customers=100, seed=7)
        DecisionLog: 12,000 decisions of 100 customers, 7 actions, logged by uniform
    """
    campaign = run_campaign(
        world, policy, customers=customers, seed=seed, threads=threads, block=block, progress=progress, keep_log=True
    )
    assert campaign.log is not None
    return campaign.log


def run_campaign(
    world: WorldReference,
    policy: PolicyReference,
    *,
    customers: int | Int = 20_000,
    seed: int = 0,
    threads: int | None = None,
    block: int = BLOCK,
    progress: Progress | None = None,
    keep_log: bool = False,
) -> Campaign:
    """Run a policy in a world to the horizon and keep what came of it, customer by customer.

    Args:
        world: a World, its bundled name, a path of a TOML file, or a dict of what such a file holds.
        policy: a Policy, a bundle, a spec, a bundled name, `always:ACTION`; a learner must have learned.
        customers: how many (ids 0 to n - 1), or their ids (n,).
        seed: of every draw; two policies on the same seed meet the same customers with the same luck.
        threads: of the engine; results do not depend on it. None: one a core.
        block: customers at a time in one thread.
        progress: called as (days done, days in all).
        keep_log: keep the decision log as well, as `simulate` returns it.

    Returns:
        Campaign: totals per customer (n,) and per day (T,), money in the world's currency.

    Raises:
        UnknownName: no world, policy or action goes by that name.
        UsageError: the policy has learned nothing yet.

    Example:
        >>> import campaignrl as crl
        >>> campaign = crl.run_campaign("coupon_trap", "rules_coupon_trap", customers=200)
        >>> campaign.value.shape
        (200,)
    """
    world = load_world(world)
    playing = ready_policy(policy, world)
    panel, memory = Panel(world, customers, seed, threads, block), memory_for(playing)
    recorder = Recorder(panel, playing) if keep_log else None
    spending = Spending(world, len(panel))
    before, start = panel.state.orders.copy(), panel.state.alive.copy()
    totals = {name: np.zeros(len(panel)) for name in Outcome._fields}
    daily = {name: np.zeros(world.horizon) for name in Outcome._fields}
    counts = np.zeros((len(world.segments), len(world.catalog)))
    group = np.arange(len(panel)) % GROUPS
    grouped = np.zeros((world.horizon, min(GROUPS, len(panel))))
    while not panel.done:
        day = panel.day
        choice = decide_day(panel, playing, memory)
        if spending.is_limited:
            choice = _served(choice, panel, spending)
        outcome = panel.step(choice.action)
        np.add.at(counts, (panel.traits.segment, choice.action), 1.0)
        for name, values in zip(Outcome._fields, outcome, strict=True):
            totals[name] += values.astype(np.float64)
            daily[name][day] = values.sum(dtype=np.float64)
        grouped[day] = np.bincount(group, weights=outcome.reward)
        if recorder is not None:
            recorder.add(day, choice, outcome)
        if progress is not None:
            progress(day + 1, world.horizon)
    log = recorder.log() if recorder is not None else None
    active = {"start": start, "end": panel.state.alive.copy()}
    segment = panel.traits.segment
    return Campaign(world, playing.name, seed, segment, totals, daily, active, before, counts, grouped, log)


def simulate_hours(
    world: WorldReference,
    policy: PolicyReference = "uniform",
    *,
    customers: int | Int = 5_000,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Hours:
    """Run `policy` in `world` on a clock of hours, where sends queue, wait and expire: an event log and channel loads.

    Customers share the channels, so unlike in `simulate` who else is there makes a difference.
    """
    world = load_world(world)
    playing = ready_policy(policy, world)
    memory, panel = memory_for(playing), Panel(world, customers, seed, threads)
    return run_clock(panel, lambda panel: decide_day(panel, playing, memory).action, progress)


def ready_policy(policy: PolicyReference, world: World) -> Policy:
    """The policy itself, or the one a reference names; a learner that has seen no data is a UsageError."""
    playing = load_policy(policy, world)
    require_trained(playing, world.name)
    return playing


def decide_day(panel: Panel, policy: Policy, memory: Memory | None = None) -> Choice:
    """Today's decision of `policy` for every customer of the panel, block by block.

    memory: what a recurrent policy remembers of them; the same one every day (`memory_for`).
    """
    if memory is not None:
        memory.meet(panel.traits.key)
    parts = panel.over_blocks(lambda part: _decide(panel, policy, part, memory))
    if len(parts) == 1:
        return parts[0]
    names = parts[0].context.columns
    columns = {name: np.concatenate([p.context.columns[name] for p in parts]) for name in names}
    return Choice(
        Context(parts[0].context.schema, columns),
        np.concatenate([p.allowed for p in parts]),
        np.concatenate([p.action for p in parts]),
        *(np.concatenate([getattr(p, name) for p in parts]) for name in ("propensity", "none", "by_channel")),
    )


def _served(choice: Choice, panel: Panel, spending: Spending) -> Choice:
    """The choice after budget and capacity of the day, with the propensity after both."""
    u = rng.uniform(panel.traits.key, panel.seed, panel.day, Purpose.THROTTLE)
    catalog = panel.world.catalog
    found = throttle(catalog, choice.action, u, spending.limits(panel.day))
    spending.book(found.cost)
    dropped = found.action != choice.action
    before = np.where(dropped, choice.none, choice.propensity)
    after = propensity_after(before, choice.by_channel, choice.none, found.action, catalog, found.served)
    return replace(choice, action=found.action, propensity=after)


def decide_rows(panel: Panel, policy: Policy, rows: Int, memory: Memory | None = None) -> Int:
    """(m,) today's actions of `policy` for some customers of the panel only; a recurrent one looks at all of them."""
    if memory is not None:
        return np.asarray(decide_day(panel, policy, memory).action[rows])
    context = panel.observe()
    allowed = panel.allowed(context)[rows]
    probabilities = ask(policy, None, panel.traits.key[rows], panel.day, context.take(rows), allowed)
    return sample(probabilities, rng.uniform(panel.traits.key[rows], panel.seed, panel.day, Purpose.ACTION))


def _decide(panel: Panel, policy: Policy, part: slice, memory: Memory | None) -> Choice:
    context = panel.observe(part)
    allowed = panel.allowed(context, part)
    for seen in (*context.columns.values(), allowed):  # by any policy, and the log says that it was seen
        seen.flags.writeable = False
    probabilities = ask(policy, memory, panel.traits.key[part], panel.day, context, allowed)
    u = rng.uniform(panel.traits.key[part], panel.seed, panel.day, Purpose.ACTION)
    action = sample(probabilities, u)
    channel = panel.world.catalog.channel_of
    by_channel = np.stack(
        [probabilities[:, channel == c].sum(axis=1) for c in range(len(panel.world.channels))], axis=1
    )
    taken = probabilities[np.arange(len(action)), action]
    return Choice(context, allowed, action, taken, probabilities[:, NONE], by_channel)
