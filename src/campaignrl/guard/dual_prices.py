"""Prices of what is scarce: the Lagrangian dual of sending at most one thing to each customer within shared limits.

At prices lambda every customer takes the action of the greatest gain less its price, or nothing; what they keep in all
plus the worth of the limits bounds the value of every plan (Everett 1963; Fisher 1981, Management Science 27). The
lowest bound is found by cutting planes inside a box that moves (Linderoth & Wright 2003, Comput. Optim. Appl. 24): the
surplus is convex and piecewise linear in a few prices, so each answer gives a cut, and a small linear program says
where to look next. Sums over customers are made in whole numbers, so the order of the rows and the size of the blocks
change nothing. Not here: a plan that can be carried out (integral_plan.py). n customers, k actions, R limits.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Float, Int64, UInt64

ROWS_AT_A_TIME = 1_024  # gains of a block stay in the cache at 40 actions
FIRST_ROWS = 4_096  # customers on whom a search begins
GROWTH = 16  # times as many in the next round
STEPS = 200  # evaluations of one round, at most
TOLERANCE = 1e-8  # of the bound, by which it could still fall, where all customers are few
ROUGH = 1e-7  # where they are many
AGAIN = 1e-6  # under other limits
SAMPLED = 1e-4  # of samples, which err by more
FIRST_BOX, LATER_BOX = 0.1, 0.02  # how far a search looks at first, in units of the highest sensible price
BOLD = 0.5  # of the way from the best point to the lowest of the cuts: all the way swings to and fro
INFLATION = 1e-13  # relative; covers the rounding of prices and products, so that a bound stays one

TINY = 1e-100  # a gain below it is none
CUTS = 64  # of earlier answers a search begins with, at most
EXACT = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
Gains = npt.NDArray[np.floating[Any]]
Limit = npt.NDArray[np.int64] | npt.NDArray[np.float64]


class Taken(NamedTuple):
    """What customers take at some prices."""

    prices: Float  # (R,)
    surplus: float  # what they keep in all, rounded up
    counts: Int64  # (k,) customers by action


class Demand:
    """What customers take at prices, and every answer so far: cuts of the surplus, whatever the limits are.

    gains: (n, k) over `none`, -inf where not allowed, column 0 all zero; weights: (R, k) what an action uses of each
    limit; negative for a limit from below.
    """

    def __init__(self, gains: Gains, weights: Int64) -> None:
        self.gains, self.weights, self.found = gains, weights, list[Taken]()
        self.largest = max(
            float(gains.max(initial=0.0)), -float(gains.min(where=np.isfinite(gains), initial=0.0)), TINY
        )
        self._buffer = np.empty((ROWS_AT_A_TIME, gains.shape[1]))

    def net(self, rows: slice, price: Float) -> Float:
        """(m, k) gains less the price (k,) of each action, in double precision; overwritten by the next call."""
        block = self.gains[rows]
        net: Float = np.subtract(block, price, out=self._buffer[: len(block)])
        return net

    def at(self, prices: Float) -> Taken:
        """Ask every customer; ties go to the action of the lower number, `none` first."""
        price = prices @ self.weights
        most = max(len(self.gains), 1) * (self.largest + float(np.abs(price).max()))
        scale = 2.0 ** np.floor(np.log2(2.0**61 / most))  # whole numbers of 61 bits hold the sum
        counts, surplus, at = np.zeros(len(price), dtype=np.int64), 0, np.arange(ROWS_AT_A_TIME)
        for start in range(0, len(self.gains), ROWS_AT_A_TIME):
            net = self.net(slice(start, start + ROWS_AT_A_TIME), price)
            best = net.argmax(axis=1)
            kept = net[at[: len(net)], best]
            counts += np.bincount(best, minlength=len(price))
            surplus += int(np.ceil(kept * scale).astype(np.int64).sum())
        found = Taken(prices, surplus / scale, counts)
        self.found.append(found)
        return found


class Lowest(NamedTuple):
    """The minimum of the cuts within a box."""

    point: Float  # (R,)
    bound: float
    shares: Float  # of each cut, by which the limits are met on average
    at_edge: npt.NDArray[np.bool_]  # (R,) where the box holds it back


class Dual(NamedTuple):
    """The lowest bound that was found.

    prices: (R,); bound: of the value of every plan, what could still be gained by rounding included; shares, mixed:
    plans at other prices, by whose shares the limits are met on average.
    """

    prices: Float
    bound: float
    mixed: list[Taken]
    shares: Float


def bound_at(taken: Taken, most: Limit) -> float:
    """What no plan can exceed: the surplus and the worth of the limits, rounded up."""
    worth = taken.prices * most
    return float(taken.surplus + worth.sum() + INFLATION * (taken.surplus + np.abs(worth).sum()))


def lowest_bound(gains: Gains, weights: Int64, most: Int64, order: UInt64) -> tuple[Demand, Dual]:
    """Search on ever more customers, the first by `order` (n,) first; the last round asks all of them."""
    n, rows, start, box = len(gains), FIRST_ROWS, np.zeros(len(most)), FIRST_BOX
    while rows * GROWTH // 4 < n:
        some = np.argpartition(order, rows)[:rows]
        part = Demand(gains[some], weights)
        share = np.asarray(most * (rows / n), dtype=np.float64)
        start, box, rows = _search(part, share, start, box, SAMPLED).prices, LATER_BOX, rows * GROWTH
    demand = Demand(gains, weights)
    return demand, _search(demand, most, start, box, TOLERANCE if n <= FIRST_ROWS else ROUGH)


def lowest_bound_again(demand: Demand, most: Int64) -> Dual:
    """The lowest bound under other limits, from what customers have answered already."""
    best = min(demand.found, key=lambda taken: bound_at(taken, most))
    return _search(demand, most, best.prices, FIRST_BOX, AGAIN, best)


def _search(
    demand: Demand, most: Limit, start: Float, size: float, tolerance: float, known: Taken | None = None
) -> Dual:
    """Cutting planes from `start`, of which `known` is the answer where it was asked before. size: of the box."""
    highest = _highest(demand)
    best = demand.at(start) if known is None else known
    if not most.all():  # of what there is none the highest price costs nothing
        others = [demand.at(np.where(most == 0, highest, price)) for price in (best.prices, 0.0)]
        best = min([best, *others], key=lambda taken: bound_at(taken, most))
    bound, box = bound_at(best, most), np.full(len(start), size)
    cuts = _tightest(demand, best.prices)
    for _ in range(STEPS):
        lowest = _lowest_of_cuts(demand, cuts, most, best.prices / highest, box, highest)
        promised = bound - lowest.bound
        if promised <= tolerance * max(abs(bound), demand.largest):
            if not lowest.at_edge.any():
                break
            box = np.where(lowest.at_edge, box * 8.0, box)
            continue
        tried = demand.at(best.prices + BOLD * (lowest.point * highest - best.prices))
        cuts.append(tried)
        found = bound_at(tried, most)
        if found < bound:
            if bound - found >= 0.5 * promised:
                box = np.where(lowest.at_edge, box * 2.0, box)
            best, bound = tried, found
        elif found - bound > promised:
            box = box * 0.5
    lowest = _lowest_of_cuts(demand, cuts, most, best.prices / highest, box, highest)
    mixed = [taken for taken, share in zip(cuts, lowest.shares, strict=True) if share > 0.0]
    return Dual(best.prices, bound, mixed or [best], lowest.shares[lowest.shares > 0.0] if mixed else np.ones(1))


def _highest(demand: Demand) -> Float:
    """(R,) a price at which nobody takes anything that uses it; from below, one at which everybody would."""
    per_use = np.abs(demand.weights).astype(np.float64)
    least = np.where(per_use > 0.0, per_use, np.inf).min(axis=1)
    return np.asarray(2.0 * demand.largest / np.where(np.isfinite(least), least, 1.0))


def _tightest(demand: Demand, prices: Float) -> list[Taken]:
    """The answers that say most of the surplus at these prices."""

    def said(taken: Taken) -> float:
        return float(taken.surplus - (prices - taken.prices) @ (demand.weights @ taken.counts))

    return sorted(demand.found, key=said, reverse=True)[:CUTS]


def _lowest_of_cuts(
    demand: Demand, cuts: list[Taken], most: Limit, centre: Float, box: Float, highest: Float
) -> Lowest:
    """Where the cuts are lowest within the box; prices in units of `highest`."""
    from scipy.optimize import linprog  # slow to import, and only plans need it

    surplus = np.array([taken.surplus for taken in cuts])
    used = np.array([demand.weights @ taken.counts for taken in cuts]) * highest
    where = np.array([taken.prices for taken in cuts]) / highest
    unit = max(float(surplus.max()), demand.largest)
    left = np.column_stack([-used / unit, -np.ones(len(used))])
    right = -(surplus + (used * where).sum(axis=1)) / unit
    low, high = np.maximum(centre - box, 0.0), np.minimum(centre + box, 1.0)
    bounds, goal = [*zip(low, high, strict=True), (None, None)], np.append(most * highest / unit, 1.0)
    solved = linprog(goal, A_ub=left, b_ub=right, bounds=bounds, method="highs-ds", options=EXACT)
    if solved.x is None:  # nothing is promised, so the best known point stands
        return Lowest(centre, np.inf, np.zeros(len(used)), np.zeros(len(centre), dtype=bool))
    point = np.clip(solved.x[:-1], low, high)
    at_edge = ((point <= low) & (low > 0.0)) | ((point >= high) & (high < 1.0))
    return Lowest(point, float(solved.fun) * unit, np.maximum(-solved.ineqlin.marginals, 0.0), at_edge)
