"""BG/NBD: orders are Poisson while the customer lives; after each repeat order some never come back.

Fader, Hardie & Lee 2005, "Counting Your Customers the Easy Way", Marketing Science 24(2). A customer without a repeat
order is alive for sure, which flatters one-time buyers: MBG/NBD is the better default.

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
class BgNbd(BetaGeometric):
    """A fitted BG/NBD; alpha in the unit of the times it was fitted on."""

    FIRST: ClassVar[int] = 0


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
    found, fit = fitted(BgNbd.FIRST, histories(x, t_x, T, weights), l2, toward)
    return BgNbd(**found, fit=fit)
