"""How alike drawn and real customers are: every marginal, every pair of tags, and a classifier that tries to tell them.

Each figure stands beside its noise floor: what the same comparison says of one half of the real customers against the
other half. Not here: drawing customers (population.py). n customers, p tags.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import threadpool_limits

from campaignrl import rng
from campaignrl.arrays import Float, Int64
from campaignrl.errors import DataError, Problem
from campaignrl.features import UNKNOWN
from campaignrl.profiles.population.dependence import ranks
from campaignrl.profiles.table import Tag, codes_of, numbers_of, require_tags, tags_of

FEWEST = 20  # customers of a side
FEWEST = 20  # customers; with fewer nothing can be compared
MOST_ROWS = 20_000  # customers of each side that are compared
ROUNDS = 3  # classifiers, each trained on another half


class Figures(NamedTuple):
    """One comparison of two tables."""

    marginals: dict[str, float]  # by tag: Kolmogorov-Smirnov distance of numbers, total variation of categories
    pairs: dict[tuple[str, str], float]  # absolute difference of the association of two tags
    auc: float  # of the classifier, on customers it has not seen; 0.5: cannot tell

    @property
    def worst_marginal(self) -> tuple[str, float]:
        """The tag that differs most."""
        return max(self.marginals.items(), key=lambda item: item[1])

    @property
    def worst_pair(self) -> tuple[tuple[str, str], float]:
        """The pair of tags whose association differs most."""
        return max(self.pairs.items(), key=lambda item: item[1], default=(("", ""), 0.0))

    @property
    def means(self) -> tuple[float, float]:
        """Mean marginal distance, mean difference of a pair."""
        pairs = list(self.pairs.values()) or [0.0]
        return float(np.mean(list(self.marginals.values()))), float(np.mean(pairs))


class Fidelity(NamedTuple):
    """Drawn against real, and its noise floor, real against real; n customers on each side of both."""

    score: Figures
    floor: Figures
    n: int


def fidelity(real: pd.DataFrame, drawn: pd.DataFrame, chance: np.random.Generator) -> Fidelity:
    """Compare drawn customers with a random half of the real ones, and that half with the other half.

    Where `drawn` was fitted to all of `real`, the half compared with was seen in the fit; `held_out_fidelity` is the
    stricter test.
    """
    if min(len(real) // 2, len(drawn)) < FEWEST:
        raise DataError(Problem("profiles", "rows", (len(real), len(drawn)), f"at least {2 * FEWEST} and {FEWEST}"))
    order = chance.permutation(len(real))
    half = min(len(real) // 2, len(drawn), MOST_ROWS)
    return held_out_fidelity(
        real.iloc[np.sort(order[:half])], real.iloc[np.sort(order[half : 2 * half])], drawn.iloc[:half], chance
    )


def held_out_fidelity(
    fitted: pd.DataFrame, held_out: pd.DataFrame, drawn: pd.DataFrame, chance: np.random.Generator
) -> Fidelity:
    """Drawn customers against real ones that the model has not seen; the floor is `fitted` against the same.

    fitted: the customers the model was made from. All three are cut to one number of rows.
    """
    n = min(len(fitted), len(held_out), len(drawn), MOST_ROWS)
    tags = [tag for tag in tags_of(pd.concat([fitted, held_out])) if tag.name in drawn.columns]
    require_tags(drawn, tags)
    sides = [_Side(table.iloc[:n], tags) for table in (held_out, drawn, fitted)]
    seeds = [int(seed) for seed in chance.integers(2**31, size=ROUNDS)]  # the same for both, so that they compare
    return Fidelity(_compared(sides[0], sides[1], tags, seeds), _compared(sides[0], sides[2], tags, seeds), n)


class _Side:
    """One table as arrays: values of numbers, codes of everything (missing is the last code), tenths of numbers."""

    def __init__(self, table: pd.DataFrame, tags: Sequence[Tag]) -> None:
        self.n = len(table)
        self.values: dict[str, Float] = {}
        self.codes: dict[str, Int64] = {}
        for tag in tags:
            if tag.kind == "category":
                codes = codes_of(table, tag)
                self.codes[tag.name] = np.where(codes == UNKNOWN, len(tag.levels), codes)
            else:
                self.values[tag.name] = numbers_of(table, tag)

    def matrix(self) -> tuple[Float, list[bool]]:
        """(n, p) for a classifier, and which columns are categories."""
        parts = {**self.values, **{name: codes.astype(np.float64) for name, codes in self.codes.items()}}
        return np.column_stack(list(parts.values())), [name in self.codes for name in parts]


def _compared(real: _Side, other: _Side, tags: Sequence[Tag], seeds: Sequence[int]) -> Figures:
    marginals = {tag.name: _distance(real, other, tag) for tag in tags}
    pairs = {
        (a.name, b.name): abs(association(*_pair(real, a, b)) - association(*_pair(other, a, b)))
        for a, b in combinations(tags, 2)
    }
    return Figures(marginals, pairs, classifier_auc(real, other, seeds))


def _distance(real: _Side, other: _Side, tag: Tag) -> float:
    from scipy.stats import ks_2samp  # slow to import, and few verbs need it

    if tag.kind == "category":
        size = len(tag.levels) + 1
        shares = [np.bincount(side.codes[tag.name], minlength=size) / side.n for side in (real, other)]
        return float(0.5 * np.abs(shares[0] - shares[1]).sum())
    a, b = real.values[tag.name], other.values[tag.name]
    gaps = abs(float(np.isnan(a).mean() - np.isnan(b).mean()))
    a, b = a[~np.isnan(a)], b[~np.isnan(b)]
    # "asymp" spares the exact p-value, which is not used.
    return max(gaps, float(ks_2samp(a, b, method="asymp").statistic) if len(a) and len(b) else 0.0)


def _pair(side: _Side, a: Tag, b: Tag) -> tuple[Float | Int64, Float | Int64]:
    first = side.codes[a.name] if a.kind == "category" else side.values[a.name]
    second = side.codes[b.name] if b.kind == "category" else side.values[b.name]
    return first, second


def association(a: Float | Int64, b: Float | Int64) -> float:
    """Of two tags: Spearman's correlation of numbers, Cramer's V of categories, the correlation ratio of one of each.

    Whole arrays are codes of categories, others numbers. Numbers enter by their ranks; rows with a gap are left out.
    """
    coded = [values.dtype.kind == "i" for values in (a, b)]
    if all(coded):
        return _cramers_v(np.asarray(a), np.asarray(b))
    if any(coded):
        codes, numbers = (a, b) if coded[0] else (b, a)
        return _correlation_ratio(np.asarray(codes), np.asarray(numbers, dtype=np.float64))
    both = ~(np.isnan(a) | np.isnan(b))
    x, y = ranks(np.asarray(a[both])), ranks(np.asarray(b[both]))
    if len(x) < 2 or x.std() == 0 or y.std() == 0:
        return 0.0
    return float(np.corrcoef(x, y)[0, 1])


def _cramers_v(a: Int64, b: Int64) -> float:
    counts = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(counts, (a, b), 1.0)
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    if min(counts.shape) < 2:
        return 0.0
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / len(a)
    chi2 = float(((counts - expected) ** 2 / expected).sum())
    return float(np.sqrt(chi2 / (len(a) * (min(counts.shape) - 1))))


def _correlation_ratio(codes: Int64, numbers: Float) -> float:
    given = ~np.isnan(numbers)
    codes, values = codes[given], ranks(numbers[given])
    total = float(((values - values.mean()) ** 2).sum()) if len(values) else 0.0
    if total == 0:
        return 0.0
    counts = np.bincount(codes)
    means = np.bincount(codes, weights=values) / np.maximum(counts, 1)
    return float(np.sqrt((counts * (means - values.mean()) ** 2).sum() / total))


def classifier_auc(real: _Side, other: _Side, seeds: Sequence[int]) -> float:
    """Mean area under the curve of gradient boosting that tells one table from the other, on halves it did not see."""
    from sklearn.ensemble import HistGradientBoostingClassifier  # slow to import, and few verbs need it
    from sklearn.metrics import roc_auc_score

    (x, categories), (y, _) = real.matrix(), other.matrix()
    if min(len(x), len(y)) < FEWEST:
        fix = "A classifier that is to tell them apart learns on one half and is judged by the other."
        raise DataError(Problem("population check", "customers", min(len(x), len(y)), f"at least {FEWEST}", fix))
    rows = np.concatenate([x, y])
    label = np.repeat([0, 1], [len(x), len(y)])
    found = []
    for seed in seeds:
        train = np.concatenate([_half(len(x), seed), _half(len(y), seed + 1)])
        known = np.flatnonzero(~np.isnan(rows[train]).all(axis=0))  # a tag that nobody has tells nobody apart
        if not len(known):
            found.append(0.5)
            continue
        kinds = [categories[c] for c in known]
        model = HistGradientBoostingClassifier(
            max_iter=80, categorical_features=kinds, random_state=seed, early_stopping=False
        )
        with threadpool_limits(limits=1):
            model.fit(rows[train][:, known], label[train])
            found.append(roc_auc_score(label[~train], model.predict_proba(rows[~train][:, known])[:, 1]))
    return float(np.mean(found))


def _half(n: int, seed: int) -> npt.NDArray[np.bool_]:
    """(n,) True for a half chosen by the seed."""
    order = np.argsort(rng.uniform(rng.customer_keys(np.arange(n)), seed, 0, rng.Purpose.RESAMPLE), kind="stable")
    half = np.zeros(n, dtype=bool)
    half[order[: n // 2]] = True
    return half
