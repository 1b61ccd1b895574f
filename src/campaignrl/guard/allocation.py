"""Allocation by value: at most one action a customer, the most value in all that money, capacity and stock allow.

A plan comes with a certificate: a bound that no plan within the same limits can exceed, so how far it may be from the
best is known without knowing the best (a multiple-choice knapsack with several shared limits is hard to solve, and easy
to bound: Kellerer, Pferschy & Pisinger 2004, chapter 11). Money is whole minor units. Not here: what may be sent at all
(rules.py), service by lot (budget.py), the prices (dual_prices.py), the rounding (integral_plan.py). n customers,
k actions, c channels, o offers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.actions import NONE, Catalog
from campaignrl.arrays import Bool, Float, Int, Int64, UInt64
from campaignrl.errors import DataError, Problem, UsageError
from campaignrl.guard.budget import Limits
from campaignrl.guard.dual_prices import Demand, Dual, bound_at, lowest_bound, lowest_bound_again
from campaignrl.guard.integral_plan import integral_plan
from campaignrl.rng import mix

ROWS_AT_A_TIME = 65_536
MONEY = "money"
LEAST = (("channel", "at least of ", -1), ("offer", "at least of ", -1))  # limits from below: dimension, words, sign


class SharedLimits(NamedTuple):
    """R limits that tie customers together; one from below has weights and limit with a minus sign.

    names: `money`, `sms`, `stock of coupon20`, `at least of coupon20`; weights: (R, k) what an action uses; most: (R,).
    """

    names: tuple[str, ...]
    weights: Int64
    most: Int64


@dataclass(frozen=True)
class Allocation:
    """One plan and its certificate.

    Attributes:
        action: (n,) ids in the catalog; 0 sends nothing.
        value: what the plan gains over sending nothing, in the unit of the values.
        bound: what no plan within the limits can exceed.
        cost: of all sends, minor units.
        prices: by limit what one more unit of it would bring, at the bound; 0 where it does not bind.
        missing: by limit from below what could not be met; the bound is that of plans that miss as much.

    Example:
        >>> import numpy as np
        >>> from campaignrl.actions import Catalog, Channel, Offer
        >>> from campaignrl.guard import Limits, allocate
        >>> sms = Channel(name="sms", cost=10)
        >>> catalog = Catalog.product([Offer(name="gift")], [sms], [("gift", "sms")])
        >>> values = np.array([[1.0, 3.0], [1.0, 6.0], [1.0, 0.5]])  # of nothing, and of gift@sms
        >>> one_send = Limits(sends=np.array([np.inf]), money=10.0)
        >>> plan = allocate(catalog, values, np.ones((3, 2), dtype=bool), np.arange(3, dtype=np.uint64), one_send)
        >>> plan.action.tolist(), plan.value, round(plan.bound, 6), plan.cost
        ([0, 1, 0], 5.0, 5.0, 10)
    """

    action: Int64
    value: float
    bound: float
    cost: int
    prices: dict[str, float]
    missing: dict[str, int]

    @property
    def gap(self) -> float:
        """How much more any plan could bring, at most."""
        return max(self.bound - self.value, 0.0)

    @property
    def relative_gap(self) -> float:
        """The gap as a share of the bound; 0 where nothing can be gained."""
        return self.gap / self.bound if self.bound > 0.0 else 0.0


class CurvePoint(NamedTuple):
    """What a budget brings: money and cost in minor units, value and bound in the unit of the values."""

    money: int
    cost: int
    sends: int
    value: float
    bound: float


def allocate(
    catalog: Catalog,
    values: npt.NDArray[np.floating[Any]],
    allowed: Bool,
    keys: UInt64,
    limits: Limits,
    *,
    stock: Float | None = None,
    at_least: Mapping[str, Int] | None = None,
) -> Allocation:
    """The plan of most value within the limits, and how far it can be from the best.

    The same plan for any order of the rows. Equal customers are told apart by their keys. What cannot be had from below
    (`at_least`) is missed by as little as the search finds, and said.

    Args:
        catalog: k actions.
        values: (n, k) of every action, `none` included, in one unit; only differences to `none` count. An action whose
            value is not known (NaN) is not taken.
        allowed: (n, k) what may be sent.
        keys: (n,) of the customers, all different.
        limits: money and sends by channel; inf: without limit.
        stock: (o,) most sends by offer; inf: without limit.
        at_least: by dimension of actions (`channel`, `offer`), sends of each level that there shall be where they can.

    Raises:
        DataError: a value is infinite, or arrays do not fit together.
    """
    return Planner(catalog, values, allowed, keys, shared_limits(catalog, limits, stock, at_least)).plan()


def shared_limits(
    catalog: Catalog, limits: Limits, stock: Float | None = None, at_least: Mapping[str, Int] | None = None
) -> SharedLimits:
    """The limits that are finite, as weights of actions."""
    above = [(MONEY, catalog.cost_of, limits.money)]
    above += _by_level(catalog, "channel", "", limits.sends)
    above += [] if stock is None else _by_level(catalog, "offer", "stock of ", stock)
    found = [(name, weight, max(math.floor(most), 0)) for name, weight, most in above if np.isfinite(most)]
    for dimension, least in (at_least or {}).items():
        found += [(n, -w, -math.ceil(m)) for n, w, m in _by_level(catalog, dimension, "at least of ", least) if m > 0]
    weights = np.array([weight for _, weight, _ in found], dtype=np.int64).reshape(-1, len(catalog))
    return SharedLimits(tuple(n for n, *_ in found), weights, np.array([m for *_, m in found], dtype=np.int64))


def price_of_actions(catalog: Catalog, prices: Mapping[str, float]) -> Float:
    """(k,) what each action uses of limits, at the price of a unit of each. prices: by name, as of `SharedLimits`.

    Raises:
        UsageError: a price is negative or no number, or there is nothing of its name.
    """
    uses: dict[str, Int64] = {MONEY: catalog.cost_of}
    for dimension, words, sign in (("channel", "", 1), ("offer", "stock of ", 1), *LEAST):
        names, of = catalog.dimensions[dimension]
        uses |= {f"{words}{name}": sign * (of == i).astype(np.int64) for i, name in enumerate(names)}
    wrong = [
        Problem("prices", name, price, "a price, 0 or more, of money, a channel, a stock or a least share there is")
        for name, price in prices.items()
        if name not in uses or not (math.isfinite(price) and price >= 0.0)
    ]
    if wrong:
        raise UsageError(wrong)
    return np.asarray(sum((price * uses[name] for name, price in sorted(prices.items())), np.zeros(len(catalog))))


def _by_level(catalog: Catalog, dimension: str, words: str, most: Float | Int) -> list[tuple[str, Int64, float]]:
    """(name, weights (k,), limit) of every level of a dimension."""
    names, of = catalog.dimensions[dimension]
    return [
        (f"{words}{name}", (of == i).astype(np.int64), float(limit))
        for i, (name, limit) in enumerate(zip(names, most, strict=True))
    ]


class Planner:
    """Customers and their gains, for plans under several budgets: what was asked once is not asked again."""

    def __init__(
        self,
        catalog: Catalog,
        values: npt.NDArray[np.floating[Any]],
        allowed: Bool,
        keys: UInt64,
        limits: SharedLimits,
    ) -> None:
        _require_fit(catalog, values, allowed, keys)
        single = np.logical_and.reduce(limits.weights <= np.maximum(limits.most, 0)[:, None], axis=0)  # fits once
        # The customers' own keys draw holdouts and lots, so ties go by other bits of them.
        self._limits, self._cost, self._keys = limits, catalog.cost_of, mix(keys)
        self._gains = _gains(values, allowed, single)
        self._demand: Demand | None = None

    @classmethod
    def of_parts(
        cls,
        catalog: Catalog,
        parts: Iterable[tuple[npt.NDArray[np.floating[Any]], Bool]],
        keys: UInt64,
        limits: SharedLimits,
    ) -> Planner:
        """Of customers who come in parts, values and what is allowed, in the order of `keys`; held once, all of them.

        Raises:
            DataError: there are more of them, or fewer, than keys, or a part does not fit.
        """
        made, done = (
            cls(
                catalog,
                np.zeros((0, len(catalog)), dtype=np.float32),
                np.zeros((0, len(catalog)), bool),
                keys[:0],
                limits,
            ),
            0,
        )
        gains: npt.NDArray[np.floating[Any]] | None = None
        for values, allowed in parts:
            one = cls(catalog, values, allowed, keys[done : done + len(values)], limits)._gains
            if len(one) == len(keys):
                gains = one
            else:
                gains = np.empty((len(keys), len(catalog)), dtype=one.dtype) if gains is None else gains
                gains[done : done + len(one)] = one
            done += len(values)
        if done != len(keys):
            raise DataError(Problem("allocate", "customers", done, f"as many as keys, {len(keys)}"))
        made._keys, made._gains = mix(keys), made._gains if gains is None else gains
        return made

    def plan(self, money: int | None = None) -> Allocation:
        """The plan within the limits; money: minor units, instead of the limit's own and no more than it."""
        limits, most = self._limits, self._limits.most.copy()
        if money is not None:
            most[limits.names.index(MONEY)] = money
        asked = most.copy()
        while True:
            demand, dual = self._bound(most)
            action = integral_plan(demand, dual, most, self._keys)
            used = limits.weights @ np.bincount(action, minlength=limits.weights.shape[1])
            if (used <= most).all():
                break
            most = np.maximum(most, used)  # limits from below that could not be met
        missing = most - asked
        return Allocation(
            action=action,
            value=math.fsum(self._gains[np.arange(len(action)), action].tolist()),
            bound=dual.bound,
            cost=int(self._cost[action].sum()),
            prices=dict(zip(limits.names, dual.prices.tolist(), strict=True)),
            missing={name: int(many) for name, many in zip(limits.names, missing, strict=True) if many},
        )

    def curve(self, budgets: Sequence[int]) -> list[CurvePoint]:
        """What each budget brings, minor units; the bound is concave in the budget, the plan within its gap of it."""
        plans = [self.plan(money) for money in budgets]
        place, most = self._limits.names.index(MONEY), self._limits.most.copy()
        points = []
        for money, plan in zip(budgets, plans, strict=True):
            most[place] = money  # every answer of every search bounds every budget
            bound = plan.bound if plan.missing else min(bound_at(taken, most) for taken in self._bound(most)[0].found)
            points.append(CurvePoint(money, plan.cost, int((plan.action != NONE).sum()), plan.value, bound))
        return points

    def _bound(self, most: Int64) -> tuple[Demand, Dual]:
        if self._demand is None:
            self._demand, dual = lowest_bound(self._gains, self._limits.weights, most, self._keys)
            return self._demand, dual
        return self._demand, lowest_bound_again(self._demand, most)


