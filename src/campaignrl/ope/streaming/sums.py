"""Sums over customers that add up: what intervals need of a log of any size, in memory that does not grow with it.

Standard errors and empirical likelihood look at sums over a customer's rows only through their totals, their
products, and their extremes. So a part of a log is reduced to those; the customers at its two ends, whose other rows
may lie in the parts beside it, wait until the parts are joined. Joined in the order of the file, the same parts give
the same digits, whoever made them. Here: parts and joining them. Not here: what a row's columns are (evaluate.py),
estimates (estimates.py). d columns, n rows, C customers, B bins.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from campaignrl.arrays import Array, Float
from campaignrl.errors import DataError, Problem
from campaignrl.ope.methods import likelihood_of_rows as outliers
from campaignrl.rng import mix

COLUMNS = ("one", "weight", "expected", "earned", "dr", "lift_weight", "lift")  # always the first; others follow
AT = {name: i for i, name in enumerate(COLUMNS)}
WEIGHTS = ("weight", "lift_weight")  # whose least and largest sum over a customer are kept
EXTREMES = (("weight", "earned"), ("weight", "dr"), ("lift_weight", "lift"))  # (by whose weight, of what)

# Extremes of outcomes are kept by the customer's mean weight, so that later those of customers above any bound can be
# told: exactly where the bound is a mean weight of 1 (all customers have as many rows), else to a factor of 1.5.
# The bins are half powers of two as floats hold them: a number's exponent and first binary place are its bin.
_PLACES, _LEAST, _HALVES = 51, -8, 34  # bits below the bin's, log2 of the first edge, how many edges
_FIRST = int(np.float64(2.0**_LEAST).view(np.int64) >> _PLACES)
_POWERS = (np.arange(_FIRST, _FIRST + _HALVES, dtype=np.int64) << _PLACES).view(np.float64)
EDGES = np.sort(np.append(_POWERS, np.nextafter(1.0, 2.0)))
LEAST_OF_BIN = np.concatenate([[-np.inf], EDGES])  # (B,)
LARGEST_OF_BIN = np.concatenate([np.nextafter(EDGES, -np.inf), [np.inf]])
_NO_KEYS = np.zeros(0, dtype=np.uint64)
TOGETHER = 0  # as `sampling`: rows of a customer are known to stand together
KEYS_KEPT = 1 << 20  # customers by whom rows that are apart are noticed: all of them up to here


class Tally(NamedTuple):
    """Figures of rows that add up over parts of a log: numbers or arrays by name; a part without rows is empty."""

    added: Mapping[str, Any]
    least: Mapping[str, Any]
    largest: Mapping[str, Any]

    def __add__(self, other: object) -> Tally:
        if not isinstance(other, Tally):
            return NotImplemented
        if not self.added or not other.added:
            return self if self.added else other
        return Tally(
            {name: value + other.added[name] for name, value in self.added.items()},
            {name: np.minimum(value, other.least[name]) for name, value in self.least.items()},
            {name: np.maximum(value, other.largest[name]) for name, value in self.largest.items()},
        )


EMPTY = Tally({}, {}, {})


class Edge(NamedTuple):
    """A customer at the end of a part, who may go on in the next."""

    customer: str
    key: Array  # (1,)
    sums: Float  # (d,)
    first_step: int
    last_step: int


class Extremes(NamedTuple):
    """Least and largest outcome of customers by their number of rows and their mean weight."""

    sizes: Float  # (s,) ascending
    low: Float  # (s, B)
    high: Float


class CustomerSums(NamedTuple):
    """A part of a log; `edges` are not in the sums yet."""

    columns: tuple[str, ...]  # (d,) their names
    customers: int
    totals: Float  # (d,)
    products: Float  # (d, d)
    least: Float  # of WEIGHTS
    largest: Float
    extremes: tuple[Extremes, ...]  # of EXTREMES
    outliers: tuple[tuple[Float, Float], ...]  # of EXTREMES: (3, f) rows, weight and outcome of the farthest
    keys: tuple[Array, ...]  # of customers, or of a share of them
    edges: tuple[Edge, ...] = ()  # none, one, or the first and the last


def customer_sums(
    columns: Float, starts: Array, names: Array, step: Array, sampling: int, called: tuple[str, ...] = COLUMNS
) -> CustomerSums:
    """One part. columns: (d, n); starts: (C,) where customers begin; names: (C,); step: (n,); called: the columns.

    sampling: one customer in so many is remembered; TOGETHER: none needs to be.
    """
    if not len(starts):
        return NOTHING
    sums = columns if len(starts) == columns.shape[1] else np.add.reduceat(columns, starts, axis=1)
    ends = (int(starts[1]) - 1 if len(starts) > 1 else len(step) - 1, len(step) - 1)
    edges = tuple(
        Edge(str(names[c]), keys_of(names[c : c + 1]), sums[:, c], int(step[starts[c]]), int(step[end]))
        for c, end in sorted({0: ends[0], len(starts) - 1: ends[1]}.items())
    )
    keys = () if sampling == TOGETHER else (_kept(keys_of(names[1:]), sampling),)  # of the first: see joined
    return _of(sums[:, 1:-1], called)._replace(keys=keys, edges=edges)


def sampling_of(rows: int) -> int:
    """One customer in how many is remembered, so that there is room for all."""
    return -(-rows // KEYS_KEPT)


def _kept(keys: Array, sampling: int) -> Array:
    """Those of the customers that are remembered."""
    return keys if sampling == 1 else keys[keys % np.uint64(sampling) == 0]


def joined(a: CustomerSums, b: CustomerSums, sampling: int) -> CustomerSums:
    """Two parts that follow each other."""
    if not a.edges or not b.edges:
        return a if a.edges else b
    left, right = a.edges[-1], b.edges[0]
    keys = [*a.keys, *b.keys]
    if left.customer == right.customer:
        middle = [_one_customer(left, right)]
    else:
        middle = [left, right]
        keys += [] if sampling == TOGETHER else [_kept(right.key, sampling)]
    edges = [*a.edges[:-1], *middle, *b.edges[1:]]
    inner = np.array([edge.sums for edge in edges[1:-1]]).reshape(-1, len(a.columns)).T
    whole = _added(a, b, _of(inner, a.columns))
    return whole._replace(keys=tuple(keys), edges=tuple(edges[:1] + edges[1:][-1:]))


def closed(part: CustomerSums) -> CustomerSums:
    """The whole log: nothing comes before or after. DataError if customers' rows are apart."""
    first = [edge.key for edge in part.edges[:1]] if part.keys else []  # which nothing came before to be joined with
    keys = np.sort(np.concatenate([_NO_KEYS, *part.keys, *first]))
    if (keys[1:] == keys[:-1]).any():
        fix = "Sort the log by customer_id and step, or evaluate it without --stream."
        raise DataError(Problem("decision log", "customer_id", "in several places", "in rows that stand together", fix))
    sums = np.array([edge.sums for edge in part.edges]).reshape(-1, len(part.columns)).T
    return _added(part, _of(sums, part.columns))._replace(edges=())


