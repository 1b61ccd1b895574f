"""When an offer with a condition can be open to a customer at all, whatever is sent: by orders since day 0.

With no order since day 0 everything that conditions read of the order history is known for every day; after one order
it depends on the day of that order, after more on all of theirs: an offer then counts as open if any such history
opens it. Tags are drawn by luck that no send changes and are taken as they will be, which a bound may know. A condition
on anything else (baskets, contacts) counts as met. Too much is open, never too little.
Axes: Y orders since day 0 (none, one, more), T days, o offers with conditions or without, m customers.
"""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Bool
from campaignrl.dynamics import State, Traits, observed_tags
from campaignrl.envs.panel import Panel
from campaignrl.features import Context
from campaignrl.lifecycle import LATE, LOYAL_ORDERS, NEW_DAYS, PRIOR_GAP, stage
from campaignrl.specs import STAGES, World

Columns = dict[str, npt.NDArray[Any]]
Rows = slice | npt.NDArray[np.integer[Any]]

HISTORY = frozenset({"stage", "orders", "recency_days"})  # what orders change
CLASSES = 3  # of orders since day 0


def reads(text: str) -> set[str]:
    """The features that a condition reads."""
    return {node.id for node in ast.walk(ast.parse(text, mode="eval")) if isinstance(node, ast.Name)}


def classes(world: World) -> int:
    """How many classes of orders matter: one where no condition reads the order history."""
    return CLASSES if any(reads(c.text) & HISTORY for c in world.conditions.values()) else 1


def open_offers(panel: Panel, rows: Rows = slice(None)) -> Bool:
    """(Y, T, o, m) False where an offer cannot be open on that day to that customer; the panel stands at day 0."""
    world, known = panel.world, _known(panel, rows)
    state = State._make(field[..., rows] for field in panel.state)
    m, days, offers = len(state.alive), world.horizon, list(world.offers)
    found = np.ones((classes(world), days, len(offers), m), dtype=bool)
    for name, condition in world.conditions.items():
        used, o = reads(condition.text), offers.index(name)
        if not used <= HISTORY | set(known):
            continue

        def holds(columns: Columns, condition: Any = condition) -> Bool:
            full = {key: np.broadcast_to(v, (days, m)).ravel() for key, v in {**known, **columns}.items()}
            met: Bool = condition.holds(Context(world.features, full)).reshape(days, m)
            return met

        found[0, :, o] = holds(_no_order(state, known["tenure_days"]))
        if len(found) > 1 and used & HISTORY:
            found[1, :, o] = _after_one(state, days, holds)
            found[2, :, o] = True if "recency_days" in used else _after_more(state, days, holds, "orders" in used)
        elif len(found) > 1:
            found[1:, :, o] = found[0, :, o]
    return found


def _known(panel: Panel, rows: Rows) -> Columns:
    """(T, m) or (T, 1): what is known of every day, whatever is sent."""
    world, day = panel.world, np.arange(panel.world.horizon)
    traits = Traits._make(field[..., rows] for field in panel.traits)
    period = day // world.tags.refresh_days if world.tags.refresh_days else np.zeros_like(day)
    tags = [observed_tags(world, traits, int(k), panel.seed) for k in np.unique(period)]
    segment, price = (np.stack(tag)[period - period[0]] for tag in zip(*tags, strict=True))
    return {
        "segment": segment,
        "price_tag": price,
        "tenure_days": traits.joined + day[:, None].astype(np.float32),
        "days_to_go": (world.horizon - day[:, None]).astype(np.float32),
        **{name: codes[None, :] for name, codes in zip(world.attributes, traits.attributes, strict=True)},
    }


def _history(orders: npt.NDArray[Any], recency: npt.NDArray[Any], first_age: npt.NDArray[Any]) -> Columns:
    orders, recency, first_age = np.broadcast_arrays(orders, recency, first_age)
    code = stage(orders.ravel(), recency.ravel(), first_age.ravel()).reshape(orders.shape)
    return {"orders": orders.astype(np.float32), "recency_days": recency, "stage": code}


def _no_order(state: State, tenure: npt.NDArray[Any]) -> Columns:
    day = np.arange(len(tenure), dtype=np.float32)[:, None]
    recency = np.where(np.isnan(state.last_order), tenure, day - state.last_order)
    return _history(state.orders, recency, day - state.first_order)


def _after_one(state: State, days: int, holds: Any) -> Bool:
    """One order, on any day before today."""
    day = np.arange(days, dtype=np.float32)[:, None]
    found = np.zeros((days, len(state.alive)), dtype=bool)
    for s in range(days - 1):
        first = np.where(np.isnan(state.first_order), np.float32(s), state.first_order)
        met = holds(_history(state.orders + 1, day - np.float32(s), day - first))
        found[s + 1 :] |= met[s + 1 :]
    return found


def _after_more(state: State, days: int, holds: Any, counts: bool) -> Bool:
    """Two orders or more, on any days before today: every stage that some such history reaches, any count of orders.

    counts: whether the condition reads the count.
    """
    day, s = np.arange(days, dtype=np.float64)[:, None, None], np.arange(days, dtype=np.float64)[None, :, None]
    first, before = np.nan_to_num(state.first_order.astype(np.float64), nan=0.0), state.orders.astype(np.float64)
    late = np.where((s >= 1) & (s < day), (day - s) * (before + s + 1.0) / (s - first + PRIOR_GAP), 0.0).max(axis=1)
    young = np.isnan(state.first_order) | (day[:, 0] - state.first_order < NEW_DAYS)
    most = before + day[:, 0]
    slack = 1.0 - 1e-4  # single precision elsewhere
    reachable = {
        "new": young,
        "active": np.ones_like(young),
        "loyal": most >= LOYAL_ORDERS,
        **{name: late >= limit * slack for name, limit in zip(("at_risk", "dormant", "churned"), LATE, strict=True)},
    }
    found = np.zeros_like(young)
    for more in range(2, max(days, 3) if counts else 3):
        counted = {"orders": (before + more).astype(np.float32), "recency_days": np.float32(0.0)}
        for name, possible in reachable.items():
            met = holds({**counted, "stage": np.array(STAGES.index(name))})
            found |= met & possible & (more <= day[:, 0])
    return found
