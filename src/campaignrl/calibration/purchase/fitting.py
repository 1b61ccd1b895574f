"""Maximum likelihood of purchase models: from histories to a fitted model, with the search for its parameters.

Parameters are positive: L-BFGS climbs on their logarithms, from several starts, with exact gradients. The objective is
summed over blocks of rows on threads, in the order of the rows, so memory stays small and the answer does not depend on
the number of threads. With many rows the starts compete on a part of them, and the best one is carried on with all.
Not here: the likelihoods (one file a model).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from campaignrl.arrays import Float
from campaignrl.calibration.purchase.histories import Histories
from campaignrl.errors import DataError, Problem, SpecError, nearest

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

OfHistories = Callable[[Float, Histories], tuple[float, Float]]


class Fit(NamedTuple):
    """How a model fits its data, beside the parameters."""

    log_likelihood: float  # without the penalty
    standard_errors: Mapping[str, float]
    customers: float
    converged: bool


@dataclass(frozen=True, slots=True)
class FittedModel:
    """What every fitted model tells of itself: its fields are its parameters, and how they fit."""

    @property
    def parameters(self) -> dict[str, float]:
        """By name."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "fit"}

    @property
    def log_likelihood(self) -> float:
        """Of the data it was fitted on, without terms that hold no parameter."""
        return self._fit.log_likelihood

    @property
    def standard_errors(self) -> Mapping[str, float]:
        """Of each parameter."""
        return self._fit.standard_errors

    @property
    def _fit(self) -> Fit:
        found: Fit = getattr(self, "fit")  # noqa: B009  # a field of every model, after its parameters
        return found

    @property
    def _vector(self) -> Float:
        return np.array(list(self.parameters.values()))


def fit_histories(
    likelihood: OfHistories,
    names: Sequence[str],
    starts: Sequence[Sequence[float]],
    given: Histories,
    l2: float = 0.0,
    toward: Mapping[str, float] | None = None,
) -> tuple[Mapping[str, float], Fit]:
    """Parameters by name, and how they fit."""
    found = maximise(_rows(likelihood, given), _thinned(likelihood, given), starts, l2, centre(names, l2, toward))
    return named(names, found.parameters), facts(names, found, float(given.weight.sum()))


def facts(names: Sequence[str], found: Maximum, customers: float) -> Fit:
    """What is told of a maximum."""
    return Fit(found.log_likelihood, named(names, found.standard_errors), customers, found.converged)


def centre(names: Sequence[str], l2: float, toward: Mapping[str, float] | None) -> list[float]:
    """Parameters that a penalty pulls to; none without one."""
    if not (np.isfinite(l2) and l2 >= 0.0):
        raise SpecError(Problem("fit", "l2", l2, "a number, at least 0"))
    if toward is None:
        return []
    wrong = [n for n in names if not toward.get(n, 0.0) > 0.0]
    if wrong:
        fix = f"Known: {', '.join(names)}. {nearest(wrong[0], toward)}".rstrip()
        raise SpecError([Problem("fit", f"toward[{n!r}]", toward.get(n), "above 0", fix) for n in wrong])
    return [toward[n] for n in names]


def _rows(likelihood: OfHistories, h: Histories) -> Rows:
    return Rows(len(h.x), float(h.weight.sum()), lambda p, part: likelihood(p, h.rows(part)))


