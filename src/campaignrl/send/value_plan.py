"""A run whose budget, capacity and stock go where they bring most: the plan by value, and a share that explores.

The plan is certain, so a log of it alone values no other policy. A share of the customers, drawn by their keys, may
explore: they draw among all that is allowed to them, and are served by lot within what the plan leaves of the limits.
Then every propensity is exact given the cuts of that lot: (1 - share) on the planned action, and share on what draw and
lot make of it. Customers ask by themselves (`wishes_of`), the limits are shared once (`terms_of`), and again each by
itself is told what it gets (`planned_rows`). Not here: the plan itself (guard/allocation.py), words (reasons.py),
service by lot alone (limits.py). n customers, k actions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from campaignrl import rng
from campaignrl.actions import NONE, Catalog
from campaignrl.arrays import Bool, Float, Float32, Int64, UInt64
from campaignrl.errors import Problem, UsageError
from campaignrl.features import Context
from campaignrl.guard import (
    Allocation,
    CurvePoint,
    Limits,
    Planner,
    below,
    cuts_of,
    lanes_of,
    sends_by_offer,
    shared_limits,
)
from campaignrl.ledger import EPOCH
from campaignrl.policies import Policy, Split, sample, stated_gains
from campaignrl.rng import Purpose
from campaignrl.send.decisions import Decisions
from campaignrl.send.draw import ROWS_AT_A_TIME
from campaignrl.specs import World

HOW = ("lot", "value")
POINTS = 12  # budgets of a curve
STATING = "lin_ts, lin_ucb, dr_uplift, dr_greedy, fitted_q or budgeted"


class Planned(NamedTuple):
    """What a plan sends.

    action: (n,) of plan and exploring share; propensity: (n,) of it; before: (n,) the policy's own chance of it;
    explores: (n,) who drew among all allowed; gains: (n, k) over `none`; plan: for everybody, with its certificate.
    """

    action: Int64
    propensity: Float
    before: Float
    explores: Bool
    gains: Float32
    plan: Allocation


class Wishes(NamedTuple):
    """What customers ask for: gains (n, k) over `none`, and what each tries, (n,), where it explores."""

    gains: Float32
    tried: Int64


class Terms(NamedTuple):
    """What customers have to know of each other: the plan, and the cuts (l,) of the lot for those who explore."""

    plan: Allocation
    cut: Float


def require_values(policy: Policy, allocate: str, explore: float, at_least: Mapping[str, float] | None = None) -> None:
    """UsageError where a run cannot be allocated as is asked."""
    problems = []
    if allocate not in HOW:
        problems.append(Problem("decide", "allocate", allocate, " or ".join(HOW)))
    if not 0.0 <= explore <= 1.0:
        problems.append(Problem("decide", "explore", explore, "a share of customers, 0 to 1"))
    elif explore and allocate == "lot":
        fix = "Served by lot, a policy explores as it was told to itself: leave explore out, or allocate by value."
        problems.append(Problem("decide", "explore", explore, "0 where the lot serves", fix))
    if at_least and allocate == "lot":
        fix = "Add --allocate value (allocate=), or leave it out."
        problems.append(Problem("decide", "at_least", ", ".join(at_least), "left out where the lot serves", fix))
    if allocate == "value":
        problems += _without_values(policy)
    if problems:
        raise UsageError(problems)


def _without_values(policy: Policy) -> list[Problem]:
    unit = getattr(policy, "score_unit", None)
    if unit == "reward":
        return []
    says = "states no values" if unit is None else f"states no values: its scores are a {unit}"
    fix = f"Policy {policy.name} {says}. Take a kind that does, such as {STATING}, or leave the lot."
    return [Problem("decide", "allocate", "value", f"for a policy of kind {policy.kind}", fix)]


def gains_of(policy: Policy, context: Context) -> Float32 | None:
    """(n, k) what each action is expected to bring over `none`, in the unit of rewards; None: it does not say."""
    blocks = []
    for start in range(0, max(len(context), 1), ROWS_AT_A_TIME):
        block = stated_gains(policy, context.take(slice(start, start + ROWS_AT_A_TIME)))
        if block is None:
            return None
        blocks.append(block)
    return np.concatenate(blocks)


def expected_gain(policy: Policy, context: Context, action: Int64, keys: UInt64) -> Float:
    """(n,) what each action taken is expected to bring over `none`; NaN where the policy does not say."""
    found = np.full(len(action), np.nan)
    for start in range(0, len(action), ROWS_AT_A_TIME):
        rows = slice(start, start + ROWS_AT_A_TIME)
        seen = context if len(action) <= ROWS_AT_A_TIME else context.take(rows)
        gains = policy.gains_of(keys[rows], seen) if isinstance(policy, Split) else stated_gains(policy, seen)
        if gains is None:
            break
        found[rows] = gains[np.arange(len(gains)), action[rows]]
    return found


def wishes_of(policy: Policy, context: Context, eligible: Bool, keys: UInt64, day: int, seed: int) -> Wishes:
    """What customers ask for, each by itself. eligible: (n, k) what the guard allowed; day: since 1970-01-01."""
    tried = _any_allowed(eligible, rng.uniform(keys, seed, day, Purpose.ALLOCATION, 1))
    return Wishes(_gains(policy, context), tried)


def explorers(keys: UInt64, day: int, seed: int, explore: float) -> Bool:
    """(n,) who draws among all allowed."""
    return np.asarray(rng.uniform(keys, seed, day, Purpose.ALLOCATION) < explore)


def terms_of(
    catalog: Catalog,
    parts: Iterable[tuple[Float32, Bool]],
    tried: Int64,
    limits: Limits,
    keys: UInt64,
    day: int,
    seed: int,
    explore: float = 0.0,
) -> Terms:
    """The plan of most value within the limits, and how far what it leaves goes for those who explore.

    parts: gains and what the guard allowed, of the customers of `keys` in their order; tried: (n,) what each would try.
    """
    plan = _planner(catalog, parts, limits, keys, day, seed).plan()
    explores = explorers(keys, day, seed, explore)
    left = _left(catalog, limits, np.where(explores, NONE, plan.action))
    lots = rng.uniform(keys, seed, day, Purpose.THROTTLE)
    return Terms(plan, cuts_of(catalog, np.where(explores, tried, NONE), lots, left))


def planned_rows(
    policy: Policy,
    catalog: Catalog,
    context: Context,
    eligible: Bool,
    wishes: Wishes,
    terms: Terms,
    limits: Limits,
    keys: UInt64,
    day: int,
    seed: int,
    explore: float,
) -> Planned:
    """What these customers get, each by itself; terms: with the plan's actions of these alone."""
    explores, plan = explorers(keys, day, seed, explore), terms.plan
    lanes, u = lanes_of(catalog, limits.stock), rng.uniform(keys, seed, day, Purpose.THROTTLE)
    served = np.where(below(terms.cut, wishes.tried, u, lanes), wishes.tried, NONE)
    action = np.where(explores, served, plan.action).astype(np.int64)
    cut = np.append(terms.cut, 0.0)[lanes.of]  # (k,) chance of being served; of `none` not read
    exploring = _after_lot(eligible, action, cut)
    propensity = (1.0 - explore) * (action == plan.action) + explore * exploring
    before = _own_chance(policy, context, eligible, action)
    return Planned(action, propensity, before, explores, wishes.gains, plan)


