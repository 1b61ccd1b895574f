"""What a policy wants where the logging policy hardly ever did it, as the log itself says by what else it did there.

A row in which something else was done with a propensity of 0.9995 leaves 0.0005 to all other actions. Where the policy
wants one of them, its weight would be in the hundreds if it came, and where no weight of that size was seen nothing can
be said of it: that it never came is no sign that propensities are wrong, and what it earns is the model's guess. Here:
that mass, which the tests of balance leave out and a reader is told of. Not here: actions that were never tried at all
(verdict.py) or not in a part of the rows (never_tried.py). m rows, k actions.
"""

from __future__ import annotations

import numpy as np

from campaignrl.arrays import Array, Float, Float32
from campaignrl.ope.data import LogSample
from campaignrl.ope.diagnostics.verdict import OFF_SUPPORT_REFUSE, Finding, Level
from campaignrl.ope.estimators import CERTAIN

CERTAINLY = 1.001  # nothing is wanted more, rounding counted
UNHEARD = 5.0  # a weight from which on a row is more than others; up to that, that none was seen is chance


def left_over(inverse: Float) -> Float:
    """(m,) chance of all that was not done: no action among it had more. inverse: (m,) 1 / p."""
    return np.asarray(1.0 - 1.0 / inverse)


def hardly_tried(sample: LogSample) -> float:
    """Share of what the policy would do that would come with a weight beyond all that were seen, and `UNHEARD`."""
    free = sample.propensity < CERTAIN
    if sample.wanted is None or not free.any():
        return 0.0
    inverse = 1.0 / (sample.propensity if free.all() else sample.propensity[free])
    left = left_over(inverse)
    if float(left.min()) * UNHEARD > CERTAINLY:
        return 0.0
    wanted, action, done = sample.wanted, sample.action, sample.as_done()
    if not free.all():
        wanted, action, done = wanted[free], action[free], done[free]
    room = left * max(float((done * inverse).max()), UNHEARD)
    if float(room.min()) >= float(wanted.max()):
        return 0.0
    return float(beyond(wanted, action, room).sum(dtype=np.float64)) / len(sample.action)


def beyond(wanted: Float32, action: Array, room: Float) -> Float32:
    """(m, k) mass on actions that were not taken and are wanted more than `room` (m,) allows."""
    mass = np.where(wanted > room[:, None], wanted, np.float32(0.0))
    mass[np.arange(len(action)), action] = 0.0
    return mass


def findings_of_hardly_tried(share: float) -> tuple[Finding, ...]:
    """A caution where it is more than a value can bear."""
    if share <= OFF_SUPPORT_REFUSE:
        return ()
    text = f"{share:.1%} of what this policy would do was hardly ever tried where it would do it"
    return (Finding(Level.CAUTION, f"{text}: what it earns there is the model's guess, and no interval counts that."),)
