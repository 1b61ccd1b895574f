"""The customers of one segment as tables and a Gaussian copula: fitting it.

Categories, yes/no tags and the gaps of numbers are drawn one after the other, each from a table by at most two of those
before it, so that pairs which exclude each other still do. Every number is a normal score: a mean that depends on the
categories plus a correlated rest, whose correlations are moved until drawn customers have the rank correlations of the
real ones ("normal to anything", Cario & Nelson 1997). Not here: drawing (population.py), exact relations between
numbers (exact_relations.py). n customers, m categories, p numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import model_validator
from scipy.special import ndtr, ndtri

from campaignrl import rng
from campaignrl.arrays import Float, Int64
from campaignrl.errors import Problem, SpecError
from campaignrl.profiles.population.dependence import (
    conditional_table,
    dependence_tree,
    nearest_correlation,
    rank_correlations,
    ranks,
    regressed,
    second_parents,
)
from campaignrl.profiles.population.exact_relations import Ties, find_ties, tied, untied
from campaignrl.profiles.population.quantile_tables import Marginal, marginal, quantiles
from campaignrl.profiles.table import Tag, codes_of, numbers_of
from campaignrl.specs import Spec

Matrix = tuple[tuple[float, ...], ...]

GRID = np.linspace(-5.0, 5.0, 201)  # where the distribution function of a normal score is kept
TRIED = 8192  # customers drawn to see what the correlations come out as
ROUNDS = 10
MOST_FITTED = 30_000  # customers of a segment whose dependence is fitted, evenly spaced; marginals are those of all
RIDGE = 5.0  # customers; a level of a category seen that often is half believed
POOLED = 50.0  # customers; a segment that small takes half of its correlations from all customers
BOUND = 0.995  # largest correlation of two normal scores


class Node(Spec):
    """One category in the tree. levels: how many codes it has; table: cumulated shares by the parents' codes."""

    tag: int
    levels: int
    parents: tuple[int, ...]  # none, one or two nodes; the codes of the last turn fastest
    table: Matrix


class Score(Spec):
    """One number: its marginal, what each code of each node adds to its normal score, and the score's distribution."""

    tag: int
    marginal: Marginal
    effects: Matrix  # by node, by code
    spread: float  # standard deviation of the rest
    distribution: tuple[float, ...]  # at GRID


class SegmentModel(Spec):
    """How to draw the customers of one segment."""

    share: float
    customers: int
    nodes: tuple[Node, ...]
    order: tuple[int, ...]  # nodes, parents first
    scores: tuple[Score, ...]
    root: Matrix  # (p, p) lower triangle: the rests of the scores from independent normals

    @model_validator(mode="after")
    def _shapes(self) -> SegmentModel:
        m, p = len(self.nodes), len(self.scores)
        fits = sorted(self.order) == list(range(m)) and len(self.root) == p and all(len(row) == p for row in self.root)
        for place, j in enumerate(self.order if fits else ()):
            node = self.nodes[j]
            known = len(node.parents) <= 2 and all(p in self.order[:place] for p in node.parents)
            rows = math.prod(self.nodes[p].levels for p in node.parents) if known else -1
            fits = fits and len(node.table) == rows and all(len(row) == node.levels > 0 for row in node.table)
        sizes = [node.levels for node in self.nodes]
        fits = fits and all([len(e) for e in s.effects] == sizes for s in self.scores)
        if not (fits and all(len(s.distribution) == len(GRID) for s in self.scores)):
            raise SpecError(Problem("[segments]", "tables", f"{m} nodes, {p} scores", "of sizes that fit each other"))
        return self


class Columns(NamedTuple):
    """A table as arrays: codes of every node (gaps included) and values of every number."""

    tags: tuple[Tag, ...]
    node_tags: tuple[int, ...]
    sizes: tuple[int, ...]
    codes: list[Int64]
    score_tags: tuple[int, ...]
    values: list[Float]
    ties: Ties

    def take(self, rows: slice | npt.NDArray[np.bool_]) -> Columns:
        """The same columns for some customers."""
        return self._replace(codes=[c[rows] for c in self.codes], values=[v[rows] for v in self.values])


