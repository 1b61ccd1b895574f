"""What the checks of a verdict look at, from the rows of a log in memory.

Not here: the same from sums (streaming/figures.py), what follows from them (diagnostics/verdict.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from campaignrl.ope.diagnostics import ESS_CAUTION, Figures, Holdout
from campaignrl.ope.estimators import weights
from campaignrl.ope.intervals import Estimate, p_value_of_gap, std_error
from campaignrl.ope.methods import ESTIMATORS, HEAVY, Evidence
from campaignrl.tables.log import DecisionLog


def figures_of(
    log: DecisionLog,
    evidence: Evidence,
    certain: float,
    dropped: int,
    settings: Mapping[str, float | None],
    facts: tuple[float | None, Holdout | None, float] = (None, None, 0.0),
) -> Figures:
    """Figures of the rows that are used. settings: by which numbers estimators hold weights back.

    facts: the calibration gap, the holdout, the share of customers that the policy has learned from.
    """
    w, r, clusters = evidence.weight, evidence.reward, evidence.clusters
    snips, dr = (ESTIMATORS[name].terms(evidence).point() for name in ("snips", "dr"))
    apart = std_error(snips.influence - dr.influence, clusters)
    return Figures(
        n=len(w),
        customers=len(clusters),
        ess=weights.effective_sample_size(w),
        max_weight_share=weights.max_weight_share(w),
        max_customer_share=weights.max_weight_share(clusters.sums(w)),
        mean_weight=float(w.mean()),
        mean_weight_p=weights.mean_weight_p_value(w, clusters, evidence.weight_range),
        off_support=evidence.off_support,
        outcomes=int(((w > 0.0) & (r != 0.0)).sum()),
        one_reward=bool((r == r[0]).all()),
        dropped_share=dropped / (dropped + len(w)),
        certain_share=certain,
        clipped_mass=float(np.maximum(w - (settings.get("ips_clip") or HEAVY), 0.0).mean()),
        half_precision=weights.rounded_to_half_precision(log.propensity),
        disagreement_p=p_value_of_gap(snips.value, dr.value, apart),
        snips=snips.value,
        dr=dr.value,
        supported_value=float(np.mean(w * r)),
        reward_range=evidence.reward_range,
        mix=weights.closest_mix(w, min(ESS_CAUTION, len(w) / 2)),
        calibration_gap=facts[0],
        holdout=facts[1],
        learned_from=facts[2],
    )


def told(figures: Figures, lift: Estimate, meta: Mapping[str, Any]) -> dict[str, Any]:
    """What an Evaluation tells of them, in memory and from a stream alike. meta: the log's own facts."""
    return {
        "reward": str(meta.get("reward", "reward")),
        "actions_from": meta.get("actions_from"),
        "customers": figures.customers,
        "ess": figures.ess,
        "max_weight_share": figures.max_weight_share,
        "mean_weight": figures.mean_weight,
        "lift": lift.value,
        "lift_ci_low": lift.ci_low,
        "lift_ci_high": lift.ci_high,
    }
