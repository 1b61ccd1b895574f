"""How a customer answers a send: delivered, opened, clicked, unsubscribed.

Here: probabilities as pure functions of arrays. Not here: whether a send is allowed (guard/), what a click is
worth (purchase.py), the draws (advance.py). m sends.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Float32, Int
from campaignrl.dynamics.parameters import Parameters
from campaignrl.effects import Stocks

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
    channel: Int, affinity: Float32, taste: Float32, stocks: Stocks, alive: npt.NDArray[np.bool_], p: Parameters
) -> Float32:
    """(m,) chance that a delivered send is opened; effects move it, and customers who dropped out open less.

    affinity, taste: (m,) log-odds of this customer for this channel and this kind of offer.
    """
    logit: Float32 = p.open_logit[channel] + affinity + taste
    for effect in p.effects:
        logit = effect.opening(logit, stocks)
    gone: Float32 = np.asarray(np.float32(p.dropped_open) * ~alive, dtype=np.float32)
    return sigmoid(logit - gone)


def click_probability(channel: Int, taste: Float32, p: Parameters) -> Float32:
    """(m,) chance that an opened send is clicked."""
    return sigmoid(p.click_logit[channel] + taste)


def unsubscribe_probability(channel: Int, stocks: Stocks, p: Parameters) -> Float32:
    """(m,) chance that a delivered send costs the permission for its channel; effects move it."""
    logit = p.unsubscribe_logit[channel]
    for effect in p.effects:
        logit = effect.unsubscribing(logit, stocks, channel)
    return sigmoid(logit)
