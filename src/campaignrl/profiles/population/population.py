"""A population: any number of customers drawn from segments, alike in their tags to those the segments were made of.

A customer is drawn from its key alone, so the same id and seed give the same customer in a batch of any size. What is
kept: each segment's share, every marginal with its bounds and gaps, tables of the strongest pairs of categories, rank
correlations of numbers, exact relations between them. What is not: dependence beyond that. It is a model, not a promise
of anonymity: extremes and rare levels are those of real customers. Not here: fitting (copula.py), relations
(exact_relations.py), how alike drawn customers are (fidelity.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pydantic import model_validator
from threadpoolctl import threadpool_limits

from campaignrl import rng
from campaignrl.arrays import Float, Int64, UInt64
from campaignrl.errors import Problem, SpecError, nearest
from campaignrl.profiles.population.copula import (
    SegmentModel,
    columns_for_population,
    drawn_codes,
    drawn_means,
    drawn_values,
    fit_segment,
)
from campaignrl.profiles.population.dependence import rank_correlations
from campaignrl.profiles.population.exact_relations import Ties
from campaignrl.profiles.table import OTHER, Tag, codes_of, tags_of
from campaignrl.specs import Spec
from campaignrl.tables import ID

LABEL = "segment"  # column of the segment a customer was drawn from
LABEL_ELSE = "drawn_from"  # its name where the profiles have a tag of that name
BLOCK = 65_536  # customers drawn at a time; no answer depends on it
COVERED = 0.5  # share of customers that the levels kept of a text must cover; a text that is hardly repeated identifies


class Population(Spec):
    """How to draw customers. left_out: texts that identify customers, which are not drawn."""

    tags: tuple[Tag, ...]
    names: tuple[str, ...]
    segments: tuple[SegmentModel, ...]
    ties: Ties = Ties()
    left_out: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _shapes(self) -> Population:
        numeric = {t for t, tag in enumerate(self.tags) if tag.kind in ("number", "date")}
        sizes = [len(tag.levels) if tag.kind == "category" else 2 for tag in self.tags]
        drawn = numeric - self.ties.made
        fits = len(self.names) == len(self.segments) and self.ties.places <= numeric
        for model in self.segments:
            fits = fits and {score.tag for score in model.scores} == drawn and len(model.scores) == len(drawn)
            known = all(0 <= node.tag < len(sizes) for node in model.nodes)
            fits = fits and known and all(node.levels <= max(sizes[node.tag] + 1, 1) for node in model.nodes)
        for d in self.ties.derived:  # each is made of what is there by then
            fits = fits and {d.x, d.y} <= drawn
            drawn |= {d.tag}
        for g in self.ties.gaps:
            fits = fits and {g.longest, g.shortest, g.count} <= drawn
            drawn |= {g.tag}
        for one in self.ties.steps:
            fits = fits and one.other in drawn and len(one.values) == len(one.edges) + 1
            fits = fits and list(one.edges) == sorted(one.edges)
        if not fits:
            raise SpecError(Problem("[population]", "segments", len(self.segments), "one to a name, of the tags alone"))
        return self

    @property
    def label(self) -> str:
        """The column that says which segment a customer was drawn from."""
        return LABEL if LABEL not in {tag.name for tag in self.tags} else LABEL_ELSE

    def draw(self, n: int, seed: int, first: int = 0, shares: Mapping[str, float] | None = None) -> pd.DataFrame:
        """Customers first, ..., first + n - 1 as a profiles table, with the segment of each.

        shares: of the segments, by name, in any unit (default: as they were); one not named has none.
        """
        cumulated = np.cumsum(self._shares(shares))
        starts = range(first, first + n, BLOCK)
        parts = [self._block(np.arange(i, min(i + BLOCK, first + n)), seed, cumulated) for i in starts]
        return pd.concat(parts, ignore_index=True) if parts else self._block(np.arange(0), seed, cumulated)

    def _shares(self, given: Mapping[str, float] | None) -> Float:
        if given is None:
            return np.array([segment.share for segment in self.segments])
        problems = [
            Problem("shares", name, given[name], "a segment's share", nearest(name, self.names))
            for name in given
            if name not in self.names
        ]
        for name, share in given.items():
            empty = name in self.names and share > 0 and self.segments[self.names.index(name)].customers == 0
            if not (np.isfinite(share) and share >= 0) or empty:
                allowed = "0: nobody was in the segment" if empty else "at least 0"
                problems.append(Problem("shares", name, share, allowed))
        wanted = np.array([given.get(name, 0.0) for name in self.names])
        if not problems and not wanted.sum() > 0:
            problems.append(Problem("shares", "sum", float(wanted.sum()), "above 0"))
        if problems:
            raise SpecError(problems)
        parts: Float = wanted / wanted.sum()
        return parts

    def _block(self, numbers: Int64, seed: int, cumulated: Float) -> pd.DataFrame:
        keys = rng.customer_keys(numbers)
        u = rng.uniform(keys, seed, 0, rng.Purpose.POPULATION, 0)
        segment = np.searchsorted(cumulated, u * cumulated[-1], side="right")
        segment = np.minimum(segment, int(np.flatnonzero(np.diff(cumulated, prepend=0.0) > 0)[-1]))
        whole = _Arrays(self.tags, len(numbers))
        for g, model in enumerate(self.segments):
            rows = np.flatnonzero(segment == g)
            if len(rows):
                whole.put(rows, model, self.ties, keys[rows], seed)
        frame = whole.frame(self.tags)
        frame.insert(0, ID, pd.Series(numbers).astype(str))
        frame[self.label] = _texts(segment, self.names)
        return frame


def fit_population(profiles: pd.DataFrame, codes: Int64, names: Sequence[str]) -> Population:
    """The population that these customers are a sample of; codes: (n,) index of each customer's segment in `names`."""
    with threadpool_limits(limits=1):  # BLAS over several threads adds up in another order: other last digits
        present = tags_of(profiles)
        left_out = tuple(tag.name for tag in present if _identifies(profiles, tag))
        tags = tuple(tag for tag in present if tag.name not in left_out)
        if not tags:
            raise SpecError(Problem("profiles", "tags", [t.name for t in present], "at least one tag to draw"))
        columns = columns_for_population(profiles, tags)
        everyone = rank_correlations(columns.values)
        counts = np.bincount(codes, minlength=len(names))
        segments = [fit_segment(columns.take(codes == g), counts[g] / len(codes), everyone) for g in range(len(names))]
        return Population(tags=tags, names=tuple(names), segments=tuple(segments), ties=columns.ties, left_out=left_out)


