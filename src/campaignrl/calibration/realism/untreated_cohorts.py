"""Customers of a world with nothing sent to them, who enter as real ones did: their orders, as an events table.

A simulated customer has the day of the first order and the segment of a real one, and nothing else of it. Not here:
campaigns (simulate.py), what the orders are compared by (scorecard.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from campaignrl.arrays import Int64
from campaignrl.envs import Panel
from campaignrl.errors import Problem, UsageError, nearest
from campaignrl.specs import World

SPARE = 1.15  # customers drawn for one needed: segments fall by chance
AT_ONCE = 1e-6  # days before day 0 in which customers joined: none


def entering(
    world: World,
    first: npt.ArrayLike,
    segments: Sequence[str],
    day_zero: str | pd.Timestamp,
    samples: int = 1,
    seed: int = 0,
) -> list[pd.DataFrame]:
    """Events of `samples` samples of n customers each; the world's day 0 is `day_zero`, its horizon the last day.

    first: (n,) day of the first order, 0 or later; segments: (n,) names of the world's segments. Events: customer_id,
    ts (noon), kind "order", amount; the first order has the amount 0, because nobody knows it.
    """
    entry, codes = np.asarray(first, dtype=np.int64), _codes(world, segments)
    if entry.shape != codes.shape or entry.min(initial=0) < 0 or entry.max(initial=0) >= world.horizon:
        allowed = f"one day from 0 to {world.horizon - 1} a customer"
        raise UsageError(Problem("customers", "first", f"{entry.shape}", allowed))
    panel = _fresh(world, np.tile(codes, samples), seed)
    begins, n = np.tile(entry, samples), len(entry)
    rows, days, amounts = [np.arange(len(begins))], [begins], [np.zeros(len(begins))]
    nothing = np.zeros(len(panel), dtype=np.int64)
    while not panel.done:
        day = panel.day
        outcome = panel.step(nothing)
        panel.state.alive[begins >= day] = True  # nobody is lost before having come
        bought = np.flatnonzero(outcome.bought & (begins < day))
        rows.append(bought)
        days.append(np.full(len(bought), day))
        amounts.append(outcome.revenue[bought].astype(np.float64))
    row, when, amount = (np.concatenate(parts) for parts in (rows, days, amounts))
    return [_events(row[s] % n, when[s], amount[s], day_zero) for s in (row // n == k for k in range(samples))]


def _fresh(world: World, codes: Int64, seed: int) -> Panel:
    """Customers of these segments, alive and without a past."""
    start = world.model_copy(update={"tenure_days": AT_ONCE})
    shares = np.array([s.share for s in world.segments.values()])
    wanted = np.bincount(codes, minlength=len(shares))
    most = float((wanted / np.maximum(shares, 1e-12)).max())
    drawn = Panel(start, int(SPARE * most) + 200, seed=seed)
    picked = np.empty(len(codes), dtype=np.int64)
    for code in np.flatnonzero(wanted):
        of_it = np.flatnonzero(drawn.traits.segment == code)
        picked[codes == code] = of_it[: wanted[code]]
    return drawn.take(picked)


def _codes(world: World, segments: Sequence[str]) -> Int64:
    code = {name: number for number, name in enumerate(world.segments)}
    strangers = sorted({str(name) for name in segments} - code.keys())
    if strangers:
        fix = nearest(strangers[0], code)
        raise UsageError([Problem("customers", "segment", s, f"one of {', '.join(code)}", fix) for s in strangers])
    return np.array([code[str(name)] for name in segments], dtype=np.int64)


def _events(row: Int64, day: Int64, amount: npt.NDArray[np.float64], day_zero: str | pd.Timestamp) -> pd.DataFrame:
    order = np.lexsort((day, row))
    noon = pd.Timestamp(day_zero).normalize() + pd.Timedelta(hours=12)
    ids = np.array([f"s{i}" for i in range(int(row.max(initial=-1)) + 1)], dtype=object)
    return pd.DataFrame(
        {
            "customer_id": ids[row[order]],
            "ts": noon + pd.to_timedelta(day[order], unit="D"),
            "kind": "order",
            "amount": amount[order],
        }
    )
