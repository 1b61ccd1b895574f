"""Exact relations between the numbers of a profiles table, which a correlation alone would blur.

Found in the table, not told: a mean is a total over a count, a total is a sum of two others, recency is tenure where
there was one order, and never exceeds it. Drawn customers obey them. Not here: what is drawn first (copula.py).
n customers; numbers are given by their place among the tags.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise, permutations
from typing import Literal

import numpy as np

from campaignrl.arrays import Bool, Float, Int64
from campaignrl.profiles.table import Tag
from campaignrl.specs import Spec

HOLDS = 0.998  # share of customers for whom a relation must hold; the rest count as slips of the data
LOOKED_AT = 4_000  # customers in the first look; what holds there is checked on all
TOUCHES = 0.01  # share of customers with two equal values from which an order between two tags is more than chance
FINE = 0.01  # standard deviations; what the rounding of a tag may hide of a relation
FEWEST = 30  # customers; in a smaller table anything may hold by chance


class Derived(Spec):
    """A tag that two others give: x / y, x * y or x + y, and `otherwise` where y is 0."""

    tag: int
    how: Literal["quotient", "product", "sum"]
    x: int
    y: int
    otherwise: float = 0.0


class EqualWhere(Spec):
    """A tag that equals `other` where `given` has the value."""

    tag: int
    other: int
    given: int
    value: float


class ZeroBeyond(Spec):
    """A tag that is 0 exactly where `other` is above a limit: orders of 90 days where the last one is longer ago."""

    tag: int
    other: int
    limit: float


class Gap(Spec):
    """A mean gap: (longest - shortest) / (count - 1), and missing where the count is at most 1."""

    tag: int
    longest: int
    shortest: int
    count: int


class Steps(Spec):
    """A tag of few values that another gives: values[i] where it lies above edges[i - 1] and up to edges[i]."""

    tag: int
    other: int
    edges: tuple[float, ...]
    values: tuple[float, ...]


class Ties(Spec):
    """Every relation found, in the order in which they are applied. ordered: (smaller, larger)."""

    ordered: tuple[tuple[int, int], ...] = ()
    zero: tuple[ZeroBeyond, ...] = ()
    equal: tuple[EqualWhere, ...] = ()
    derived: tuple[Derived, ...] = ()
    gaps: tuple[Gap, ...] = ()
    steps: tuple[Steps, ...] = ()

    @property
    def places(self) -> set[int]:
        """The tags they speak of."""
        found = {t for pair in self.ordered for t in pair}
        found |= {t for e in self.equal for t in (e.tag, e.other, e.given)}
        found |= {t for z in self.zero for t in (z.tag, z.other)} | {t for s in self.steps for t in (s.tag, s.other)}
        found |= {t for g in self.gaps for t in (g.tag, g.longest, g.shortest, g.count)}
        return found | {t for d in self.derived for t in (d.tag, d.x, d.y)}

    @property
    def made(self) -> set[int]:
        """The tags that are not drawn, for others give them."""
        return {d.tag for d in self.derived} | {g.tag for g in self.gaps} | {s.tag for s in self.steps}


def find_ties(values: Mapping[int, Float], tags: Sequence[Tag]) -> Ties:
    """The relations that hold in these columns; values: (n,) by place, NaN where missing."""
    n = len(next(iter(values.values()), np.zeros(0)))
    varying = {t: v for t, v in values.items() if (~np.isnan(v)).sum() >= FEWEST and np.nanmin(v) < np.nanmax(v)}
    rows = slice(None, None, max(n // LOOKED_AT, 1))
    derived = _derived(varying, {t: v[rows] for t, v in varying.items()}, tags)
    sources = {t for d in derived for t in (d.x, d.y)}
    free = {t: v for t, v in varying.items() if t not in {d.tag for d in derived}}
    gaps = find_gaps({t: v for t, v in free.items() if t not in sources}, free, tags)
    free = {t: v for t, v in free.items() if t not in {g.tag for g in gaps}}
    sources |= {t for g in gaps for t in (g.longest, g.shortest, g.count)}
    steps = find_steps({t: v for t, v in free.items() if t not in sources}, free)
    free = {t: v for t, v in free.items() if t not in {one.tag for one in steps}}
    alike = [(a, b) for a, b in permutations(free, 2) if tags[a].decimals == tags[b].decimals and _met(free, a, b)]
    ordered = tuple((a, b) for a, b in alike if _holds(free[a] <= free[b], free[a], free[b]))
    equal = [
        found
        for a, b in alike
        if (a, b) in ordered or (a < b and (b, a) not in ordered)
        for found in _equal(free, a, b)
    ]
    held = {t for e in equal for t in (e.tag, e.other, e.given)}
    zero = find_zeros({t: v for t, v in free.items() if t not in held}, free)
    return Ties(
        ordered=ordered,
        zero=zero,
        equal=tuple(equal[: len(free)]),
        derived=tuple(derived),
        gaps=gaps,
        steps=steps,
    )


def untied(values: Mapping[int, Float], ties: Ties) -> dict[int, Float]:
    """The columns that are drawn: without derived tags, and missing where another tag will be put in their place."""
    found = {t: v for t, v in values.items() if t not in ties.made}
    for z in ties.zero:
        found[z.tag] = np.where(values[z.other] > z.limit, np.nan, found[z.tag])
    for e in ties.equal:
        found[e.tag] = np.where(values[e.given] == e.value, np.nan, found[e.tag])
    return found


def tied(values: dict[int, Float], ties: Ties, tags: Sequence[Tag]) -> dict[int, Float]:
    """Drawn columns that obey the relations: ordered pairs are swapped where they are not, the rest is set."""
    found = dict(values)
    for low, high in ties.ordered:
        found[low], found[high] = np.minimum(found[low], found[high]), np.maximum(found[low], found[high])
    for e in ties.equal:
        found[e.tag] = np.where(found[e.given] == e.value, found[e.other], found[e.tag])
    for z in ties.zero:
        found[z.tag] = np.where(found[z.other] > z.limit, 0.0, found[z.tag])
    for d in ties.derived:
        found[d.tag] = _rounded(_combined(d.how, found[d.x], found[d.y], d.otherwise), tags[d.tag])
    for g in ties.gaps:
        found[g.tag] = _rounded(mean_gap(found[g.longest], found[g.shortest], found[g.count]), tags[g.tag])
    for one in ties.steps:
        place = np.searchsorted(np.array(one.edges), found[one.other], side="left")
        found[one.tag] = np.where(np.isnan(found[one.other]), np.nan, np.array(one.values)[place])
    return found


def mean_gap(longest: Float, shortest: Float, count: Float) -> Float:
    """(n,) (longest - shortest) / (count - 1); NaN where the count is at most 1."""
    return np.where(count > 1.0, (longest - shortest) / np.maximum(count - 1.0, 1.0), np.nan)


def find_gaps(values: Mapping[int, Float], givers: Mapping[int, Float], tags: Sequence[Tag]) -> tuple[Gap, ...]:
    """Mean gaps among the columns `values` that three of `givers` give."""
    found: list[Gap] = []
    for t, column in values.items():
        missing = np.isnan(column)
        counts = [c for c, v in givers.items() if tags[c].decimals == 0 and c != t and _same(missing, ~(v > 1.0))]
        if not missing.any() or missing.all() or not counts:
            continue
        for count in counts:
            pairs = [(a, b) for a, b in permutations(givers, 2) if not {a, b} & {t, count}]
            rows = np.flatnonzero(~missing)[:200]
            for a, b in pairs:
                few, most = _gap_holds(givers, column, (a, b, count), rows), np.flatnonzero(~missing)
                if few and _gap_holds(givers, column, (a, b, count), most):
                    found.append(Gap(tag=t, longest=a, shortest=b, count=count))
                    break
            if found and found[-1].tag == t:
                break
    made = {g.tag for g in found}
    return tuple(g for g in found if not made & {g.longest, g.shortest, g.count})


def find_steps(values: Mapping[int, Float], givers: Mapping[int, Float]) -> tuple[Steps, ...]:
    """Columns of few values that step up or down with another; what others are made of is not made itself."""
    found: dict[int, Steps] = {}
    for t, column in values.items():
        levels = np.unique(column[~np.isnan(column)])
        if not 2 <= len(levels) <= MOST_STEPS:
            continue
        for other, by in givers.items():
            if other == t or other in found or len(np.unique(by[~np.isnan(by)])) <= len(levels):
                continue
            steps = _steps(t, column, other, by, levels)
            if steps is not None and t not in {s.other for s in found.values()}:
                found[t] = steps
                break
    return tuple(found.values())


def find_zeros(values: Mapping[int, Float], givers: Mapping[int, Float]) -> tuple[ZeroBeyond, ...]:
    """Columns that are 0 exactly where another is above a limit."""
    found: list[ZeroBeyond] = []
    for t, column in values.items():
        nought = column == 0.0
        if np.isnan(column).any() or (column < 0.0).any() or not 0.02 <= nought.mean() <= 0.98:
            continue
        for other, by in givers.items():
            if other == t or np.isnan(by).any() or other in {z.tag for z in found}:
                continue
            limit = float(np.quantile(by[~nought], 1.0 - SLIP))
            low = float(np.quantile(by[nought], SLIP))
            if limit < low and _same(nought, by > limit):
                found.append(ZeroBeyond(tag=t, other=other, limit=limit))
                break
    return tuple(found)


MOST_STEPS = 10  # values of a tag that steps
SLIP = 0.001  # share of customers at either end who may be slips


def _steps(t: int, column: Float, other: int, by: Float, levels: Float) -> Steps | None:
    both = ~(np.isnan(column) | np.isnan(by))
    if (np.isnan(column) != np.isnan(by)).mean() > 1.0 - HOLDS:
        return None
    inside = [by[both & (column == level)] for level in levels]
    order = np.argsort([np.median(x) for x in inside], kind="stable")
    edges = [float(inside[j].max()) for j in order[:-1]]
    if any(b <= a for a, b in pairwise(edges)):
        return None
    made = levels[order][np.searchsorted(np.array(edges), by[both], side="left")]
    if float((made == column[both]).mean()) < HOLDS:
        return None
    return Steps(tag=t, other=other, edges=tuple(edges), values=tuple(levels[order].tolist()))


def _gap_holds(givers: Mapping[int, Float], column: Float, names: tuple[int, int, int], rows: Int64) -> bool:
    longest, shortest, count = (givers[name][rows] for name in names)
    away = np.abs(mean_gap(longest, shortest, count) - column[rows])
    return bool((away <= 1e-6 + 1e-4 * np.abs(column[rows])).mean() >= HOLDS) and bool(np.ptp(column[rows]) > 0)


def _same(a: Bool, b: Bool) -> bool:
    return float((a == b).mean()) >= HOLDS


def _derived(values: Mapping[int, Float], look: Mapping[int, Float], tags: Sequence[Tag]) -> list[Derived]:
    """Greedy: a quotient first, for means are made from totals; what a tag is made of is never made of it."""
    found: dict[int, Derived] = {}
    hows: tuple[Literal["quotient", "product", "sum"], ...] = ("quotient", "product", "sum")
    for how in hows:
        for t, x, y in permutations(values, 3):
            circular = t in _sources(found, x) | _sources(found, y)
            if t in found or circular or (how != "quotient" and x > y):
                continue
            if not _gives(how, look[t], look[x], look[y], tags[t]) or _trivial(look, t, x, y):
                continue
            at_zero = values[t][(values[y] == 0.0) & ~np.isnan(values[t])] if how == "quotient" else np.zeros(0)
            constant = not len(at_zero) or at_zero.min() == at_zero.max()
            if constant and _gives(how, values[t], values[x], values[y], tags[t]):
                otherwise = float(at_zero[0]) if len(at_zero) else 0.0
                found[t] = Derived(tag=t, how=how, x=x, y=y, otherwise=otherwise)
    return sorted(found.values(), key=lambda d: len(_sources(found, d.tag)))  # what others are made of comes first


def _sources(found: Mapping[int, Derived], t: int) -> set[int]:
    """The tag and everything it is made of."""
    return {t} if t not in found else {t} | _sources(found, found[t].x) | _sources(found, found[t].y)


def _gives(how: str, t: Float, x: Float, y: Float, tag: Tag) -> bool:
    rows = ~(np.isnan(t) | np.isnan(x) | np.isnan(y)) & ((y != 0.0) | (how != "quotient"))
    if rows.sum() < FEWEST:
        return False
    away = np.abs(_combined(how, x[rows], y[rows], 0.0) - t[rows])
    slack = 0.501 * 10.0**-tag.decimals if tag.decimals is not None else 0.0
    slack = slack if slack < FINE * np.std(t[rows]) else 0.0  # rounding that coarse would let anything through
    return bool((away <= slack + 1e-6 * np.abs(t[rows])).mean() >= HOLDS)


def _trivial(look: Mapping[int, Float], t: int, x: int, y: int) -> bool:
    """Whether the relation says no more than that t is x (y hardly varies, or t hardly differs from x or y)."""
    same = max(float((look[t] == look[x]).mean()), float((look[t] == look[y]).mean()))
    return same > 1.0 - TOUCHES or bool(np.nanstd(look[y]) == 0.0) or bool(np.nanstd(look[x]) == 0.0)


def _combined(how: str, x: Float, y: Float, otherwise: float) -> Float:
    if how == "product":
        return x * y
    if how == "sum":
        return x + y
    return np.where(y == 0.0, otherwise, x / np.where(y == 0.0, 1.0, y))


def _rounded(values: Float, tag: Tag) -> Float:
    return values if tag.decimals is None else np.round(values, tag.decimals)


def _met(values: Mapping[int, Float], a: int, b: int) -> bool:
    share = float((values[a] == values[b]).mean())
    return TOUCHES <= share <= 1.0 - TOUCHES


def _holds(met: Bool, a: Float, b: Float) -> bool:
    both = ~(np.isnan(a) | np.isnan(b))
    return int(both.sum()) >= FEWEST and float(met[both].mean()) >= HOLDS


def _equal(values: Mapping[int, Float], a: int, b: int) -> list[EqualWhere]:
    """The value of a third tag under which a equals b, if any; the tag that explains most."""
    same, best, most = values[a] == values[b], [], 0.5  # it must explain half of the equal ones
    for c, column in values.items():
        if c in (a, b):
            continue
        levels, counts = np.unique(column[same & ~np.isnan(column)], return_counts=True)
        if not len(levels) or counts.max() <= most * same.sum():
            continue
        value = float(levels[np.argmax(counts)])
        rows = column == value
        if _holds(same[rows], values[a][rows], values[b][rows]):
            best, most = [EqualWhere(tag=a, other=b, given=c, value=value)], float(counts.max() / same.sum())
    return best