def _identifies(profiles: pd.DataFrame, tag: Tag) -> bool:
    if OTHER not in tag.levels:
        return False
    codes = codes_of(profiles, tag)
    return float((codes < len(tag.levels) - 1).mean()) < COVERED


class _Arrays:
    """The columns of one block while it is filled, segment by segment."""

    def __init__(self, tags: Sequence[Tag], n: int) -> None:
        numeric = ("number", "date")
        self.codes = {t: np.full(n, -1, dtype=np.int64) for t, tag in enumerate(tags) if tag.kind not in numeric}
        self.values = {t: np.full(n, np.nan) for t, tag in enumerate(tags) if tag.kind in numeric}
        self.tags = tags

    def put(self, rows: Int64, model: SegmentModel, ties: Ties, keys: UInt64, seed: int) -> None:
        """Draw the customers of one segment into their rows."""
        uniforms = [rng.uniform(keys, seed, 0, rng.Purpose.POPULATION, 1 + j) for j in range(len(model.nodes))]
        normals = rng.normals(keys, seed, 0, rng.Purpose.POPULATION, len(model.scores))
        codes = drawn_codes(model.nodes, model.order, uniforms)
        means = drawn_means(model.scores, codes, len(rows))
        for t, values in drawn_values(model, ties, self.tags, means, normals).items():
            self.values[t][rows] = values
        for node, code in zip(model.nodes, codes, strict=True):
            missing = self.tags[node.tag].gaps & (code == node.levels - 1)
            if node.tag in self.codes:
                self.codes[node.tag][rows] = np.where(missing, -1, code)
            else:
                self.values[node.tag][rows[missing]] = np.nan

    def frame(self, tags: Sequence[Tag]) -> pd.DataFrame:
        """The tags as columns, in the kinds they had."""
        columns: dict[str, Any] = {}
        for t, tag in enumerate(tags):
            if tag.kind == "category":
                columns[tag.name] = _texts(self.codes[t], tag.levels)
            elif tag.kind == "yes_no":
                code = self.codes[t]
                columns[tag.name] = np.where(code < 0, np.nan, code) if tag.gaps else code
            elif tag.kind == "date":
                stamps = np.round(np.nan_to_num(self.values[t]) * 86_400e6).astype(np.int64).view("datetime64[us]")
                columns[tag.name] = np.where(np.isnan(self.values[t]), np.datetime64("NaT"), stamps)
            else:
                whole = tag.decimals == 0 and not tag.gaps and bool((np.abs(self.values[t]) < 2**53).all())
                columns[tag.name] = self.values[t].astype(np.int64) if whole else self.values[t]
        return pd.DataFrame(columns)


def _texts(codes: Int64, levels: Sequence[str]) -> Any:
    """(n,) texts; missing where the code is below 0."""
    return pd.Series(pd.Categorical.from_codes(codes, categories=pd.Index(list(levels), dtype=object))).astype("str")
