"""Budget, capacity and stock of one run of decisions, and what they leave of its sends.

Without a ledger nobody knows what the campaign has spent, so a run may use one day's share of its budget, of each
channel's capacity and of each offer's stock. Where there is too little for everybody, customers are served by lot, as
in a simulated campaign: whoever is drawn first, whatever the order of the rows, so that propensities stay exact. Not
here: the rule itself (guard/budget.py), words (reasons.py). n customers, c channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl import rng
from campaignrl.actions import NONE, Catalog
from campaignrl.arrays import Bool, Float, Int, UInt64
from campaignrl.errors import Problem, UsageError, nearest
from campaignrl.guard import (
    Limits,
    Spending,
    below,
    cuts_of,
    lanes_of,
    least_sends,
    propensity_after,
    rules_of,
    sends_by_offer,
    share_problems,
    stock_of,
)
from campaignrl.rng import Purpose
from campaignrl.send.draw import Drawn
from campaignrl.specs import World


class Served(NamedTuple):
    """What is left of the draws.

    action: (n,) with `none` where nothing could be paid or sent; propensity: (n,) of it, exact given the cuts;
    no_capacity, no_money, no_stock: (n,) whose send fell to a full channel, to the money, or to the offer's stock.
    """

    action: npt.NDArray[np.int64]
    propensity: Float
    no_capacity: Bool
    no_money: Bool
    no_stock: Bool | None = None  # None: nobody's


def limits_of_run(
    world: World,
    customers: int,
    budget: float | None = None,
    capacity: Mapping[str, int] | None = None,
    left: Limits | None = None,
    at_least: Mapping[str, float] | None = None,
) -> Limits:
    """What one run may send and spend: a day's share of the world's limits, and no more than is given.

    Args:
        world: whose budget, horizon and capacities.
        customers: of the run; the world's limits are per thousand of them.
        budget: money of this run, in the world's currency.
        capacity: sends of this run by channel.
        left: what a ledger says is left of the campaign; None: a day's share.
        at_least: share of the customers by offer or channel, instead of the world's own.

    Raises:
        UsageError: an amount is negative or no number, or there is no such channel or offer; all of them at once.
    """
    problems = [*_problems(world, budget, capacity or {}), *share_problems(world, at_least or {})]
    if problems:
        raise UsageError(problems)
    today = _share_of_a_day(world, customers) if left is None else left
    sends, money = today.sends.copy(), today.money
    for name, most in (capacity or {}).items():
        place = list(world.channels).index(name)
        sends[place] = min(sends[place], most)
    if budget is not None:
        money = min(money, float(world.minor(budget)))
    least = least_sends(world, customers, at_least) or None
    return today._replace(sends=sends, money=money, at_least=least)


def _share_of_a_day(world: World, customers: int) -> Limits:
    """Where nobody knows what other days have used: of money and stock one day's share, capacity as it stands."""
    limits = Spending(world, customers).limits(0)
    return limits if limits.stock is None else limits._replace(stock=np.floor(limits.stock / world.horizon))


def overdrawn(world: World, customers: int, day: int, spent: int, sends: Int) -> tuple[str, ...]:
    """What of a campaign's days, money and stock is used up and more, in words, for whoever reads a plan.

    More than there is can be used where rules were lowered since, or a send counts again that was said not to be made.
    customers: whom the budget is for; day: of the campaign, from 0; spent: minor units; sends: (o,) by offer.
    """
    said, unit = [], world.money
    if day >= world.horizon:
        said.append(f"The campaign was to last {world.horizon} days: this is day {day + 1:,} of it.")
    spending = Spending(world, customers)
    spending.book(spent)
    left = spending.limits(min(day, world.horizon - 1)).money
    if left < 0:
        over = f"{-left / unit.minor_per_unit:,.2f} {unit.currency}"
        said.append(f"{over} more is spent than the budget has released: nothing that costs is sent until it has.")
    stock = np.full(len(sends), np.inf) if (given := stock_of(world)) is None else given
    more = sends - stock
    said += [
        f"{int(m):,} more of {name} are sent than its stock."
        for name, m in zip(world.offers, more, strict=True)
        if m > 0
    ]
    return tuple(said)


