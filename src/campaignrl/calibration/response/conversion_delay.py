"""How long after a click an order follows: survival in days, right-censored, and the numbers a world needs of it.

A histogram of observed delays is too short: whoever was watched for a week only cannot have ordered on day 20. Here
every day is judged by those still watched and without an order (Kaplan & Meier 1958; Allison 1982 in discrete time).
The fitted intensity of the first order on day d after the click is
    baseline + answer * (same_day if d = 0, else (1 - same_day) (1 - k) k^(d - 1)),   k = exp(-1 / delay_days),
which is what a world does with a click (effects/click_intent.py: Response), above the orders that would have come
anyway. From a log only clicks on offers that are not valid beyond their day count: an offer that stays usable brings
late orders by itself. A click is watched until the customer's next one. Not here: how often a click comes
(funnel_regression.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from campaignrl.arrays import Float
from campaignrl.calibration.purchase import Fitted, Path
from campaignrl.errors import SHOWN, DataError, Problem
from campaignrl.tables.log import DecisionLog

HORIZON = 30  # days; the usual window of attribution
STEP = 1e-4  # for second derivatives
NAMES = ("answer", "same_day", "delay_days", "baseline")
FEWEST_CLICKS, FEWEST_ORDERS = 500, 100
WIDEST = 0.5  # standard error of the delay as a share of it, and twice that of the share on the same day


class DelayTable(NamedTuple):
    """One row a day after the click, each (horizon + 1,)."""

    day: Float
    at_risk: Float  # watched on that day and without an order before
    events: Float  # first orders on that day
    hazard: Float  # events / at_risk; nan where nobody is left
    survival: Float  # share without an order by the end of the day (Kaplan-Meier)
    std_error: Float  # of the survival (Greenwood 1926)


@dataclass(frozen=True, slots=True)
class Delay:
    """A fitted delay."""

    answer: float  # orders that a click adds, sooner or later
    same_day: float  # share of them on the day of the click
    delay_days: float  # mean delay of the rest
    baseline: float  # orders a day that come anyway
    log_likelihood: float
    standard_errors: Mapping[str, float]  # nan where the data cannot say
    watched: int

    def intensity(self, day: npt.ArrayLike) -> Float:
        """(n,) of the first order on each day after the click."""
        return _intensity(np.array([getattr(self, name) for name in NAMES]), np.asarray(day, dtype=np.float64))

    def survival(self, day: npt.ArrayLike) -> Float:
        """(n,) share without an order by the end of each day."""
        last = np.asarray(day, dtype=np.int64)
        summed = np.cumsum(self.intensity(np.arange(last.max(initial=0) + 1)))
        result: Float = np.exp(-summed[last])
        return result


def delay_table(days: npt.ArrayLike, ordered: npt.ArrayLike, horizon: int = HORIZON) -> DelayTable:
    """days: (n,) whole days from the click to the first order or to the last day watched; ordered: (n,) which."""
    d, event = _checked(days, ordered)
    event = event & (d <= horizon)
    d = np.minimum(d, horizon)
    events = np.bincount(d[event], minlength=horizon + 1).astype(np.float64)
    left = np.bincount(d, minlength=horizon + 1).astype(np.float64)
    at_risk = left[::-1].cumsum()[::-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        hazard = np.where(at_risk > 0, events / at_risk, np.nan)
        survival = np.cumprod(1.0 - np.nan_to_num(hazard)).astype(np.float64)
        terms = np.where(at_risk > events, events / (at_risk * (at_risk - events)), 0.0)
    std_error: Float = survival * np.sqrt(np.cumsum(np.nan_to_num(terms)))
    return DelayTable(np.arange(horizon + 1.0), at_risk, events, hazard, survival, std_error)


def fit_delay(
    days: npt.ArrayLike, ordered: npt.ArrayLike, baseline: float | None = None, horizon: int = HORIZON
) -> Delay:
    """Maximum likelihood of the delay; arguments as in `delay_table`.

    baseline: orders a day that come anyway, where it is known (of comparable customers without a click); None: what
    the hazard settles at, fitted too.
    """
    table = delay_table(days, ordered, horizon)
    if not table.events.sum():
        raise DataError(Problem("delays", "ordered", 0, "at least one order"))
    free = 4 if baseline is None else 3

    def full(theta: Float) -> Float:
        answer, delay = np.exp(theta[[0, 2]])
        base = np.exp(theta[3]) if baseline is None else baseline
        return np.array([answer, special.expit(theta[1]), delay, base])

    from scipy.optimize import minimize  # slow to import, and few verbs need it

    def loss(theta: Float) -> float:
        return -_log_likelihood(full(theta), table)

    overall = float(table.events.sum() / table.at_risk.sum())
    starts = [np.array([np.log(5 * overall), odds, np.log(delay), np.log(overall / 3)]) for odds, delay in STARTS]
    bounds = [(-16.0, 3.0), (-12.0, 12.0), (np.log(0.2), np.log(20.0 * horizon)), (-20.0, 1.0)][:free]
    options = {"ftol": 1e-13, "gtol": 1e-8, "maxiter": 1000}
    tries = [minimize(loss, s[:free], method="L-BFGS-B", bounds=bounds, options=options) for s in starts]
    best = min(tries, key=lambda found: found.fun)
    found = full(best.x)
    errors = _errors(loss, best.x, found, free)
    told = dict(zip(NAMES, (float(v) for v in found), strict=True))
    return Delay(**told, log_likelihood=-float(best.fun), standard_errors=errors, watched=int(table.at_risk[0]))


STARTS = ((0.0, 7.0), (2.0, 3.0), (-2.0, 15.0))  # log-odds of the same day, days


def _intensity(parameters: Float, day: Float) -> Float:
    answer, same_day, delay, baseline = parameters
    k = np.exp(-1.0 / delay)
    later = (1.0 - same_day) * (1.0 - k) * k ** np.maximum(day - 1.0, 0.0)
    result: Float = baseline + answer * np.where(day == 0, same_day, later)
    return result


def _log_likelihood(parameters: Float, table: DelayTable) -> float:
    intensity = np.maximum(_intensity(parameters, table.day), 1e-300)
    return float(table.events @ np.log(-np.expm1(-intensity)) - (table.at_risk - table.events) @ intensity)


def _errors(loss: Callable[[Float], float], theta: Float, found: Float, free: int) -> dict[str, float]:
    """Delta method from second differences of the loss."""
    unit = STEP * np.eye(free)
    hessian = np.array(
        [
            [
                (loss(theta + a + b) - loss(theta + a - b) - loss(theta - a + b) + loss(theta - a - b)) / (4 * STEP**2)
                for b in unit
            ]
            for a in unit
        ]
    )
    try:
        variance = np.diag(np.linalg.inv(hessian))
    except np.linalg.LinAlgError:
        variance = np.full(free, np.nan)
    slope = np.array([found[0], found[1] * (1.0 - found[1]), found[2], found[3]])[:free]
    errors = slope * np.sqrt(np.where(variance > 0.0, variance, np.nan))
    return dict(zip(NAMES, [*(float(e) for e in errors), *[0.0] * (4 - free)], strict=True))


def _checked(days: npt.ArrayLike, ordered: npt.ArrayLike) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    d, event = np.asarray(days, dtype=np.float64), np.asarray(ordered)
    if d.ndim != 1 or d.shape != event.shape or not len(d):
        raise DataError(Problem("delays", "days, ordered", f"{d.shape}, {event.shape}", "arrays of one length, not 0"))
    bad = np.flatnonzero(~(np.isfinite(d) & (d >= 0) & (d == np.floor(d))))
    if len(bad):
        raise DataError([Problem(f"delay {i}", "days", float(d[i]), "a whole number from 0") for i in bad[: SHOWN + 1]])
    return d.astype(np.int64), event.astype(bool)


def delay_numbers(events: pd.DataFrame, log: DecisionLog, valid: dict[str, int]) -> dict[Path, Fitted]:
    """What the log's clicks say of the delay; nothing where they say too little. valid: days by offer."""
    lasting = [name for name, days in valid.items() if days > 0]
    clicks = events[(events.kind == "clicked") & ~events.offer.isin(lasting)]
    clicks = clicks[clicks.customer_id.isin(log.customers)].sort_values("ts", kind="stable")
    orders = events[events.kind == "order"].sort_values("ts", kind="stable")[["customer_id", "ts"]]
    if len(clicks) < FEWEST_CLICKS or not len(orders):
        return {}
    clicks = clicks.assign(until=clicks.groupby("customer_id").ts.shift(-1).fillna(events.ts.max()))
    joined = pd.merge_asof(
        clicks[["customer_id", "ts", "until"]], orders.rename(columns={"ts": "ordered"}),
        left_on="ts", right_on="ordered", by="customer_id", direction="forward",
    )  # fmt: skip
    seen = joined.ordered.notna() & (joined.ordered <= joined.until)
    end = joined.ordered.where(seen, joined.until)
    days = (end - joined.ts).dt.days.to_numpy()
    ordered = (seen & (days <= HORIZON)).to_numpy()
    if ordered.sum() < FEWEST_ORDERS:
        return {}
    found = fit_delay(np.minimum(days, HORIZON), ordered)
    errors, n = found.standard_errors, float(ordered.sum())
    sure = errors["same_day"] <= WIDEST / 2 and errors["delay_days"] <= WIDEST * found.delay_days
    if not sure or not 0.0 < found.same_day < 1.0:
        return {}
    by = "survival without an order after a click"
    return {
        ("response", "same_day"): Fitted(found.same_day, errors["same_day"], n, by),
        ("response", "delay_days"): Fitted(found.delay_days, errors["delay_days"], n, by),
    }
