"""Lines above curves: how the optimistic model keeps a continuous state on few points and stays an upper bound.

Between two points of an axis the optimistic value is the straight line. That line bounds the truth if what lies below
it is convex there; so tables that bend the other way are raised, values are made convex where a move takes them from
one pair of points into another, and a product of two factors that do not rise together is made to.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from campaignrl.arrays import Array, Float, Float32

FINE = 17  # points looked at between two points of an axis


def raised(curve: Callable[[Float], Array], points: Float) -> Float:
    """(..., points) values whose straight lines lie on or above `curve`; curve: (x,) -> (..., x)."""
    values = np.asarray(curve(points), dtype=np.float64)
    extra = np.zeros_like(values)
    for i in range(len(points) - 1):
        share = np.linspace(0.0, 1.0, FINE)
        between = np.asarray(curve(points[i] + share * (points[i + 1] - points[i])), dtype=np.float64)
        line = values[..., i, None] * (1 - share) + values[..., i + 1, None] * share
        excess = 1.02 * (between - line).max(axis=-1)
        for end in (i, i + 1):
            np.maximum(extra[..., end], excess, out=extra[..., end])
    return values + extra


def convex(values: Float32, points: Float, axis: int) -> Float32:
    """At least `values`, convex along `axis`: points further up are raised on to the line of those before."""
    if len(points) < 3:
        return values
    found = np.moveaxis(values.copy(), axis, 0)
    for i in range(2, len(points)):
        ratio = np.float32((points[i] - points[i - 1]) / (points[i - 1] - points[i - 2]))
        np.maximum(found[i], found[i - 1] + ratio * (found[i - 1] - found[i - 2]), out=found[i])
    return np.moveaxis(found, 0, axis)


def falling(values: Float32, axis: int) -> Float32:
    """At least `values`, and nowhere rising along `axis`; in place. An axis has few points: a loop beats accumulate."""
    along = np.moveaxis(values, axis, 0)
    for i in range(len(along) - 2, -1, -1):
        np.maximum(along[i], along[i + 1], out=along[i])
    return values


def rising(values: Float32, axis: int) -> Float32:
    """At least `values`, and nowhere falling along `axis`; in place."""
    along = np.moveaxis(values, axis, 0)
    for i in range(1, len(along)):
        np.maximum(along[i], along[i - 1], out=along[i])
    return values


def between(values: Float32, axis: int, share: Array) -> Float32:
    """Values of a straight line through the two points of `axis` at other points; share: (points,) or (points, o).

    share 0 is the first point and 1 the second; o runs along the last axis of values.
    """
    if values.shape[axis] == 1:
        return values
    low, high = np.take(values, 0, axis=axis), np.take(values, 1, axis=axis)
    rise = high - low
    return np.stack([low + u * rise for u in share.astype(np.float32)], axis=axis)
