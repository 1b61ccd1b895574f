"""Are the propensities that were written down those that held? Recomputed with the policy; else by a bet on their mean.

With the policy each of a sample of the last days' rows must come out to the last digits, as in an audit. Without it,
1 / (actions allowed x propensity) has a mean of 1 at most, whatever the policy, if propensities are right: bounds that
hold at every look tell a mean that is larger. Too large propensities show only against the policy. Not here: an audit
of all rows (send/audit.py).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from campaignrl.ledger import decision_context, eligible_masks
from campaignrl.monitor.reading import FRESH_DAYS, Window
from campaignrl.ope.intervals import anytime_bounds
from campaignrl.policies import Policy, policy_hash
from campaignrl.specs import World

SAMPLE = 2_000  # rows
SAME = 1e-9  # relative, as in an audit


class Recomputed(NamedTuple):
    """rows: looked at; wrong: of them; worst: the largest relative difference."""

    rows: int
    wrong: int
    worst: float


class MeanWeight(NamedTuple):
    """rows; mean of the weights, and its lower bound, which is at most 1 where propensities are right."""

    rows: int
    mean: float
    low: float


def recomputed(window: Window, policy: Policy, world: World) -> Recomputed:
    """A sample of the policy's own rows, every so many."""
    rows = window.decisions[window.decisions["policy_hash"] == policy_hash(policy)]
    rows = rows[rows["day"] >= window.today - FRESH_DAYS]
    rows = rows.iloc[:: max(1, len(rows) // SAMPLE)]
    if not len(rows):
        return Recomputed(0, 0, float("nan"))
    said = rows["propensity_before"].to_numpy(dtype=np.float64)
    masks = eligible_masks(rows["eligible"], len(world.catalog), len(rows))
    action = rows["action"].to_numpy(dtype=np.int64)
    held = policy.probabilities(decision_context(rows.reset_index(drop=True), world), masks)[
        np.arange(len(rows)), action
    ]
    unserved = (action == 0) & (
        rows["propensity"].to_numpy(dtype=np.float64) != said
    )  # an action that was not paid for
    gap = np.abs(held - said)[~unserved] / said[~unserved]
    return Recomputed(len(gap), int((gap > SAME).sum()), float(gap.max()) if len(gap) else 0.0)


def mean_weight(window: Window, alpha: float) -> MeanWeight:
    """The mean of 1 / (allowed x propensity) over the last days, and its lower bound."""
    rows = window.decisions[window.decisions["day"] >= window.today - FRESH_DAYS]
    rows = rows.iloc[:: max(1, len(rows) // (20 * SAMPLE))]
    if not len(rows):
        return MeanWeight(0, float("nan"), float("nan"))
    allowed = rows["eligible"].map(len).to_numpy(dtype=np.float64)
    weight = 1.0 / (np.maximum(allowed, 1.0) * rows["propensity"].to_numpy(dtype=np.float64))
    # Half of it, so that a mean of 1 has room above; 2 alpha, since the upper side is not asked.
    low, _ = anytime_bounds(weight / 2.0, np.ones(len(weight)), 2.0 * alpha, looks=np.array([-1]))
    return MeanWeight(len(rows), float(weight.mean()), 2.0 * float(low[0]))
