"""Why one customer gets what it gets: what speaks for it, what came second, what was refused.

Contributions are Shapley values of the policy's own score over `none` (of its probability where it has no score),
sampled over orders of the features with other customers of the table as background (Strumbelj & Kononenko 2014,
KAIS 41): exact for a score that is a sum over features. Not here: the decisions (decide.py), the rules (guard/).
k actions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from campaignrl import rng
from campaignrl.actions import NONE
from campaignrl.arrays import Float, Int, Objects
from campaignrl.display import one_line
from campaignrl.errors import Problem, UsageError, nearest
from campaignrl.features import Context
from campaignrl.guard import reasons, rules_of
from campaignrl.policies import Policy
from campaignrl.rng import Purpose
from campaignrl.send.decisions import Decisions
from campaignrl.send.draw import SENT_TODAY
from campaignrl.send.facts import facts_of
from campaignrl.specs import World

BACKGROUND, ORDERS = 24, 8  # other customers, and orders of the features for each
STEPS = 21  # values of a number that are tried
SHOWN = 5

Score = Callable[[Context], Float]  # (m,) contexts -> (m, k)


@dataclass(frozen=True)
class Explanation:
    """One customer's decision.

    Attributes:
        customer, action, reason: who, what, and the list's own words.
        probability: with which that action was taken.
        allowed: how many actions were.
        because: (feature, its value, contribution to the lead over `none`), the strongest first.
        unit: of contributions and leads.
        second: the best other action that was allowed; "" where there is none.
        behind: by how much; below 0 where it is ahead, of a trial or of a plan that has better use for what it takes.
        would_change: what would have made the second win, one feature at a time.
        refused: (rule, the actions it refused), the strongest rule first.
    """

    customer: str
    action: str
    reason: str
    probability: float
    allowed: int
    because: tuple[tuple[str, str, float], ...]
    unit: str
    second: str
    behind: float
    would_change: tuple[str, ...]
    refused: tuple[tuple[str, tuple[str, ...]], ...]

    def __repr__(self) -> str:
        return one_line(f"{self.customer}: {self.action}, {self.reason}")

    def lines(self) -> list[str]:
        """The explanation in words, a line each."""
        told = [f"{self.customer} gets {'nothing' if self.action == 'none' else self.action}: {self.reason}"]
        if self.because:
            parts = [f"{name} = {value} ({effect:+.3g})" for name, value, effect in self.because]
            told.append(f"because   {' · '.join(parts)}   [{self.unit}]")
        if self.second:
            ends = f"; it would win if {' or '.join(self.would_change)}" if self.would_change else ""
            side = "behind" if self.behind >= 0.0 else "ahead"  # of what was explored, or of a plan for the whole
            told.append(f"next      {self.second}, {abs(self.behind):.3g} {side}{ends}")
        if self.refused:
            parts = [f"{', '.join(names)}: {rule}" for rule, names in self.refused]
            told.append(f"refused   {' · '.join(parts)}")
        return told


def explained(found: Decisions, policy: Policy, world: World, customer: str, *, seed: int = 0) -> Explanation:
    """Why `customer` gets what `found` says.

    Args:
        found: the decisions of the day.
        policy: that made them; not one that remembers customers.
        world: whose rules held.
        customer: id, as it stands in the table.
        seed: of the sampled orders.

    Raises:
        UsageError: there is no such customer.
    """
    where = np.flatnonzero(found.ids == customer)
    if not len(where):
        fix = nearest(customer, [str(one) for one in found.ids[:5_000]])
        raise UsageError(Problem("decide", "explain", customer, "a customer of the table", fix))
    row = where[:1]
    action, mask = int(found.action[row[0]]), found.eligible[row[0]]
    context, names = found.context.take(row), found.catalog.names
    score, unit = _score_of(policy, found, row)
    values = score(context)[0]
    ranked = [int(a) for a in np.argsort(-values, kind="stable") if mask[a] and a != action]
    second = ranked[0] if ranked and mask.sum() > 1 else None
    behind = 0.0 if second is None else float(values[action] - values[second])
    changes = () if behind <= 0.0 or second is None else _would_change(score, context, found.context, mask, second)
    against = action if action != NONE else second
    because = () if against is None else _because(score, context, found.context, against, seed)
    return Explanation(
        customer=str(customer),
        action=names[action],
        reason=str(found.reason[row[0]]),
        probability=float(found.propensity[row[0]]),
        allowed=int(mask.sum()),
        because=because,
        unit=unit if against is None or against == action else f"{unit}; of {names[against]}, which came second",
        second="" if second is None else names[second],
        behind=behind,
        would_change=changes,
        refused=_refused(found, world, row),
    )


def _score_of(policy: Policy, found: Decisions, row: Int) -> tuple[Score, str]:
    """The policy's score of every action and what it is; its probabilities where it has none."""
    score = getattr(policy, "scores", None)
    if score is not None:
        return lambda context: np.asarray(score(context), dtype=np.float64), "score over none"

    def chance(context: Context) -> Float:
        mask = np.repeat(found.eligible[row], len(next(iter(context.columns.values()))), axis=0)
        return policy.probabilities(context, mask)

    return chance, "probability over that of none"


