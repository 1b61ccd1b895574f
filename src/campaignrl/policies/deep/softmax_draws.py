"""Actions drawn from a softmax without its probabilities, which only a log needs.

An action is where a running sum of probabilities passes a uniform number. Which one that is, sums in single precision
tell as well as those in double precision, unless the number is as near to a sum as rounding may move it: those rows are
left to whoever has the probabilities. Here: the sums and how near is too near. Not here: the outputs
(numpy_network.py), drawing from probabilities (policies/base.py). n rows, k actions.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Bool, Float, Float32, Int, Rows
from campaignrl.policies.choice import in_cache


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
    outputs: Float32, allowed: Bool, u: Float, temperature: float, explore: float
) -> tuple[npt.NDArray[np.int64], Rows]:
    """(n,) actions by inversion of u (n,), and the rows where the next action is as near as rounding.

    The softmax of outputs (n, k) over what is allowed, over a floor of `explore` split evenly.
    """
    n, k = outputs.shape
    action, close = np.empty(n, dtype=np.int64), np.empty(n, dtype=bool)
    for rows in in_cache(n):
        weights = softmax_weights(outputs[rows], allowed[rows], temperature)
        if explore != 0.0:
            _over_floor(weights, allowed[rows], explore)
        for last, here in pairwise(weights):
            here += last
        passed = [_passed(weights, u[rows] + side * _slack(k)) for side in (-1.0, 1.0)]
        action[rows] = passed[1]
        close[rows] = (passed[0] != passed[1]) | (passed[1] == k)
    return action, np.flatnonzero(close)


def _over_floor(weights: Float32, allowed: Bool, explore: float) -> None:
    """(k, m) weights to (1 - explore) of their shares and `explore` of uniform, in place."""
    may = np.ascontiguousarray(allowed.T)
    weights *= np.float32(1.0 - explore) / np.add.reduce(weights, axis=0)
    weights += may * (np.float32(explore) / np.add.reduce(may, axis=0, dtype=np.float32))


def _passed(sums: Float32, u: Float) -> Int:
    """(m,) how many of the running sums (k, m) are at most the share u (m,) of the whole."""
    ends = (u * sums[-1]).astype(np.float32)
    return np.asarray(np.add.reduce((sums <= ends).view(np.uint8), axis=0, dtype=np.min_scalar_type(len(sums))))


def _slack(k: int) -> float:
    """By how much rounding may move a running sum of k weights over the whole.

    Weights are those of the probabilities, to the last bit. A sum of k is within k u of its own (Higham 2002, 4.2), and
    so is the whole; the floor takes a few operations more, and the end one.
    """
    return (4 * k + 32) * float(np.finfo(np.float32).eps) / 2.0
