"""Satisfaction: log-odds that move with experience and drift back to their level.

The structure of RecSim's long-term satisfaction, made mean-reverting. Here: reading it and moving it. Not here: what
it changes (response.py, purchase.py).
"""

from __future__ import annotations

import numpy as np

from campaignrl.arrays import Bool, Float32, Rows
from campaignrl.dynamics.memory import fade
from campaignrl.dynamics.parameters import Parameters
from campaignrl.specs import Satisfaction

_ONE = np.float32(1.0)


def contentment(satisfaction: Float32, p: Parameters) -> Float32:
    """(n,) satisfaction in (0, 1) less its level."""
    assert p.satisfaction is not None
    level = p.satisfaction.level
    odds = np.exp(-satisfaction) * np.float32((1.0 - level) / level)
    result: Float32 = _ONE / (_ONE + odds) - np.float32(level)
    return result


def next_satisfaction(
    satisfaction: Float32,
    sent: Bool,
    delivered: Bool,
    opened: Bool,
    bought: Bool,
    gained: Float32,
    effect: Satisfaction,
    decay: float,
) -> Float32:
    """(n,) log-odds of tomorrow. gained: (n,) what opening today's offer is worth."""
    result = satisfaction * np.float32(decay) + opened * gained + np.float32(effect.order) * bought
    result -= np.float32(effect.ignored) * (delivered & ~opened)
    result -= np.float32(effect.undelivered) * (sent & ~delivered)
    return np.asarray(result, dtype=np.float32)


def move_satisfaction(
    satisfaction: Float32, sent: Rows, delivered: Bool, opened: Rows, gained: Float32, bought: Rows, p: Parameters
) -> None:
    """`next_satisfaction` in place, for who was sent something or bought; rows where the other one has truth values.

    delivered: (m,) of the sends; opened: (o,) which of the sends; gained: (o,) what opening the offer is worth.
    """
    effect = p.satisfaction
    assert effect is not None
    fade(satisfaction, p.satisfaction_decay)
    satisfaction[sent[opened]] += gained
    satisfaction[bought] += np.float32(effect.order)
    lost = delivered * np.float32(effect.ignored)
    if effect.undelivered:
        lost += ~delivered * np.float32(effect.undelivered)
    lost[opened] = 0.0
    satisfaction[sent] -= lost
