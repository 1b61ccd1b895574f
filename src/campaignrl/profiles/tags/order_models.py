"""Model tags of a customer's order history: chance of being a customer still, orders to come, and their value.

Buy-till-you-die models (calibration/purchase/models.py) fitted on the profiles' own histories. Not here: model tags
that learn from an earlier window (learned_models.py), histories (histories.py).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from campaignrl.arrays import Float, Objects
from campaignrl.calibration.purchase import GammaGamma, fit_gamma_gamma, fit_mbg_nbd
from campaignrl.profiles.events import FEWEST, MOST_FITTED, WEEK, Connection, Histories, ModelTag
from campaignrl.profiles.tags.learned_models import Now, active_column, outcome_column
from campaignrl.profiles.tags.tag_set import Tag

HORIZON = 90  # days, where a tag does not say
LOOK_BACK = 120  # days, of `p_active`
FARTHEST = 3.0  # times the mean order that the model's mean may be
PULL = 1.0  # orders of the mean value that a customer's own are joined by


def model_column(
    connection: Connection, tag: Tag, as_of: date, ids: Objects, book: Callable[[], Histories], now: Now
) -> ModelTag:
    """One model tag for every customer; book, now: order histories and inputs of today, asked for only when needed."""
    days = tag.days or HORIZON
    if tag.of == "p_active":
        return active_column(connection, as_of, tag.days or LOOK_BACK, ids, book(), now)
    if tag.of in ("churn_risk", "coupon_response"):
        return outcome_column(connection, tag.of, as_of, days, ids, now)
    h = book()
    known = ~np.isnan(h.x)
    values = np.full(len(ids), np.nan)
    rows = np.flatnonzero(known)
    if int((h.x[rows] > 0).sum()) < FEWEST:
        return ModelTag(values, {"unknown": f"fewer than {FEWEST} customers ordered again"})
    with threadpool_limits(1):
        some = rows[:: max(1, -(-len(rows) // MOST_FITTED))]
        fit = fit_mbg_nbd(h.x[some], h.t_x[some], h.T[some])
        x, t_x, total = h.x[rows], h.t_x[rows], h.T[rows]
        says: dict[str, Any] = {"model": "MBG/NBD", "weeks": dict(fit.parameters), "fitted_on": len(some)}
        if tag.of == "p_alive":
            values[rows] = fit.p_alive(x, t_x, total)
            return ModelTag(values, says)

        values[rows] = fit.expected_purchases(days / WEEK, x, t_x, total)
        if tag.of == "clv":
            spenders = some[(h.x[some] > 0) & (h.m[some] > 0)]
            if len(spenders) < FEWEST:
                return ModelTag(np.full(len(ids), np.nan), {"unknown": "too few repeat orders with an amount"})
            spend = fit_gamma_gamma(h.x[spenders], h.m[spenders])
            worth, how = _worth(spend, h, spenders, rows)
            values[rows] *= tag.margin * worth
            says |= {"spend": how, "days": days, "margin": tag.margin}
    return ModelTag(values, says)


def _worth(
    spend: GammaGamma, h: Histories, spenders: npt.NDArray[np.intp], rows: npt.NDArray[np.intp]
) -> tuple[Float, str]:
    """(n,) value of the next order, and how it was found.

    Where spending is so heavy-tailed that the model's mean of all is infinite, or far from the mean order, a
    customer's own mean is pulled to the mean order instead, as strongly as by PULL orders of the latter.
    """
    orders = h.x[spenders]
    mean = float(np.sum(orders * h.m[spenders]) / np.sum(orders))
    if spend.mean <= FARTHEST * mean:
        return spend.expected_spend(h.x[rows], h.m[rows]), "gamma-gamma"
    seen = h.x[rows]
    worth = (PULL * mean + seen * np.where(seen > 0, h.m[rows], 0.0)) / (PULL + seen)
    return worth, f"pulled to the mean order: gamma-gamma has no sound mean (q {spend.q:.3g})"
