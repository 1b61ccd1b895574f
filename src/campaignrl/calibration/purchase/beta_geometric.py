"""BG/NBD and MBG/NBD: gamma-distributed order rates, and a beta-distributed chance to drop out after an order.

The two differ in whether a customer may drop out right after the first order: `first` is 1 where that is so (MBG/NBD)
and 0 where not (BG/NBD), and d = x + first counts the chances to drop out. Under BG/NBD a customer without a repeat
order is alive for sure, which flatters one-time buyers; under MBG/NBD they may be gone: the better default for a
lifecycle. Shapes (n,), times in one unit.
Fader, Hardie & Lee 2005, "Counting Your Customers the Easy Way", Marketing Science 24(2); Batislam, Denizel &
Filiztekin 2007, "Empirical validation and comparison of models for customer base analysis", IJRM 24(3); also Hoppe &
Wagner 2007.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy import special

from campaignrl.arrays import Float
from campaignrl.calibration.purchase.fitting import Fit, FittedModel, fit_histories, time_scale
from campaignrl.calibration.purchase.histories import Histories, as_given, distinct, histories

NAMES = ("r", "alpha", "a", "b")
NODES = 48  # of the quadrature: within 1e-5 of 2F1 where that can be reckoned
SMALLEST = 1e-12  # chance to drop out, below which it is none


@dataclass(frozen=True, slots=True)
class BetaGeometric(FittedModel):
    """A fitted model of the two; alpha in the unit of the times it was fitted on."""

    FIRST: ClassVar[int]  # chances to drop out before the first repeat order

    r: float  # shape of the order rates
    alpha: float  # their scale: mean rate r / alpha
    a: float  # drop-out after an order: beta(a, b)
    b: float
    fit: Fit

    def p_alive(self, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike) -> Float:
        """(n,) chance that customers with these histories have not dropped out by T."""
        return p_alive(self._vector, as_given(x, t_x, T), self.FIRST)

    def expected_purchases(
        self, horizon: npt.ArrayLike, x: npt.ArrayLike = 0.0, t_x: npt.ArrayLike = 0.0, T: npt.ArrayLike = 0.0
    ) -> Float:
        """(n,) orders within `horizon` after T; without a history: repeat orders of a new customer."""
        h = as_given(x, t_x, T)
        return expected_purchases(self._vector, np.asarray(horizon, dtype=np.float64), h, self.FIRST)

    def p_return(self, horizon: float, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike) -> Float:
        """(n,) chance of an order within `horizon` after T: who is alive drops out after orders alone."""
        h = as_given(x, t_x, T)
        silent = ((self.alpha + h.T) / (self.alpha + h.T + horizon)) ** (self.r + h.x)
        result: Float = p_alive(self._vector, h, self.FIRST) * (1.0 - silent)
        return result


@dataclass(frozen=True, slots=True)
class BgNbd(BetaGeometric):
    """A fitted BG/NBD: drop-out after a repeat order only; alpha in the unit of the times it was fitted on."""

    FIRST: ClassVar[int] = 0


@dataclass(frozen=True, slots=True)
class MbgNbd(BetaGeometric):
    """A fitted MBG/NBD: drop-out after any order; alpha in the unit of the times it was fitted on."""

    FIRST: ClassVar[int] = 1


def fit_bg_nbd(
    x: npt.ArrayLike,
    t_x: npt.ArrayLike,
    T: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    l2: float = 0.0,
    toward: Mapping[str, float] | None = None,
) -> BgNbd:
    """Maximum likelihood on n customers: repeat orders x, time of the last one t_x, time watched T, each (n,).

    weights: (n,) how many customers each row stands for. l2: times the squared distance of the log parameters from
    those of `toward` (default: 1) is taken off the log-likelihood, which pulls small samples there.
    """
    found, fit = _fitted(BgNbd.FIRST, histories(x, t_x, T, weights), l2, toward)
    return BgNbd(**found, fit=fit)


def fit_mbg_nbd(
    x: npt.ArrayLike,
    t_x: npt.ArrayLike,
    T: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    l2: float = 0.0,
    toward: Mapping[str, float] | None = None,
) -> MbgNbd:
    """As `fit_bg_nbd`, but customers may also drop out right after their first order."""
    found, fit = _fitted(MbgNbd.FIRST, histories(x, t_x, T, weights), l2, toward)
    return MbgNbd(**found, fit=fit)


def _fitted(
    first: int, given: Histories, l2: float, toward: Mapping[str, float] | None
) -> tuple[Mapping[str, float], Fit]:
    """Maximum likelihood, the parameters by name; see fit_bg_nbd for the words."""
    scale = time_scale(given)
    starts = [(0.5, scale / 2, 0.8, 2.0), (1.0, scale, 0.3, 3.0), (0.2, scale / 8, 2.0, 8.0)]
    return fit_histories(lambda p, h: log_likelihood(p, h, first), NAMES, starts, given, l2, toward)


def log_likelihood(parameters: Float, h: Histories, first: int) -> tuple[float, Float]:
    """Sum over the histories, and its gradient by (r, alpha, a, b)."""
    r, alpha, a, b = parameters
    orders, place = np.unique(h.x, return_inverse=True)
    alive, dead, share = _parts(parameters, h, first)
    total = np.logaddexp(alive, dead)
    of_orders = special.gammaln(r + orders) + _log_survivals(a, b, orders + first)
    value = h.weight @ (of_orders[place] + total) + h.weight.sum() * (r * np.log(alpha) - special.gammaln(r))
    counted = np.bincount(place, h.weight)
    log_t, log_tx = np.log(alpha + h.T), np.log(alpha + h.t_x)
    mean_log = (1.0 - share) * log_t + share * log_tx
    weight = counted.sum()
    slope_r = counted @ special.psi(r + orders) + weight * (np.log(alpha) - special.psi(r)) - h.weight @ mean_log
    pull = (r + h.x) * ((1.0 - share) / (alpha + h.T) + share / (alpha + h.t_x))
    slope_alpha = weight * r / alpha - h.weight @ pull
    d = orders + first
    both = special.psi(a + b) - special.psi(a + b + d)
    died = np.bincount(place, h.weight * share)  # expected drop-outs by number of orders
    slope_a = counted @ both + died.sum() / a
    later = np.where(d > 0, b + d - 1.0, 1.0)
    slope_b = counted @ (both + special.psi(b + d) - special.psi(b)) - died @ np.where(d > 0, 1.0 / later, 0.0)
    return float(value), np.array([slope_r, slope_alpha, slope_a, slope_b])


def p_alive(parameters: Float, h: Histories, first: int) -> Float:
    """(n,) chance that the customer has not dropped out by T."""
    _, _, share = _parts(parameters, h, first)
    return 1.0 - share


def expected_purchases(parameters: Float, horizon: Float, h: Histories, first: int) -> Float:
    """(n,) orders expected within `horizon` after T.

    With Euler's transformation of 2F1 the number of orders stays out of its first two arguments, so it neither
    overflows nor cancels for frequent customers. At a = 1 the formula is 0 / 0; the mean of both sides is taken.
    """
    r, alpha, a, b = parameters
    if abs(a - 1.0) < 1e-5:
        sides = [expected_purchases(np.array([r, alpha, 1.0 + off, b]), horizon, h, first) for off in (-1e-5, 1e-5)]
        return (sides[0] + sides[1]) / 2.0
    alive = p_alive(parameters, h, first)
    if horizon.ndim:
        return _of_the_living(parameters, horizon, h, first) * alive
    (x, T), place = distinct(h.x, h.T)  # far fewer than customers
    kinds = Histories(x, np.zeros_like(x), T, np.ones_like(x))
    result: Float = _of_the_living(parameters, horizon, kinds, first)[place] * alive
    return result


def _of_the_living(parameters: Float, horizon: Float, h: Histories, first: int) -> Float:
    """(n,) orders expected of customers who are alive: when they ordered last does not matter."""
    r, alpha, a, b = parameters
    z = horizon / (alpha + h.T + horizon)
    c = a + b + h.x + first - 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        left = np.power(1.0 - z, a - 1.0) * special.hyp2f1(a + b + first - 1.0 - r, a - 1.0, c, z)
        result: Float = c / (a - 1.0) * (1.0 - left)
    # Where parameters are huge (customers alike, or nobody leaves) 2F1 fails; more than all that the living would
    # order without ever leaving, or less than none, is a failure too.
    most = (r + h.x) / (alpha + h.T) * horizon
    failed = ~(np.isfinite(result) & (result >= 0.0) & (result <= most * (1.0 + 1e-9)))
    if failed.any():
        result = np.where(failed, _by_quadrature(parameters, horizon, h, first), result)
    return result


def _by_quadrature(parameters: Float, horizon: Float, h: Histories, first: int) -> Float:
    """(n,) orders of customers who are alive: the mean over the chance p to drop out, beta(a, b + x + first).

    With p known they are (1 - (A / (A + p horizon))^(r + x)) / p, with A = alpha + T; nodes are quantiles of p.
    """
    r, alpha, a, b = parameters
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    total, watched = np.zeros(np.broadcast(h.x, horizon).shape), alpha + h.T
    orders, place = np.unique(h.x, return_inverse=True)
    for node, weight in zip((nodes + 1.0) / 2.0, weights / 2.0, strict=True):
        p = np.maximum(special.betaincinv(a, b + orders + first, node), SMALLEST)[place]
        total = total - weight * np.expm1(-(r + h.x) * np.log1p(p * horizon / watched)) / p
    return total


def _log_survivals(a: float, b: float, d: Float) -> Float:
    """Log of the chance to survive d chances to drop out."""
    result: Float = special.betaln(a, b + d) - special.betaln(a, b)
    return result


def _parts(parameters: Float, h: Histories, first: int) -> tuple[Float, Float, Float]:
    """Log-likelihoods of being alive at T and of having dropped out at t_x, and the share of the latter."""
    r, alpha, a, b = parameters
    d = h.x + first
    alive = -(r + h.x) * np.log(alpha + h.T)
    with np.errstate(divide="ignore", invalid="ignore"):
        dead = np.where(d > 0, np.log(a) - np.log(b + d - 1.0) - (r + h.x) * np.log(alpha + h.t_x), -np.inf)
    return alive, dead, special.expit(dead - alive)
