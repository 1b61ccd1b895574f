"""Segments by recency, frequency and money: scores 1 to b by edges, cells, and the usual names for groups of cells.

The edges are stored, so that a later customer falls into the same cell. A score of b is the best: the most recent, the
most frequent, the most spent; a customer without an order scores 1, and is not among those whose quintiles the edges
are. The tag `RFM cell` has the same scores. Not here: computing the three tags, the arithmetic of scores (tags/).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import model_validator

from campaignrl.arrays import Int64
from campaignrl.errors import DataError, Problem, SpecError, nearest
from campaignrl.profiles.table import Tag, numbers_of, require_tags, tags_of
from campaignrl.profiles.tags import QUINTILES, edge_scores, quintile_edges
from campaignrl.specs import Spec
from campaignrl.tables import ID

# What the three tags are called where nobody says: the first one present is taken.
USUAL: Mapping[str, tuple[str, ...]] = {
    "recency": ("recency_days", "recency"),
    "frequency": ("orders", "frequency", "order_count", "orders_365d"),
    "money": ("spend", "money", "monetary", "spend_total", "spend_365d", "basket_mean"),
}

# Groups of cells by recency score (row 1 to 5) and by the mean of the other two scores, rounded up (column 1 to 5).
GROUPS = (
    "champions", "loyal", "potential_loyal", "new", "promising", "needs_attention", "about_to_sleep", "at_risk",
    "cannot_lose", "hibernating", "lost",
)  # fmt: skip
_GROUP_OF = (
    ("lost", "lost", "at_risk", "at_risk", "cannot_lose"),
    ("hibernating", "hibernating", "at_risk", "at_risk", "cannot_lose"),
    ("about_to_sleep", "about_to_sleep", "needs_attention", "loyal", "loyal"),
    ("promising", "potential_loyal", "potential_loyal", "loyal", "champions"),
    ("new", "potential_loyal", "potential_loyal", "loyal", "champions"),
)
_CODES = np.array([[GROUPS.index(name) for name in row] for row in _GROUP_OF])


class RfmGrid(Spec):
    """Three tags with their inner edges, ascending; edges may repeat, and then skip a score."""

    method: Literal["rfm"] = "rfm"
    tags: tuple[Tag, ...]  # recency, frequency, money
    edges: tuple[tuple[float, ...], ...]
    groups: bool = True  # names of groups instead of cells; needs five scores

    @model_validator(mode="after")
    def _shapes(self) -> RfmGrid:
        ascending = all(list(e) == sorted(e) and e for e in self.edges)
        right = not self.groups or all(len(e) == len(QUINTILES) for e in self.edges)
        if not (len(self.tags) == len(self.edges) == len(USUAL) and ascending and right):
            raise SpecError(Problem("[part]", "edges", self.edges, "three ascending lists, of four edges for groups"))
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Groups, or cells from R1F1M1 on."""
        if self.groups:
            return GROUPS
        r, f, m = (range(1, len(e) + 2) for e in self.edges)
        return tuple(f"R{i}F{j}M{k}" for i in r for j in f for k in m)

    def scores(self, profiles: pd.DataFrame) -> Int64:
        """(n, 3) scores of recency, frequency and money."""
        require_tags(profiles, self.tags)
        values = [numbers_of(profiles, tag) for tag in self.tags]
        found = [
            edge_scores(v, edges, less_is_better=j == 0)
            for j, (v, edges) in enumerate(zip(values, self.edges, strict=True))
        ]
        scores: Int64 = np.maximum(np.column_stack(found), 1)
        scores[values[1] == 0] = 1  # never ordered; a feature of a world counts their days from the sign-up
        return scores

    def codes(self, profiles: pd.DataFrame) -> Int64:
        """(n,) index into `names` of each customer."""
        r, f, m = self.scores(profiles).T
        if self.groups:
            codes: Int64 = _CODES[r - 1, (f + m + 1) // 2 - 1]
            return codes
        return np.asarray(((r - 1) * (len(self.edges[1]) + 1) + f - 1) * (len(self.edges[2]) + 1) + m - 1)


def rfm_grid(
    profiles: pd.DataFrame,
    tags: Sequence[str] | None = None,
    edges: Mapping[str, Sequence[float]] | None = None,
    groups: bool = True,
) -> RfmGrid:
    """A grid for these customers: quintiles of each tag, or the given edges by `recency`, `frequency`, `money`.

    tags: names of the three, in that order (default: the usual ones).
    """
    names = _usual(profiles) if tags is None else list(tags)
    if len(names) != len(USUAL):
        raise SpecError(Problem("[rfm]", "tags", names, "three tags: recency, frequency, money"))
    by_name = {tag.name: tag for tag in tags_of(profiles, names)}
    found = tuple(by_name[name] for name in names)  # a table may have one tag for frequency and money
    texts = [Problem("[rfm]", t.name, t.kind, "a number") for t in found if t.kind in ("category", "date")]
    if texts:
        raise DataError(texts)
    given = edges or {}
    ordered = ~(numbers_of(profiles, found[1]) == 0)
    all_edges = [
        tuple(map(float, given[role]))
        if role in given
        else quintile_edges(numbers_of(profiles, tag), ordered, less_is_better=role == "recency")
        for role, tag in zip(USUAL, found, strict=True)
    ]
    _check_edges(given, all_edges, groups)
    return RfmGrid(tags=found, edges=tuple(all_edges), groups=groups)


def _check_edges(given: Mapping[str, Sequence[float]], edges: Sequence[tuple[float, ...]], groups: bool) -> None:
    problems = [Problem("[rfm.edges]", r, given[r], "a known key", nearest(r, USUAL)) for r in given if r not in USUAL]
    for role, values in zip(USUAL, edges, strict=True):
        if not values or list(values) != sorted(values):
            problems.append(Problem("[rfm.edges]", role, list(values), "at least one number, ascending"))
        elif groups and len(values) != len(QUINTILES):
            fix = "Or set groups = false for plain cells."
            problems.append(Problem("[rfm.edges]", role, list(values), "four edges, as named groups need", fix))
    if problems:
        raise SpecError(problems)


def _usual(profiles: pd.DataFrame) -> list[str]:
    found, problems = [], []
    for role, names in USUAL.items():
        name = next((n for n in names if n in profiles.columns), None)
        if name is None:
            present = [str(c) for c in profiles.columns if c != ID]
            near = nearest(names[0], present) or "Name the three tags: recency, frequency, money."
            problems.append(Problem("profiles", role, " or ".join(names), "in the table", near))
        else:
            found.append(name)
    if problems:
        raise DataError(problems)
    return found
