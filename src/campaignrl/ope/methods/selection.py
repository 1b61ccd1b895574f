"""Which estimator suits a log and a policy: the log is split into a stand-in for the policy and one for the logger.

Policy-adaptive selection by subsampling (Udagawa, Kiyohara, Narita, Saito & Tateno 2023, AAAI, "Policy-adaptive
estimator selection for off-policy evaluation"): a row goes to the first part with a chance that rises with its weight,
so that the weights between the parts are those between policy and logger up to a constant. What the first part earned
is known, and what an estimator makes of it from the second is how wrong it is. Here the chance has a closed form, for
the joint ratio of contexts and actions, where the paper trains a network for that of actions. Not here: the candidates
(registry.py), how much of a weight to hold back (shrinkage.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Bool, Float, Int
from campaignrl.ope.methods.registry import ESTIMATORS, USUAL
from campaignrl.ope.methods.weighted_rows import Evidence
from campaignrl.rng import Purpose, generator

AUTO = "auto"
SPLITS = 50
SHARE = 0.2  # of the rows of weight 1 that stand in for the policy


class _Part(NamedTuple):
    """Rows of the stand-in for the logger, as `DecisionRows`; what the model expects is that of the other part."""

    weight: Float
    reward: Float
    predicted: Float
    expected: Float
    batch: Int | None


def split_errors(
    rows: Mapping[str, Evidence], settings: Mapping[str, float | None], chance: np.random.Generator
) -> dict[str, float]:
    """Root mean squared error of each candidate over SPLITS splits, in the unit of the reward; inf where it has none.

    rows: by candidate, as each reads them (all of the same log); settings: of what holds their weights back.
    """
    square = dict.fromkeys(rows, 0.0)
    if not rows:
        return {}
    weight = next(iter(rows.values())).weight
    wanted = SHARE * weight / (SHARE * weight + 1.0 - SHARE)
    for _ in range(SPLITS):
        ours = chance.random(len(weight)) < wanted
        for name, each in rows.items():
            square[name] += _error(name, each, settings.get(name), ours) ** 2
    return {name: math.sqrt(total / SPLITS) if math.isfinite(total) else math.inf for name, total in square.items()}


def best(errors: Mapping[str, float]) -> str:
    """The candidate of the least error, of equal ones the first."""
    return min(errors, key=lambda name: errors[name])


def asked(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The estimators to make, and those of them that `auto` chooses from; none where nobody asked for it."""
    if AUTO not in names:
        return tuple(names), ()
    return tuple(dict.fromkeys([name for name in names if name != AUTO] + list(USUAL))), USUAL


class Selection(NamedTuple):
    """What `auto` took, and the errors it looked at, by candidate."""

    name: str
    errors: Mapping[str, float]

    def __str__(self) -> str:
        near = sorted(self.errors, key=lambda name: self.errors[name])[:3]
        told = ", ".join(f"{name} {self.errors[name]:.3g}" for name in near)
        return f"auto took {self.name} (off in {SPLITS} splits of this log: {told})"


def selected(
    asked_for: Sequence[str],
    candidates: Sequence[str],
    views: Mapping[str, Evidence],
    settings: Mapping[str, float | None],
    seed: int,
) -> tuple[str, dict[str, Evidence]]:
    """What `auto` took, in words, and the views that are to be shown; without candidates nothing, and all of them."""
    if not candidates:
        return "", dict(views)
    errors = split_errors({name: views[name] for name in candidates}, settings, generator(seed, Purpose.RESAMPLE))
    took = Selection(best(errors), errors)
    return str(took), {name: view for name, view in views.items() if name in asked_for or name == took.name}


def _error(name: str, rows: Evidence, setting: float | None, ours: Bool) -> float:
    """What the candidate makes of the stand-in policy from the other rows, less what it earned."""
    theirs = ~ours
    if not ours.any() or not rows.weight[theirs].any():
        return float("nan")
    scale = SHARE / (1.0 - SHARE) * theirs.sum() / ours.sum()
    expected = np.full(int(theirs.sum()), rows.predicted[ours].mean())
    batch = None if rows.batch is None else rows.batch[theirs]
    part = _Part(scale * rows.weight[theirs], rows.reward[theirs], rows.predicted[theirs], expected, batch)
    return ESTIMATORS[name].terms(part, setting).point().value - float(rows.reward[ours].mean())
