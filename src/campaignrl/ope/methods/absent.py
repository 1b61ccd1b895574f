"""Why an estimator has no answer from a log, in words.

Not here: whether the figures that can be had are to be trusted (verdict.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from campaignrl.ope.intervals import Estimate
from campaignrl.ope.methods.registry import ESTIMATORS, seen_by
from campaignrl.ope.methods.weighted_rows import Evidence
from campaignrl.ope.nuisance import NOT_KNOWN


def blind(evidence: Evidence, certain: float) -> bool:
    """Whether weighting says nothing: no row speaks, or a deterministic log is asked about something else."""
    return not evidence.weight.any() or (certain == 1.0 and evidence.off_support > 1e-9)


def cannot(estimators: Sequence[str], evidence: Evidence) -> dict[str, str]:
    """Estimators that this log has no answer for, and why."""
    marginal = [name for name in estimators if ESTIMATORS[name].marginal is not None]
    if evidence.marginals is None:
        return dict.fromkeys(marginal, NOT_KNOWN)
    dependent = "pi" in marginal and not evidence.marginals.independent
    return {"pi": "the logging policy does not draw a send's channel independently of its offer"} if dependent else {}


def beyond(estimators: Sequence[str], evidence: Evidence) -> tuple[str, ...]:
    """What estimators on offers or channels cannot see: a policy doing what the logging policy would not do there."""
    shares: dict[str, float] = {}
    if evidence.marginals is not None:
        shares = {n: seen_by(n, evidence).off_support for n in estimators if ESTIMATORS[n].marginal is not None}
    return tuple(
        f"{name}: {share:.2%} of what this policy would do is nothing the logging policy might have done there."
        for name, share in shares.items()
        if share > 1e-9
    )


def missing(estimates: Mapping[str, Estimate], without: Mapping[str, str]) -> tuple[str, ...]:
    """Why figures are null."""
    known = tuple(
        f"{', '.join(name for name, reason in without.items() if reason == why)}: not to be had, {why}."
        for why in dict.fromkeys(without.values())
    )
    return known + _speechless({name: e for name, e in estimates.items() if name not in without})


def _speechless(estimates: Mapping[str, Estimate]) -> tuple[str, ...]:
    nulls = [name for name, e in estimates.items() if np.isnan(e.value)]
    reasons = (f"{', '.join(nulls)}: not to be had, no row or only certain actions speak.",) if nulls else ()
    errors = any(np.isnan(e.std_error) and not np.isnan(e.value) for e in estimates.values())
    return (*reasons, "std. errors: not to be had from one customer.") if errors else reasons
