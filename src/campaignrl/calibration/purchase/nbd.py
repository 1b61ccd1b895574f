"""NBD: orders are Poisson with gamma-distributed rates, and nobody ever leaves. What the other models are held against.

Ehrenberg 1959, "The Pattern of Consumer Purchases", Applied Statistics 8(1).
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

NAMES = ("r", "alpha")


@dataclass(frozen=True, slots=True)
class Nbd(FittedModel):
    """A fitted NBD; alpha in the unit of the times it was fitted on."""

    r: float  # shape of the order rates
    alpha: float  # their scale: mean rate r / alpha
    fit: Fit

    def p_alive(self, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike) -> Float:
        """(n,) ones."""
        return np.ones(len(as_given(x, t_x, T).x))

    def expected_purchases(
        self, horizon: npt.ArrayLike, x: npt.ArrayLike = 0.0, t_x: npt.ArrayLike = 0.0, T: npt.ArrayLike = 0.0
    ) -> Float:
        """(n,) orders within `horizon` after T; without a history: repeat orders of a new customer."""
        h = as_given(x, t_x, T)
        result: Float = (self.r + h.x) / (self.alpha + h.T) * np.asarray(horizon, dtype=np.float64)
        return result

    def p_return(self, horizon: float, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike) -> Float:
        """(n,) chance of an order within `horizon` after T."""
        h = as_given(x, t_x, T)
        result: Float = 1.0 - ((self.alpha + h.T) / (self.alpha + h.T + horizon)) ** (self.r + h.x)
        return result


def fit_nbd(
    x: npt.ArrayLike,
    t_x: npt.ArrayLike,
    T: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    l2: float = 0.0,
    toward: Mapping[str, float] | None = None,
) -> Nbd:
    """Maximum likelihood on n customers; arguments as in `fit_bg_nbd`."""
    given = histories(x, t_x, T, weights)
    scale = time_scale(given)
    found, fit = fit_histories(log_likelihood, NAMES, [(0.5, scale / 2), (2.0, scale)], given, l2, toward)
    return Nbd(**found, fit=fit)


def log_likelihood(parameters: Float, h: Histories) -> tuple[float, Float]:
    """Sum over the histories, and its gradient by (r, alpha)."""
    r, alpha = parameters
    log_t, weight = np.log(alpha + h.T), h.weight.sum()
    value = h.weight @ (special.gammaln(r + h.x) - (r + h.x) * log_t)
    slope_r = h.weight @ (special.psi(r + h.x) - log_t) + weight * (np.log(alpha) - special.psi(r))
    slope_alpha = weight * r / alpha - h.weight @ ((r + h.x) / (alpha + h.T))
    return float(value + weight * (r * np.log(alpha) - special.gammaln(r))), np.array([slope_r, slope_alpha])
