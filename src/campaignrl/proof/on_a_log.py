"""On rows of a log that the policy has not learned from, with the verdict of its evaluation.

Business as usual is whoever wrote the log. The best fixed action is chosen on other rows than it is compared on. Not
here: the estimates (ope/), what is made of the gains (policies/standing.py).
"""

from __future__ import annotations

import numpy as np

from campaignrl.actions import NONE
from campaignrl.errors import CampaignError
from campaignrl.ope import compare_on_log
from campaignrl.ope.evaluate import evaluate
from campaignrl.policies import ALWAYS, FIXED, NOTHING, USUAL, Gain, Policy, Standing, load_policy
from campaignrl.tables.log import DecisionLog

LOGGED = "logged"  # whoever wrote the log
REFUSED = "refuse"


def prove_on_log(policy: Policy, held: DecisionLog, chosen_on: DecisionLog, alpha: float) -> Standing:
    """How `policy` stands on the rows `held`; the best fixed action is chosen on `chosen_on`.

    alpha: chance that an interval misses.
    """
    on = f"log of {held.policy_id}, {len(held):,} decisions not learned from"
    unit = "a decision"
    try:
        found = evaluate(held, policy, reference=load_policy("none", held), estimators=("dr",), alpha=alpha)
    except CampaignError as wrong:
        said = f"This log cannot hold it against sending nothing: {' '.join(str(wrong).split())}"
        return Standing.of(on, unit, {}, REFUSED, (said,))
    over, why = {}, []
    if (held.action[held.matured] == NONE).any():
        over[NOTHING] = Gain(found.lift, found.lift_ci_low, found.lift_ci_high)
    else:
        why.append("Nobody was sent nothing in this log, so it cannot say what a send brings over sending nothing.")
    others = {USUAL: LOGGED}
    best = best_logged_action(chosen_on)
    if best is not None:
        others[FIXED] = f"{ALWAYS}{held.catalog.names[best]}"
    for name, other in others.items():
        difference = compare_on_log(held, policy, other, alpha=alpha)
        over[name] = Gain(difference.value, difference.ci_low, difference.ci_high)
    if found.verdict == REFUSED:
        reason = f": {found.reasons[0].rstrip('.')}" if found.reasons else ""
        why.append(f"The log cannot answer for it{reason}.")
    return Standing.of(on, unit, over, found.verdict, tuple(why))


def best_logged_action(log: DecisionLog) -> int | None:
    """The send with the highest self-normalised weighted mean reward; None where nothing was sent."""
    rows = np.flatnonzero(log.matured)
    weight, action = 1.0 / log.propensity[rows], log.action[rows]
    k = len(log.catalog)
    count = np.bincount(action, weights=weight, minlength=k)
    total = np.bincount(action, weights=weight * log.reward[rows], minlength=k)
    sent = [a for a in range(k) if a != NONE and count[a] > 0.0]
    return max(sent, key=lambda a: total[a] / count[a], default=None)
