"""Interval of a weighted mean whose weights are known to average 1: read off a regression of outcomes on weights.

Where a sample's weights do not average 1 exactly, its outcomes are off with them, and the regression takes out by how
much: the interval is that of the mean outcome at a mean weight of 1. Few heavy weights pull the regression towards
themselves, which makes residuals too small just there, and leave a variance that is itself hardly known. So each
residual is divided by one less its leverage (the jackknife; MacKinnon & White 1985, HC3), and the quantile is that of a
t with as many degrees of freedom as the influences are spread over (Satterthwaite 1946; Bell & McCaffrey 2002). With
heavy weights it covers where a plain t does not, at about its width. It sees no event that did not happen: heavy rows
in which nothing has happened yet look sure, so it is never shorter than if residuals were alike whatever their
weights. Where hardly anything happened that one could be off by, or few rows speak, empirical_likelihood.py is the one.

Two kinds for two shapes. Where stakes have both signs, as in a difference, few large rewards fall on either side, and a
sum of such terms is no less sure than its own spread says (Efron 1969, JASA 64: self-normalised sums of symmetric terms
have light tails): degrees of freedom are then those of the stakes alone (Bell & McCaffrey 2002), and the other spread
is met half-way. Where nearly all that happens lies to one side, as orders do, or a sum of it would be skewed, what was
not seen lies there too: only on that side is the interval as long as alike residuals, or influences that few customers
hold, would make it; on the other, where the large orders that were seen could only have been fewer, it is as short as
its own spread over the degrees of the stakes. Of few events it goes farther on their side still, by how skewed the sum
is if rewards do not depend on weights (Hall 1992, JRSS-B 54).

C customers; weights and outcomes are sums over a customer's rows times C / n.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Array, Float
from campaignrl.ope.intervals.empirical_likelihood import PairSums
from campaignrl.ope.intervals.quantiles import t_quantile

REGRESSION_T = "regression on the weights, customer t"
SKEWED_T = "regression on the weights, skewed customer t"
_FLAT = 1e-9  # a variance of weights below this is rounding
_ROUNDING = 1e-14  # a variance of residuals below this share of the squares of outcomes is rounding
_SURELY = 1.0 - 1e-9  # less by more than rounding
_ROOM = 0.05  # least that is left of a residual's own say
_BOTH = 4  # one tail is at most so many times as full as the other where both are told
# Below the one stakes have both signs, below the other a sum of stakes x residuals is as good as symmetric. With one
# action tried rarely, or few large orders in one thin arm, both are above, and degrees of freedom by stakes lose 4 %.
_BALANCED, _SYMMETRIC = 2.0, 1.0 / 3.0


class _Read(NamedTuple):
    """A regression read off at a mean weight of 1."""

    centre: float
    variance: float
    influence: Float  # (m,) of customers
    square: float  # sum of squares of these
    customers: float

    def freedom(self, exact: bool = True) -> float:
        """Degrees over which the influences are spread.

        exact: to the last digit, for which powers are taken one by one, at ten times the cost.
        """
        # Of the size, for powers of numbers below 0 cost twenty times as much again.
        squares = self.influence * self.influence
        fourth = float((np.abs(self.influence) ** 4).sum()) if exact else float(squares @ squares)
        m, n = len(self.influence), self.customers
        concentration = fourth / self.square**2 * m / n
        return min(2.0 / max(concentration - 1.0 / n, 1e-300) + 1.0, n - 1.0)

    def freedom_from(self, least: float) -> float:
        """The same, but at least so many."""
        return least if self.freedom(exact=False) < _SURELY * least else max(self.freedom(), least)


def _read(sums: PairSums, weight: Float, outcome: Float) -> _Read | None:
    """None where the spread cannot be told.

    sums: of all C customers; weight, outcome: (m,) of all of them, or of a part from which the shape is read while
    the scale is that of all.
    """
    n, m = sums.n, len(weight)
    if n < 3 or m < 3:
        return None
    mean_w, mean_y = sums.w / n, sums.y / n
    spread, together = sums.ww - n * mean_w**2, sums.wy - n * mean_w * mean_y
    varies = spread > _FLAT * n
    slope, off = (together / spread, 1.0 - mean_w) if varies else (0.0, 0.0)
    far = weight - mean_w if varies else np.zeros(m)
    residual = outcome - mean_y - slope * far
    say = (1.0 + (off * n / spread if varies else 0.0) * far) / n
    leverage = 1.0 / n + (far * far / spread if varies else 0.0)
    influence = say * residual / np.maximum(1.0 - leverage, _ROOM)
    square = float(influence @ influence)
    of_part = float(residual @ residual) / m
    of_all = max(sums.yy - n * mean_y**2 - slope * together, 0.0) / n
    if not square > 0.0 or not of_part > 0.0 or of_all <= _ROUNDING * sums.yy / n:
        return None  # all lie on a line, but for rounding: of how far others lie from it they say nothing
    return _Read(mean_y + slope * off, square * n / m * of_all / of_part, influence, square, n)


def regression_interval(
    sums: PairSums,
    weight: Float,
    outcome: Float,
    alpha: float,
    least_error: float = 0.0,
    lean: int = 0,
    freedom: float = 0.0,
) -> tuple[float, float] | None:
    """Interval of the mean outcome at a mean weight of 1; None where the spread cannot be told.

    sums, weight, outcome: see `_read`; least_error: a standard error that rows of any weight tell,
    `error_of_like_residuals`; lean: the side on which things happen, `side_of_events`; freedom: degrees that there are
    at least on the other, `degrees_of_stakes`.
    """
    read = _read(sums, weight, outcome)
    if read is None:
        return None
    error, least = math.sqrt(read.variance), t_quantile(alpha / 2, read.customers - 1.0) * least_error
    if t_quantile(alpha / 2, read.freedom(exact=False)) * error < _SURELY * least:
        far = least
    else:
        far = max(t_quantile(alpha / 2, read.freedom()) * error, least)
    return _around(read, far, alpha, lean, freedom)


def balanced_interval(
    sums: PairSums,
    weight: Float,
    outcome: Float,
    alpha: float,
    like_error: float,
    freedom: float,
    lean: int = 0,
    degrees: float = 0.0,
) -> tuple[float, float] | None:
    """The same of a difference. freedom: degrees that there are at least, `freedom_of_stakes`.

    lean: the side on which things happen; degrees: of the stakes, on the other.
    """
    read = _read(sums, weight, outcome)
    if read is None:
        return None
    variance = max(read.variance, (read.variance + like_error * like_error) / 2.0)
    far = t_quantile(alpha / 2, min(read.freedom_from(freedom), read.customers - 1.0)) * math.sqrt(variance)
    return _around(read, far, alpha, lean, degrees)


def _around(read: _Read, far: float, alpha: float, lean: int, freedom: float) -> tuple[float, float]:
    """So far on either side, or only where things happen, and on the other as far as what was seen says."""
    if not lean:
        return read.centre - far, read.centre + far
    near = t_quantile(alpha / 2, min(read.freedom_from(freedom), read.customers - 1.0)) * math.sqrt(read.variance)
    below, above = (near, far) if lean > 0 else (far, near)
    return read.centre - below, read.centre + above


def skewed_interval(
    sums: PairSums, weight: Float, outcome: Float, alpha: float, least_error: float, skewness: float
) -> tuple[float, float] | None:
    """The same of few events on one side. skewness: of the sum, `skewness_of_sum`."""
    read = _read(sums, weight, outcome)
    if read is None:
        return None
    error, quantile = max(math.sqrt(read.variance), least_error), t_quantile(alpha / 2, read.customers - 1.0)
    below, above = (_unskewed(sign * quantile, skewness) for sign in (1.0, -1.0))
    return read.centre - error * below, read.centre - error * above


def _unskewed(x: float, skewness: float) -> float:
    """At which studentized value Hall's monotone transformation of a mean is x (1992, equation 2.4 inverted)."""
    if abs(skewness) < _FLAT:
        return x
    return 3.0 / skewness * (math.cbrt(1.0 + skewness * (x - skewness / 6.0)) - 1.0)


