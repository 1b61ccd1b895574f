"""Confidence sequences: bounds on a policy's value that hold at every look at once, so one may stop when one likes.

Observations are (w, r) in time order; w >= 0 need not be bounded and the logging policy may change with what was
seen, as long as each w is right for its own moment. The value lies outside at some moment with probability alpha at
most (Howard et al. 2021, Annals of Statistics 49:1055; Karampatziakis, Mineiro & Ramdas 2021, ICML, "Off-policy
confidence sequences"). Two boundaries: `mixture` (tighter), and `stitched`, the one of Vowpal Wabbit's C++.

With X = w r / range >= 0 and a guess m of it made beforehand, exp(l sum(X - v) - psi(l) sum (X - m)^2) with
psi(l) = -log(1 - l) - l is a supermartingale for every l in [0, 1), if v is the mean and m <= 1. Arrays may have
leading dimensions (many logs at once); time is the last one. Not here: bounds for a fixed sample
(empirical_likelihood.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from campaignrl.arrays import Float
from campaignrl.errors import DataError

Boundary = Callable[["Path", float], Float]

MIXED = 1.0  # rho of the mixture: tightest where the sum of squares is about as large
GROWTH, DECAY = 1.1, 1.1  # eta and s of the stitched boundary: epochs grow by eta, the k-th gets k^-s of alpha
HALVINGS = 50


class Path(NamedTuple):
    """Where a sum of observations in [0, inf) of mean at most 1 stands after each; arrays (..., n)."""

    steps: Float
    total: Float
    squares: Float  # sum of squared distances to the guess made before each

    @classmethod
    def of(cls, x: Float) -> Path:
        """x: (..., n)."""
        steps = np.broadcast_to(np.arange(1.0, x.shape[-1] + 1.0), x.shape)
        total = np.cumsum(x, axis=-1)
        guess = np.minimum((total - x + 0.5) / steps, 1.0)  # above 1, where Vowpal Wabbit lets it go, the proof ends
        return cls(steps, total, np.cumsum((x - guess) ** 2, axis=-1))

    def at(self, looks: npt.NDArray[np.intp]) -> Path:
        """The path at some moments only."""
        return Path(*(part[..., looks] for part in self))


def log_wealth(excess: Float, squares: Float) -> Float:
    """Log of the mixture supermartingale (Howard et al. 2021, proposition 10); excess: total - steps x candidate.

    log of integral over l of exp(l s - psi(l) v) with a gamma-shaped weight on 1 - l; -inf where s + v + rho <= 0.
    """
    v = squares + MIXED
    reach = np.maximum(excess + v, 1e-300)
    inside = np.maximum(special.gammainc(v, reach), 1e-300)
    start = math.log(special.gammainc(MIXED, MIXED)) + special.gammaln(MIXED)
    grown = excess + squares + MIXED * math.log(MIXED) - v * np.log(reach) + np.log(inside) + special.gammaln(v) - start
    wealth: Float = np.where(excess + v > 0.0, grown, -np.inf)
    return wealth


def mixture(path: Path, alpha: float) -> Float:
    """(..., n) lower bounds of the mean: the least candidate whose wealth has not reached 1 / alpha."""
    enough = -math.log(alpha)
    low, high = np.zeros_like(path.total), np.clip(path.total / path.steps, 0.0, 1.0)
    sure = log_wealth(path.total, path.squares) <= enough
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        out = log_wealth(path.total - path.steps * middle, path.squares) > enough
        low, high = np.where(out, middle, low), np.where(out, high, middle)
    return np.where(sure, 0.0, low)


def stitched(path: Path, alpha: float) -> Float:
    """(..., n) lower bounds by a closed form (Howard et al. 2021, theorem 1)."""
    v = np.maximum(path.squares, 1.0)
    curve = (GROWTH**0.25 + GROWTH**-0.25) / math.sqrt(2.0)
    line = (math.sqrt(GROWTH) + 1.0) / 2.0
    epochs = np.log(GROWTH * v) / math.log(GROWTH) + 1.0
    room = DECAY * np.log(epochs) + math.log(special.zeta(DECAY) / alpha)
    low: Float = (path.total - np.sqrt(curve**2 * room * v + line**2 * room**2) - line * room) / path.steps
    return np.maximum(low, 0.0)


def anytime_bounds(
    weight: Float,
    reward: Float,
    alpha: float,
    reward_range: tuple[float, float] = (0.0, 1.0),
    *,
    boundary: Boundary = mixture,
    looks: npt.NDArray[np.intp] | None = None,
) -> tuple[Float, Float]:
    """Lower and upper bounds (..., n) of the value after each observation, or (..., l) at `looks` (0-based).

    weight, reward: (..., n) in time order; each side gets alpha / 2. The upper bound is the lower one of the
    rewards that were missed, so neither needs the largest weight. DataError where the two cross: no mean weight of
    1 fits such a log.
    """
    least, largest = reward_range
    won = Path.of(weight * (reward - least) / (largest - least))
    lost = Path.of(weight * (largest - reward) / (largest - least))
    if looks is not None:
        won, lost = won.at(looks), lost.at(looks)
    low, high = boundary(won, alpha / 2), 1.0 - boundary(lost, alpha / 2)
    if bool((low > high).any()):
        raise DataError(
            "the anytime bounds cross: what was won and what was missed add up to more than any policy can have. "
            "The propensities or the eligible sets do not belong to this log."
        )
    return least + low * (largest - least), least + high * (largest - least)


def ever_excluded(
    weight: Float, reward: Float, value: float, alpha: float, looks: npt.NDArray[np.intp]
) -> npt.NDArray[np.bool_]:
    """(...) whether the mixture bounds leave out `value` at any of the looks; rewards in [0, 1].

    The same as looking at the bounds, at the price of two evaluations instead of two searches a look.
    """
    enough, out = -math.log(alpha / 2), np.zeros(weight.shape[:-1], dtype=bool)
    for x, mean in ((weight * reward, value), (weight * (1.0 - reward), 1.0 - value)):
        path = Path.of(x).at(looks)
        above = path.total > path.steps * mean  # below its mean a path says nothing against it
        wealth = log_wealth(path.total - path.steps * mean, path.squares)
        out |= (above & (wealth > enough)).any(axis=-1)
    return out
