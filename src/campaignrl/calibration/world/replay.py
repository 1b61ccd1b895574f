"""The same campaign in a simulated world: who got what on which day, again, with simulated customers.

Each simulated customer takes the part of a real one of its segment, drawn by its key, and is sent what that one was
sent. So whatever overlaps in the real log (windows, offers still valid, fatigue) overlaps here too. Not here: what is
read off the rows (clustered_statistics.py), and how a world is moved until they agree (method_of_simulated_moments.py).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl import rng
from campaignrl.actions import Catalog
from campaignrl.arrays import Float, Int
from campaignrl.calibration.response import Campaign, Rows, last_send
from campaignrl.dynamics import Outcome, visited
from campaignrl.envs import Panel
from campaignrl.errors import Problem, SpecError
from campaignrl.rng import Purpose
from campaignrl.specs import World

STEPS, ROWS = 4_000_000, 1_000_000  # customer-days and decisions of one replay: seconds
FEWEST = 5_000  # customers


class _Plan(NamedTuple):
    """What is sent to C real customers by day, and where each one's rows are."""

    action: npt.NDArray[np.int16]  # (C, T); 0 where no decision was made
    first: Int  # (C,) the row of each customer's first decision
    decisions: Int  # (C,) how many each has
    segment: Int  # (C,)


def replay(world: World, campaign: Campaign, seed: int = 0, customers: int | None = None) -> Campaign:
    """The campaign's rows as they come out in `world`, whose horizon must reach over its days and windows."""
    rows = campaign.rows
    start = int(rows.day.min(initial=0))
    plan = _plan(rows, start, world.horizon)
    plan = plan._replace(action=translation(campaign.catalog, world.catalog)[plan.action])
    by_rows = ROWS * len(plan.first) // max(len(rows), 1)
    n = customers or max(FEWEST, min(STEPS // world.horizon, by_rows))
    panel = Panel(world, n, seed, threads=2)
    real = _parts_taken(panel, plan, seed)
    record = _play(panel, plan.action[real])
    row = _rows_of(plan, real)
    who = np.repeat(np.arange(n), plan.decisions[real])
    eligible = None if campaign.eligible is None else campaign.eligible[row]
    found = _gather(
        rows, row, who, record, start, world.catalog.offer_of[plan.action[real[who], rows.day[row] - start]]
    )
    return replace(campaign, rows=found, eligible=eligible)


def translation(real: Catalog, simulated: Catalog) -> npt.NDArray[np.int16]:
    """(k,) the simulated action with the offer and the channel of each real one; a missing one is a SpecError."""
    ids = {(a.offer, a.channel): i for i, a in enumerate(simulated.actions)}
    absent = [a for a in real.actions if (a.offer, a.channel) not in ids]
    if absent:
        fix = "Give the world this offer on this channel."
        raise SpecError([Problem("world", "action", f"{a.offer}@{a.channel}", "in its catalog", fix) for a in absent])
    return np.array([ids[a.offer, a.channel] for a in real.actions], dtype=np.int16)


def days_needed(campaign: Campaign) -> int:
    """The horizon over which a replay must run."""
    rows = campaign.rows
    end = rows.day + np.nan_to_num(rows.days, nan=1.0)
    return int(end.max(initial=1.0) - rows.day.min(initial=0))


def _plan(rows: Rows, start: int, horizon: int) -> _Plan:
    _, first, count = np.unique(rows.customer, return_index=True, return_counts=True)
    who = np.repeat(np.arange(len(first)), count)
    action = np.zeros((len(first), horizon), dtype=np.int16)
    action[who, rows.day - start] = rows.action
    return _Plan(action, first, count, rows.segment[first])


def _parts_taken(panel: Panel, plan: _Plan, seed: int) -> Int:
    """(M,) the real customer whose part each simulated one takes: of its own segment, by luck of its own."""
    u = rng.uniform(panel.traits.key, seed, 0, Purpose.RESAMPLE)
    order = np.argsort(plan.segment, kind="stable")
    counts = np.bincount(plan.segment, minlength=len(panel.world.segments))
    offset = np.cumsum(counts) - counts
    segment = panel.traits.segment
    taken: Int = order[offset[segment] + (u * counts[segment]).astype(np.int64)]
    return taken


class _Record(NamedTuple):
    """What happened to M simulated customers by day: (M, T) each; money and orders as sums up to each day, (M, T+1)."""

    delivered: npt.NDArray[np.bool_]
    opened: npt.NDArray[np.bool_]
    clicked: npt.NDArray[np.bool_]
    unsubscribed: npt.NDArray[np.bool_]
    used: npt.NDArray[np.int8]  # the offer that the day's order redeemed, or -1
    visits: Float
    orders: Float
    spend: Float


def _play(panel: Panel, action: npt.NDArray[np.int16]) -> _Record:
    days: list[Outcome] = []
    visits, used = [], []
    while not panel.done:
        day, alive, held = panel.day, panel.state.alive.copy(), panel.state.live_offer.copy()
        outcome = panel.step(action[:, day])
        held = np.where(outcome.opened, panel.world.catalog.offer_of[action[:, day]], held)
        used.append(np.where(outcome.redeemed, held, -1).astype(np.int8))
        visits.append(visited(panel.world, panel.traits, alive, outcome, day, panel.seed))
        days.append(outcome)

    def by_day(name: str) -> npt.NDArray[Any]:
        return np.stack([getattr(day, name) for day in days], axis=1)

    return _Record(
        delivered=by_day("delivered"),
        opened=by_day("opened"),
        clicked=by_day("clicked"),
        unsubscribed=by_day("unsubscribed"),
        used=np.stack(used, axis=1),
        visits=_so_far(np.stack(visits, axis=1)),
        orders=_so_far(by_day("bought")),
        spend=_so_far(by_day("revenue")),
    )


def _so_far(values: npt.NDArray[Any]) -> Float:
    total = np.zeros((len(values), values.shape[1] + 1), dtype=np.float32)
    np.cumsum(values, axis=1, out=total[:, 1:], dtype=np.float32)
    return total


def _rows_of(plan: _Plan, real: Int) -> Int:
    """Row numbers of the parts taken, one part after another."""
    count = plan.decisions[real]
    ends = np.cumsum(count)
    inside = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - count, count)
    rows: Int = np.repeat(plan.first[real], count) + inside
    return rows


def _gather(rows: Rows, row: Int, who: Int, record: _Record, start: int, offer: Int) -> Rows:
    day, days = rows.day[row] - start, rows.days[row]
    end = day + np.nan_to_num(days, nan=1.0).astype(np.int64)
    sent = rows.action[row] > 0

    def step(name: str) -> Float:
        return np.where(sent, getattr(record, name)[who, day], np.nan)

    def total(name: str) -> Float:
        sums = getattr(record, name)
        result: Float = (sums[who, end] - sums[who, day]).astype(np.float64)
        return result

    buyer, when = np.nonzero(record.used >= 0)
    redeemed = last_send(who, day, sent, offer, buyer, when, record.used[buyer, when].astype(np.int64))
    used = np.where(sent, 0.0, np.nan)
    used[redeemed[redeemed >= 0]] = 1.0
    return Rows(
        customer=who,
        segment=rows.segment[row],
        day=rows.day[row],
        action=rows.action[row],
        propensity=rows.propensity[row],
        days=days,
        delivered=step("delivered"),
        opened=step("opened"),
        clicked=step("clicked"),
        unsubscribed=step("unsubscribed"),
        redeemed=used,
        visited=np.minimum(total("visits"), 1.0),
        orders=total("orders"),
        spend=total("spend"),
    )
