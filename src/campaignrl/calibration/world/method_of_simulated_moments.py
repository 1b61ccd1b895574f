"""Solving for a world's numbers: the campaign is replayed until simulated figures are the real ones.

Each moment has one number (or several that move together), so a nearly diagonal Newton method does: slopes from
replays in which numbers are moved a little, then from the steps themselves. All replays share their
random numbers, so that a difference is the numbers' doing and not luck. Not here: which moments (moments.py).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from campaignrl.arrays import Float
from campaignrl.calibration.response import Figure, Moment, Path, View, from_scale, to_scale
from campaignrl.calibration.world.replay import replay
from campaignrl.specs import World, check

Tables = dict[str, Any]
Progress = Callable[[int, int], None]

ROUNDS = 6  # replays after the two for the slopes, at most
NEAR = 0.1  # standard errors between a figure and its target that need no further replay
NUDGE, STRIDE = 0.25, 1.5  # on a number's scale: to find slopes, and the longest step
FAINTEST = 0.02  # of a slope; below, the log says nothing about the number


class Matched(NamedTuple):
    """One moment when all is done: what the number is, its standard error, and how near the figures came."""

    moment: Moment
    value: float
    se: float
    simulated: Figure
    moved: bool  # False: the figure does not depend on the number enough, which stays as it was

    @property
    def off(self) -> float:
        """Distance of the simulated figure from its target, in standard errors of the target."""
        return (self.simulated.value - self.moment.target.value) / self.moment.target.se


def match(
    tables: Tables,
    view: View,
    moments: Sequence[Moment],
    make_view: Callable[[Any], View],
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[Tables, list[Matched]]:
    """The tables with their numbers moved until the moments agree, and what each came to."""
    if not moments:
        return copy.deepcopy(tables), []
    done, most = iter(range(1, 1000)), ROUNDS + 3 + sum(moment.shared for moment in moments)

    def figures(x: Float) -> list[Figure]:
        world = check(World, {"name": "calibrated", **placed(tables, moments, x)}, "calibrated world")
        found = make_view(replay(world, view.campaign, seed))
        if progress is not None:
            progress(next(done), most)
        return [moment.ask(found) for moment in moments]

    x = np.array([_start(tables, moment) for moment in moments])
    target, se = (np.array([getattr(m.target, name) for m in moments]) for name in ("value", "se"))
    now = figures(x)
    slopes = _slopes(figures, x, _values(now), moments)
    alive = np.abs(np.diag(slopes)) >= FAINTEST
    slopes = np.where(np.outer(alive, alive), slopes, np.eye(len(x)))
    first = np.diag(slopes).copy()
    for _ in range(ROUNDS):
        gap = np.where(alive, np.nan_to_num(target - _values(now)), 0.0)
        if not (np.abs(gap) > NEAR * np.maximum(se, 1e-9)).any():
            break
        new = _bounded(x + np.clip(np.linalg.solve(slopes, gap), -STRIDE, STRIDE), moments)
        then = figures(new)
        slopes = _turned(slopes, first, new - x, _values(then) - _values(now))
        x, now = new, then
    errors = _errors(slopes, se, now)
    return placed(tables, moments, x), [
        _matched(moment, x[i], errors[i], now[i], bool(alive[i])) for i, moment in enumerate(moments)
    ]


def placed(tables: Tables, moments: Sequence[Moment], x: Float) -> Tables:
    """A copy of the tables with the numbers x (on their scales) in their places."""
    out = copy.deepcopy(tables)
    for moment, value in zip(moments, x, strict=True):
        for path in moment.paths:
            put(out, path, float(f"{np.clip(from_scale(value, moment.scale), moment.low, moment.high):.6g}"))
    return out


def put(tables: Tables, path: Path, value: Any) -> None:
    """Set the value at a path, making tables on the way."""
    for part in path[:-1]:
        tables = tables.setdefault(part, {})
    tables[path[-1]] = value


def get(tables: Any, path: Path, default: Any = None) -> Any:
    """The value at a path."""
    for part in path:
        if not isinstance(tables, dict) or part not in tables:
            return default
        tables = tables[part]
    return tables


def _start(tables: Tables, moment: Moment) -> float:
    value = get(tables, moment.paths[0], 0.0 if moment.scale == "identity" else moment.low)
    return to_scale(float(np.clip(value, moment.low, moment.high)), moment.scale)


def _slopes(figures: Any, x: Float, now: Float, moments: Sequence[Moment]) -> Float:
    """(m, m) change of each figure (row) by each number (column), as far as it is looked at.

    A number that many figures share is moved alone and has its whole column; the others are moved together, the
    funnel's, then the effects, and have the diagonal.
    """
    shared, effect = (np.array([getattr(moment, name) for moment in moments]) for name in ("shared", "effect"))
    slopes = np.zeros((len(x), len(x)))
    for group in (~effect & ~shared, effect & ~shared, *(np.eye(len(x), dtype=bool)[np.flatnonzero(shared)])):
        if not group.any():
            continue
        moved = _bounded(x + NUDGE * group, moments)
        moved = np.where(moved == x, _bounded(x - NUDGE * group, moments), moved)
        change = np.nan_to_num(_values(figures(moved)) - now)
        if (group & shared).any():
            slopes[:, group] = (change / (moved - x)[group])[:, None]
        else:
            at = np.flatnonzero(group & (moved != x))
            slopes[at, at] = change[at] / (moved - x)[at]
    return slopes


def _turned(slopes: Float, first: Float, step: Float, change: Float) -> Float:
    """The slopes with a diagonal as the last step showed it, where it was long enough to and near the first one."""
    diagonal = np.diag(slopes).copy()
    long = np.abs(step) > NUDGE / 3
    shown = np.divide(change - (slopes @ step - diagonal * step), step, out=diagonal.copy(), where=long)
    ratio = np.nan_to_num(shown / first)
    np.fill_diagonal(slopes, np.where((ratio > 0.5) & (ratio < 3.0), shown, diagonal))
    return slopes


def _errors(slopes: Float, se: Float, now: list[Figure]) -> Float:
    """(m,) standard error of each number on its scale: of its figure, of the simulated one, of numbers it shares."""
    of_figure = np.hypot(se, np.nan_to_num([figure.se for figure in now]))
    inverse = np.linalg.inv(slopes)
    result: Float = np.sqrt(((inverse * of_figure) ** 2).sum(axis=1))
    return result


def _bounded(x: Float, moments: Sequence[Moment]) -> Float:
    low = np.array([to_scale(m.low, m.scale) for m in moments])
    high = np.array([to_scale(m.high, m.scale) for m in moments])
    return np.clip(x, low, high)


def _values(figures: list[Figure]) -> Float:
    return np.array([figure.value for figure in figures])


def _matched(moment: Moment, x: float, error: float, figure: Figure, moved: bool) -> Matched:
    value = float(np.clip(from_scale(x, moment.scale), moment.low, moment.high))
    of_scale = {"logit": value * (1.0 - value), "log": value, "identity": 1.0}[moment.scale]
    return Matched(moment, float(f"{value:.6g}"), float(error * of_scale), figure, moved)
