"""MBG/CNBD-k: as MBG/NBD, but the time between two orders is Erlang-k: customers who reorder regularly.

k = 1 is MBG/NBD. A customer's orders come after k steps of a Poisson process whose rate is gamma-distributed; after
each order, the first one too, a beta-distributed chance to drop out. Regular customers who fall silent are gone sooner
than Poisson ones. All figures have closed forms, since the steps of a gamma mixture are negative binomial. Shapes (n,),
times in one unit.

Platzer & Reutterer 2016, "Ticking away the moments", Marketing Science 35(5); Reutterer, Platzer & Schroeder 2021,
"Leveraging purchase regularity for predicting customer behavior the easy way", IJRM 38(1). Not here: choosing k
(forecast.py).
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

NAMES = ("r", "alpha", "a", "b")
TAIL = 1e-6  # of an expected order, what is left out
MOST = 2_000  # orders of one customer within a horizon that are counted


@dataclass(frozen=True, slots=True)
class MbgCnbd(FittedModel):
    """A fitted MBG/CNBD-k; alpha in the unit of the times it was fitted on, rates are of steps: k make an order."""

    k: int  # steps from one order to the next
    r: float  # shape of the step rates
    alpha: float  # their scale: mean rate of orders r / (k alpha)
    a: float  # drop-out after an order: beta(a, b)
    b: float
    fit: Fit

    @property
    def _numbers(self) -> Float:
        return np.array([self.r, self.alpha, self.a, self.b])

    def p_alive(self, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike) -> Float:
        """(n,) chance that customers with these histories have not dropped out by T."""
        alive, dead = _parts(self._numbers, as_given(x, t_x, T), self.k)
        result: Float = special.expit(special.logsumexp(alive, axis=0) - dead)
        return result

    def p_return(self, horizon: float, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike) -> Float:
        """(n,) chance of an order within `horizon` after T."""
        h = as_given(x, t_x, T)
        result: Float = self.p_alive(x, t_x, T) * self._orders(1, np.asarray(horizon, dtype=np.float64), h)
        return result

    def expected_purchases(
        self, horizon: npt.ArrayLike, x: npt.ArrayLike = 0.0, t_x: npt.ArrayLike = 0.0, T: npt.ArrayLike = 0.0
    ) -> Float:
        """(n,) orders within `horizon` after T; without a history: repeat orders of a new customer.

        The m-th order comes if nobody dropped out after the m - 1 before it, and its steps are done in time.
        """
        span, given = np.asarray(horizon, dtype=np.float64), as_given(x, t_x, T)
        h = Histories(*(np.array(column) for column in np.broadcast_arrays(*given, span)[:4]))
        span = np.broadcast_to(span, h.x.shape)
        total, rows, m = np.zeros(len(h.x)), np.arange(len(h.x)), 1
        while len(rows) and m <= MOST:
            part = Histories(*(column[rows] for column in h))
            stayed = special.betaln(self.a, self.b + part.x + m) - special.betaln(self.a, self.b + part.x + 1.0)
            comes = np.exp(stayed) * self._orders(m, span[rows], part)
            total[rows] += comes
            rows, m = rows[comes > TAIL], m + 1
        result: Float = total * self.p_alive(h.x, h.t_x, h.T)
        return result

    def _orders(self, m: int, horizon: Float, h: Histories) -> Float:
        """(n,) chance that an m-th order would come within the horizon, of customers who are alive and stay."""
        alive, _ = _parts(self._numbers, h, self.k)
        weights, total = special.softmax(alive, axis=0), np.zeros(len(h.x))
        share = horizon / (self.alpha + h.T + horizon)
        for j in range(self.k):
            total += weights[j] * special.betainc(m * self.k - j, self.r + self.k * h.x + j, share)
        return total


def fit_mbg_cnbd(
    x: npt.ArrayLike,
    t_x: npt.ArrayLike,
    T: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    l2: float = 0.0,
    toward: Mapping[str, float] | None = None,
    *,
    k: int = 2,
) -> MbgCnbd:
    """Maximum likelihood on n customers for a given k; arguments as in `fit_bg_nbd`.

    The log-likelihood lacks (k - 1) times the sum of the logs of all times between orders, less x log (k - 1)!, which
    holds no parameter: add it to compare different k.
    """
    given = histories(x, t_x, T, weights)
    scale = k * time_scale(given)
    starts = [(0.5, scale / 2, 0.8, 2.0), (1.0, scale, 0.3, 3.0), (0.2, scale / 8, 2.0, 8.0)]
    near = None if toward is None else {name: toward[name] for name in NAMES if name in toward}
    found, fit = fit_histories(lambda p, h: log_likelihood(p, h, k), NAMES, starts, given, l2, near)
    return MbgCnbd(k=k, **found, fit=fit)


def log_likelihood(parameters: Float, h: Histories, k: int) -> tuple[float, Float]:
    """Sum over the histories, and its gradient by (r, alpha, a, b)."""
    r, alpha, a, b = parameters
    alive, dead = _parts(parameters, h, k)
    total = np.logaddexp(special.logsumexp(alive, axis=0), dead)
    d, weight = h.x + 1.0, h.weight.sum()
    chances = special.betaln(a, b + d) - special.betaln(a, b)
    value = h.weight @ (total + chances) + weight * (r * np.log(alpha) - special.gammaln(r))
    steps = r + k * h.x
    died = np.exp(dead - total)
    slope_r = died * (special.psi(steps) - np.log(alpha + h.t_x))
    slope_alpha = -died * steps / (alpha + h.t_x)
    for j in range(k):
        share = np.exp(alive[j] - total)
        slope_r = slope_r + share * (special.psi(steps + j) - np.log(alpha + h.T))
        slope_alpha = slope_alpha - share * (steps + j) / (alpha + h.T)
    both = special.psi(a + b) - special.psi(a + b + d)
    slope = [
        h.weight @ slope_r + weight * (np.log(alpha) - special.psi(r)),
        h.weight @ slope_alpha + weight * r / alpha,
        h.weight @ (both + died / a),
        h.weight @ (both + special.psi(b + d) - special.psi(b) - died / (b + d - 1.0)),
    ]
    return float(value), np.array(slope)


def _parts(parameters: Float, h: Histories, k: int) -> tuple[Float, Float]:
    """(k, n) log-likelihoods of being alive with j steps done since the last order, and (n,) of having dropped out."""
    r, alpha, a, b = parameters
    steps, silent = r + k * h.x, h.T - h.t_x
    alive = np.empty((k, len(h.x)))
    with np.errstate(divide="ignore"):
        log_silent = np.log(silent)
    for j in range(k):
        waited = j * log_silent - special.gammaln(j + 1.0) if j else 0.0
        alive[j] = special.gammaln(steps + j) - (steps + j) * np.log(alpha + h.T) + waited
    dead = special.gammaln(steps) - steps * np.log(alpha + h.t_x) + np.log(a) - np.log(b + h.x)
    return alive, dead
