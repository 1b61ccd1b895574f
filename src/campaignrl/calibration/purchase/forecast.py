"""One purchase model for all who forecast: chosen out of time, in a calendar of busy weeks, regular where orders are.

    weeks      where orders a week vary by more than chance, time is counted in average days (seasonality.py); weeks to
               come are taken for what they were a year ago where a year is known, and for average ones else
    regular    times between orders are Erlang-k with the k of the highest likelihood; k = 1 is Poisson
    leaving    of the Poisson models, the one that told the last fifth of the period best from what came before it; in a
               season, had it known how busy those weeks were: who leaves is judged, and not who guesses the peak
    silence    how far long silence says that a customer has left is learned on that last fifth too, by two numbers

Each model's figures for that last fifth are kept: they are the scorecard. Not here: the models (one file each), what
orders are worth (gamma_gamma.py), files and tags (profiles/). n customers, days from 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from campaignrl.arrays import Bool, Float, Int64
from campaignrl.calibration.purchase.beta_geometric import fit_bg_nbd, fit_mbg_nbd
from campaignrl.calibration.purchase.mbg_cnbd import fit_mbg_cnbd
from campaignrl.calibration.purchase.nbd import fit_nbd
from campaignrl.calibration.purchase.pareto_nbd import fit_pareto_nbd
from campaignrl.calibration.purchase.seasonality import (
    WEEK,
    YEAR,
    Purchases,
    Weeks,
    expected_by_day,
    fit_season,
    histories_in,
)

POISSON: Mapping[str, Callable[..., Any]] = {
    "MBG/NBD": fit_mbg_nbd, "BG/NBD": fit_bg_nbd, "Pareto/NBD": fit_pareto_nbd, "NBD": fit_nbd,
}  # fmt: skip
REGULAR = "MBG/CNBD-"
MOST_REGULAR = 4  # k beyond which nobody looks
LAST = 0.2  # of the period, kept from the models and foretold by them
FEWEST = 50  # customers who ordered again, and repeat orders in the last fifth, without which nothing is chosen
CHANCE = 1e-3  # of weeks as uneven as these, below which there is a season
SURE = 0.05  # of a gain by the two numbers about silence, below which they are taken
EVEN = 5.0  # orders expected in a week that counts for that
CERTAIN = 1e-9
NEVER = 0.01  # of those who have been silent for long, whom a model that sees nobody leave takes for gone
STEEPEST = 5.0  # of the two numbers about silence


class Tried(NamedTuple):
    """What a model said of the last fifth, from what came before it."""

    model: str
    expected: float  # orders of all customers
    actual: int
    deviance: float  # of customers' counts, Poisson, per customer; in a season, knowing how busy the weeks were
    knowing: float  # orders expected then; the same without a season

    @property
    def off(self) -> float:
        """Relative error of the total."""
        return self.expected / self.actual - 1.0 if self.actual else float("nan")

    @property
    def figures(self) -> dict[str, Any]:
        """In plain JSON types."""
        told = {"expected": round(self.expected, 1), "actual": self.actual, "deviance": round(self.deviance, 6)}
        return told | ({} if self.knowing == self.expected else {"knowing_the_weeks": round(self.knowing, 1)})


@dataclass(frozen=True)
class Forecast:
    """The chosen model, and what it rests on.

    Attributes:
        name: of the model; model: as it was fitted, in average days.
        end: day on which the period ends; daily: (end + 1,) factor of each day, all 1 without a season.
        tried: every model on the last fifth; empty where there was too little to choose by.
        slopes: of the log-odds of being alive by silence, and by silence and orders.
        cautions: what a reader must know, in words.
        others: every model as it was fitted to the whole period, the chosen one too.
        weeks: the calendar behind `daily`.
    """

    name: str
    model: Any
    end: int
    daily: Float
    seasonal: bool
    tried: tuple[Tried, ...] = ()
    slopes: tuple[float, float] = (0.0, 0.0)
    cautions: tuple[str, ...] = ()
    others: Mapping[str, Any] = field(default_factory=dict)
    weeks: Weeks | None = None

    @property
    def judged_days(self) -> int:
        """Days of the last fifth, over which the models were told apart."""
        return _fifth(self.end)

    def facts(self, fitted_on: int) -> dict[str, Any]:
        """The fit in plain JSON types: the model, how it was chosen, what to know of it."""
        told: dict[str, Any] = {"model": self.name, "days": dict(self.model.parameters), "fitted_on": fitted_on}
        told |= {"season": self.seasonal}
        if self.tried:
            told["last_fifth"] = {one.model: one.figures for one in self.tried}
        if self.slopes != (0.0, 0.0):
            told["silence"] = list(self.slopes)
        return told | ({"caution": "; ".join(self.cautions)} if self.cautions else {})

    def columns(self, x: Float, first: Int64, last: Int64) -> dict[str, Float]:
        """x, t_x and T (n,) in average days, from orders after the first, and the days of the first and the last."""
        so_far = np.cumsum(self.daily)
        start = so_far[first]
        return {"x": np.asarray(x, dtype=np.float64), "t_x": so_far[last] - start, "T": so_far[self.end] - start}

    def p_alive(self, given: Mapping[str, Float]) -> Float:
        """(n,) chance of being a customer still. given: of `columns`."""
        own: Float = self.model.p_alive(**given)
        return _adjusted(own, given, self.slopes)

    def p_return(self, days: float, given: Mapping[str, Float]) -> Float:
        """(n,) chance of an order within so many days."""
        result: Float = self._ratio(given) * self.model.p_return(self.average_days(days), **given)
        return result

    def expected_orders(self, days: float, given: Mapping[str, Float]) -> Float:
        """(n,) orders within so many days."""
        result: Float = self.model.expected_purchases(self.average_days(days), **given)
        return result

    def average_days(self, days: float) -> float:
        """How many average days the next days are: as many, unless weeks to come are known from a year ago."""
        return float(days) if self.weeks is None else self.weeks.average_days(self.end, days)

    def _ratio(self, given: Mapping[str, Float]) -> Float:
        if self.slopes == (0.0, 0.0):
            return np.ones(len(given["x"]))
        own = self.model.p_alive(**given)
        result: Float = _adjusted(own, given, self.slopes) / np.maximum(own, CERTAIN)
        return result


def choose(purchases: Purchases, end: int) -> Forecast:
    """The model of these orders, known at the end of day `end`: the days count from the first order of anybody."""
    cut = end - _fifth(end)
    known, later = purchases.until(cut), _later(purchases, cut, end)
    now = _candidates(purchases, end, look=True)
    tried: tuple[Tried, ...] = ()
    slopes = (0.0, 0.0)
    if min(len(np.unique(known.customer)), int(later.sum())) >= FEWEST:
        weeks = next(iter(now.values()))[0].weeks
        then = _candidates(known, cut, weeks)
        guessed, busy = _days_ahead(weeks, cut, end)
        tried = tuple(_tried(name, one, later, guessed, busy) for name, one in then.items())
        slopes = _slopes(then[_best(then, tried)], later > 0, busy)
    name = _best(now, tried)
    found, given = now[name]
    made = replace(found, tried=tried, slopes=slopes)
    others = {name: one.model for name, (one, _) in now.items()}
    return replace(made, cautions=_cautions(made, given, end), others=others)


def fit_of(name: str) -> Callable[..., Any]:
    """What fits the model of a name that `choose` gives."""
    if name in POISSON:
        return POISSON[name]
    return partial(fit_mbg_cnbd, k=int(name.removeprefix(REGULAR)))


def _fifth(end: int) -> int:
    return max(round(LAST * (end + 1)), 1)


def _best(among: Mapping[str, Any], tried: tuple[Tried, ...]) -> str:
    """The regular model where orders are; else the Poisson one that told the last fifth best."""
    first = next(iter(among))
    told = [one for one in tried if one.model in among]
    return min(told, key=lambda one: one.deviance).model if told and not first.startswith(REGULAR) else first


def _candidates(
    known: Purchases, end: int, weeks: Weeks | None = None, *, look: bool = False
) -> dict[str, tuple[Forecast, dict[str, Float]]]:
    """Every model with the histories it was fitted on; the first is the regular one, or MBG/NBD where k is 1.

    weeks: the calendar, if there is one; look: for one.
    """
    fits = {k: _once(fit_mbg_nbd if k == 1 else partial(fit_mbg_cnbd, k=k)) for k in range(1, MOST_REGULAR + 1)}
    daily = np.ones(end + 1) if weeks is None else weeks.daily[: end + 1]
    given = histories_in(daily, known, end)
    k, found = _most_likely_k(given, _log_gaps(known, daily), fits)
    weeks = _season(known, end, fits[k]) if look else weeks
    if look and weeks is not None:
        daily = weeks.daily[: end + 1]
        given = histories_in(daily, known, end)
        k, found = _most_likely_k(given, _log_gaps(known, daily), fits)
    models = {f"{REGULAR}{k}": found} if k > 1 else {"MBG/NBD": found}
    models |= {name: fit(**given) for name, fit in POISSON.items() if name not in models}
    seasonal = weeks is not None
    return {name: (Forecast(name, model, end, daily, seasonal, weeks=weeks), given) for name, model in models.items()}


def _days_ahead(weeks: Weeks | None, cut: int, end: int) -> tuple[float, float]:
    """Average days of the last fifth: as was to be guessed before it, and as busy as they were."""
    if weeks is None:
        return float(end - cut), float(end - cut)
    guess = weeks.until(cut).average_days(cut, end - cut)
    usual = 1.0 if len(weeks.until(cut).weekly) > YEAR else float(weeks.daily[: cut + 1].mean())
    return guess * usual, float(weeks.daily[cut + 1 : end + 1].sum())


def _season(known: Purchases, end: int, fit: Callable[..., Any]) -> Weeks | None:
    """Where weeks differ by more than chance, how busy they are."""
    even = np.ones(end + 1)
    first = fit_season(fit, known, end, rounds=1)
    whole = (end + 1) // WEEK * WEEK
    usual = expected_by_day(first.models, known, even, end)[:whole].reshape(-1, WEEK).sum(axis=1)
    seen = np.bincount(known.day[known.day <= end], minlength=end + 1)[:whole].reshape(-1, WEEK).sum(axis=1)
    counted = usual >= EVEN
    parameters = len(first.models.everybody.parameters)
    if counted.sum() <= 2 * parameters:
        return None
    uneven = float(((seen - usual)[counted] ** 2 / usual[counted]).sum())
    if special.chdtrc(int(counted.sum()) - parameters, uneven) >= CHANCE:
        return None
    found = fit_season(fit, known, end)
    orders = np.bincount(known.day[known.day <= end] // WEEK, minlength=len(found.weekly))
    return Weeks(found.weekly, found.weekday, orders)


def _most_likely_k(
    given: Mapping[str, Float], log_gaps: float, fits: Mapping[int, Callable[..., Any]]
) -> tuple[int, Any]:
    """K with the highest likelihood of the times between orders, and its model."""
    found: tuple[int, Any] = (1, fits[1](**given))
    best = found[1].log_likelihood
    for k in range(2, MOST_REGULAR + 1):
        model = fits[k](**given)
        value = model.log_likelihood + (k - 1) * log_gaps - float(given["x"].sum()) * special.gammaln(k)
        if value <= best:
            break
        best, found = value, (k, model)
    return found


def _once(fit: Callable[..., Any]) -> Callable[..., Any]:
    """The same fit, of the same histories only once."""
    known: dict[tuple[bytes, ...], Any] = {}

    def fitted(x: Float, t_x: Float, T: Float) -> Any:
        key = (x.tobytes(), t_x.tobytes(), T.tobytes())
        if key not in known:
            known[key] = fit(x, t_x, T)
        return known[key]

    return fitted


def _log_gaps(known: Purchases, daily: Float) -> float:
    """Sum of the logs of the times between orders that follow each other, in average days."""
    so_far, order = np.cumsum(daily), np.lexsort((known.day, known.customer))
    customer, day = known.customer[order], so_far[known.day[order]]
    new = np.ones(len(customer), dtype=bool)
    new[1:] = customer[1:] != customer[:-1]
    before = np.where(new, so_far[known.first[customer]], np.concatenate([[0.0], day[:-1]])[: len(day)])
    return float(np.log(np.maximum(day - before, CERTAIN)).sum())


def _later(purchases: Purchases, cut: int, end: int) -> Int64:
    """(m,) orders from the day after `cut` to `end` of those who had ordered by then."""
    here = purchases.first <= cut
    inside = (purchases.day > cut) & (purchases.day <= end)
    return np.bincount(purchases.customer[inside], minlength=len(here))[here]


def _tried(name: str, one: tuple[Forecast, dict[str, Float]], later: Int64, guessed: float, busy: float) -> Tried:
    forecast, given = one
    expected = np.maximum(forecast.model.expected_purchases(busy, **given), CERTAIN)
    deviance = 2.0 * (special.xlogy(later, later / expected) - (later - expected))
    knowing = float(expected.sum())
    told = knowing if guessed == busy else float(forecast.model.expected_purchases(guessed, **given).sum())
    return Tried(name, told, int(later.sum()), float(deviance.mean()), knowing)


def _slopes(one: tuple[Forecast, dict[str, Float]], returned: Bool, days: float) -> tuple[float, float]:
    """How the log-odds of being alive change with silence, from who came back."""
    forecast, given = one
    from scipy.optimize import minimize  # slow to import, and few verbs need it

    own, soon = forecast.model.p_alive(**given), forecast.model.p_return(days, **given)
    if_alive = np.clip(soon / np.maximum(own, CERTAIN), CERTAIN, 1.0 - CERTAIN)

    def loss(slopes: Float) -> float:
        p = np.clip(_adjusted(own, given, (slopes[0], slopes[1])) * if_alive, CERTAIN, 1.0 - CERTAIN)
        return -float(np.where(returned, np.log(p), np.log1p(-p)).mean())

    bounds = [(-STEEPEST, STEEPEST)] * 2
    found = minimize(loss, np.zeros(2), method="L-BFGS-B", bounds=bounds)
    gain = 2.0 * len(returned) * (loss(np.zeros(2)) - float(found.fun))
    return (float(found.x[0]), float(found.x[1])) if gain > special.chdtri(2, SURE) else (0.0, 0.0)


def _adjusted(p: Float, given: Mapping[str, Float], slopes: tuple[float, float]) -> Float:
    """Chances of being alive, their log-odds moved by silence beyond a customer's own mean gap."""
    if slopes == (0.0, 0.0):
        return p
    x = given["x"]
    gap = np.where(x > 0, given["t_x"] / np.maximum(x, 1.0), np.inf)
    silence = np.log1p(np.clip((given["T"] - given["t_x"]) / np.maximum(gap, CERTAIN) - 1.0, 0.0, 20.0))
    moved = slopes[0] * silence + slopes[1] * silence * np.log1p(x)
    result: Float = special.expit(special.logit(np.clip(p, CERTAIN, 1.0 - CERTAIN)) + moved)
    return result


def _cautions(made: Forecast, given: Mapping[str, Float], end: int) -> tuple[str, ...]:
    said = []
    gone = 1.0 - made.model.p_alive(**given)
    if float(gone.max(initial=0.0)) < NEVER:
        said.append("nobody is seen to leave: being a customer still says nothing here, look at orders to come")
    if made.weeks is not None and not made.weeks.a_year:
        said.append(f"a season from {end + 1} days: weeks to come are taken for average, whatever their season")
    if not made.tried:
        said.append("too few orders to choose a model out of time")
    return tuple(said)