def events_of(residual: Float, rows: float) -> float:
    """How much happened: over how many rows residuals are spread, as many equal ones would be.

    Of 42 clicks in 10,000 rows it is 42; of three orders that are most of the money it is three.
    residual: (m,) of these rows or of a part of them; rows: independent ones, `independent_rows`.
    """
    square = residual * residual
    fourth = float(square @ square)
    return float(square.sum()) ** 2 / fourth * rows / len(residual) if fourth > 0.0 else 0.0


def side_of_events(residual: Float) -> int:
    """Where what happens far from what was expected nearly all lies: 1 above it, -1 below, 0 on either side.

    Orders among rows without lie above. A sum of such is skewed, and what was not seen of it lies on that side; where
    both tails are told, they cancel.
    """
    far = math.sqrt(float(residual @ residual) / max(len(residual), 1))
    above, below = (int(np.count_nonzero(tail)) for tail in (residual > far, residual < -far))
    return (above > below) - (above < below) if _BOTH * min(above, below) < max(above, below) else 0


def one_sided(residual: Float) -> bool:
    """Whether what happens nearly all lies on one side, `side_of_events`."""
    return side_of_events(residual) != 0


def independent_rows(stake: Float, residual: Float, rows: float, customer: Array) -> float:
    """As how many independent rows these count for a mean of stake x residual, if the two are unrelated.

    Fewer where within a customer both go together: 1 + (m - 1) r_stake r_residual rows count as one, m being the rows
    of a row's customer (Moulton 1986). stake, residual, customer: (r,) of these rows or of a part of them, the last
    whole numbers from 0 up.
    """
    if len(customer) and customer[-1] == len(customer) - 1 and (customer[1:] > customer[:-1]).all():  # a row each
        return rows
    size = np.bincount(customer)
    others = float((size * size).sum()) / max(len(customer), 1) - 1.0
    if not others > 0.0:
        return rows
    return rows / (1.0 + _together(stake, customer) * _together(residual, customer) / others)


