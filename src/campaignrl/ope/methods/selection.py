"""Which estimator suits a log and a policy: the least noisy one that agrees with all that are noisier.

SLOPE over estimators (Su, Srinath & Krishnamurthy 2020, ICML, "Adaptive estimator selection for off-policy
evaluation"): from the widest interval on, as long as values agree within their widths. It presumes that bias grows as
the width shrinks, which is so among estimators that hold weights back more and more. Not among the candidates is dm,
the narrowest whatever its bias: with it SLOPE took it nearly always, and so did selection on splits of the log
(PAS-IF, Udagawa et al. 2023, with the splitting rule in closed form). Not here: the candidates (registry.py), how much
of a weight to hold back (shrinkage.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from campaignrl.ope.methods.registry import ESTIMATORS, USUAL, with_own_weights
from campaignrl.ope.methods.shrinkage import slope, width
from campaignrl.ope.methods.weighted_rows import Evidence

AUTO = "auto"
CANDIDATES = tuple(name for name in USUAL if ESTIMATORS[name].weights)


def asked(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The estimators to make, and those of them that `auto` chooses from; none where nobody asked for it."""
    if AUTO not in names:
        return tuple(names), ()
    return tuple(dict.fromkeys([name for name in names if name != AUTO] + list(CANDIDATES))), CANDIDATES


def selected(
    asked_for: Sequence[str],
    candidates: Sequence[str],
    views: Mapping[str, Evidence],
    settings: Mapping[str, float | None],
) -> tuple[str, dict[str, Evidence]]:
    """What `auto` took, in words, and the views that are to be shown; without candidates nothing, and all of them."""
    if not candidates:
        return "", dict(views)
    points = {name: ESTIMATORS[name].terms(with_own_weights(name, views[name]), settings[name]) for name in candidates}
    told = {name: terms.point() for name, terms in points.items()}
    values = np.array([point.value for point in told.values()])
    widths = np.array([width(point, views[name].clusters) for name, point in told.items()])
    known = np.flatnonzero(np.isfinite(values) & np.isfinite(widths))
    took = candidates[int(known[slope(values[known], widths[known])])] if len(known) else "dr"
    kept = {name: view for name, view in views.items() if name in asked_for or name == took}
    return f"auto took {took}, the least noisy of {len(known)} that agrees with all noisier ones", kept