def columns_for_population(profiles: pd.DataFrame, tags: Sequence[Tag]) -> Columns:
    """Codes and values of a profiles table. A node's last code is "missing" where its tag has gaps."""
    node_tags, sizes, codes = [], [], []
    numbers = {t: numbers_of(profiles, tag) for t, tag in enumerate(tags) if tag.kind in ("number", "date")}
    ties = find_ties(numbers, tags)
    for t, tag in enumerate(tags):
        if tag.kind in ("number", "date"):
            if tag.gaps and t not in ties.made:
                node_tags.append(t)
                sizes.append(2)
                codes.append(np.isnan(numbers[t]).astype(np.int64))
            continue
        size = len(tag.levels) if tag.kind == "category" else 2
        code = codes_of(profiles, tag) if tag.kind == "category" else _yes_no(numbers_of(profiles, tag))
        node_tags.append(t)
        sizes.append(max(size + tag.gaps, 1))
        codes.append(np.where(code < 0, sizes[-1] - 1, code))
    drawn = untied(numbers, ties)
    return Columns(tuple(tags), tuple(node_tags), tuple(sizes), codes, tuple(drawn), list(drawn.values()), ties)


def fit_segment(columns: Columns, share: float, everyone: Float) -> SegmentModel:
    """The model of a segment's customers; everyone: (p, p) rank correlations of all customers."""
    n = len((columns.codes or columns.values)[0])
    whole, columns = columns, columns.take(slice(None, None, max(n // MOST_FITTED, 1)))
    nodes, order = _nodes(columns)
    target = _pooled(rank_correlations(columns.values), everyone, n)
    scores, rests = [], []
    tried = _try_out(columns, nodes, order)
    for values, everything, t in zip(columns.values, whole.values, columns.score_tags, strict=True):
        score, rest = _score(values, everything, t, columns, tried)
        scores.append(score)
        rests.append(rest)
    start = np.nan_to_num(rank_correlations(rests)) if rests else np.zeros((0, 0))
    model = SegmentModel(
        share=share, customers=n, nodes=nodes, order=order, scores=tuple(scores), root=np.eye(len(scores)).tolist()
    )
    return model.model_copy(update={"root": _tuned(model, columns, tried, start, target)})


def drawn_codes(nodes: Sequence[Node], order: Sequence[int], uniforms: Sequence[Float]) -> list[Int64]:
    """Codes (n,) of every node, from one uniform each."""
    codes: list[Int64] = [np.zeros(0, dtype=np.int64)] * len(nodes)
    for j in order:
        node, u = nodes[j], uniforms[j]
        table = np.array(node.table)
        rows = table[_row([codes[p] for p in node.parents], [nodes[p].levels for p in node.parents])]
        codes[j] = np.minimum((u[:, None] >= rows).sum(axis=1), node.levels - 1)
    return codes


def drawn_means(scores: Sequence[Score], codes: Sequence[Int64], n: int) -> list[Float]:
    """Means (n,) of the normal scores, from the codes of the nodes."""
    means = []
    for score in scores:
        mean = np.zeros(n)
        for effect, code in zip(score.effects, codes, strict=True):
            if any(effect):
                mean += np.array(effect)[code]
        means.append(mean)
    return means


def drawn_values(
    model: SegmentModel,
    ties: Ties,
    tags: Sequence[Tag],
    means: Sequence[Float],
    normals: Sequence[npt.NDArray[np.float32]],
) -> dict[int, Float]:
    """Values (n,) of every number by its tag. Sums run one column at a time: a customer never depends on the batch."""
    values = {}
    for score, mean, row in zip(model.scores, means, model.root, strict=True):
        z = mean.copy()
        for weight, normal in zip(row, normals, strict=True):
            if weight != 0.0:
                z += (score.spread * weight) * normal.astype(np.float64)
        u = np.interp(z, GRID, np.array(score.distribution))
        values[score.tag] = quantiles(score.marginal, u, tags[score.tag])
    return tied(values, ties, tags)


def _row(codes: Sequence[Int64], sizes: Sequence[int]) -> Int64:
    """(n,) row of a table by the codes of its parents; a single 0 where there are none."""
    row = np.zeros(1, dtype=np.int64)
    for code, size in zip(codes, sizes, strict=True):
        row = row * size + code
    return row


class _TryOut(NamedTuple):
    """TRIED customers of the segment up to their numbers: the same ones in every round."""

    codes: list[Int64]
    normals: list[npt.NDArray[np.float32]]


def _nodes(columns: Columns) -> tuple[tuple[Node, ...], tuple[int, ...]]:
    order, parents = dependence_tree(columns.codes, columns.sizes)
    seconds = second_parents(columns.codes, columns.sizes, order, parents)
    nodes = []
    for j, (t, size) in enumerate(zip(columns.node_tags, columns.sizes, strict=True)):
        above = tuple(p for p in (parents[j], seconds[j]) if p >= 0)
        table: Float | None = None
        for m in range(len(above) + 1):  # a pair of codes that nobody has falls back on the first
            codes, sizes = [columns.codes[p] for p in above[:m]], [columns.sizes[p] for p in above[:m]]
            wider = None if table is None else np.repeat(table, sizes[-1], axis=0)
            given = np.broadcast_to(_row(codes, sizes), len(columns.codes[j]))
            table = conditional_table(columns.codes[j], given, (math.prod(sizes), size), wider)
        assert table is not None
        nodes.append(Node(tag=t, levels=size, parents=above, table=table.tolist()))
    return tuple(nodes), tuple(order)


def _try_out(columns: Columns, nodes: Sequence[Node], order: Sequence[int]) -> _TryOut:
    keys = rng.customer_keys(np.arange(TRIED))
    uniforms = [rng.uniform(keys, 0, -1, rng.Purpose.POPULATION, k) for k in range(len(nodes))]
    normals = rng.normals(keys, 0, -1, rng.Purpose.POPULATION, len(columns.values))
    return _TryOut(drawn_codes(nodes, order, uniforms), normals)


def _score(values: Float, everything: Float, t: int, columns: Columns, tried: _TryOut) -> tuple[Score, Float]:
    """A number's part of the model, and the rests (n,) of its normal scores."""
    z = ndtri(ranks(values))
    given = ~np.isnan(z)
    deviation = float(z[given].std()) if given.any() else 0.0
    z = z / deviation if deviation > 0 else np.where(given, 0.0, np.nan)
    effects = regressed(z, columns.codes, columns.sizes, RIDGE)
    rest = z - sum((e[c] for e, c in zip(effects, columns.codes, strict=True)), np.zeros(len(z)))
    spread = float(np.sqrt(np.mean(rest[given] ** 2))) if given.any() else 1.0
    spread = max(spread, 0.05)  # a number that the categories tell exactly still needs a distribution function
    mean = sum((e[c] for e, c in zip(effects, tried.codes, strict=True)), np.zeros(TRIED))
    levels, counts = np.unique(np.round(mean, 3), return_counts=True)
    distribution = (counts @ ndtr((GRID - levels[:, None]) / spread)) / TRIED
    score = Score(
        tag=t,
        marginal=marginal(everything[~np.isnan(everything)], columns.tags[t]),
        effects=[e.tolist() for e in effects],
        spread=spread,
        distribution=tuple(distribution.tolist()),
    )
    return score, rest


def _tuned(model: SegmentModel, columns: Columns, tried: _TryOut, start: Float, target: Float) -> Matrix:
    """The root whose drawn customers come nearest to the wanted rank correlations."""
    p = len(model.scores)
    if p == 0:
        return ()
    means = drawn_means(model.scores, tried.codes, TRIED)
    spreads = np.array([score.spread for score in model.scores])
    wanted, best = start.copy(), np.inf
    nearest_root: Float = np.eye(p)
    for _ in range(ROUNDS if p > 1 else 1):
        root: Float = np.asarray(np.linalg.cholesky(nearest_correlation(wanted)))
        trial = model.model_copy(update={"root": root.tolist()})
        drawn = drawn_values(trial, columns.ties, columns.tags, means, tried.normals)
        off = np.nan_to_num(target - rank_correlations(list(untied(drawn, columns.ties).values())))
        if np.abs(off).sum() < best:
            best, nearest_root = float(np.abs(off).sum()), root
        step = off / np.maximum(np.outer(spreads, spreads), 0.2)
        wanted = np.asarray(np.clip(wanted + step, -BOUND, BOUND))
        np.fill_diagonal(wanted, 1.0)
    return tuple(tuple(row) for row in nearest_root.tolist())


def _pooled(own: Float, everyone: Float, n: int) -> Float:
    trust = n / (n + POOLED)
    mixed: Float = np.where(np.isnan(own), everyone, trust * own + (1.0 - trust) * np.nan_to_num(everyone))
    return np.nan_to_num(mixed)


def _yes_no(values: Float) -> Int64:
    codes: Int64 = np.where(np.isnan(values), -1, np.nan_to_num(values) > 0).astype(np.int64)
    return codes