def _together(values: Float, customer: Array) -> float:
    """(m - 1) times the correlation of two rows of a customer, about 0; none where they go against each other."""
    square, totals = float(values @ values), np.bincount(customer, values)
    return max(float(totals @ totals) / square - 1.0, 0.0) if square > 0.0 else 0.0


def skewness_of_sum(stake: Float, residual: Float, rows: float) -> float:
    """Skewness of a mean of stake x residual over `rows` rows if residuals do not depend on stakes.

    stake, residual: (r,) of these rows or of a part of them; rows: independent ones.
    """
    return _skewness(stake) * _skewness(residual) / math.sqrt(rows)


def degrees_of_stakes(stake: Float, rows: float) -> float:
    """Over how many degrees of freedom stakes are spread (Bell & McCaffrey 2002, residuals alike); 0: there are none.

    stake: (r,) of `rows` rows or of a part of them; rows: independent ones.
    """
    squares = stake * stake
    square = float(squares.sum())
    if not square > 0.0:
        return 0.0
    spread = float(squares @ squares) / square / square * len(stake) - 1.0
    return 2.0 * rows / max(spread, 1e-300) + 1.0


def freedom_of_stakes(stake: Float, residual: Float, rows: float) -> float:
    """`degrees_of_stakes` if what stakes do to residuals falls on both sides; else 0."""
    skewed = abs(_skewness(stake))
    if skewed >= _BALANCED and skewed * abs(_skewness(residual)) >= _SYMMETRIC * math.sqrt(rows):
        return 0.0
    return degrees_of_stakes(stake, rows)


def _skewness(values: Float) -> float:
    """Mean third power over that of the root mean square, about 0."""
    squares = values * values
    square = float(squares.sum())
    return float(squares @ values) / square * math.sqrt(len(values) / square) if square > 0.0 else 0.0


def error_of_like_residuals(stake: Float, residual: Float, rows: float) -> float:
    """Standard error of the mean of stake x residual over `rows` rows if residuals do not depend on stakes.

    stake, residual: (r,) of these rows or of a part of them; rows: independent ones.
    """
    return math.sqrt(float(stake @ stake) * float(residual @ residual)) / (max(len(stake), 1) * math.sqrt(rows))