def _thinned(likelihood: OfHistories, h: Histories) -> Rows | None:
    """Every k-th history; they stand in order, so all kinds are kept."""
    k = len(h.x) // ENOUGH
    return _rows(likelihood, h.rows(slice(k // 2, None, k))) if k > 1 else None


def time_scale(h: Histories) -> float:
    """The mean time watched, where searches begin; never 0."""
    return max(float(np.average(h.T, weights=h.weight)), 1e-3)


BLOCK = 32_768  # rows; a block's arrays stay in the cache
ENOUGH = 10_000  # rows on which the starts compete
LOWEST, HIGHEST = np.log(1e-6), np.log(1e8)  # of every parameter: flat likelihoods run off otherwise
STEP = 1e-4  # of the log parameters, for second derivatives
CLOSE = 1e-6  # of the log-likelihood, what another step would add at most; one more follows anyway

# Log-likelihood of the rows of one slice at the parameters (p,), summed, and its gradient (p,).
Likelihood = Callable[[Float, slice], tuple[float, Float]]


class Maximum(NamedTuple):
    """Where a likelihood is highest."""

    parameters: Float  # (p,)
    log_likelihood: float  # without the penalty
    standard_errors: Float  # (p,) of the parameters; nan where the likelihood is flat or the edge is reached
    converged: bool


class Rows(NamedTuple):
    """What is summed: how many rows, their total weight, and the likelihood of any slice of them."""

    number: int
    weight: float
    likelihood: Likelihood


def maximise(
    rows: Rows, part: Rows | None, starts: Sequence[Sequence[float]], l2: float = 0.0, toward: Sequence[float] = ()
) -> Maximum:
    """Parameters with the highest log-likelihood minus l2 times the squared distance of their logs from `toward`.

    part: a thinned copy of the rows, on which the starts compete; None: all of them.
    """
    centre = np.log(np.asarray(toward if len(toward) else np.ones(len(starts[0])), dtype=np.float64))
    first = part or rows
    found = [_climb(first, np.log(start), l2 * first.weight / rows.weight, centre) for start in starts]
    best = min(found, key=lambda result: result.fun)
    if not np.isfinite(best.fun):
        raise DataError("the likelihood has no maximum on these histories.")
    theta = np.asarray(best.x)
    if part is not None:
        theta = _carried_on(rows, part, theta, l2, centre)
    theta, hessian, settled = _newton(rows, theta, l2, centre)
    value, _ = _sum(rows, np.exp(theta))
    edge = ((theta <= LOWEST + 1e-6) | (theta >= HIGHEST - 1e-6)).any()
    return Maximum(np.exp(theta), value, _errors(theta, hessian), bool(settled and not edge))


def _climb(rows: Rows, theta: Float, l2: float, centre: Float) -> OptimizeResult:
    """From log parameters (p,) upwards; the objective is per customer, so that tolerances mean the same everywhere."""
    from scipy.optimize import minimize  # slow to import, and few verbs need it

    def loss(theta: Float) -> tuple[float, Float]:
        value, slope = _penalised(rows, theta, l2, centre)
        return -value / rows.weight, -slope / rows.weight

    options = {"maxiter": 500, "maxcor": 20, "ftol": 1e-13, "gtol": 1e-7}
    bounds = [(LOWEST, HIGHEST)] * len(theta)
    with np.errstate(over="ignore", under="ignore"):
        start = np.clip(theta, LOWEST, HIGHEST)
        return minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)


def _carried_on(rows: Rows, part: Rows, theta: Float, l2: float, centre: Float) -> Float:
    """From the part's maximum to that of all rows: Newton steps with the part's curvature, which is nearly theirs.

    Each step costs one look at all rows. Where steps do not shrink, climbing goes on in the usual way.
    """
    scale = rows.weight / part.weight
    hessian = scale * _hessian(part, theta, l2 / scale, centre)
    if np.linalg.eigvalsh(-hessian).min() <= 0.0:
        return np.asarray(_climb(rows, theta, l2, centre).x)
    last = np.inf
    while True:
        _, slope = _penalised(rows, theta, l2, centre)
        step = np.linalg.solve(-hessian, slope)
        gain = float(slope @ step)
        if gain < CLOSE:
            return theta
        if gain > 0.5 * last or np.abs(step).max() > 0.5:
            return np.asarray(_climb(rows, theta, l2, centre).x)
        theta, last = np.clip(theta + step, LOWEST, HIGHEST), gain


def _newton(rows: Rows, theta: Float, l2: float, centre: Float) -> tuple[Float, Float, bool]:
    """One Newton step where it helps; returns log parameters, second derivatives (p, p), and whether it had settled."""
    value, slope = _penalised(rows, theta, l2, centre)
    hessian = _hessian(rows, theta, l2, centre)
    flat = np.linalg.eigvalsh(-hessian).min() <= 0.0
    if flat:
        return theta, hessian, False
    step = np.linalg.solve(-hessian, slope)
    gain = float(slope @ step)  # twice what the step should add to the log-likelihood
    moved = np.clip(theta + step, LOWEST, HIGHEST)
    better = np.abs(step).max() < 0.5 and _penalised(rows, moved, l2, centre)[0] >= value
    return (moved if better else theta), hessian, gain < 1e-2


def _hessian(rows: Rows, theta: Float, l2: float, centre: Float) -> Float:
    """(p, p) second derivatives by central differences of the gradient."""
    columns = []
    for unit in np.eye(len(theta)):
        ahead, behind = (_penalised(rows, theta + sign * STEP * unit, l2, centre)[1] for sign in (1.0, -1.0))
        columns.append((ahead - behind) / (2.0 * STEP))
    square = np.array(columns)
    return (square + square.T) / 2.0


def _errors(theta: Float, hessian: Float) -> Float:
    """(p,) delta method: the error of a parameter is the parameter times that of its logarithm."""
    try:
        variance = np.diag(np.linalg.inv(-hessian))
    except np.linalg.LinAlgError:
        variance = np.full(len(theta), np.nan)
    return np.exp(theta) * np.sqrt(np.where(variance > 0.0, variance, np.nan))


def _penalised(rows: Rows, theta: Float, l2: float, centre: Float) -> tuple[float, Float]:
    """Value and gradient in the log parameters."""
    parameters = np.exp(theta)
    value, slope = _sum(rows, parameters)
    away = theta - centre
    return value - l2 * float(away @ away), slope * parameters - 2.0 * l2 * away


def _sum(rows: Rows, parameters: Float) -> tuple[float, Float]:
    """Over all rows; blocks are added in order, whoever computed them."""
    slices = [slice(i, min(i + BLOCK, rows.number)) for i in range(0, rows.number, BLOCK)]
    if len(slices) == 1:
        return rows.likelihood(parameters, slices[0])
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        parts = list(pool.map(lambda piece: rows.likelihood(parameters, piece), slices))
    return float(np.sum([value for value, _ in parts])), np.sum([slope for _, slope in parts], axis=0)


def named(names: Sequence[str], values: Float) -> Mapping[str, float]:
    """One number a parameter."""
    return dict(zip(names, (float(v) for v in values), strict=True))