def _gains(values: npt.NDArray[np.floating[Any]], allowed: Bool, single: Bool) -> npt.NDArray[np.floating[Any]]:
    """(n, k) values over that of `none`, as precise as they came; -inf where not allowed or not known."""
    gains = np.empty(values.shape, dtype=np.float32 if values.dtype == np.float32 else np.float64)
    for start in range(0, len(values), ROWS_AT_A_TIME):
        rows = slice(start, start + ROWS_AT_A_TIME)
        gain = values[rows] - values[rows, [NONE]]
        gain[~(allowed[rows] & single) | np.isnan(gain)] = -np.inf
        gain[:, NONE] = 0.0
        gains[rows] = gain
    return gains


def _require_fit(catalog: Catalog, values: npt.NDArray[Any], allowed: Bool, keys: UInt64) -> None:
    shape, problems = (len(keys), len(catalog)), []
    for name, given in (("values", values), ("allowed", allowed)):
        if given.shape != shape:
            problems.append(Problem("allocate", f"shape of {name}", given.shape, f"(customers, actions) = {shape}"))
    wild = int(np.isinf(values).any(axis=1).sum())
    if wild:
        fix = "Leave a value that is not known out as NaN."
        problems.append(Problem("allocate", "values", f"infinite in {wild:,} rows", "finite", fix))
    if problems:
        raise DataError(problems)
