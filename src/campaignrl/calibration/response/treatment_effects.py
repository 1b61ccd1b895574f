"""What a campaign's responses look like before any world is made of them: by action and segment, and by step.

Orders against nothing sent are identified by chance alone: rows with `none`, drawn with a known probability, say what
the same customers would have done. By segment they are pooled, per action. Not here: the world's numbers
(method_of_simulated_moments.py).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from campaignrl.calibration.response.clustered_statistics import NOTHING, Figure, lift
from campaignrl.calibration.response.funnel_regression import fit_response
from campaignrl.calibration.response.moments import View, recorded
from campaignrl.calibration.response.shrinkage import pooled

MOST_ROWS = 100_000  # of one regression
STEPS = {"delivered": None, "opened": "delivered", "clicked": "opened", "unsubscribed": "delivered"}


def effects_table(view: View) -> pd.DataFrame:
    """One row an action and segment ("" for all): sends, orders per 1,000 decisions more than with none, and the ratio.

    `more`, `se`: as measured; `pooled`, `pooled_se`: segments drawn towards each other.
    """
    catalog, rows = view.campaign.catalog, view.rows
    found = []
    for action in range(1, len(catalog)):
        name = catalog.actions[action]
        mine = rows.action == action
        cells = [(s, mine & view.of(s), view.none(name.offer, s)) for s in view.campaign.segments]
        own = [_more(view, treated, none) for _, treated, none in cells]
        drawn = pooled(own) if len(own) > 1 else own
        both = [("", mine, view.none(name.offer)), *cells]
        whole = _more(view, both[0][1], both[0][2])
        for (segment, treated, none), f, p in zip(both, [whole, *own], [whole, *drawn], strict=True):
            ratio = view.lift(treated, none)
            found.append((name.name, segment, int(treated.sum()), f.value, f.se, p.value, p.se, ratio.value, ratio.se))
    columns = ["action", "segment", "sends", "more", "se", "pooled", "pooled_se", "log_ratio", "log_ratio_se"]
    return pd.DataFrame(found, columns=columns)


def _more(view: View, treated: np.ndarray, none: np.ndarray) -> Figure:
    """Orders per 1,000 decisions beyond those with nothing sent."""
    if not treated.any() or not none.any():
        return NOTHING
    rows = view.rows
    per = np.where(np.isnan(rows.days), np.nan, 1.0)
    found = lift(treated, none, rows.orders, rows.customer, view.weight, per, "identity")
    return found._replace(value=1000.0 * found.value, se=1000.0 * found.se)


def response_table(view: View, seed: int = 0) -> pd.DataFrame:
    """One row a recorded step: how well it is predicted for customers not seen, from who, what, where and fatigue."""
    steps, rows = recorded(view.campaign), view.rows
    found = []
    for step, given in STEPS.items():
        outcome = getattr(rows, step)
        if not getattr(steps, step):
            continue
        mine = view.sent & ~np.isnan(outcome)
        if given is not None and getattr(steps, given):
            mine &= getattr(rows, given) == 1.0
        part = np.flatnonzero(mine)
        part = part[:: max(1, -(-len(part) // MOST_ROWS))]
        y = outcome[part]
        if min(y.sum(), len(y) - y.sum()) < 20:
            continue
        fit = fit_response(_design(view, part), y, view.weight[part], rows.customer[part], seed)
        found.append((step, given or "sent", len(part), float(y.mean()), fit.auc, fit.log_loss, fit.slope))
    return pd.DataFrame(found, columns=["step", "of", "rows", "rate", "auc", "log_loss", "slope"])


def _design(view: View, part: np.ndarray) -> np.ndarray:
    """(m, d) dummies of segment, channel and offer, and the fatigue stock."""

    def dummies(codes: np.ndarray) -> np.ndarray:
        columns: np.ndarray = (codes[:, None] == np.unique(codes)[1:]).astype(np.float64)
        return columns

    codes = (view.rows.segment[part], view.channel[part], view.offer[part])
    return np.column_stack([view.fatigue[part], *(dummies(code) for code in codes)])
