"""Gamma-Gamma: what an order is worth. Each customer's orders vary around a mean of its own, whatever their number.

Order values are gamma(p, rate nu), nu is gamma(q, rate gamma) over customers; the population mean is p gamma / (q - 1).
Fader & Hardie 2013, "The Gamma-Gamma Model of Monetary Value". Not here: how many orders there are (the other models).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from campaignrl.arrays import Float
from campaignrl.calibration.purchase.fitting import ENOUGH, Fit, FittedModel, Rows, centre, facts, maximise, named
from campaignrl.errors import SHOWN, DataError, Problem

NAMES = ("p", "q", "gamma")


@dataclass(frozen=True, slots=True)
class GammaGamma(FittedModel):
    """A fitted Gamma-Gamma; gamma in the currency of the values."""

    p: float  # shape of one customer's order values: coefficient of variation p^-0.5
    q: float  # shape between customers
    gamma: float  # scale
    fit: Fit

    @property
    def mean(self) -> float:
        """Mean order value over customers; infinite if q is at most 1."""
        return self.p * self.gamma / (self.q - 1.0) if self.q > 1.0 else float("inf")

    def expected_spend(self, x: npt.ArrayLike, m: npt.ArrayLike) -> Float:
        """(n,) value of the next order of customers whose x orders had the mean m: between m and the mean of all.

        x: (n,) orders seen, 0 allowed (m is then not looked at; nan will do).
        """
        orders = np.atleast_1d(np.asarray(x, dtype=np.float64))
        means = np.where(orders > 0, np.asarray(m, dtype=np.float64), 0.0)
        shape = self.p * orders + self.q - 1.0
        with np.errstate(divide="ignore"):
            result: Float = np.where(shape > 0.0, self.p * (self.gamma + orders * means) / shape, np.inf)
        return result


def fit_gamma_gamma(
    x: npt.ArrayLike,
    m: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    l2: float = 0.0,
    toward: Mapping[str, float] | None = None,
) -> GammaGamma:
    """Maximum likelihood on n customers: x (n,) orders, at least 1, and their mean value m (n,), above 0."""
    count, mean, weight = _checked(x, m, weights)
    scale = float(np.average(mean, weights=weight))
    starts = [(4.0, 4.0, scale), (1.0, 2.0, scale), (20.0, 3.0, scale / 5)]
    k = len(count) // ENOUGH
    part = _rows(*(column[k // 2 :: k] for column in (count, mean, weight))) if k > 1 else None
    found = maximise(_rows(count, mean, weight), part, starts, l2, centre(NAMES, l2, toward))
    fit = facts(NAMES, found, float(weight.sum()))
    return GammaGamma(**named(NAMES, found.parameters), fit=fit)


def _rows(x: Float, m: Float, weight: Float) -> Rows:
    return Rows(len(x), float(weight.sum()), lambda p, s: log_likelihood(p, x[s], m[s], weight[s]))


def log_likelihood(parameters: Float, x: Float, m: Float, weight: Float) -> tuple[float, Float]:
    """Density of the mean m of x orders, summed in logs, and its gradient by (p, q, gamma)."""
    p, q, gamma = parameters
    orders, place = np.unique(x, return_inverse=True)
    counted, shape = np.bincount(place, weight), p * orders
    total, log_total, log_spend = weight.sum(), np.log(gamma + m * x), np.log(m * x)
    of_orders = special.gammaln(shape + q) - special.gammaln(shape)
    value = counted @ of_orders + total * (q * np.log(gamma) - special.gammaln(q))
    value += weight @ (p * x * log_spend - np.log(m) - (p * x + q) * log_total)
    grown = special.psi(shape + q)
    slope = [
        counted @ (orders * (grown - special.psi(shape))) + (weight * x) @ (log_spend - log_total),
        counted @ grown + total * (np.log(gamma) - special.psi(q)) - weight @ log_total,
        total * q / gamma - weight @ ((p * x + q) / (gamma + m * x)),
    ]
    return float(value), np.array(slope)


def _checked(x: npt.ArrayLike, m: npt.ArrayLike, weights: npt.ArrayLike | None) -> tuple[Float, Float, Float]:
    """Sorted by number of orders and mean, so that every k-th row is a fair part."""
    columns = [np.asarray(c, dtype=np.float64) for c in (x, m, np.ones(np.shape(x)) if weights is None else weights)]
    if len({c.shape for c in columns}) > 1 or columns[0].ndim != 1 or not len(columns[0]):
        shapes = ", ".join(str(c.shape) for c in columns)
        raise DataError(Problem("spending", "x, m, weights", shapes, "arrays of one length, at least 1"))
    allowed = ("a number of orders, at least 1", "a mean value above 0", "above 0")
    lowest = (1.0, np.nextafter(0.0, 1.0), np.nextafter(0.0, 1.0))
    found = []
    for name, column, least, words in zip(("x", "m", "weight"), columns, lowest, allowed, strict=True):
        bad = np.flatnonzero(~(np.isfinite(column) & (column >= least)))
        found += [Problem(f"spending row {row}", name, float(column[row]), words) for row in bad[: SHOWN + 1]]
    if found:
        raise DataError(found)
    order = np.lexsort((columns[1], columns[0]))
    return columns[0][order], columns[1][order], columns[2][order]