def ends_of(extremes: Extremes, middle: float, bound: float) -> tuple[list[float], list[float]]:
    """Least and largest of outcome - middle x rows, of customers whose weight is above `bound`, and below it.

    Two numbers each, or none where there are no such customers; see EDGES for how sharp the bound is.
    """
    size = extremes.sizes[:, None]
    low, high = extremes.low - middle * size, extremes.high - middle * size
    found = []
    for of_bin in (bound / size < LARGEST_OF_BIN, bound / size > LEAST_OF_BIN):
        there = of_bin & np.isfinite(extremes.low)
        found.append([float(low[there].min()), float(high[there].max())] if there.any() else [])
    return found[0], found[1]


def _one_customer(left: Edge, right: Edge) -> Edge:
    if right.first_step <= left.last_step:
        allowed, fix = f"above {left.last_step}, the step before", "Sort the log by customer_id and step."
        raise DataError(Problem(f"decision log, customer {left.customer}", "step", right.first_step, allowed, fix))
    return Edge(left.customer, left.key, left.sums + right.sums, left.first_step, right.last_step)


def _of(sums: Float, called: tuple[str, ...]) -> CustomerSums:
    """(d, C) sums of whole customers as a part without edges."""
    weights, size = [sums[AT[name]] for name in WEIGHTS], sums[AT["one"]]
    one_row = bool(size.min(initial=1.0) == size.max(initial=1.0) == 1.0)
    products = sums @ sums.T
    return CustomerSums(
        columns=called,
        customers=sums.shape[1],
        totals=products[AT["one"]] if one_row else sums.sum(axis=1),
        products=products,
        least=np.array([w.min(initial=np.inf) for w in weights]),
        largest=np.array([w.max(initial=-np.inf) for w in weights]),
        extremes=tuple(_extremes(size, weights if one_row else [w / size for w in weights], sums)),
        outliers=tuple(_outliers(sums, AT[by], AT[of]) for by, of in EXTREMES),
        keys=(),
    )