def _because(
    score: Score, context: Context, others: Context, action: int, seed: int
) -> tuple[tuple[str, str, float], ...]:
    """Shapley values of the lead of `action` over none, the strongest first."""
    names = list(context.columns)
    many, features = len(next(iter(others.columns.values()))), len(names)
    back = np.linspace(0, many - 1, min(BACKGROUND, many)).astype(np.int64)
    pairs = np.repeat(back, ORDERS)
    keys = rng.customer_keys(np.arange(len(pairs) * features))
    order = rng.uniform(keys, seed, 0, Purpose.RESAMPLE).reshape(len(pairs), features).argsort(axis=1)
    place = order.argsort(axis=1)  # of each feature in its order
    taken = place[:, None, :] < np.arange(features + 1)[None, :, None]  # (pairs, steps, features): from the customer
    columns = {}
    for j, name in enumerate(names):
        own, other = context.columns[name][0], others.columns[name][pairs]
        columns[name] = np.where(taken[:, :, j], own, other[:, None]).reshape(-1)
    values = score(Context(context.schema, columns))
    lead = (values[:, action] - values[:, NONE]).reshape(len(pairs), features + 1)
    gained = np.diff(lead, axis=1)  # of the feature that comes in at each step
    effect = np.take_along_axis(gained, place, axis=1).mean(axis=0)
    strongest = [int(j) for j in np.argsort(-np.abs(effect), kind="stable")[:SHOWN] if effect[j] != 0.0]
    return tuple((names[j], _said(context, names[j], 0), float(effect[j])) for j in strongest)


def _would_change(score: Score, context: Context, others: Context, mask: Objects, second: int) -> tuple[str, ...]:
    """What would have made the second win, one feature at a time; of numbers the nearest value."""
    found = []
    for feature in context.schema.features:
        own = context.columns[feature.name][0]
        if feature.levels:
            tried = np.array([code for code in range(len(feature.levels)) if code != own])
        else:
            known = np.asarray(others.columns[feature.name], dtype=np.float64)
            known = known[np.isfinite(known)]
            tried = np.unique(np.quantile(known, np.linspace(0, 1, STEPS))) if len(known) else np.empty(0)
            tried = tried[np.argsort(np.abs(tried - own), kind="stable")] if np.isfinite(own) else tried
        if not len(tried):
            continue
        columns = {name: np.repeat(values[:1], len(tried)) for name, values in context.columns.items()}
        columns[feature.name] = tried.astype(columns[feature.name].dtype)
        best = np.where(mask, score(Context(context.schema, columns)), -np.inf).argmax(axis=1)
        wins = np.flatnonzero(best == second)
        if len(wins):
            value = columns[feature.name][wins[0]]
            said = feature.levels[int(value)] if feature.levels else f"{value:.4g}"
            found.append(f"{feature.name} were {said}")
    return tuple(found[:SHOWN])


def _refused(found: Decisions, world: World, row: Int) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Each rule that refused something, with what it refused."""
    if str(found.blocked[row[0]]).startswith(SENT_TODAY):
        return ((SENT_TODAY, ("everything",)),)
    one = found.customers.take(row)
    held = rng.uniform(rng.customer_keys(one.ids), world.guard.holdout_salt, 0, Purpose.HOLDOUT) < world.guard.holdout
    texts = reasons(rules_of(world), facts_of(one, held, world, found.morning))[0]
    rules = dict.fromkeys(text for text in texts if text)
    return tuple((rule, _together(rule, texts, world)) for rule in rules)


def _together(rule: str, texts: Objects, world: World) -> tuple[str, ...]:
    """The actions of a rule; all of a channel or of an offer as one name."""
    hit = np.flatnonzero(texts == rule)
    catalog, names = world.catalog, world.catalog.names
    if len(hit) == len(names) - 1:
        return ("everything",)
    channels, offers = [c.name for c in catalog.channels], [o.name for o in catalog.offers]
    for which, of in ((channels, catalog.channel_of), (offers, catalog.offer_of)):
        for i, name in enumerate(which):
            if (of == i).sum() > 1 and np.array_equal(np.flatnonzero(of == i), hit):
                return (f"every {name}",)
    return tuple(names[a] for a in hit)


def _said(context: Context, name: str, row: int) -> str:
    feature = next(f for f in context.schema.features if f.name == name)
    if feature.levels:
        return str(context.labels(name)[row]) or "unknown"
    return f"{float(context.columns[name][row]):.4g}"
