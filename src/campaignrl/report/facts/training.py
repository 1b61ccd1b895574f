"""What a learner has learned, as numbers: its curve, how it decides, what it sends to whom and why.

The curve of a learner from logs is made anew: copies of it are taught on growing parts of the log and valued on
customers none of them has met, by the doubly robust estimate. A learner that acted in a world brings its own curve.
Not here: the picture and the page (training.py, training.py). n rows, k actions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl import rng
from campaignrl.actions import NONE, Catalog
from campaignrl.arrays import Float, Int64
from campaignrl.campaign import simulate
from campaignrl.errors import CampaignError
from campaignrl.features import Context
from campaignrl.ope.evaluate import evaluate
from campaignrl.policies import Learner, Policy, policy_class
from campaignrl.policies.deep import Recurrent, states_on
from campaignrl.specs import World, check
from campaignrl.tables.log import DecisionLog

HELD_OUT = 0.3  # of customers, for the curve
PARTS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)  # of the others, that copies are taught on
CURVE_ROWS, LOOKED_AT = 100_000, 20_000  # most rows for the curve, and for everything else
FRESH = 50_000_000  # customers of a world are numbered from here on, so that the learner has not met them
STRONGEST = 3  # features told of an action
LEAST = "mean chance of the unlikeliest action where there is a choice; 0: its logs teach little"


class Point(NamedTuple):
    """One point of the curve, with its 95 % interval (NaN: none)."""

    rows: int
    value: float
    low: float
    high: float


POINT = Point._fields[1:]


class Diagnostic(NamedTuple):
    """One figure and what it says."""

    name: str
    value: float
    meaning: str


class ActionFacts(NamedTuple):
    """One action: how often, how much better than `none` by the learner's own scores, and for whom."""

    name: str
    share: float
    lead: float  # NaN where the policy has no scores
    strongest: tuple[tuple[str, float], ...]  # encoded feature, change of the lead per standard deviation


