"""Purchase models where the calendar matters: how busy each week and weekday is, and rates freed of it.

Orders are Poisson at a customer's own rate times the day's factor. Time is then counted in average days: a day with
factor 2 is as long as two. In that time every model of models.py holds as it stands. The factors are the orders seen in
a week over those that the models expect of the customers there; both are found in turns. Not here: the models. D days
from 0; factors of days not seen are 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Float, Int64
from campaignrl.calibration.purchase.partial_pooling import BySegment, fit_by_segment

ROUNDS = 4
NODES = 2_048  # ages at which a curve of expected orders is reckoned
LEAST = 0.02  # of a factor: a world's factors are above 0
WEEK = 7
YEAR = 52  # weeks, so that weekdays meet


class Purchases(NamedTuple):
    """Orders of n customers by day, each day once."""

    first: Int64  # (n,) day of the first order
    customer: Int64  # (m,) row of the customer of each repeat order
    day: Int64  # (m,) its day
    labels: npt.NDArray[np.object_]  # (n,) segment

    def until(self, end: int) -> Purchases:
        """The same, as known at the end of a day; customers who came later are gone."""
        here = self.first <= end
        row = np.cumsum(here) - 1
        seen = (self.day <= end) & here[self.customer]
        return Purchases(self.first[here], row[self.customer[seen]], self.day[seen], self.labels[here])


class Weeks(NamedTuple):
    """How busy weeks and weekdays are, from day 0 on; mean 1 over the days seen."""

    weekly: Float  # (w,) factor of each week
    weekday: Float  # (7,) factor of each weekday, from that of day 0
    orders: Int64  # (w,) repeat orders seen

    @property
    def daily(self) -> Float:
        """(7 w,) factor of each day."""
        return _daily(self.weekly, self.weekday)

    def until(self, end: int) -> Weeks:
        """The weeks up to that of day `end`."""
        seen = end // WEEK + 1
        return Weeks(self.weekly[:seen], self.weekday, self.orders[:seen])

    @property
    def a_year(self) -> bool:
        """Whether every week to come was seen a year ago."""
        return len(self.weekly) > YEAR

    def ahead(self, week: Int64) -> Float:
        """(m,) factor of weeks to come, numbered on: those of a year ago if that is known, and 1 else.

        A week that few orders told leans on the average one: logs of factors are shrunk by the share of their variance
        that is not luck.
        """
        if not self.a_year:
            return np.ones(len(week))
        beyond = np.maximum(week - len(self.weekly) + 1, 0)
        result: Float = self._shrunk()[week - -(-beyond // YEAR) * YEAR]
        return result

    def average_days(self, end: int, days: float) -> float:
        """How many average days the days after day `end` are."""
        if not self.a_year:
            return float(days)
        day = end + 1 + np.arange(int(days))
        return float((self.ahead(day // WEEK) * self.weekday[day % WEEK]).sum()) + float(days) - int(days)

    def _shrunk(self) -> Float:
        log, luck = np.log(self.weekly), 1.0 / np.maximum(self.orders, 1.0)
        between = max(float(log.var() - luck.mean()), 0.0)
        result: Float = np.exp(log * between / np.maximum(between + luck, 1e-12))
        return result


class SeasonalFit(NamedTuple):
    """Models by segment in average days, and what makes a day more than average."""

    models: BySegment[Any]
    weekly: Float  # (w,) factor of each week
    weekday: Float  # (7,) factor of each weekday, from that of day 0; mean 1
    labels: npt.NDArray[np.object_]  # (n,) segment of each customer
    columns: dict[str, Float]  # x, t_x, T (n,) in average days, which the models were fitted on

    @property
    def customers(self) -> dict[str, int]:
        """How many, by segment."""
        return {name: int((self.labels == name).sum()) for name in self.models.segments}

    @property
    def daily(self) -> Float:
        """(7 w,) factor of each day."""
        return _daily(self.weekly, self.weekday)


def fit_season(fit: Callable[..., Any], known: Purchases, end: int, rounds: int = ROUNDS) -> SeasonalFit:
    """Models and factors from what is known at the end of day `end`; the factors have mean 1 over the days to it."""
    weekly, weekday = np.ones(end // WEEK + 1), np.ones(WEEK)
    for turn in range(rounds):
        daily = _daily(weekly, weekday)
        columns = histories_in(daily, known, end)
        models = _models(fit, columns, known.labels)
        if turn < rounds - 1:
            weekly, weekday = _factors(models, known, daily, weekday, end)
    return SeasonalFit(models, weekly, weekday, known.labels, columns)


def _models(fit: Callable[..., Any], columns: dict[str, Float], labels: npt.NDArray[np.object_]) -> BySegment[Any]:
    """By segment; of a single one it is everybody's."""
    if len(labels) and (labels == labels[0]).all():
        everybody = fit(**columns)
        return BySegment(everybody, {str(labels[0]): everybody}, ())
    return fit_by_segment(fit, columns, labels)


