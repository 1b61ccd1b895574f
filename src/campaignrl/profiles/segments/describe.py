"""Segments in words: what stands out in each, a short rule that finds it again, and a name to start from.

The rule is the best path of a shallow decision tree, one segment against the rest; its precision and recall among the
customers are said beside it, because a description is not the segment. Not here: how segments are made (segments.py).
n customers, k segments, p columns (a number, or one level of a category).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from campaignrl.arrays import Bool, Float, Int64
from campaignrl.profiles.segments.scaling import fit_scale, scaled
from campaignrl.profiles.segments.wording import Column, column_words, figure, name_word, sets_apart
from campaignrl.profiles.table import Tag, codes_of, numbers_of
from campaignrl.specs import Spec

TREE_ROWS = 20_000  # customers the trees are grown from; precision and recall are of all
DEPTH = 3
STANDS_OUT = 0.3  # standard deviations from all customers' mean
SAID = 3  # tags that stand out, at most
RAREST_LEVEL = 0.01  # share from which a level of a category is worth a word
WITHIN = 0.01  # F1 that rounding the thresholds of a rule may cost


class Description(Spec):
    """One segment in words. precision: share of those under the rule who are in the segment; recall: the reverse.

    stability: how well it comes out again when customers are drawn again (choose_k.py); None where it is no cluster.
    """

    name: str
    customers: int
    says: str
    rule: str
    precision: float
    recall: float
    stability: float | None = None


class Bound(NamedTuple):
    """low < column <= high; an infinite end is no bound."""

    column: int
    low: float
    high: float


def columns_of(profiles: pd.DataFrame, tags: Sequence[Tag], meanings: Mapping[str, str] | None = None) -> list[Column]:
    """The columns worth speaking of, dates and constants left out. meanings: phrases of the tag set by tag."""
    found, told = [], meanings or {}
    for tag in tags:
        if tag.kind == "date":
            continue
        (part,) = fit_scale(profiles, [tag])
        away = scaled(profiles, [part])
        if tag.kind == "category":
            codes = codes_of(profiles, tag)
            for j, share in enumerate(part.shares if away.shape[1] else ()):
                if RAREST_LEVEL <= share <= 1.0 - RAREST_LEVEL:
                    one = (codes == j).astype(np.float64)
                    away_j = (one - share) / np.sqrt(share * (1.0 - share))
                    found.append(Column(tag, tag.levels[j], one, away_j))
        elif part.spread > 0:
            values = numbers_of(profiles, tag)
            filled = np.where(np.isnan(values), np.nanmedian(values), values)
            found.append(Column(tag, None, filled, away[:, 0], told.get(tag.name, "")))
    return found


def describe(
    profiles: pd.DataFrame,
    tags: Sequence[Tag],
    codes: Int64,
    names: Sequence[str],
    chance: np.random.Generator,
    meanings: Mapping[str, str] | None = None,
) -> tuple[Description, ...]:
    """Each segment in words, in the order of `names`; codes: (n,) index into names."""
    columns = columns_of(profiles, tags, meanings)
    x = np.column_stack([c.values for c in columns]) if columns else np.zeros((len(profiles), 0))
    rows = np.sort(chance.choice(len(x), TREE_ROWS, replace=False)) if len(x) > TREE_ROWS else np.arange(len(x))
    found = []
    for j, name in enumerate(names):
        inside = codes == j
        bounds = _best_path(x[rows], inside[rows], columns) if columns else []
        precision, recall = _found(x, inside, bounds)
        rule = " and ".join(_bound_words(columns[b.column], b) for b in bounds) or "everyone"
        says = "; ".join(column_words(columns[c], inside) for c in _outstanding(columns, inside))
        says = says or "; ".join(f"in between: {column_words(columns[c], inside)}" for c in _farthest(columns, inside))
        found.append(
            Description(
                name=name,
                customers=int(inside.sum()),
                says=says or "like all",
                rule=rule,
                precision=precision,
                recall=recall,
            )
        )
    return tuple(found)


def proposed_names(
    profiles: pd.DataFrame, tags: Sequence[Tag], codes: Int64, k: int, meanings: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """A name for each of k learned segments, from what stands out in it; unique."""
    if k == 1:
        return ("all",)
    columns = columns_of(profiles, tags, meanings)
    names: list[str] = []
    for j in range(k):
        inside = codes == j
        words = [name_word(columns[c], inside) for c in _outstanding(columns, inside)]
        words = [w for w in words if not w.startswith("not_")] or words  # what a segment is says more than what not
        choices = ["_".join(dict.fromkeys(words[:m])) for m in range(1, len(words) + 1)] or ["middle"]
        name = next((c for c in choices if c not in names), None)
        names.append(name or next(f"{choices[0]}_{i}" for i in range(2, k + 2) if f"{choices[0]}_{i}" not in names))
    return tuple(names)


def _outstanding(columns: Sequence[Column], inside: Bool) -> list[int]:
    """Columns whose mean in the segment lies farthest from all customers', one a tag, the farthest first.

    One whose shown figure is the usual one, or lies on the other side than its mean, is left out.
    """
    if not inside.any() or inside.all():
        return []
    away = np.array([c.away[inside].mean() - c.away.mean() for c in columns])
    order = [int(c) for c in np.argsort(-np.abs(away), kind="stable") if abs(away[c]) >= STANDS_OUT]
    order = [c for c in order if sets_apart(columns[c], inside)]
    first = {columns[c].tag.name: c for c in reversed(order)}
    return sorted(first.values(), key=order.index)[:SAID]


def _farthest(columns: Sequence[Column], inside: Bool) -> list[int]:
    """The one column that sets a segment apart most where none does by much; [] where none does at all."""
    if not inside.any() or inside.all():
        return []
    apart = [c for c in range(len(columns)) if sets_apart(columns[c], inside)]
    return sorted(apart, key=lambda c: -abs(columns[c].away[inside].mean() - columns[c].away.mean()))[:1]


def _best_path(x: Float, inside: Bool, columns: Sequence[Column]) -> list[Bound]:
    """The node of a shallow tree that finds the segment best (F1), its thresholds rounded where that costs little."""
    from sklearn.tree import DecisionTreeClassifier  # slow to import, and few verbs need it

    if not inside.any() or inside.all():
        return []
    leaf = max(5, len(x) // 200)
    tree = DecisionTreeClassifier(max_depth=DEPTH, min_samples_leaf=min(leaf, len(x) // 2 or 1), random_state=0)
    tree.fit(x, inside)
    paths = _paths(tree.tree_)
    if not paths:
        return []
    best = max(paths, key=lambda bounds: (_f1(*_found(x, inside, bounds)), -len(bounds)))
    aim = _f1(*_found(x, inside, best)) - WITHIN
    for digits in (1, 2, 3, 4):
        rounded = [_rounded(b, digits, columns[b.column]) for b in best]
        if _f1(*_found(x, inside, rounded)) >= aim:
            return rounded
    return best


def _paths(tree: Any) -> list[list[Bound]]:
    """The bounds of every node but the root, one bound a column."""
    paths, open_nodes = [], [(0, dict[int, Bound]())]
    while open_nodes:
        node, bounds = open_nodes.pop(0)
        if bounds:
            paths.append(list(bounds.values()))
        if tree.children_left[node] < 0:
            continue
        c, limit = int(tree.feature[node]), float(tree.threshold[node])
        old = bounds.get(c, Bound(c, -np.inf, np.inf))
        open_nodes.append((int(tree.children_left[node]), {**bounds, c: old._replace(high=limit)}))
        open_nodes.append((int(tree.children_right[node]), {**bounds, c: old._replace(low=limit)}))
    return paths


def _rounded(bound: Bound, digits: int, column: Column) -> Bound:
    def shorter(value: float) -> float:
        if not np.isfinite(value) or value == 0.0:
            return value
        if column.tag.decimals == 0:  # between whole numbers any threshold says the same
            value = float(np.floor(value))
            return value if abs(value) < 100 else float(f"{value:.{digits}g}")
        return float(f"{value:.{digits}g}")

    return bound._replace(low=shorter(bound.low), high=shorter(bound.high))


def _found(x: Float, inside: Bool, bounds: Sequence[Bound]) -> tuple[float, float]:
    """Precision and recall of a rule; no bounds is everyone."""
    under = np.ones(len(x), dtype=bool)
    for column, low, high in bounds:
        under &= (x[:, column] > low) & (x[:, column] <= high)
    both = float((under & inside).sum())
    return both / max(float(under.sum()), 1.0), both / max(float(inside.sum()), 1.0)


def _f1(precision: float, recall: float) -> float:
    return 2.0 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def _bound_words(column: Column, bound: Bound) -> str:
    name, (_, low, high) = column.tag.name, bound
    if column.level is not None:
        return f"{name} is {'' if np.isfinite(low) else 'not '}{column.level}"
    if column.tag.kind == "yes_no":
        return f"{name} is {'yes' if np.isfinite(low) else 'no'}"
    if column.tag.decimals == 0 and np.isfinite(low):  # whole numbers: "at least" reads better than "more than"
        low += 1.0
        above, between = f"{name} >= {figure(low, column)}", f"{figure(low, column)} <= {name} <= "
    else:
        above, between = f"{name} > {figure(low, column)}", f"{figure(low, column)} < {name} <= "
    if np.isfinite(low):
        return between + figure(high, column) if np.isfinite(high) else above
    return f"{name} <= {figure(high, column)}"