@dataclass(frozen=True)
class TrainingFacts:
    """Everything the report says."""

    policy: str
    kind: str
    source: str
    curve: tuple[Point, ...]
    curve_over: str
    curve_unit: str
    logged: float  # mean reward of the held-out rows as logged; NaN where the curve is of a world
    diagnostics: tuple[Diagnostic, ...]
    parts: tuple[str, ...]
    catalog: Catalog
    shares: Float  # (parts, k) mean chance of every action
    actions: tuple[ActionFacts, ...]  # by id
    effects: Float  # (k, columns) of every encoded feature on the lead; no columns where there are no scores
    columns: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; None for what cannot be had."""
        shares = {
            part: {a.name: round(float(share), 6) for a, share in zip(self.actions, row, strict=True)}
            for part, row in zip(self.parts, self.shares, strict=True)
        }
        return {
            "policy": self.policy,
            "kind": self.kind,
            "source": self.source,
            "curve": [{"rows": p.rows, **dict(zip(POINT, map(_json, p[1:]), strict=True))} for p in self.curve],
            "curve_over": self.curve_over,
            "curve_unit": self.curve_unit,
            "logged": _json(self.logged),
            "diagnostics": {d.name: _json(d.value) for d in self.diagnostics},
            "share_by_part": shares,
            "actions": [
                {"name": a.name, "share": a.share, "lead": _json(a.lead), "strongest": dict(a.strongest)}
                for a in self.actions
            ],
        }


def training_facts(policy: Policy, source: World | DecisionLog, customers: int = 1_000, seed: int = 0) -> TrainingFacts:
    """What `policy` has learned, looked at on a log, or on fresh customers of a world who are sent things at random."""
    if isinstance(source, World):
        name = f"world {source.name}, {customers:,} fresh customers"
        log = simulate(source, "uniform", customers=FRESH + np.arange(customers), seed=seed)
    else:
        log, name = source, f"log of {source.policy_id}, {len(source):,} decisions"
    rows = _some(len(log), LOOKED_AT, seed)
    context, allowed = log.context.take(rows), log.allowed(rows)
    p, scores = _answers(policy, log, rows)
    part, parts = _parts(context)
    shares = np.stack(
        [p[part == j].mean(axis=0) if (part == j).any() else p[:0].sum(axis=0) for j in range(len(parts))]
    )
    lead, effects, columns = _leads(policy, context, scores)
    curve, over, unit, logged, explained = _curve(policy, log, seed)
    actions = tuple(
        ActionFacts(a, float(p[:, i].mean()), float(lead[i]), _strongest(effects[i], columns))
        for i, a in enumerate(log.catalog.names)
    )
    return TrainingFacts(
        policy=policy.name,
        kind=policy.kind,
        source=name,
        curve=curve,
        curve_over=over,
        curve_unit=unit,
        logged=logged,
        diagnostics=_diagnostics(p, allowed, explained),
        parts=parts,
        catalog=log.catalog,
        shares=shares,
        actions=actions,
        effects=effects,
        columns=columns,
    )


def _diagnostics(p: Float, allowed: npt.NDArray[np.bool_], explained: float) -> tuple[Diagnostic, ...]:
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.where(p > 0.0, p * np.log(p), 0.0).sum(axis=1)
    least = np.where(allowed, p, np.inf).min(axis=1)[allowed.sum(axis=1) > 1]
    found = [
        Diagnostic("sends", float(1.0 - p[:, NONE].mean()), "share of decisions in which something is sent"),
        Diagnostic(
            "likeliest", float(p.max(axis=1).mean()), "mean chance of the likeliest action; 1: nothing is tried"
        ),
        Diagnostic("choices", float(np.exp(entropy).mean()), "actions in play at a decision (exponent of the entropy)"),
        Diagnostic("allowed", float(allowed.sum(axis=1).mean()), "actions allowed at a decision"),
        Diagnostic("least_chance", float(least.mean()) if len(least) else np.nan, LEAST),
    ]
    if np.isfinite(explained):
        says = "share of the variance of rewards that its scores explain for customers it has not met"
        found.append(Diagnostic("explained", explained, says))
    return tuple(found)


def _parts(context: Context) -> tuple[Int64, tuple[str, ...]]:
    """Which part each row belongs to: its segment, else its first category, else everybody."""
    categories = [f for f in context.schema.features if f.levels]
    if not categories:
        return np.zeros(len(context), dtype=np.int64), ("everybody",)
    chosen = next((f for f in categories if f.name == "segment"), categories[0])
    codes = np.asarray(context.columns[chosen.name])
    names = (*chosen.levels, "(missing)") if (codes < 0).any() else chosen.levels
    return np.where(codes < 0, len(chosen.levels), codes).astype(np.int64), tuple(names)


def _answers(policy: Policy, log: DecisionLog, rows: Int64) -> tuple[Float, Float | None]:
    """(m, k) probabilities at some rows of a log, and scores where the policy has them."""
    context, allowed = log.context.take(rows), log.allowed(rows)
    if isinstance(policy, Recurrent):
        states = states_on(policy, log)[rows]
        return policy.shares(context, states, allowed), policy.outputs(context, states).astype(np.float64)
    score = getattr(policy, "scores", None)
    scores = None if score is None else np.asarray(score(context), dtype=np.float64)
    return policy.probabilities(context, allowed), scores


def _leads(policy: Policy, context: Context, scores: Float | None) -> tuple[Float, Float, tuple[str, ...]]:
    """(k,) mean score over that of `none`; (k, columns) its change per standard deviation of each encoded feature.

    A linear summary of any scores, by least squares with a little ridge; for a linear model it is the model itself.
    """
    k = len(policy.catalog)
    if scores is None or not len(context):
        return np.full(k, np.nan), np.zeros((k, 0)), ()
    schema = getattr(policy, "schema", context.schema)
    lead = scores - scores[:, [NONE]]
    X = context.encode(schema).astype(np.float64)
    varies = X.std(axis=0) > 1e-9
    Z = (X[:, varies] - X[:, varies].mean(axis=0)) / X[:, varies].std(axis=0)
    gram = Z.T @ Z + 1e-3 * len(Z) * np.eye(Z.shape[1])
    effects = np.linalg.solve(gram, Z.T @ (lead - lead.mean(axis=0))).T if Z.shape[1] else np.zeros((k, 0))
    return lead.mean(axis=0), effects, tuple(n for n, ok in zip(schema.encoded, varies, strict=True) if ok)


def _strongest(effects: Float, columns: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    order = np.argsort(-np.abs(effects), kind="stable")[:STRONGEST]
    return tuple((columns[j], float(effects[j])) for j in order if effects[j] != 0.0)


def _curve(policy: Policy, log: DecisionLog, seed: int) -> tuple[tuple[Point, ...], str, str, float, float]:
    """Points, what they are over, their unit, the logged value, and the variance explained."""
    own = getattr(policy, "curve", None)
    if own:
        # Every point of the curve met other customers; over their twins most of their luck is left out.
        twins = any(m.lift for m in own)
        met = tuple(Point(int(m.steps), float(m.lift if twins else m.value), np.nan, np.nan) for m in own)
        unit = "contribution per customer met" + (", over twins who are sent nothing" if twins else "")
        return met, "customer-days learned from", unit, np.nan, np.nan
    unit = f"value of a decision, {log.meta.get('reward', 'reward')}"
    over = "decisions a copy was taught on"
    if not isinstance(policy, Learner):
        return (), over, unit, np.nan, np.nan
    u = rng.uniform(rng.customer_keys(log.customers), seed, 0, rng.Purpose.FOLD, 1)[log.customer]
    u = np.where(u < _cut(len(log)), u / _cut(len(log)), 2.0)  # a part of the customers, where there are many
    held = log.take(np.flatnonzero((u < HELD_OUT) & log.matured))
    points: list[Point] = []
    copy = None
    for part in PARTS:
        rows = np.flatnonzero((u >= HELD_OUT) & (u < HELD_OUT + part * (1.0 - HELD_OUT)) & log.matured)
        if not len(rows) or not len(held):
            continue
        try:
            copy = _taught(policy, log.take(rows))
            estimate = evaluate(held, copy, estimators=("dr",)).estimates["dr"]
        except CampaignError:  # too few rows for this learner, or no overlap: no point
            continue
        points.append(Point(len(rows), estimate.value, estimate.ci_low, estimate.ci_high))
    logged = float(held.reward.mean()) if len(held) else np.nan
    return tuple(points), over, unit, logged, _explained(copy, held)


def _cut(rows: int) -> float:
    return min(1.0, CURVE_ROWS / max(rows, 1))


def _taught(policy: Learner, log: DecisionLog) -> Policy:
    found = policy_class(policy.kind)
    config = check(found.Config, policy.settings(), f"policy {policy.name}")
    copy = found(policy.catalog, policy.schema, config, policy.name)
    assert isinstance(copy, Learner)
    copy.update(log)
    return copy


def _explained(policy: Policy | None, log: DecisionLog) -> float:
    """Squared correlation of scores and rewards of the logged actions, with its sign; NaN without scores."""
    score = getattr(policy, "scores", None)
    if score is None or len(log) < 3 or log.reward.std() == 0.0:
        return np.nan
    predicted = np.asarray(score(log.context), dtype=np.float64)[np.arange(len(log)), log.action]
    if predicted.std() == 0.0:
        return 0.0
    correlation = float(np.corrcoef(predicted, log.reward)[0, 1])
    return correlation * abs(correlation)


def _some(n: int, most: int, seed: int) -> Int64:
    if n <= most:
        return np.arange(n)
    return np.sort(rng.generator(seed, rng.Purpose.RESAMPLE).choice(n, most, replace=False))


def _json(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