def _extremes(size: Float, means: list[Float], sums: Float) -> list[Extremes]:
    """size: (C,) rows of each customer; means: (C,) of each of WEIGHTS."""
    own, of_lift = means
    first = bins_of(own)
    second = first if np.array_equal(own, of_lift) else bins_of(of_lift)  # alike where the lift is over the log
    bins = dict(zip(WEIGHTS, (first, second), strict=True))
    sizes = size[:1]
    if len(size) and size.min() < size.max():
        sizes, at = np.unique(size, return_inverse=True)
        bins = {name: at * len(LEAST_OF_BIN) + cell for name, cell in bins.items()}
    return [_extreme(sizes, bins[by], sums[AT[of]]) for by, of in EXTREMES]


def _outliers(sums: Float, by: int, of: int) -> tuple[Float, Float]:
    above, below = (
        np.array([sums[row, at] for row in (AT["one"], by, of)])
        for at in (outliers.largest(sums[of]), outliers.smallest(sums[of]))
    )
    return above, below


def bins_of(mean: Float) -> npt.NDArray[np.int64]:
    """How many of EDGES are at or below each number, from its bits."""
    places = (mean.view(np.int64) >> _PLACES) - (_FIRST - 1)
    return np.clip(places, 0, _HALVES, out=places) + (mean > 1.0)


def _extreme(sizes: Float, cell: Array, values: Float) -> Extremes:
    shape = (len(sizes), len(LEAST_OF_BIN))
    low, high = np.full(shape, np.inf), np.full(shape, -np.inf)
    np.minimum.at(low.reshape(-1), cell, values)
    np.maximum.at(high.reshape(-1), cell, values)
    return Extremes(sizes, low, high)


def _added(*parts: CustomerSums) -> CustomerSums:
    return CustomerSums(
        columns=parts[0].columns,
        customers=sum(part.customers for part in parts),
        totals=reduce(np.add, [part.totals for part in parts]),
        products=reduce(np.add, [part.products for part in parts]),
        least=reduce(np.minimum, [part.least for part in parts]),
        largest=reduce(np.maximum, [part.largest for part in parts]),
        extremes=tuple(reduce(_both, of) for of in zip(*(part.extremes for part in parts), strict=True)),
        outliers=tuple(outliers.joined(of) for of in zip(*(part.outliers for part in parts), strict=True)),
        keys=tuple(chain.from_iterable(part.keys for part in parts)),
    )


def _both(a: Extremes, b: Extremes) -> Extremes:
    if np.array_equal(a.sizes, b.sizes):
        return Extremes(a.sizes, np.minimum(a.low, b.low), np.maximum(a.high, b.high))
    sizes = np.union1d(a.sizes, b.sizes)
    low, high = np.full((len(sizes), len(LEAST_OF_BIN)), np.inf), np.full((len(sizes), len(LEAST_OF_BIN)), -np.inf)
    for part in (a, b):
        rows = np.searchsorted(sizes, part.sizes)
        low[rows], high[rows] = np.minimum(low[rows], part.low), np.maximum(high[rows], part.high)
    return Extremes(sizes, low, high)


def keys_of(names: Array) -> npt.NDArray[np.uint64]:
    """(C,) 64-bit numbers that differ where names, texts or numbers, do; the same in every process."""
    if names.dtype.kind in "iu":
        return mix(names.astype(np.uint64))
    return pd.util.hash_array(names, categorize=False) if len(names) else _NO_KEYS


NOTHING = _of(np.zeros((len(COLUMNS), 0)), COLUMNS)