def _problems(world: World, budget: float | None, capacity: Mapping[str, int]) -> list[Problem]:
    problems, unit = [], world.money.currency
    largest = float(2**53) / world.money.minor_per_unit
    if budget is not None and not (math.isfinite(budget) and 0 <= budget <= largest):
        problems.append(Problem("decide", "budget", budget, f"money of this run in {unit}, 0 to {largest:.0f}"))
    elif budget is not None and Decimal(str(budget)) * world.money.minor_per_unit % 1:
        whole = math.floor(budget * world.money.minor_per_unit) / world.money.minor_per_unit
        problems.append(Problem("decide", "budget", budget, f"in whole minor units of {unit}", f"Write {whole:g}."))
    for name, most in capacity.items():
        if name not in world.channels:
            fix = nearest(name, list(world.channels))
            problems.append(Problem("decide", "capacity", name, f"a channel of {world.name}", fix))
        elif most < 0 or most != int(most):
            problems.append(Problem("decide", f"capacity of {name}", most, "a whole number of sends, at least 0"))
    return problems


class Cuts(NamedTuple):
    """Below which lots a send is served; all that the customers of a run have to know of each other.

    served: (l,) by all limits; without_money: (l,) by capacity and stock; by_capacity: (c,).
    """

    served: Float
    without_money: Float
    by_capacity: Float


def serve(world: World, drawn: Drawn, limits: Limits, keys: UInt64, day: int, seed: int) -> Served:
    """Draws within the limits, by lot where they are too many. day: since 1970-01-01."""
    u = lots(keys, seed, day)
    return serve_below(world, drawn, cuts_of_run(world, drawn.action, u, limits), lambda: u)


def lots(keys: UInt64, seed: int, day: int) -> Float:
    """(n,) each customer's own lot, whoever else there is."""
    return rng.uniform(keys, seed, day, Purpose.THROTTLE)


def cuts_of_run(world: World, action: Int, u: Float, limits: Limits) -> Cuts | None:
    """The cuts of everybody's draws (n,) and lots (n,); None where nothing is limited."""
    if not limits.bind:
        return None
    catalog, free = world.catalog, limits._replace(money=np.inf)
    served = cuts_of(catalog, action, u, limits)
    fits = served if np.isinf(limits.money) else cuts_of(catalog, action, u, free)
    room = fits if limits.stock is None else cuts_of(catalog, action, u, free._replace(stock=None))
    return Cuts(served, fits, room)


def serve_below(world: World, drawn: Drawn, cuts: Cuts | None, lot: Callable[[], Float]) -> Served:
    """What the cuts leave of the draws of some customers, each by itself. lot: their lots, which no cuts ask for."""
    nobody = np.zeros(len(drawn.action), dtype=bool)
    if cuts is None:
        return Served(drawn.action, drawn.propensity, nobody, nobody)
    catalog, stock = world.catalog, stock_of(world)
    lanes = rules_of(world).lanes
    sends, u = drawn.action != NONE, lot()
    served = below(cuts.served, drawn.action, u, lanes)
    action, unserved = np.where(served, drawn.action, NONE).astype(np.int64), sends & ~served
    before = np.where(unserved, drawn.none, drawn.propensity)
    after = propensity_after(before, drawn.by_channel, drawn.none, action, catalog, cuts.served, lanes)
    fits = below(cuts.without_money, drawn.action, u, lanes)
    if stock is None:
        return Served(action, after, unserved & ~fits, unserved & fits)
    room = below(cuts.by_capacity, drawn.action, u, lanes_of(catalog, None))
    return Served(action, after, unserved & ~room, unserved & fits, room & ~fits)


def left_after(limits: Limits, catalog: Catalog, action: npt.NDArray[np.int64]) -> Limits:
    """What is left of limits after these sends."""
    sent = np.bincount(catalog.channel_of[action] + 1, minlength=len(limits.sends) + 1)[1:]
    stock = None if limits.stock is None else limits.stock - sends_by_offer(catalog, action)
    money = limits.money - float(catalog.cost_of[action].sum())
    return limits._replace(sends=limits.sends - sent, money=money, stock=stock)


def as_stocked(before: Limits, after: Limits) -> bool:
    """Whether the same offers still have a stock."""
    if before.stock is None or after.stock is None:
        return True
    return bool(((before.stock < 1) == (after.stock < 1)).all())
