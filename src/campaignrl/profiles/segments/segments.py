"""Segments: who belongs together, made by rules, by a grid of recency, frequency and money, or by clustering.

`fit_segments` makes a Segmentation from a profiles table; `assign` gives later customers the same segments. A
segmentation is plain numbers and names, in a fixed order, and the same table and seed give the same bytes. Not here:
its file (segment_file.py), its settings in TOML (spec.py), what changes between two dates (drift.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field, model_validator

from campaignrl.arrays import Int64
from campaignrl.errors import DataError, Problem, SpecError, UsageError, nearest
from campaignrl.profiles.segments.choose_k import Candidate, choose
from campaignrl.profiles.segments.clustering import WIDEST_FULL, Clusters
from campaignrl.profiles.segments.describe import Description, describe, proposed_names
from campaignrl.profiles.segments.rfm import RfmGrid, rfm_grid
from campaignrl.profiles.segments.rules import RuleSet, rule_set
from campaignrl.profiles.segments.scaling import fit_scale, scaled
from campaignrl.profiles.segments.spec import SegmentSpec
from campaignrl.profiles.table import SEGMENT, Facts, Tag, check_profiles, require_tags, tags_of
from campaignrl.specs import Spec

Step = Callable[[int, int], None]

MOST_LEVELS_LEARNED = 30  # categories with more levels are left out of clustering: they are names, not tags


class Segmentation(Spec):
    """A fitted set of segments.

    part: how a customer's segment is found; rows, shares: how many customers it was made from, and how they fell;
    tried, why: the numbers of segments that were looked at, and the reason for the one taken.
    """

    part: Annotated[RuleSet | RfmGrid | Clusters, Field(discriminator="method")]
    rows: int
    shares: tuple[float, ...]
    descriptions: tuple[Description, ...] = ()
    tried: tuple[Candidate, ...] = ()
    why: str = ""

    @model_validator(mode="after")
    def _shapes(self) -> Segmentation:
        if len(self.shares) != len(self.part.names):
            allowed = f"as many as segments, {len(self.part.names)}"
            raise SpecError(Problem("[segmentation]", "shares", f"{len(self.shares)} shares", allowed))
        return self

    @property
    def method(self) -> str:
        """rules, rfm, kmeans or gmm."""
        return self.part.method

    @property
    def names(self) -> tuple[str, ...]:
        """Segments in their fixed order."""
        return self.part.names

    @property
    def tags(self) -> tuple[Tag, ...]:
        """What a customer's segment depends on."""
        return tuple(p.tag for p in self.part.scale) if isinstance(self.part, Clusters) else self.part.tags

    def codes(self, profiles: pd.DataFrame) -> Int64:
        """(n,) index into `names` of each customer of a profiles table, which needs the tags of the segmentation."""
        require_tags(profiles, self.tags)
        return self.part.codes(profiles)

    def assign(self, profiles: pd.DataFrame) -> npt.NDArray[np.object_]:
        """(n,) names of the segments of these customers."""
        return np.array(self.names, dtype=object)[self.codes(profiles)]


def fit_segments(
    profiles: pd.DataFrame,
    spec: SegmentSpec,
    chance: np.random.Generator,
    meanings: Mapping[str, str] | None = None,
) -> Segmentation:
    """Segments of these customers by the settings of `spec`; chance is used by the learned methods alone.

    meanings: by tag, its phrase in the tag set (`meanings_of` the facts of a profiles file), for names and words. A
    column `segment` is no tag unless it is asked for: it is what earlier segments said.
    """
    check_profiles(profiles)
    if SEGMENT in profiles.columns and SEGMENT not in (spec.tags or ()) and spec.method != "rules":
        profiles = profiles.drop(columns=SEGMENT)
    part: RuleSet | RfmGrid | Clusters
    tried: tuple[Candidate, ...] = ()
    why = ""
    recurrence: tuple[float, ...] = ()
    if spec.method == "rules":
        part = rule_set(profiles, spec.segments, spec.rest)
        told = tags_of(profiles)
    elif spec.method == "rfm":
        names = spec.rfm.tags or spec.tags
        part = rfm_grid(profiles, names, spec.rfm.edges, spec.rfm.groups)
        told = tuple({tag.name: tag for tag in part.tags}.values())  # one tag may serve twice
    else:
        part, tried, why, recurrence = _learned(profiles, spec, chance, meanings)
        told = tuple(p.tag for p in part.scale)
    codes = part.codes(profiles)
    shares = np.bincount(codes, minlength=len(part.names)) / len(codes)
    words = describe(profiles, told, codes, part.names, chance, meanings)
    if recurrence:
        words = tuple(w.model_copy(update={"stability": r}) for w, r in zip(words, recurrence, strict=True))
    return Segmentation(
        part=part, rows=len(profiles), shares=tuple(shares.tolist()), descriptions=words, tried=tried, why=why
    )


