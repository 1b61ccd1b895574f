"""What a policy would send to each customer of a table: the guard first, the policy inside it, one draw.

Deterministic: a customer's draw depends on its id, the day and the seed, never on its place in the table. Not here:
what is allowed (guard/), what budget and capacity leave of it (limits.py), words (reasons.py). n customers, k actions,
c channels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import compress

import numpy as np
import numpy.typing as npt
import pandas as pd

from campaignrl import rng
from campaignrl.actions import NONE
from campaignrl.arrays import Bool, Float, Objects, UInt64
from campaignrl.guard import Block, Facts, Met, Rules, allowed, answers, blocks, by_lane, rules_of
from campaignrl.policies import Policy, Split, sample
from campaignrl.policies.deep import Memory, ask
from campaignrl.rng import Purpose
from campaignrl.send.facts import Morning, facts_of
from campaignrl.specs import World
from campaignrl.tables import CustomerTable

ROWS_AT_A_TIME = 65_536
FEW = 64  # customers of whom no two are likely to be refused the same
SENT_TODAY = "already sent to today"  # by an earlier run


@dataclass(frozen=True)
class Drawn:
    """What was drawn for n customers, before anything that ties them together.

    Attributes:
        eligible: (n, k) what the guard allowed.
        action: (n,) the draw.
        propensity: (n,) chance of it.
        none: (n,) chance of `none`.
        by_channel: (n, l) chance of a send by lane, which is a channel where no offer has a stock.
        is_best: (n,) no action was more probable.
        blocked: (n,) which rules refused something, in words.
    """

    eligible: Bool
    action: npt.NDArray[np.int64]
    propensity: Float
    none: Float
    by_channel: Float
    is_best: Bool
    blocked: Objects

    def take(self, rows: slice) -> Drawn:
        """Those of some of the customers."""
        return Drawn(
            eligible=self.eligible[rows],
            action=self.action[rows],
            propensity=self.propensity[rows],
            none=self.none[rows],
            by_channel=self.by_channel[rows],
            is_best=self.is_best[rows],
            blocked=self.blocked[rows],
        )


def draw(
    policy: Policy,
    memory: Memory | None,
    customers: CustomerTable,
    world: World,
    day: int,
    seed: int,
    closed: Bool | None = None,
    progress: Callable[[int, int], None] | None = None,
    morning: Morning | None = None,
    keys: UInt64 | None = None,
) -> Drawn:
    """Ask the policy about every customer, block by block.

    day: since 1970-01-01; closed: (n,) who gets nothing more today, since an earlier run sends to them; morning: what
    the rules know of the day, None: the day alone; keys: (n,) of the customers, where they are known already.
    """
    rules, n = rules_of(world), len(customers)
    keys = rng.customer_keys(customers.ids) if keys is None else keys
    held_out = rng.uniform(keys, world.guard.holdout_salt, 0, Purpose.HOLDOUT) < world.guard.holdout
    u = rng.uniform(keys, seed, day, Purpose.ACTION)
    lanes = rules.lanes
    found = _empty(n, world, len(lanes.channel))
    for start in range(0, n, ROWS_AT_A_TIME):
        part = slice(start, start + ROWS_AT_A_TIME)
        some = customers if n <= ROWS_AT_A_TIME else customers.take(part)
        facts = facts_of(some, held_out[part], world, morning or Morning(day))
        said = answers(rules, facts)
        mask = allowed(rules, facts, said)
        if closed is not None:
            mask[closed[part], 1:] = False
        found.eligible[part] = mask
        if isinstance(policy, Split):
            p = policy.probabilities_of(keys[part], facts.context, mask)
        else:
            p = ask(policy, memory, keys[part], day, facts.context, mask)
        action = found.action[part] = sample(p, u[part])
        found.propensity[part] = p[np.arange(len(mask)), action]
        found.none[part] = p[:, NONE]
        found.is_best[part] = found.propensity[part] >= p.max(axis=1)
        found.by_channel[part] = by_lane(p, lanes)
        found.blocked[part] = _blocked(rules, facts, said)
        if closed is not None:
            for i in start + np.flatnonzero(closed[part]):
                found.blocked[i] = "; ".join(filter(None, (SENT_TODAY, found.blocked[i])))
        if progress is not None:
            progress(min(start + ROWS_AT_A_TIME, n), n)
    return found


def _empty(n: int, world: World, lanes: int) -> Drawn:
    return Drawn(
        eligible=np.zeros((n, len(world.catalog)), dtype=bool),
        action=np.zeros(n, dtype=np.int64),
        propensity=np.ones(n),
        none=np.ones(n),
        by_channel=np.zeros((n, lanes)),
        is_best=np.ones(n, dtype=bool),
        blocked=np.full(n, "", dtype=object),
    )


def _blocked(rules: Rules, facts: Facts, said: Met) -> Objects:
    """Which rules refuse something to each customer, "; " between them; one text per distinct pattern."""
    found = blocks(rules, facts, said)
    refused = np.array([block.refused for block in found]).T  # (n, rules)
    if len(refused) <= FEW:
        return _refusals(found, refused)
    pattern = np.zeros(len(refused), dtype=np.int64)  # by its number in the order in which patterns come
    for eight in np.packbits(refused, axis=1).T:
        pattern = pd.factorize(pattern * 256 + eight)[0]
    first = np.flatnonzero(~pd.Series(pattern).duplicated().to_numpy())
    return _refusals(found, refused[first])[pattern]


def _refusals(found: list[Block], refused: Bool) -> Objects:
    """(n,) words of each customer's refusals. refused: (n, rules)."""
    reasons = [block.reason for block in found]
    return np.array([*("; ".join(compress(reasons, hits)) for hits in refused.tolist()), None], dtype=object)[:-1]
