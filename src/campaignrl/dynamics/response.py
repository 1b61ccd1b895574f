"""How a customer answers a send: delivered, opened, clicked, unsubscribed.

Here: probabilities as pure functions of arrays. Not here: whether a send is allowed (guard/), what a click is
worth (purchase.py), the draws (advance.py). m sends.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Float32, Int
from campaignrl.dynamics.parameters import Parameters
from campaignrl.dynamics.satisfaction import contentment

_ONE = np.float32(1.0)


def sigmoid(x: Float32) -> Float32:
    """1 / (1 + exp(-x))."""
    result: Float32 = _ONE / (_ONE + np.exp(-x))
    return result


def delivery_probability(channel: Int, attempts: Int | None, p: Parameters) -> Float32:
    """(m,) chance that a send is delivered by one of its attempts (m,) of the day; None: one each.

    One draw below it decides, so the same luck tells at which attempt the send arrives.
    """
    once = p.deliver[channel]
    if attempts is None:
        return once
    never = (np.float32(1.0) - once) ** attempts.astype(np.float32)
    return np.where(attempts == 1, once, np.float32(1.0) - never)


def open_probability(
    channel: Int, affinity: Float32, taste: Float32, fatigue: Float32, alive: npt.NDArray[np.bool_], p: Parameters
) -> Float32:
    """(m,) chance that a delivered send is opened; falls with fatigue, and for customers who dropped out.

    affinity, taste: (m,) log-odds of this customer for this channel and this kind of offer.
    """
    logit = p.open_logit[channel] + affinity + taste - np.float32(p.fatigue_open) * fatigue
    return sigmoid(logit - np.float32(p.dropped_open) * ~alive)


def click_probability(channel: Int, taste: Float32, p: Parameters) -> Float32:
    """(m,) chance that an opened send is clicked."""
    return sigmoid(p.click_logit[channel] + taste)


def unsubscribe_probability(channel: Int, fatigue: Float32, satisfaction: Float32, p: Parameters) -> Float32:
    """(m,) chance that a delivered send costs the permission for its channel; grows with fatigue.

    satisfaction: (m,) log-odds above or below the level; a satisfied customer bears more.
    """
    logit = p.unsubscribe_logit[channel] + p.unsubscribe_fatigue[channel] * fatigue
    if p.satisfaction is not None and p.satisfaction.unsubscribe:
        logit = logit - np.float32(p.satisfaction.unsubscribe) * contentment(satisfaction, p)
    return sigmoid(logit)
