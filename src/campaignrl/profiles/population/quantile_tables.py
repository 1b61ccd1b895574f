"""The marginal of one number within a segment: a table from probability to value.

Few distinct values are kept as they are (steps); many become a curve through sample quantiles, in which a value that
many customers share keeps its mass. Nothing is drawn beyond the smallest and the largest value seen. Not here: how
marginals are joined (population.py).
"""

from __future__ import annotations

import numpy as np
from pydantic import model_validator

from campaignrl.arrays import Float
from campaignrl.errors import Problem, SpecError
from campaignrl.profiles.table import Tag
from campaignrl.specs import Spec

KNOTS = 256  # points of a curve; also the most distinct values that are kept as steps
MASS = 0.005  # share of the customers from which one value of a curve keeps its exact mass


class Marginal(Spec):
    """steps: values[i] up to probabilities[i]; curve: straight lines through (probabilities, values)."""

    steps: bool
    probabilities: tuple[float, ...]
    values: tuple[float, ...]

    @model_validator(mode="after")
    def _shapes(self) -> Marginal:
        at, n = self.probabilities, len(self.values)
        if not (n == len(at) > 0 and list(at) == sorted(at) and list(self.values) == sorted(self.values)):
            raise SpecError(Problem("[marginal]", "values", f"{n} values", "ascending, one to a probability"))
        return self


def marginal(values: Float, tag: Tag) -> Marginal:
    """The table of a sample (n,) without gaps; an empty sample gives 0 always."""
    if not len(values):
        return Marginal(steps=True, probabilities=(1.0,), values=(0.0,))
    distinct, counts = np.unique(values, return_counts=True)
    upto = np.cumsum(counts) / len(values)
    if len(distinct) <= KNOTS and (tag.decimals == 0 or counts.mean() > 2.0):
        return Marginal(steps=True, probabilities=tuple(upto.tolist()), values=tuple(distinct.tolist()))
    start = upto - counts / len(values)
    heavy = counts >= max(MASS * len(values), 2.0)
    wanted = np.searchsorted((start + upto) / 2.0, np.linspace(0.0, 1.0, KNOTS)).clip(0, len(distinct) - 1)
    light = np.setdiff1d(np.r_[0, wanted, len(distinct) - 1], np.flatnonzero(heavy))
    at = np.concatenate([(start[light] + upto[light]) / 2.0, start[heavy], upto[heavy]])
    value = np.concatenate([distinct[light], distinct[heavy], distinct[heavy]])
    order = np.lexsort((at, value))
    at, value = np.maximum.accumulate(at[order]), value[order]  # rounding may put a start below the end before it
    at[0], at[-1] = 0.0, 1.0  # the ends are reached, never passed
    return Marginal(steps=False, probabilities=tuple(at.tolist()), values=tuple(value.tolist()))


def quantiles(table: Marginal, u: Float, tag: Tag) -> Float:
    """(n,) probabilities -> values, rounded as the tag is."""
    at, values = np.array(table.probabilities), np.array(table.values)
    if table.steps:
        found: Float = values[np.minimum(np.searchsorted(at, u, side="left"), len(values) - 1)]
        return found
    curve: Float = np.interp(u, at, values)
    return curve if tag.decimals is None else np.round(curve, tag.decimals)
