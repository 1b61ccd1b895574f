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
from campaignrl.arrays import Float, Float32, Int
from campaignrl.choices import Choice, actions_of_day, decide_day
from campaignrl.display import html_table, one_line
from campaignrl.dynamics import Outcome, expected_margin, parameters
from campaignrl.envs import BLOCK, Morning, Panel, morning
from campaignrl.envs.clock import Hours, run_clock
from campaignrl.envs.expected_reward import expected_reward
from campaignrl.guard import Spending, Throttled, lanes_of, propensity_after, stock_of
from campaignrl.policies import Policy, PolicyReference, load_policy, require_trained
from campaignrl.policies.deep import memory_for
from campaignrl.recorder import Recorder
from campaignrl.rng import Purpose
from campaignrl.specs import World, WorldReference, load_world
from campaignrl.tables.log import DecisionLog

Progress = Callable[[int, int], None]  # (days done, days in all)

FLAGS = ("sent", "delivered", "opened", "clicked", "unsubscribed", "bought", "redeemed")  # of Outcome; the rest:
ANSWERS = ("delivered", "opened", "clicked", "unsubscribed")  # of a send, kept by action
OF_ORDERS = ("revenue", "margin", "discount")  # 0 without an order
AMOUNTS = (*OF_ORDERS, "cost", "reward")
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
    answers: dict[str, Float] | None = None  # by ANSWERS, (k,) of the sends of each action on the day they went out
    year_after: Float | None = None  # (n,) margin that the year after the last day would bring, nothing sent, latent
    satisfaction: Float32 | None = None  # (n,) log-odds above their level at the end, latent; None: the world has none

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
    expects: bool = False,
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
        expects: rewards are what each day brings in expectation, given what was opened and clicked: the same mean
            without the luck of single orders, so that far fewer customers teach as much. Only a simulator can say it.

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
        world, policy, customers=customers, seed=seed, threads=threads, block=block, progress=progress, keep_log=True,
        expects=expects,
    )  # fmt: skip
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
    expects: bool = False,
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
        expects: rewards of that log in expectation, as `simulate` says.

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
    spending, sums = Spending(world, len(panel)), _Sums(panel)
    before, start = panel.state.orders.copy(), panel.state.alive.copy()
    while not panel.done:
        day = panel.day
        if recorder is None:
            action = actions_of_day(panel, playing, memory)
            if spending.is_limited:
                action = _throttled(action, panel, spending).action
            outcome = panel.step(action)
        else:
            choice = decide_day(panel, playing, memory)
            if spending.is_limited:
                choice = _served(choice, panel, spending)
            was = morning(panel.state) if expects else None
            action, outcome = choice.action, panel.step(choice.action)
            recorder.add(day, choice, outcome if was is None else _expected(outcome, was, panel, action, day))
        sums.add(day, action, outcome)
        if progress is not None:
            progress(day + 1, world.horizon)
    sums.close()
    return Campaign(
        world,
        playing.name,
        seed,
        panel.traits.segment,
        sums.totals,
        sums.daily,
        {"start": start, "end": panel.state.alive.copy()},
        before,
        sums.action_counts,
        sums.grouped,
        recorder.log() if recorder is not None else None,
        sums.answers,
        expected_margin(panel.traits, panel.state.alive, parameters(world)),
        panel.state.stock("satisfaction").copy() if world.satisfaction is not None else None,
    )


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
    return run_clock(panel, lambda panel: actions_of_day(panel, playing, memory), progress)


def ready_policy(policy: PolicyReference, world: World) -> Policy:
    """The policy itself, or the one a reference names; a learner that has seen no data is a UsageError."""
    playing = load_policy(policy, world)
    require_trained(playing, world.name)
    return playing


def _served(choice: Choice, panel: Panel, spending: Spending) -> Choice:
    """The choice after budget and capacity of the day, with the propensity after both."""
    assert choice.by_channel is not None
    found = _throttled(choice.action, panel, spending)
    before = np.where(found.action != choice.action, choice.none, choice.propensity)
    catalog = panel.world.catalog
    lanes = lanes_of(catalog, stock_of(panel.world))
    after = propensity_after(before, choice.by_channel, choice.none, found.action, catalog, found.served, lanes)
    return replace(choice, action=found.action, propensity=after)


def _throttled(action: Int, panel: Panel, spending: Spending) -> Throttled:
    """What budget and capacity of the day leave, which is spent."""
    u = rng.uniform(panel.traits.key, panel.seed, panel.day, Purpose.THROTTLE)
    return spending.serve(panel.world.catalog, action, u, panel.day)


def _expected(outcome: Outcome, was: Morning, panel: Panel, action: Int, day: int) -> Outcome:
    """The outcome with its reward in expectation."""
    reward = expected_reward(was, panel.traits, action, outcome, day, parameters(panel.world))
    return outcome._replace(reward=reward.astype(np.float32))


class _Sums:
    """What the days of a campaign add up to.

    Flags are counted in bytes, which hold 255 days, and what only orders bring is added at their rows.
    """

    def __init__(self, panel: Panel) -> None:
        n, world = len(panel), panel.world
        self.totals = {name: np.zeros(n) for name in Outcome._fields}
        self.daily = {name: np.zeros(world.horizon) for name in Outcome._fields}
        self.grouped = np.zeros((world.horizon, min(GROUPS, n)))
        self._group = np.arange(n) % GROUPS
        self._shape = (len(world.segments), len(world.catalog))
        self._cell = panel.traits.segment.astype(np.int64) * self._shape[1]
        self._counts = np.zeros(self._shape[0] * self._shape[1], dtype=np.int64)
        self.answers = {name: np.zeros(self._shape[1]) for name in ANSWERS}
        self._flags = {name: np.zeros(n, dtype=np.uint8) for name in FLAGS}
        self._days = 0

    def add(self, day: int, action: Int, outcome: Outcome) -> None:
        """One more day."""
        self._counts += np.bincount(self._cell + action, minlength=len(self._counts))
        for name, count in self._flags.items():
            flags = getattr(outcome, name)
            count += flags.view(np.uint8)
            self.daily[name][day] = np.count_nonzero(flags)
        sends = outcome.sent.nonzero()[0]
        to = action[sends]
        for name, by_action in self.answers.items():
            by_action += np.bincount(to[getattr(outcome, name)[sends]], minlength=len(by_action))
        rows = outcome.bought.nonzero()[0]
        for name in AMOUNTS:
            values = getattr(outcome, name)
            if name in OF_ORDERS:
                self.totals[name][rows] += values[rows]
            else:
                self.totals[name] += values
            self.daily[name][day] = values.sum(dtype=np.float64)
        self.grouped[day] = np.bincount(self._group, weights=outcome.reward)
        self._days += 1
        if self._days == np.iinfo(np.uint8).max:
            self.close()

    def close(self) -> None:
        """Bring the totals up to the last day."""
        for name, count in self._flags.items():
            self.totals[name] += count
            count.fill(0)
        self._days = 0

    @property
    def action_counts(self) -> Float:
        """(segments, k) decisions by true segment."""
        return self._counts.reshape(self._shape).astype(np.float64)
