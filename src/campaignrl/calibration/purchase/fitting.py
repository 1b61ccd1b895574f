"""From histories to a fitted purchase model: the rows of the likelihood, the thinned copy, the checked penalty.

Not here: the likelihoods (one file a model), climbing them (likelihood.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Float
from campaignrl.calibration.purchase.histories import Histories
from campaignrl.calibration.purchase.likelihood import ENOUGH, Maximum, Rows, maximise, named
from campaignrl.errors import Problem, SpecError, nearest

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
