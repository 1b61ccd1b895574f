"""What a policy would send to each customer of a table: the guard first, the policy inside it, one draw.

Deterministic: a customer's draw depends on its id, the day and the seed, never on its place in the table. Not here:
what is allowed (guard/), what budget and capacity leave of it (limits.py), words (reasons.py). n customers, k actions,
c channels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from itertools import compress

import numpy as np
import numpy.typing as npt
import pandas as pd

from campaignrl import rng
from campaignrl.actions import NONE
from campaignrl.arrays import Bool, Float, Objects, UInt64
from campaignrl.errors import SHOWN, DataError, Problem
from campaignrl.features import Context
from campaignrl.guard import Block, Facts, Met, Rules, allowed, answers, blocks, by_lane, rules_of
from campaignrl.policies import Policy, Split, are_sound, sample, unsound_rows
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

    def chances(rows: slice, context: Context, mask: Bool) -> Float:
        mask.flags.writeable = False  # by any policy, for what is recorded is what it was told
        if isinstance(policy, Split):
            p = policy.probabilities_of(keys[rows], context, mask)
        else:
            p = ask(policy, memory, keys[rows], day, context, mask)
        _require_sound(policy.name, p, mask, customers.ids[rows])
        return p

    found = []
    for start in range(0, max(n, 1), ROWS_AT_A_TIME):
        rows = slice(start, start + ROWS_AT_A_TIME)
        some = customers if n <= ROWS_AT_A_TIME else customers.take(rows)
        facts = facts_of(some, held_out[rows], world, morning or Morning(day))
        shut = None if closed is None else closed[rows]
        found.append(_drawn(rules, facts, u[rows], shut, partial(chances, rows)))
        if progress is not None and n:
            progress(min(start + ROWS_AT_A_TIME, n), n)
    return found[0] if len(found) == 1 else _joined(found)


def _require_sound(name: str, p: Float, mask: Bool, ids: Objects) -> None:
    """DataError for a policy that gives no probabilities, or would send what the guard forbids: it sends nothing."""
    if p.shape != mask.shape:
        raise DataError(Problem(f"policy {name}", "probabilities", p.shape, f"of shape {mask.shape}"))
    if not are_sound(p, mask):
        raise DataError(unsound_rows(p, mask, lambda rows: f"policy {name}, {_called(ids[rows])}"))


def _called(ids: Objects) -> str:
    """Customers, of many the first."""
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return f"customer{'s' if len(ids) > 1 else ''} {', '.join(map(str, ids[:SHOWN]))}{more}"


def _drawn(
    rules: Rules, facts: Facts, u: Float, closed: Bool | None, chances: Callable[[Context, Bool], Float]
) -> Drawn:
    """Of one block. u: (n,) of the draws; chances: (n, k) of what the policy would do, of contexts and masks."""
    said = answers(rules, facts)
    mask, blocked = allowed(rules, facts, said), _blocked(rules, facts, said)
    if closed is not None:
        shut = np.flatnonzero(closed)
        mask[shut, 1:] = False
        for i in shut:
            blocked[i] = "; ".join(filter(None, (SENT_TODAY, blocked[i])))
    p = chances(facts.context, mask)
    action = sample(p, u)
    propensity = p[np.arange(len(mask)), action].astype(np.float64, copy=False)
    return Drawn(
        eligible=mask,
        action=action,
        propensity=propensity,
        none=p[:, NONE].astype(np.float64),
        by_channel=by_lane(p, rules.lanes),
        is_best=propensity >= p.max(axis=1),
        blocked=blocked,
    )


def _joined(parts: list[Drawn]) -> Drawn:
    """Blocks one behind the other."""
    return Drawn(**{one.name: np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(Drawn)})


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
