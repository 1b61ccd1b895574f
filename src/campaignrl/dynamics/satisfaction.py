"""Satisfaction: log-odds that move with experience and drift back to their level.

The structure of RecSim's long-term satisfaction, made mean-reverting. Here: reading it and moving it. Not here: what
it changes (response.py, purchase.py).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from campaignrl.dynamics.parameters import Parameters
from campaignrl.specs.effects import Satisfaction

Float32 = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]


def contentment(satisfaction: Float32, p: Parameters) -> Float32:
    """(n,) satisfaction in (0, 1) less its level."""
    assert p.satisfaction is not None
    level = p.satisfaction.level
    odds = np.exp(-satisfaction) * np.float32((1.0 - level) / level)
    result: Float32 = np.float32(1.0) / (np.float32(1.0) + odds) - np.float32(level)
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
