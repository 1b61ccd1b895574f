"""Buy-till-you-die models, from one place: how often customers order, whether they still live, what an order is worth.

    fit = fit_mbg_nbd(table.x, table.t_x, table.T)          # table: rfm.summarise(events, as_of)
    fit.p_alive(x, t_x, T)                                  # (n,) chance of being a customer still
    fit.expected_purchases(13.0, x, t_x, T)                 # (n,) orders in the next 13 weeks
    fit_gamma_gamma(x, m).expected_spend(x, m)              # (n,) value of an order

Not here: the models (one file each), histories from events (rfm.py), fits by segment (partial_pooling.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy.typing as npt

from campaignrl.arrays import Float
from campaignrl.calibration.purchase.beta_geometric import BgNbd, MbgNbd, fit_bg_nbd, fit_mbg_nbd
from campaignrl.calibration.purchase.gamma_gamma import GammaGamma, fit_gamma_gamma
from campaignrl.calibration.purchase.nbd import Nbd, fit_nbd
from campaignrl.calibration.purchase.pareto_nbd import ParetoNbd, fit_pareto_nbd


class PurchaseModel(Protocol):
    """What every fitted purchase model can say."""

    @property
    def parameters(self) -> dict[str, float]:
        """By name."""

    @property
    def log_likelihood(self) -> float:
        """Of the data it was fitted on."""

    @property
    def standard_errors(self) -> Mapping[str, float]:
        """Of each parameter."""

    def p_alive(self, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike) -> Float:
        """(n,) chance of not having dropped out."""

    def expected_purchases(
        self, horizon: npt.ArrayLike, x: npt.ArrayLike = 0.0, t_x: npt.ArrayLike = 0.0, T: npt.ArrayLike = 0.0
    ) -> Float:
        """(n,) orders within `horizon`."""

    def p_return(self, horizon: float, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike) -> Float:
        """(n,) chance of an order within `horizon` after T."""


FITS: dict[str, Callable[..., PurchaseModel]] = {
    "mbg_nbd": fit_mbg_nbd,
    "bg_nbd": fit_bg_nbd,
    "pareto_nbd": fit_pareto_nbd,
    "nbd": fit_nbd,
}

__all__ = [
    "FITS",
    "BgNbd",
    "GammaGamma",
    "MbgNbd",
    "Nbd",
    "ParetoNbd",
    "PurchaseModel",
    "fit_bg_nbd",
    "fit_gamma_gamma",
    "fit_mbg_nbd",
    "fit_nbd",
    "fit_pareto_nbd",
]
