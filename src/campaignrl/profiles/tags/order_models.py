"""Model tags of a customer's order history: chance of being a customer still, orders to come, and their value.

All of one model (outlook.py). Not here: model tags that learn from an earlier window (learned_models.py), histories
(order_histories.py).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from campaignrl.arrays import Float, Objects
from campaignrl.calibration.purchase import GammaGamma, fit_gamma_gamma
from campaignrl.profiles.events import FEWEST, Connection, Histories, ModelTag
from campaignrl.profiles.tags.learned_models import Book, active_column, outcome_column
from campaignrl.profiles.tags.next_purchase import NEXT_PURCHASE
from campaignrl.profiles.tags.outlook import Outlook
from campaignrl.profiles.tags.tag_set import Tag

LEARNED = ("churn_risk", "coupon_response")  # by a classifier
HORIZON = 90  # days, where a tag does not say
LOOK_BACK = 120  # days, of `p_active`
FARTHEST = 3.0  # times the mean order that the model's mean may be
PULL = 1.0  # orders of the mean value that a customer's own are joined by


def learns(tag: Tag) -> bool:
    """Whether a model tag is a classifier's, of inputs."""
    return tag.of in LEARNED or tag.of == "p_active"


def forecasts(tag: Tag) -> bool:
    """Whether a model tag is made of the outlook."""
    return not learns(tag) and tag.of not in NEXT_PURCHASE


def model_column(
    connection: Connection,
    tag: Tag,
    as_of: date,
    ids: Objects,
    book: Book,
    ahead: Callable[[], Outlook | None],
) -> ModelTag:
    """One model tag for every customer; book, ahead: what model tags share, and the outlook, when needed."""
    days = tag.days or HORIZON
    if tag.of == "p_active":
        return active_column(connection, as_of, tag.days or LOOK_BACK, ids, book)
    if tag.of in LEARNED:
        return outcome_column(connection, tag.of, as_of, days, ids, book)
    values, seen = np.full(len(ids), np.nan), ahead()
    if seen is None:
        return ModelTag(values, {"unknown": f"fewer than {FEWEST} customers ordered again"})
    with threadpool_limits(1):
        if tag.of == "p_alive":
            values[seen.rows] = seen.forecast.p_alive(seen.given)[seen.place]
            return ModelTag(values, seen.says)
        if tag.of == "p_return":
            values[seen.rows] = seen.forecast.p_return(days, seen.given)[seen.place]
            return ModelTag(values, seen.says | {"horizon_days": days})
        values[seen.rows] = seen.forecast.expected_orders(days, seen.given)[seen.place]
        says, factor = seen.says | {"horizon_days": days}, np.ones(len(seen.rows))
        if tag.of == "clv":
            h = book.histories()
            spenders = seen.fitted[(h.x[seen.fitted] > 0) & (h.m[seen.fitted] > 0)]
            if len(spenders) < FEWEST:
                return ModelTag(np.full(len(ids), np.nan), {"unknown": "too few repeat orders with an amount"})
            spend = fit_gamma_gamma(h.x[spenders], h.m[spenders])
            worth, how = _worth(spend, h, spenders, seen.rows)
            factor = tag.margin * worth
            values[seen.rows] *= factor
            says |= {"spend": how, "margin": tag.margin}
        says |= {"total_by": seen.totals(days, factor)}
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