def histories_in(daily: Float, known: Purchases, end: int) -> dict[str, Float]:
    """x, t_x and T of each customer, in average days."""
    so_far = np.cumsum(daily)
    n = len(known.first)
    last = known.first.copy()
    np.maximum.at(last, known.customer, known.day)
    x = np.bincount(known.customer, minlength=n).astype(np.float64)
    start = so_far[known.first]
    return {"x": x, "t_x": so_far[last] - start, "T": so_far[end] - start}


def _factors(models: BySegment[Any], known: Purchases, daily: Float, weekday: Float, end: int) -> tuple[Float, Float]:
    """Factors of weeks and of weekdays: orders seen over those expected if the day were average."""
    day = np.arange(end + 1)
    seen = np.bincount(known.day[known.day <= end], minlength=end + 1)
    usual = expected_by_day(models, known, daily, end) / daily[: end + 1]
    weekly = _ratio(seen, usual * np.resize(weekday, end + 1), day // WEEK)
    weekday = _ratio(seen, usual * weekly[day // WEEK], day % WEEK)
    weekday /= weekday.mean()
    return weekly / np.average(_daily(weekly, weekday)[: end + 1]), weekday


def _ratio(seen: Int64, expected: Float, group: Int64) -> Float:
    result: Float = np.bincount(group, seen) / np.maximum(np.bincount(group, expected), 1e-9)
    return np.maximum(result, LEAST)


def later_factors(fit: SeasonalFit, known: Purchases, seen: int, end: int, rounds: int = 3) -> Float:
    """(w,) factor of each week from the one after day `seen` to day `end`, whose orders `known` holds too.

    What is expected of each customer takes the orders up to `seen` into account, so that a few frequent ones do not
    decide. The week in which the seen days end keeps its factor and is not among them.
    """
    before, first_week = known.until(seen), seen // WEEK + 1
    weeks = np.arange(first_week, end // WEEK + 1)
    columns = histories_in(fit.daily, before, seen)
    counted = np.bincount(known.day[known.day <= end] // WEEK, minlength=weeks[-1] + 1)[weeks]
    open_days = np.resize(fit.weekday, WEEK * (weeks[-1] + 1))
    here = np.bincount(np.arange(end + 1) // WEEK, open_days[: end + 1], minlength=weeks[-1] + 1)[weeks]
    rest = float(fit.daily[seen + 1 : WEEK * first_week].sum())  # average days left of the week already begun
    factors = np.ones(len(weeks))
    for _ in range(rounds):
        until = rest + np.concatenate([[0.0], np.cumsum(factors * here)])
        expected = np.diff(_expected_after(fit.models, before.labels, columns, until))
        factors = np.maximum(counted * factors / np.maximum(expected, 1e-9), LEAST)
    return factors


def _expected_after(
    models: BySegment[Any], labels: npt.NDArray[np.object_], columns: dict[str, Float], until: Float
) -> Float:
    """Orders expected of all customers within each of the spans `until`, given their histories."""
    total = np.zeros(len(until))
    for name, model in models.segments.items():
        x, t_x, T = (columns[key][labels == name] for key in ("x", "t_x", "T"))
        total += [float(model.expected_purchases(span, x, t_x, T).sum()) if span > 0 else 0.0 for span in until]
    return total


def expected_by_day(models: BySegment[Any], known: Purchases, daily: Float, end: int) -> Float:
    """(end + 1,) repeat orders expected on each day of all customers, from what is known of their first orders."""
    so_far, total = np.cumsum(daily)[: end + 1], np.zeros(end + 1)
    for name, model in models.segments.items():
        entries, counted = np.unique(known.first[known.labels == name], return_counts=True)
        age = np.maximum(so_far[:, None] - so_far[entries], 0.0)
        total += np.diff(_expected_at(model, age) @ counted, prepend=0.0)
    return total


def _expected_at(model: Any, age: Float) -> Float:
    """Repeat orders of a new customer by so many average days, of the shape of `age`.

    Ages of even days are few. Those of days with factors are all different, and the curve is smooth: it is read off at
    NODES ages, closer together where they are small, and straight in between: off by less than 1e-5 orders.
    """
    ages, where = np.unique(age, return_inverse=True)
    asked = ages if len(ages) <= NODES else float(ages[-1]) * np.linspace(0.0, 1.0, NODES) ** 2
    nothing = np.zeros(len(asked))
    expected = model.expected_purchases(asked, nothing, nothing, nothing)
    found: Float = np.interp(ages, asked, expected)[where].reshape(age.shape)
    return found


def _daily(weekly: Float, weekday: Float) -> Float:
    return np.repeat(weekly, WEEK) * np.resize(weekday, WEEK * len(weekly))