def what_if_budget(policy: Policy, found: Decisions, world: World) -> list[CurvePoint]:
    """What budgets from 0 to all that pays would bring on the day of `found`, its own among them, other limits as are.

    The bounds are concave in the budget; each plan is within its gap of them.

    Raises:
        UsageError: the policy states no values.
    """
    catalog, gains, keys = world.catalog, _gains(policy, found.context), rng.customer_keys(found.ids)
    most = float(max(len(keys), 1) * int(catalog.cost_of.max(initial=0)))
    day, seed = (found.day - EPOCH).days, int(found.about["seed"])
    limits = found.limits._replace(money=most)
    planner = _planner(catalog, [(gains, found.eligible)], limits, keys, day, seed)
    pays = planner.plan().cost
    budgets = np.append(np.linspace(0, pays, POINTS).round(), min(found.limits.money, pays))
    return planner.curve(np.unique(budgets.astype(np.int64)).tolist())


def _gains(policy: Policy, context: Context) -> Float32:
    gains = gains_of(policy, context)
    if gains is None:
        raise UsageError(_without_values(policy))
    return gains


def _planner(
    catalog: Catalog, parts: Iterable[tuple[Float32, Bool]], limits: Limits, keys: UInt64, day: int, seed: int
) -> Planner:
    """Equal customers come by turns: their order is drawn anew each day."""
    (order,) = rng.hashes(keys, seed, day, Purpose.ALLOCATION, 1)
    shared = shared_limits(catalog, limits, limits.stock, limits.at_least)
    return Planner.of_parts(catalog, parts, order, shared)


def _left(catalog: Catalog, limits: Limits, action: Int64) -> Limits:
    """What sends leave of the limits."""
    sends = np.bincount(catalog.channel_of[action] + 1, minlength=len(catalog.channels) + 1)[1:]
    stock = None if limits.stock is None else limits.stock - sends_by_offer(catalog, action)
    money = limits.money - float(catalog.cost_of[action].sum())
    return Limits(limits.sends - sends, money, stock)


def _any_allowed(eligible: Bool, u: Float) -> Int64:
    """(n,) one of the allowed actions each, all as likely, by u (n,) in [0, 1)."""
    drawn = np.empty(len(u), dtype=np.int64)
    for start in range(0, len(u), ROWS_AT_A_TIME):
        rows = slice(start, start + ROWS_AT_A_TIME)
        drawn[rows] = sample(eligible[rows] / eligible[rows].sum(axis=1, keepdims=True), u[rows])
    return drawn


def _after_lot(eligible: Bool, action: Int64, cut: Float) -> Float:
    """(n,) chance of each action for one who draws among all allowed and is served at these cuts (k,)."""
    options = eligible.sum(axis=1)
    sends = np.where(np.arange(len(cut)) == NONE, 0.0, cut)
    nothing = 1.0 - eligible @ sends / options
    return np.asarray(np.where(action == NONE, nothing, cut[action] / options))


def _own_chance(policy: Policy, context: Context, eligible: Bool, action: Int64) -> Float:
    """(n,) the policy's own chance of each action, by which an audit knows it again."""
    own = np.empty(len(action))
    for start in range(0, len(action), ROWS_AT_A_TIME):
        rows = slice(start, start + ROWS_AT_A_TIME)
        p = policy.probabilities(context.take(rows), eligible[rows])
        own[rows] = p[np.arange(len(p)), action[rows]]
    return own
