"""Pareto/NBD: orders are Poisson while the customer lives, lifetimes are exponential; both rates are gamma-distributed.

Schmittlein, Morrison & Colombo 1987, "Counting Your Customers", Management Science 33(1). The likelihood needs
    I = integral from t_x to T of (alpha + u)^-(r + x) (beta + u)^-(s + 1) du,
which the papers write as a difference of two Gauss hypergeometric functions, another one for alpha < beta. Here it is
summed directly (Gauss-Legendre, in the logarithm of the smaller base): smooth for any parameters, nothing cancels, and
its derivatives are sums over the same points. This is the model the simulated world orders by (dynamics/).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from campaignrl.arrays import Float
from campaignrl.calibration.purchase.fitting import Fit, FittedModel, fit_histories, time_scale
from campaignrl.calibration.purchase.histories import Histories, as_given, histories

NAMES = ("r", "alpha", "s", "beta")
POINTS = 24
NODES, WEIGHTS = np.polynomial.legendre.leggauss(POINTS)
NODES, WEIGHTS = (NODES + 1.0) / 2.0, WEIGHTS / 2.0  # on [0, 1]
FAR = 36.0  # natural logs below its start, an integrand no longer counts
SLICE = 1_024  # histories whose points are in the cache together


@dataclass(frozen=True, slots=True)
class ParetoNbd(FittedModel):
    """A fitted Pareto/NBD; alpha and beta in the unit of the times it was fitted on."""

    r: float  # shape of the order rates
    alpha: float  # their scale: mean rate r / alpha
    s: float  # shape of the drop-out rates
    beta: float  # their scale: mean rate s / beta
    fit: Fit

    def p_alive(self, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike) -> Float:
        """(n,) chance that customers with these histories have not dropped out by T."""
        return _p_alive(self._vector, as_given(x, t_x, T))

    def expected_purchases(
        self, horizon: npt.ArrayLike, x: npt.ArrayLike = 0.0, t_x: npt.ArrayLike = 0.0, T: npt.ArrayLike = 0.0
    ) -> Float:
        """(n,) orders within `horizon` after T; without a history: repeat orders of a new customer."""
        h = as_given(x, t_x, T)
        c, end = self.s - 1.0, np.log1p(np.asarray(horizon, dtype=np.float64) / (self.beta + h.T))
        lifetime = (self.beta + h.T) * (-np.expm1(-c * end) / c if abs(c) > 1e-12 else end)
        result: Float = (self.r + h.x) / (self.alpha + h.T) * lifetime * _p_alive(self._vector, h)
        return result

    def p_return(self, horizon: float, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike) -> Float:
        """(n,) chance of an order within `horizon` after T, summed over the time of the next one."""
        h = as_given(x, t_x, T)
        total: Float = np.zeros(len(h.x))
        shape, rate, life = self.r + h.x, self.alpha + h.T, self.beta + h.T
        length = np.minimum(np.log1p(horizon / rate), FAR / shape)
        for node, weight in zip(NODES, WEIGHTS, strict=True):
            stays = (life / (life + rate * np.expm1(node * length))) ** self.s
            total = total + weight * length * shape * np.exp(-shape * node * length) * stays
        result: Float = _p_alive(self._vector, h) * total
        return result


def fit_pareto_nbd(
    x: npt.ArrayLike,
    t_x: npt.ArrayLike,
    T: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    l2: float = 0.0,
    toward: Mapping[str, float] | None = None,
) -> ParetoNbd:
    """Maximum likelihood on n customers; arguments as in `fit_bg_nbd`."""
    given = histories(x, t_x, T, weights)
    scale = time_scale(given)
    starts = [(0.5, scale / 3, 0.5, scale / 3), (1.0, scale, 1.0, 2 * scale), (0.3, scale / 8, 0.3, scale / 8)]
    found, fit = fit_histories(log_likelihood, NAMES, starts, given, l2, toward)
    return ParetoNbd(**found, fit=fit)


def log_likelihood(parameters: Float, h: Histories) -> tuple[float, Float]:
    """Sum over the histories, and its gradient by (r, alpha, s, beta)."""
    r, alpha, s, beta = parameters
    log_a, log_b = np.log(alpha + h.T), np.log(beta + h.T)
    alive = -(r + h.x) * log_a - s * log_b
    integral, moments = _integral(parameters, h)
    dead = np.log(s) + integral
    share = special.expit(dead - alive)
    weight, kept, died = h.weight.sum(), h.weight * (1.0 - share), h.weight * share
    value = h.weight @ (special.gammaln(r + h.x) + np.logaddexp(alive, dead))
    value += weight * (r * np.log(alpha) - special.gammaln(r) + s * np.log(beta))
    mean_log_a, mean_log_b, mean_inverse_a, mean_inverse_b = moments
    slope = [
        h.weight @ special.psi(r + h.x) - kept @ log_a - died @ mean_log_a + weight * (np.log(alpha) - special.psi(r)),
        weight * r / alpha - kept @ ((r + h.x) / (alpha + h.T)) - died @ ((r + h.x) * mean_inverse_a),
        died.sum() / s - kept @ log_b - died @ mean_log_b + weight * np.log(beta),
        weight * s / beta - kept @ (s / (beta + h.T)) - (s + 1.0) * (died @ mean_inverse_b),
    ]
    return float(value), np.array(slope)


def _p_alive(parameters: Float, h: Histories) -> Float:
    r, alpha, s, beta = parameters
    alive = -(r + h.x) * np.log(alpha + h.T) - s * np.log(beta + h.T)
    result: Float = special.expit(alive - np.log(s) - log_integral(parameters, h))
    return result


def log_integral(parameters: Float, h: Histories) -> Float:
    """(n,) log I."""
    return _integral(parameters, h)[0]


def _integral(parameters: Float, h: Histories) -> tuple[Float, Float]:
    """Log I, (n,), and the means of log(alpha + u), log(beta + u), 1 / (alpha + u), 1 / (beta + u) under it, (4, n)."""
    pieces = [_integral_of(parameters, h.rows(slice(i, i + SLICE))) for i in range(0, len(h.x), SLICE)]
    return np.concatenate([log for log, _ in pieces]), np.concatenate([moments for _, moments in pieces], axis=1)


def _integral_of(parameters: Float, h: Histories) -> tuple[Float, Float]:
    """With v = log((own + u) / (own + t_x)), own the smaller of alpha and beta, in which the integrand falls evenly."""
    r, alpha, s, beta = parameters
    sides = ((alpha, r + h.x), (beta, np.full(len(h.x), s + 1.0)))
    (own, power), (other, other_power) = sides if alpha <= beta else sides[::-1]
    start, other_start = own + h.t_x, other + h.t_x
    length = np.log((own + h.T) / start)
    fall = power - 1.0 + other_power * start / other_start  # at the start; it only gets steeper
    length = np.where(fall * length > FAR, FAR / np.maximum(fall, 1e-9), length)
    v = NODES[:, None] * length
    grown = np.expm1(v)
    grown *= start  # u - t_x
    log_other = np.log1p(grown / other_start)
    terms = np.exp(-(power - 1.0) * v - other_power * log_other)
    terms *= WEIGHTS[:, None]
    total = terms.sum(axis=0)
    share = np.where(total > 0.0, 1.0 / np.maximum(total, 1e-300), 0.0)
    base, other_base = np.log(start), np.log(other_start)
    means = [
        base + (terms * v).sum(axis=0) * share,
        other_base + (terms * log_other).sum(axis=0) * share,
        (terms / (start + grown)).sum(axis=0) * share,
        (terms / (other_start + grown)).sum(axis=0) * share,
    ]
    if alpha > beta:
        means = [means[1], means[0], means[3], means[2]]
    with np.errstate(divide="ignore"):  # T = t_x: nobody can have dropped out since
        log_integral = np.log(total * length) - (power - 1.0) * base - other_power * other_base
    return log_integral, np.array(means)
