"""How far the outputs of a network may be from one another when rounding differs: a bound for all sums, in any order.

Whoever adds up n products in floating point, in any order, fused or not, is within g(n) sum |w_i x_i| of the exact sum,
where g(n) = n u / (1 - n u) and u = 2^-24 in single precision (Higham 2002, Accuracy and Stability of Numerical
Algorithms, 3.1); single precision rounded from double is within that, too. Through a layer z = W x + b of d inputs,
where the x at hand is within e of the exact one (2-norms throughout, W by its spectral norm where it has no other):

- what is off in x is passed on: |W (x + dx) - W x| <= |W| e;
- and the d products and the bias, of which none takes part in more than d + 2 roundings, are summed within
  g(d + 2) (|W|_F (|x| + e) + |b|), by Cauchy and Schwarz row by row;
- relu and tanh bring no two numbers farther apart, nor farther from 0; relu is exact, tanh off by a few units in the
  last place. Numbers too small for full precision are off by less than the smallest that have it, each.

The bound of the exact x goes the same way: |W x + b| <= |W| |x| + |b|. A single output of the last layer is a row of W.
So each of two ways to round is within this of the exact outputs, and they within twice this of each other. Where a sum
might overflow, nothing is promised. Not here: outputs (quick_outputs.py), what may be concluded (softmax_draws.py,
greedy_draws.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, sqrt
from typing import Literal, NamedTuple

import numpy as np

from campaignrl.arrays import Float32

Activation = Literal["relu", "tanh"]

UNIT = 2.0**-24  # of rounding in single precision
SMALLEST = 2.0**-126  # that has full precision
LARGEST = 1e37  # a tenth of what single precision holds
ULPS = 4  # units in the last place by which numpy's exp and tanh of single precision are off at most
SPARE = 1.001  # for the rounding of the bound itself


class Layer(NamedTuple):
    """One affine layer."""

    weight: Float32  # (inputs, outputs)
    bias: Float32  # (outputs,)


class Rounded(NamedTuple):
    """What is known of outputs at hand."""

    off: float  # from those of the reference, any of them at most
    size: float  # of any of them at most


UNKNOWN = Rounded(inf, inf)


class _Norms(NamedTuple):
    """What a bound reads of a layer; sizes are 2-norms."""

    outputs: int
    gamma: float  # g of its sums; infinite where they are too long
    underflow: float  # what a sum may lose to small numbers
    spectral: float
    frobenius: float
    bias: float
    widest: float  # of the weights of one output
    highest: float  # size of the bias of one output


class RoundingBound:
    """The bound of some layers, for rows of inputs of any size."""

    def __init__(self, layers: Sequence[Layer], activation: Activation) -> None:
        self._norms = [_norms(layer) for layer in layers]
        self._is_tanh = activation == "tanh"

    def __call__(self, size: float, off: float = 0.0) -> Rounded:
        """size: 2-norm of a row of inputs at most; off: how far it is from the row that the reference reads."""
        for w in self._norms[:-1]:
            if not w.widest * (size + off) + w.highest < LARGEST:
                return UNKNOWN
            summed = w.gamma * (w.frobenius * (size + off) + w.bias) + w.underflow * sqrt(w.outputs)
            off, size = w.spectral * off + summed, w.spectral * size + w.bias
            if self._is_tanh:
                off += 2.0 * ULPS * UNIT * sqrt(w.outputs)
                size = min(size, sqrt(w.outputs))
        w = self._norms[-1]
        reach = w.widest * (size + off) + w.highest
        if not reach < LARGEST:
            return UNKNOWN
        one = w.widest * off + w.gamma * reach + w.underflow
        return Rounded(2.0 * SPARE * one, SPARE * (reach + one))


def _norms(layer: Layer) -> _Norms:
    weight, bias = layer.weight.astype(np.float64), layer.bias.astype(np.float64)
    (d, k), off = weight.shape, (len(weight) + 2) * UNIT
    gamma = off / (1.0 - off) if off < 0.1 and np.isfinite(weight).all() and np.isfinite(bias).all() else inf
    if gamma == inf:
        return _Norms(k, inf, inf, inf, inf, inf, inf, inf)
    return _Norms(
        outputs=k,
        gamma=gamma,
        underflow=(d + 2) * SMALLEST,
        spectral=float(np.linalg.norm(weight, 2)) if d else 0.0,
        frobenius=float(np.linalg.norm(weight)),
        bias=float(np.linalg.norm(bias)),
        widest=float(np.linalg.norm(weight, axis=0).max()),
        highest=float(np.abs(bias).max()),
    )
