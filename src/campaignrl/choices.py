"""What a policy decides today for the customers of a panel: who is asked, and what is kept of the answers.

Most customers have no choice on most days: caps, permissions or the holdout close every channel, and `none` is certain.
They are not asked, and where nothing but the actions is wanted they are not even looked at. Draws are keyed by customer
and day and a policy answers each row by itself, so the others' actions and chances are the same to the last bit. A
policy that remembers customers sees all of them. Not here: the daily loop (campaign.py), the log (recorder.py).
n customers, k actions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from campaignrl import rng
from campaignrl.actions import NONE
from campaignrl.arrays import Bool, Float, Int, Rows
from campaignrl.envs import Panel
from campaignrl.errors import DataError, Problem
from campaignrl.features import Context
from campaignrl.guard import Spending, by_lane, lanes_of, stock_of
from campaignrl.policies import Policy, certain_action, drawn_action, sample
from campaignrl.policies.deep import Memory, ask, is_recurrent
from campaignrl.rng import Purpose

FEW = 0.15  # of a block's customers: so few are looked at one by one
MOST = 0.9  # of them have a choice: then all are asked, since picking them out would cost more


@dataclass(frozen=True)
class Choice:
    """What was decided for n customers on one day."""

    context: Context
    allowed: npt.NDArray[np.bool_]  # (n, k)
    action: Int  # (n,)
    propensity: Float  # (n,)
    none: Float  # (n,) chance of `none`
    by_channel: Float | None  # (n, l) chance of a send by lane (guard/budget.py); None: nothing is limited


def decide_day(panel: Panel, policy: Policy, memory: Memory | None = None) -> Choice:
    """Today's decision of `policy` for every customer of the panel, block by block.

    memory: what a recurrent policy remembers of them; the same one every day (`memory_for`).
    """
    if memory is not None:
        memory.meet(panel.traits.key)
    limited = Spending(panel.world, len(panel)).is_limited
    parts = panel.over_blocks(lambda part: _decide(panel, policy, part, memory, limited))
    if len(parts) == 1:
        return parts[0]
    names = parts[0].context.columns
    columns = {name: np.concatenate([p.context.columns[name] for p in parts]) for name in names}
    shares = [p.by_channel for p in parts if p.by_channel is not None]
    return Choice(
        Context(parts[0].context.schema, columns),
        np.concatenate([p.allowed for p in parts]),
        np.concatenate([p.action for p in parts]),
        np.concatenate([p.propensity for p in parts]),
        np.concatenate([p.none for p in parts]),
        np.concatenate(shares) if shares else None,
    )


def actions_of_day(panel: Panel, policy: Policy, memory: Memory | None = None) -> Int:
    """(n,) the actions that `decide_day` finds, and nothing else."""
    if is_recurrent(policy):
        return decide_day(panel, policy, memory).action.copy()
    action = np.full(len(panel), NONE, dtype=np.int64)

    def fill(part: slice) -> None:
        rows = panel.reachable(part)
        if len(rows):
            where = part if len(rows) > MOST * (part.stop - part.start) else rows
            action[where] = _taken(panel, policy, where, *_seen(panel, part, where))

    panel.over_blocks(fill)
    return action


def _seen(panel: Panel, part: slice, where: slice | Rows) -> tuple[Context, Bool]:
    """Context and mask of these customers of a block; looking at all in passing is faster than at many one by one."""
    if isinstance(where, slice) or len(where) < FEW * (part.stop - part.start):
        context = panel.observe(where)
        return context, panel.allowed(context, where)
    context = panel.observe(part)
    rows = where - part.start
    return context.take(rows), panel.allowed(context, part, rows)


def _taken(panel: Panel, policy: Policy, where: slice | Rows, context: Context, allowed: Bool) -> Int:
    """(m,) what the policy does; one that is certain of every row need not be drawn from."""
    allowed.flags.writeable = False  # by any policy, which is held against it
    action = certain_action(policy, context, allowed)
    if action is None:
        action = drawn_action(policy, context, allowed, _luck(panel, where))
    _require_eligible(panel, policy, action, allowed[np.arange(len(action)), action])
    return action


def _require_eligible(panel: Panel, policy: Policy, action: Int, kept: Bool) -> None:
    """DataError for a policy that does not heed the mask. action: (m,); kept: (m,) whether the mask allows it."""
    if not kept.all():
        name = panel.world.catalog.names[int(action[np.argmin(kept)])]
        fix = "Where the mask of a row bars an action, give it probability 0."
        raise DataError(Problem(f"policy {policy.name}", f"action on day {panel.day}", name, "eligible", fix))


def decide_rows(panel: Panel, policy: Policy, rows: Int, memory: Memory | None = None) -> Int:
    """(m,) today's actions of `policy` for some customers of the panel only; a recurrent one looks at all of them."""
    if memory is not None:
        return np.asarray(decide_day(panel, policy, memory).action[rows])
    context = panel.observe(rows)
    allowed = panel.allowed(context, rows)
    allowed.flags.writeable = False
    action = _drawn(panel, rows, ask(policy, None, panel.traits.key[rows], panel.day, context, allowed))
    _require_eligible(panel, policy, action, allowed[np.arange(len(action)), action])
    return action


def _decide(panel: Panel, policy: Policy, part: slice, memory: Memory | None, limited: bool) -> Choice:
    context = panel.observe(part)
    allowed = panel.allowed(context, part)
    for seen in (*context.columns.values(), allowed):  # by any policy, and the log says that it was seen
        seen.flags.writeable = False
    n, everybody = len(allowed), is_recurrent(policy)
    rows = np.arange(n) if everybody else panel.reachable(part) - part.start
    among, mask = (context, allowed) if len(rows) == n else (context.take(rows), allowed[rows])
    keys = panel.traits.key[part][rows]
    p = ask(policy, memory, keys, panel.day, among, mask) if len(rows) else np.zeros((0, allowed.shape[1]))
    action, propensity, none = np.full(n, NONE, dtype=np.int64), np.ones(n), np.ones(n)
    if len(rows):
        action[rows] = taken = _drawn(panel, rows + part.start, p)
        _require_eligible(panel, policy, taken, allowed[rows, taken])
        propensity[rows], none[rows] = p[np.arange(len(rows)), taken], p[:, NONE]
    return Choice(context, allowed, action, propensity, none, _by_channel(panel, p, rows, n) if limited else None)


def _by_channel(panel: Panel, p: Float, rows: Rows, n: int) -> Float:
    """(n, l) chance of a send by lane, of those who were asked; the others have none."""
    lanes = lanes_of(panel.world.catalog, stock_of(panel.world))
    shares = np.zeros((n, len(lanes.channel)))
    shares[rows] = by_lane(p, lanes)
    return shares


def _drawn(panel: Panel, rows: slice | Int, probabilities: Float) -> npt.NDArray[np.int64]:
    """(m,) actions of these customers by today's luck."""
    return sample(probabilities, _luck(panel, rows))


def _luck(panel: Panel, rows: slice | Int) -> Float:
    return rng.uniform(panel.traits.key[rows], panel.seed, panel.day, Purpose.ACTION)