def meanings_of(facts: Facts) -> dict[str, str]:
    """By tag, what it is in the words of its tag set, from the facts of a profiles file."""
    return {name: str(tag.get("of") or tag.get("title") or "") for name, tag in facts.get("tags", {}).items()}


def _learned(
    profiles: pd.DataFrame, spec: SegmentSpec, chance: np.random.Generator, meanings: Mapping[str, str] | None
) -> tuple[Clusters, tuple[Candidate, ...], str, tuple[float, ...]]:
    tags = learnable_tags(profiles, spec.tags)
    scale = tuple(part for part in fit_scale(profiles, tags) if part.columns)
    if not scale:
        raise DataError(Problem("profiles", "tags", [t.name for t in tags], "at least one tag that varies"))
    x = scaled(profiles, scale)
    most = len(np.unique(x, axis=0)) if len(x) <= 1000 else len(x)
    ks = range(1, min(spec.k_max, most) + 1) if spec.k == "auto" else (spec.k,)
    if spec.k != "auto" and spec.k > most:
        raise UsageError(f"{spec.k} segments were asked for, but there are {most} customers that differ in their tags.")
    full = x.shape[1] <= WIDEST_FULL and all(p.tag.kind == "number" for p in scale)
    assert spec.method in ("kmeans", "gmm")
    choice = choose(x, spec.method, list(ks), full, spec.min_share, chance)
    found = Clusters(
        method=spec.method,
        scale=scale,
        names=tuple(f"segment_{j + 1}" for j in range(len(choice.fit.weights))),
        weights=tuple(choice.fit.weights.tolist()),
        centres=choice.fit.centres.tolist(),
        covariances=choice.fit.covariances.tolist(),
    )
    names = _renamed(proposed_names(profiles, tags, found.codes(profiles), len(found.names), meanings), spec.names)
    return found.model_copy(update={"names": names}), choice.tried, choice.why, choice.taken.recurrence


def learnable_tags(profiles: pd.DataFrame, names: tuple[str, ...] | None) -> tuple[Tag, ...]:
    """The tags named, or all numbers, yes/no and categories with few levels; a date or a list of names is refused."""
    tags = tags_of(profiles, names)
    fit = [t for t in tags if t.kind != "date" and len(t.levels) <= MOST_LEVELS_LEARNED]
    if names is not None and len(fit) < len(tags):
        allowed = f"a number, a yes/no or a category of at most {MOST_LEVELS_LEARNED} levels"
        raise DataError([Problem("profiles", t.name, t.kind, allowed) for t in tags if t not in fit])
    return tuple(fit)


def _renamed(names: tuple[str, ...], given: Mapping[str, str]) -> tuple[str, ...]:
    """Proposed names, replaced where the settings say so; each must have been proposed, and stay unique."""
    renamed = tuple(given.get(name, name) for name in names)
    problems = [
        Problem("[names]", "name", n, "one of the proposed", nearest(n, names)) for n in given if n not in names
    ]
    problems += [Problem("[names]", "name", n, "given to one segment") for n in set(renamed) if renamed.count(n) > 1]
    if problems:
        raise SpecError([p._replace(fix=p.fix or f"Proposed: {', '.join(names)}.") for p in problems])
    return renamed
