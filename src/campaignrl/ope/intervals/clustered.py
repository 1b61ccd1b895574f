"""Estimates and how sure they are by customers: rows of one customer move together, so sums over customers count.

Here: an estimate with its rows' influences, sums over customers, the clustered standard error and t interval. Not here:
the interval that rare conversions need (empirical_likelihood.py), the estimates themselves (ope/estimators/). n rows,
C customers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Array, Float, Rows
from campaignrl.ope.intervals.quantiles import normal_tail, t_quantile

CLUSTERED_T = "customer t"
MODEL_T = "customer t, the model's own error not counted"
HELD_T = "customer t, the bias of holding weights back not counted"
NOT_TO_BE_HAD = float("nan")
ALL = slice(None)
SIDE_BY_SIDE = 1_024  # customers whose sums grow together; of fewer, or of few rows each, numpy's own loop is as fast
LEAST_EACH, MOST_EACH = 16, 512  # rows, of which so many customers' stay in the cache


class Point(NamedTuple):
    """An estimate, and by how much each row moves it: value - truth ~ mean(influence); influences sum to 0."""

    value: float
    influence: Float  # (n,)


class Estimate(NamedTuple):
    """One estimator's answer, in the unit of the reward per decision; NaN where it cannot be had."""

    value: float
    std_error: float
    ci_low: float
    ci_high: float
    interval: str  # how the interval was made


class Clusters:
    """Which customer each row belongs to, and sums over customers."""

    def __init__(self, customer: npt.NDArray[np.integer]) -> None:
        """customer: (n,) any whole numbers; customers without a row do not count."""
        counts: npt.NDArray[np.intp] = np.bincount(customer)
        self._present: npt.NDArray[np.intp] = np.flatnonzero(counts)
        self._all = len(self._present) == len(counts)  # no number is left out
        # A row a customer, in order: sums are the rows themselves.
        self._alone = self._all and len(counts) == len(customer) and bool((customer[1:] > customer[:-1]).all())
        self._customer = customer
        self.rows = len(customer)
        self._each = 0 if self._alone else _rows_of_each(customer, counts)
        self.sizes: Float = np.asarray(self._of_present(counts), dtype=np.float64)  # (C,) rows of each customer

    def __len__(self) -> int:
        return len(self._present)

    @property
    def numbers(self) -> npt.NDArray[np.intp]:
        """(C,) the whole number of each customer, ascending: the order of every (C,) array here."""
        return self._present

    def of_rows(self, rows: slice | Rows = ALL) -> npt.NDArray[np.intp]:
        """(n,) which of the C customers each row belongs to, or only these rows."""
        customer = self._customer[rows]
        return np.asarray(customer, dtype=np.intp) if self._all else np.searchsorted(self._present, customer)

    def sums(self, values: Float) -> Float:
        """(n,) -> (C,) sums over each customer's rows."""
        if self._alone:
            return np.asarray(values + 0.0, dtype=np.float64)
        if self._each:
            return _sums_in_turn(values, self._each)
        return np.asarray(self._of_present(np.bincount(self._customer, values)), dtype=np.float64)

    def _of_present(self, of_numbers: Array) -> Array:
        return of_numbers if self._all else of_numbers[self._present]

    def scaled(self, values: Float) -> Float:
        """(n,) -> (C,) sums times C / n: their mean over customers is the mean over rows."""
        return self.sums(values) * (len(self) / self.rows)


def _rows_of_each(customer: Array, counts: Array) -> int:
    """How many rows every customer has, where all have as many and theirs stand together, in order; else 0."""
    each = int(counts[0]) if len(counts) else 0
    if len(counts) < SIDE_BY_SIDE or not LEAST_EACH <= each <= MOST_EACH or (counts != each).any():
        return 0
    return 0 if (customer[1:] < customer[:-1]).any() else each


def _sums_in_turn(values: Float, each: int) -> Float:
    """(n,) -> (C,) as `np.bincount` adds them up, a customer's rows one after another, but many customers at once."""
    of_customer = np.asarray(values, dtype=np.float64).reshape(-1, each)
    totals = np.zeros(len(of_customer))
    for start in range(0, len(totals), SIDE_BY_SIDE):
        total = totals[start : start + SIDE_BY_SIDE]
        for rows in np.ascontiguousarray(of_customer[start : start + SIDE_BY_SIDE].T):
            total += rows
    return totals


def numbered(customer: Array) -> Array:
    """(n,) 0, 1, ... in place of any numbers, in their order."""
    if (customer[1:] > customer[:-1]).all():  # a row each
        return np.arange(len(customer))
    if (customer[1:] >= customer[:-1]).all():
        number = np.zeros(len(customer), dtype=np.intp)
        np.cumsum(customer[1:] != customer[:-1], out=number[1:])
        return number
    return np.asarray(np.unique(customer, return_inverse=True)[1])


def std_error(influence: Float, clusters: Clusters) -> float:
    """Standard error of a mean of rows whose customers are independent (linearised; Liang & Zeger 1986).

    The ordinary one when every customer has one row. NaN for a single customer.
    """
    count = len(clusters)
    if count < 2:
        return NOT_TO_BE_HAD
    totals = clusters.sums(influence)
    return float(np.sqrt(count / (count - 1) * np.sum(totals * totals)) / clusters.rows)


def p_value_of_gap(a: float, b: float, error: float) -> float:
    """How likely two estimates are this far apart by chance; 1 where only rounding is between them."""
    if not abs(a - b) > 1e-9 * max(abs(a), abs(b)) or not error > 0.0:
        return 1.0
    return 2 * normal_tail(abs(a - b) / error)


def clustered_t(point: Point, clusters: Clusters, alpha: float, interval: str = CLUSTERED_T) -> Estimate:
    """Value +- t quantile (C - 1 degrees of freedom) x clustered standard error."""
    error = std_error(point.influence, clusters)
    half = t_quantile(alpha / 2, max(len(clusters) - 1, 1)) * error
    return Estimate(point.value, error, float(point.value - half), float(point.value + half), interval)
