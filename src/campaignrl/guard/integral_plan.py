"""From prices to a plan that can be carried out: whole sends within whole limits, the same for any order of the rows.

Every customer asks for what it takes at the prices, a tie at the price going by its key to one of the plans that
together meet the limits. Requests are served from the largest loss by refusal to the smallest, equal ones by key, as
far as the limits go; who is refused asks again for what is still to be had. What is left is filled by the switches
that gain most over their price. Not here: the prices (dual_prices.py). n customers, k actions, R limits; a limit from
below has weights and limit with a minus sign.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from campaignrl.actions import NONE
from campaignrl.arrays import Bool, Float, Int64, Rows, UInt64
from campaignrl.guard.dual_prices import ROWS_AT_A_TIME, Demand, Dual

ROUNDS = 24  # of filling, at most
ONE_BY_ONE = 2_048  # switches of a round that are tried one after the other, where not all fit


class Switches(NamedTuple):
    """m customers who may get something else, the best first."""

    rows: Rows
    action: Int64
    score: Float  # gain less the price


def integral_plan(demand: Demand, dual: Dual, most: Int64, keys: UInt64) -> Int64:
    """(n,) one action each, within all limits from above, and within those from below as far as requests go."""
    price = dual.prices @ demand.weights
    asked, margin = _requests(demand, dual, price, keys)
    _ask_for_minima(demand, asked, margin, price, most, keys)
    first = _needed(demand, asked, margin, most, keys)
    action, left = _served(demand, asked, margin, price, most, keys, first)
    for _ in range(ROUNDS):
        if not _filled(demand, action, left, price, keys):
            break
    return action


def _requests(demand: Demand, dual: Dual, price: Float, keys: UInt64) -> tuple[Int64, Float]:
    """(n,) what each asks for, and what it loses at the prices if it is refused."""
    n = len(demand.gains)
    asked, margin = np.empty(n, dtype=np.int64), np.empty(n)
    mixed = np.array([taken.prices @ demand.weights for taken in dual.mixed])
    upto = np.cumsum(dual.shares)[:-1] / dual.shares.sum()
    which = np.searchsorted(upto, (keys >> np.uint64(11)) * 2.0**-53, side="right")
    for start in range(0, n, ROWS_AT_A_TIME):
        rows = slice(start, start + ROWS_AT_A_TIME)
        own = (demand.gains[rows] - mixed[which[rows]]).argmax(axis=1)
        asked[rows], margin[rows] = own, _margin(demand.net(rows, price), own)
    return asked, margin


def _margin(net: Float, own: Int64) -> Float:
    """(m,) net of the own action over that of the best other; net is used up."""
    at = np.arange(len(net))
    mine = net[at, own].copy()
    net[at, own] = -np.inf
    other = net.max(axis=1)
    return np.where(np.isfinite(other), mine - other, np.inf)


def _ask_for_minima(demand: Demand, asked: Int64, margin: Float, price: Float, most: Int64, keys: UInt64) -> None:
    """Where too few ask for what is to be sent at least, those ask for it who lose least."""
    for weight, limit in zip(demand.weights, most, strict=True):
        if not (weight < 0).any():
            continue
        asking = weight[asked] < 0
        missing = int(-limit) - int(asking.sum())
        if missing <= 0:
            continue
        others = np.flatnonzero(~asking)
        net = demand.gains[others] - price
        within = np.where(weight < 0, net, -np.inf)
        best = within.argmax(axis=1)
        lost = net[np.arange(len(net)), asked[others]] - within.max(axis=1)
        order = np.lexsort((keys[others], lost))
        order = order[np.isfinite(lost[order])][:missing]
        asked[others[order]], margin[others[order]] = best[order], -lost[order]


def _needed(demand: Demand, asked: Int64, margin: Float, most: Int64, keys: UInt64) -> Bool:
    """(n,) whose requests are served first, so that what is to be sent at least is sent."""
    first = np.zeros(len(asked), dtype=bool)
    for weight, limit in zip(demand.weights, most, strict=True):
        asking = np.flatnonzero(weight[asked] < 0)
        if len(asking):
            first[asking[np.lexsort((keys[asking], -margin[asking]))][: max(int(-limit), 0)]] = True
    return first


def _served(
    demand: Demand, asked: Int64, margin: Float, price: Float, most: Int64, keys: UInt64, first: Bool
) -> tuple[Int64, Int64]:
    """(n,) what is served of the requests, and (R,) what is left of the limits."""
    weights, action = demand.weights, np.zeros(len(asked), dtype=np.int64)
    left, waiting = most.copy(), np.flatnonzero(asked != NONE)
    while len(waiting):
        waiting = waiting[np.lexsort((keys[waiting], -margin[waiting], ~first[waiting]))]
        served = waiting[: _fitting(weights[:, asked[waiting]], left)]
        action[served] = asked[served]
        left -= weights @ np.bincount(asked[served], minlength=weights.shape[1])
        waiting = waiting[len(served) :]
        fits = np.logical_and.reduce(weights <= np.maximum(left, 0)[:, None], axis=0)
        refused = waiting[~fits[asked[waiting]]]
        net = np.where(fits, demand.gains[refused] - price, -np.inf)
        asked[refused] = net.argmax(axis=1) if len(refused) else NONE
        margin[refused] = _margin(net, asked[refused])
        waiting = waiting[asked[waiting] != NONE]
    return action, left


def _fitting(uses: Int64, left: Int64) -> int:
    """How many of the first uses (R, m) fit together; limits from below are no hindrance."""
    many = int(uses.shape[1])
    for use, rest in zip(uses, left, strict=True):
        over = np.cumsum(use[:many]) > max(int(rest), 0)
        many = int(over.argmax()) if over.any() else many
    return many


def _filled(demand: Demand, action: Int64, left: Int64, price: Float, keys: UInt64) -> int:
    """How many customers got something better from what is left; action and left are changed."""
    weights = demand.weights
    change = weights[:, None, :] - weights[:, :, None]  # (R, from, to)
    possible = np.logical_and.reduce(change <= np.maximum(left, 0)[:, None, None], axis=0)
    found = _switches(demand, action, possible, price, keys)
    if not len(found.rows):
        return 0
    many = _fitting(weights[:, found.action] - weights[:, action[found.rows]], left)
    rows = found.rows[:many]
    left -= (weights[:, found.action[:many]] - weights[:, action[rows]]).sum(axis=1)
    action[rows] = found.action[:many]
    for row, to in zip(found.rows[many:][:ONE_BY_ONE], found.action[many:][:ONE_BY_ONE], strict=True):
        step = weights[:, to] - weights[:, action[row]]
        if (step <= np.maximum(left, 0)).all():
            left -= step
            action[row] = to
            many += 1
    return many


def _switches(demand: Demand, action: Int64, possible: Bool, price: Float, keys: UInt64) -> Switches:
    """Switches to something of more gain that fit by themselves, one a customer, best first."""
    rows, to, score = [], [], []
    np.fill_diagonal(possible, val=False)
    changing = np.flatnonzero(np.logical_or.reduce(possible, axis=1)[action])
    for start in range(0, len(changing), ROWS_AT_A_TIME):
        some = changing[start : start + ROWS_AT_A_TIME]
        gains, now, at = demand.gains[some].astype(np.float64), action[some], np.arange(len(some))
        net = gains - price
        better = possible[now] & (gains > gains[at, now][:, None])
        worth = np.where(better, net - net[at, now][:, None], -np.inf)
        best = worth.argmax(axis=1)
        hit = better[at, best]
        rows.append(some[hit])
        to.append(best[hit])
        score.append(worth[at, best][hit])
    if not rows:
        return Switches(np.empty(0, dtype=np.intp), np.empty(0, dtype=np.int64), np.empty(0))
    all_rows, all_to, all_scores = np.concatenate(rows), np.concatenate(to), np.concatenate(score)
    order = np.lexsort((keys[all_rows], -all_scores))
    return Switches(all_rows[order], all_to[order], all_scores[order])
