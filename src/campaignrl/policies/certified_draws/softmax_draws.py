"""Actions drawn from a softmax without its probabilities, which only a log needs.

An action is where a running sum of probabilities passes a uniform number. Which one that is, sums in single precision
of outputs in single precision tell as well as those of the reference in double precision, unless the number is as near
to a sum as rounding may move it: those rows are left to whoever has the probabilities. Here: the sums and how near is
too near. Not here: the outputs and how far they are off (quick_outputs.py), drawing from probabilities
(policies/base.py). m rows, k actions.
"""

from __future__ import annotations

from itertools import pairwise
from math import expm1

import numpy as np

from campaignrl.arrays import Bool, Float, Float32
from campaignrl.policies.certified_draws.quick_outputs import Actions
from campaignrl.policies.certified_draws.rounding_bound import ULPS, UNIT, Rounded

MODERATE = 40.0  # exps of numbers of this size can be added up as they are
DEEPEST = 104.0  # below it an exp is 0 in single precision
FURTHEST = 0.05  # that logits may be off; farther, and many rows would be made twice


def softmax_weights(outputs: Float32, allowed: Bool, temperature: float) -> Float32:
    """(k, n) exp(outputs / temperature) of the allowed actions, the largest 1; outputs and allowed: (n, k).

    Turned round in memory: a step over long columns costs half of one over short rows.
    """
    logits = np.array(outputs.T, order="C")
    highest = np.ascontiguousarray(allowed.T).view(np.uint8).astype(np.float32)
    highest -= np.float32(0.5)
    highest *= np.float32(np.inf)  # where barred, below everything
    np.minimum(logits, highest, out=logits)
    logits -= np.maximum.reduce(logits, axis=0)
    if temperature != 1.0:
        logits /= np.float32(temperature)
    return np.exp(logits, out=logits)


def softmax_draws(
    outputs: Float32, known: Rounded, allowed: Bool, u: Float, temperature: float, explore: float
) -> tuple[Actions, Bool]:
    """(m,) actions by inversion of u (m,), and in which rows a running sum is as near as rounding may have moved it.

    The softmax of outputs (k, m), written on, over what is allowed (m, k), over a floor of `explore` split evenly.
    """
    k, m = outputs.shape
    may = np.ascontiguousarray(allowed.T)
    sums = _weights(outputs, known.size, may, temperature)
    if explore != 0.0:
        _over_floor(sums, may, explore)
    for last, here in pairwise(sums):
        here += last
    slack = u * (1.0 - u)
    slack *= _moved(known.off, temperature)
    slack += _slack(k)
    below = sums <= ((u - slack) * sums[-1]).astype(np.float32)
    passed = np.add.reduce(below.view(np.uint8), axis=0, dtype=np.min_scalar_type(k))
    action = np.minimum(passed, k - 1).astype(np.int64)
    beyond = sums.reshape(-1).take(action * m + np.arange(m)) > ((u + slack) * sums[-1]).astype(np.float32)
    return action, ~beyond | (passed == k)


def _weights(outputs: Float32, size: float, may: Bool, temperature: float) -> Float32:
    """(k, m) the weights of a softmax, but for a factor of each row; may: (k, m)."""
    if not size < MODERATE * temperature:
        return softmax_weights(outputs.T, may.T, temperature)
    if temperature != 1.0:
        outputs /= np.float32(temperature)
    np.exp(outputs, out=outputs)
    outputs *= may
    return outputs


def _over_floor(weights: Float32, may: Bool, explore: float) -> None:
    """(k, m) weights to (1 - explore) of their shares and `explore` of uniform, in place."""
    weights *= np.float32(1.0 - explore) / np.add.reduce(weights, axis=0)
    weights += may * (np.float32(explore) / np.add.reduce(may, axis=0, dtype=np.float32))


def _moved(off: float, temperature: float) -> float:
    """By how many times c (1 - c) a running sum c of shares may move where each output is within `off`.

    Logits are then within e of one another, but for a constant of the row: the outputs' own distance, and the rounding
    of a difference, a quotient and an exp, here and in the reference. So weights are within a factor exp(e), the odds
    of a running sum within r = exp(2 e), and it moves by at most c (1 - c) (r - 1); also over a floor, since c (1 - c)
    is concave. Where a number u lies between the sum and where it moved to, the sum is within that of u, and c (1 - c)
    within as much of u (1 - u): hence u (1 - u) (r - 1) / (2 - r).
    """
    rounding = 2.0 * (2.1 * DEEPEST + 2.1 * ULPS) * UNIT
    grown = expm1(2.0 * (1.001 * off / temperature + rounding))
    return grown / (1.0 - grown)


def _slack(k: int) -> float:
    """By how much the rounding of sums may move a running sum of k weights over the whole.

    A sum of k is within k u of its own (Higham 2002, 4.2), and so is the whole; the floor takes a few operations more,
    and the end one.
    """
    return (4 * k + 32) * UNIT
