"""When within a day: planned sends, quiet hours, and the time of each answer.

Here: hours of the day from counter-based draws, as pure functions of arrays. Not here: whether something happens at
all (dynamics/), queues (queues.py). Hours are local time, 0 to 24; m sends or customers.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from campaignrl import rng
from campaignrl.arrays import Float, UInt64
from campaignrl.envs.clock.queues import DAY
from campaignrl.rng import Purpose

# Around noon and in the evening, as shops see their visits; a default of ours, the same for all customers.
_PEAKS = ((0.4, 12.5), (0.6, 20.0))  # share, hour of the day
_CONCENTRATION = 3.0  # of von Mises, a standard deviation of about 2.4 hours
OPEN_DELAY = 1.5  # hours from delivery to opening, mean before the day's end cuts it off
CLICK_DELAY = 0.05
ORDER_DELAY = 1.0  # from the click, or else the opening


class Draw(IntEnum):
    """The k of each draw of Purpose.CLOCK. Numbers are part of the format: append, never renumber."""

    PLAN = 0
    OPEN = 1
    CLICK = 2
    ORDER = 3
    UNSUBSCRIBE = 4
    SERVICE = 16  # and one more for each further attempt


def active_hour(u: Float) -> Float:
    """(m,) hour of the day at which a customer is reached, by inversion of the activity profile."""
    return np.interp(u, _SHARE, _GRID)


def planned_hour(keys: UInt64, seed: int, day: int) -> Float:
    """(m,) hour of the day at which a send to each customer is planned."""
    return active_hour(rng.uniform(keys, seed, day, Purpose.CLOCK, Draw.PLAN))


def delayed(start: Float, mean: float, end: float, u: Float) -> Float:
    """(m,) start plus an exponential delay with this mean, given that it ends before `end`.

    Inversion of the truncated exponential: -mean log(1 - u (1 - exp(-(end - start) / mean))).
    """
    within = -np.expm1(-(end - start) / mean)
    result: Float = np.minimum(start - mean * np.log1p(-u * within), np.nextafter(end, 0.0))
    return result


def _profile() -> tuple[Float, Float]:
    """Cumulated share of activity at each minute of the day, and its hour; two von Mises bumps."""
    grid = np.linspace(0.0, DAY, 24 * 60 + 1)
    angle = 2.0 * np.pi / DAY
    density = np.zeros(len(grid))
    for share, at in _PEAKS:
        density += share * np.exp(_CONCENTRATION * (np.cos(angle * (grid - at)) - 1.0))
    steps = (density[1:] + density[:-1]) / 2.0
    return np.concatenate([[0.0], np.cumsum(steps) / steps.sum()]), grid


_SHARE, _GRID = _profile()
