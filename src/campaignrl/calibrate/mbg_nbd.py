"""MBG/NBD: as BG/NBD, but customers may also drop out right after their first order.

Batislam, Denizel & Filiztekin 2007, "Empirical validation and comparison of models for customer base analysis", IJRM
24(3); also Hoppe & Wagner 2007. One-time buyers may be gone: the better default for a lifecycle.

Not here: the arithmetic that it shares with its sister (beta_geometric.py), climbing the likelihood (likelihood.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from campaignrl.calibrate import beta_geometric
from campaignrl.calibrate.fitting import Fit, fit_histories, time_scale
from campaignrl.calibrate.histories import as_given, histories

Float = npt.NDArray[np.float64]

NAMES = ("r", "alpha", "a", "b")
FIRST = 1  # chances to drop out before the first repeat order


@dataclass(frozen=True, slots=True)
class MbgNbd:
    """A fitted MBG/NBD; alpha in the unit of the times it was fitted on."""

    r: float  # shape of the order rates
    alpha: float  # their scale: mean rate r / alpha
    a: float  # drop-out after an order: beta(a, b)
    b: float
    fit: Fit

    @property
    def parameters(self) -> dict[str, float]:
        """By name."""
        return {name: getattr(self, name) for name in NAMES}

    @property
    def log_likelihood(self) -> float:
        """Of the data it was fitted on, without terms that hold no parameter."""
        return self.fit.log_likelihood

    @property
    def standard_errors(self) -> Mapping[str, float]:
        """Of each parameter."""
        return self.fit.standard_errors

    def p_alive(self, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike) -> Float:
        """(n,) chance that customers with these histories have not dropped out by T."""
        return beta_geometric.p_alive(self._vector, as_given(x, t_x, T), FIRST)

    def expected_purchases(
        self, horizon: npt.ArrayLike, x: npt.ArrayLike = 0.0, t_x: npt.ArrayLike = 0.0, T: npt.ArrayLike = 0.0
    ) -> Float:
        """(n,) orders within `horizon` after T; without a history: repeat orders of a new customer."""
        h = as_given(x, t_x, T)
        return beta_geometric.expected_purchases(self._vector, np.asarray(horizon, dtype=np.float64), h, FIRST)

    @property
    def _vector(self) -> Float:
        return np.array([self.r, self.alpha, self.a, self.b])


def fit_mbg_nbd(
    x: npt.ArrayLike,
    t_x: npt.ArrayLike,
    T: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    l2: float = 0.0,
    toward: Mapping[str, float] | None = None,
) -> MbgNbd:
    """Maximum likelihood on n customers: repeat orders x, time of the last one t_x, time watched T, each (n,).

    weights: (n,) how many customers each row stands for. l2: times the squared distance of the log parameters from
    those of `toward` (default: 1) is taken off the log-likelihood, which pulls small samples there.
    """
    given = histories(x, t_x, T, weights)
    scale = time_scale(given)
    starts = [(0.5, scale / 2, 0.8, 2.0), (1.0, scale, 0.3, 3.0), (0.2, scale / 8, 2.0, 8.0)]
    found, fit = fit_histories(
        lambda p, h: beta_geometric.log_likelihood(p, h, FIRST), NAMES, starts, given, l2, toward
    )
    return MbgNbd(**found, fit=fit)
