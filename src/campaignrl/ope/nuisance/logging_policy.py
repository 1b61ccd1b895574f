"""What the logging policy would have done instead: its probabilities of every action, not only of the logged one.

A decision log holds the propensity of what was done. Estimators on offers or channels need more, which is given by the
caller; or follows from the log for the designs below; or is estimated, if asked for. It is never guessed: what is
used must give every row its logged propensity. Not here: what it is used for (marginal_weights.py). n rows, k actions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Float
from campaignrl.errors import CampaignError, DataError
from campaignrl.ope.data import LOGGED, PolicyLike, TargetPolicy, target_policy_of
from campaignrl.ope.data.blocks import blocks
from campaignrl.ope.nuisance.propensity_model import EstimatedPropensities
from campaignrl.policies import Policy, allowed_counts, is_trained, load_policy
from campaignrl.specs import bundled_files
from campaignrl.tables.files import row_problems
from campaignrl.tables.log import DecisionLog

ESTIMATE = "estimate"
NOT_KNOWN = (
    "the log holds the propensity of what was done only; give the logging policy (its probabilities of every action) "
    "as `logging`"
)
CLOSE = 1e-3  # relative; float32 and rounded tables stay inside, another policy does not


def logging_policy(
    given: PolicyLike | None, log: DecisionLog, estimated: EstimatedPropensities | None
) -> TargetPolicy | None:
    """The logging policy as a target over the log's rows, or None where it is not known that far.

    given: as any policy, checked against the log's propensities. estimated: used if there is nothing else.
    """
    if given is not None and not (isinstance(given, str) and given in (ESTIMATE, LOGGED)):
        found = target_policy_of(given, log)
        _require_agreement(found, log)
        return found
    if estimated is not None:
        return TargetPolicy("estimated from the log", estimated.probabilities)
    return _uniform(log) or _by_action(log) or _bundled(log)


def _uniform(log: DecisionLog) -> TargetPolicy | None:
    """Every eligible action alike."""
    for rows in blocks(len(log)):
        if not _near(1.0 / allowed_counts(log.allowed(rows)), log.propensity[rows], 1e-9).all():
            return None

    def answer(rows: slice) -> Float:
        allowed = log.allowed(rows)
        return np.asarray(allowed / allowed.sum(axis=1, keepdims=True))

    return TargetPolicy("uniform, as the propensities show", answer)


def _by_action(log: DecisionLog) -> TargetPolicy | None:
    """A test's design: one probability an action, the same in every row, adding up to 1."""
    k = len(log.catalog)
    seen = np.bincount(log.action, minlength=k) > 0
    low, high = np.full(k, np.inf), np.full(k, -np.inf)
    np.minimum.at(low, log.action, log.propensity)
    np.maximum.at(high, log.action, log.propensity)
    chance = np.where(seen, high, 0.0)
    if not _near(low[seen], high[seen], 1e-9).all() or abs(chance.sum() - 1.0) > 1e-6:
        return None
    if log.eligible is not None and not log.eligible[:, seen].all():
        return None
    return TargetPolicy("by action, as the propensities show", lambda rows: np.tile(chance, (len(log.action[rows]), 1)))


def _bundled(log: DecisionLog) -> TargetPolicy | None:
    """The bundled policy that the log names, if it gives every row its propensity. Files are not looked at."""
    if log.policy_id not in bundled_files("policies"):
        return None
    try:
        policy: Policy = load_policy(log.policy_id, log.catalog, log.context.schema)
        found = target_policy_of(policy, log) if is_trained(policy) else None
        if found is not None:
            _require_agreement(found, log)
    except CampaignError:
        return None  # made for other features or actions, or has changed since
    return found


def _require_agreement(found: TargetPolicy, log: DecisionLog) -> None:
    """DataError with the rows where `found` does not give the logged action its propensity."""
    p = np.empty(len(log))
    for rows in blocks(len(log)):
        action = log.action[rows]
        p[rows] = found.probabilities(log, rows)[np.arange(len(action)), action]
    bad = ~_near(p, log.propensity, CLOSE)
    if bad.any():
        fix = "These must be the probabilities that drew the logged actions, after masks and caps."
        raise DataError(row_problems(bad, "probability", p, "the logged propensity", fix, "logging policy"))


def _near(a: npt.NDArray[Any], b: npt.NDArray[Any], relative: float) -> npt.NDArray[np.bool_]:
    return np.asarray(np.abs(a - b) <= relative * b)


def wants_estimate(given: PolicyLike | None, log: DecisionLog) -> bool:
    """Whether the logging policy is to be estimated: the caller says so, or the log's propensities are made up."""
    return (isinstance(given, str) and given == ESTIMATE) or propensities_unknown(log)


def propensities_unknown(log: DecisionLog) -> bool:
    """Whether the log's propensities are only shares of actions, to be replaced by an estimate."""
    return log.meta.get("propensity_from") == ESTIMATE
