"""MBG/NBD: as BG/NBD, but customers may also drop out right after their first order.

Batislam, Denizel & Filiztekin 2007, "Empirical validation and comparison of models for customer base analysis", IJRM
24(3); also Hoppe & Wagner 2007. One-time buyers may be gone: the better default for a lifecycle.

Not here: the arithmetic that it shares with its sister (beta_geometric.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy.typing as npt

from campaignrl.calibration.purchase.beta_geometric import BetaGeometric, fitted
from campaignrl.calibration.purchase.histories import histories


@dataclass(frozen=True, slots=True)
class MbgNbd(BetaGeometric):
    """A fitted MBG/NBD; alpha in the unit of the times it was fitted on."""

    FIRST: ClassVar[int] = 1


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
    found, fit = fitted(MbgNbd.FIRST, histories(x, t_x, T, weights), l2, toward)
    return MbgNbd(**found, fit=fit)
