"""What is to come of customers by their order histories: the one purchase model behind all tags that forecast.

Chosen once for a set of profiles (calibration/purchase/forecast.py), on up to MOST_FITTED customers, and asked for all.
Where early orders are known in sum only, no order has a day, and MBG/NBD is taken as it is. Not here: the model, the
tags made of it (order_models.py).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from datetime import date
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import threadpool_limits

from campaignrl.arrays import Float, Int64, Objects
from campaignrl.calibration.purchase import Forecast, Purchases, choose, distinct, fit_mbg_nbd
from campaignrl.profiles.events import FEWEST, MOST_FITTED, WEEK, Connection, Histories, order_days

IN_SUM = "early orders are known in sum only, so no model could be chosen out of time"


class Outlook(NamedTuple):
    """The forecast, and the histories of those who ever ordered.

    rows: (m,) of them among all; fitted: rows of those it was fitted on; given: what the forecast asks for, of every
    distinct history; place: (m,) of each customer's own among these.
    """

    forecast: Forecast
    rows: npt.NDArray[np.intp]
    fitted: npt.NDArray[np.intp]
    given: dict[str, Float]
    place: npt.NDArray[np.intp]

    @property
    def says(self) -> dict[str, Any]:
        """The fit in plain JSON types: the model, how it was chosen, what to know of it."""
        return self.forecast.facts(len(self.fitted))

    def totals(self, days: int, factor: Float) -> dict[str, float]:
        """What each model foretells of all customers; factor: (m,) what an order of each counts."""
        others = self.forecast.others or {self.forecast.name: self.forecast.model}
        ahead = self.forecast.average_days(days)
        found: dict[str, float] = {}
        for name, model in others.items():
            total = float(model.expected_purchases(ahead, **self.given)[self.place] @ factor)
            found[name] = float(f"{total:.6g}")
        return found


def outlook(
    connection: Connection, as_of: date, ids: Objects, h: Histories, beside: Executor
) -> Callable[[], Outlook | None]:
    """The outlook on the morning of `as_of`; None where fewer than FEWEST ever ordered again. h: (n,) of all.

    The orders are read at once, and the model is chosen `beside` whatever else is done until it is asked for.
    """
    rows = np.flatnonzero(~np.isnan(h.x))
    if int((h.x[rows] > 0).sum()) < FEWEST:
        return lambda: None
    some = rows[:: max(1, -(-len(rows) // MOST_FITTED))]
    days = order_days(connection, as_of, ids[some])
    import_module("scipy.optimize")  # the search's, slow to import; not beside, where it would meet other imports
    return beside.submit(_chosen, h, rows, some, ids[some], as_of, days).result


def _chosen(
    h: Histories,
    rows: npt.NDArray[np.intp],
    some: npt.NDArray[np.intp],
    ids: Objects,
    as_of: date,
    days: tuple[Objects, npt.NDArray[np.datetime64]] | None,
) -> Outlook:
    """The outlook of those who ever ordered, by `some` of them, whose ids and days of orders these are."""
    with threadpool_limits(1):
        if days is None:
            given = {"x": h.x[rows], "t_x": h.t_x[rows] * WEEK, "T": h.T[rows] * WEEK}
            model = fit_mbg_nbd(h.x[some], h.t_x[some] * WEEK, h.T[some] * WEEK)
            longest = int(given["T"].max())
            plain = Forecast("MBG/NBD", model, longest, np.ones(longest + 1), False, cautions=(IN_SUM,))
            return _seen(plain, rows, some, given)
        age = np.rint(h.T[rows] * WEEK).astype(np.int64)  # days from the first order to today
        before = int(age.max())
        forecast = choose(_purchases(*days, ids, as_of, before), before - 1)
    first = before - age
    last = first + np.rint(h.t_x[rows] * WEEK).astype(np.int64)
    return _seen(forecast, rows, some, forecast.columns(h.x[rows], first, last))


def _seen(
    forecast: Forecast, rows: npt.NDArray[np.intp], fitted: npt.NDArray[np.intp], given: dict[str, Float]
) -> Outlook:
    kinds, place = distinct(*given.values())
    return Outlook(forecast, rows, fitted, dict(zip(given, kinds, strict=True)), place)


def _purchases(customer: Objects, day: npt.NDArray[np.datetime64], ids: Objects, as_of: date, before: int) -> Purchases:
    """Orders by day, counted from the first of anybody, which was so many days before today."""
    code = pd.Index(ids).get_indexer(pd.Index(customer))
    when: Int64 = before - (np.datetime64(as_of, "D") - day).astype(np.int64)
    first = np.full(len(ids), np.iinfo(np.int64).max)
    np.minimum.at(first, code, when)
    again = when > first[code]
    return Purchases(first, code[again], when[again], np.full(len(ids), "all", dtype=object))
