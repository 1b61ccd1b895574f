"""Which estimators there are, and which interval each gets.

ips, snips, dr and sndr weigh rows by weights whose mean is 1, which is what empirical likelihood leans on:
theirs is the interval of the value given that constraint, so ips and snips share one, and dr and sndr another.
mips_* and offcem do the same with the weights of what an action is made of, and mrdr is dr with a model fitted for it.
dm leans on no weights, and ips_clip, dros and switch_dr change theirs, at the price of a bias that no interval
shows: they get the customer-clustered t interval, and so does pi, whose weights may be negative. Differences of two
policies get the regression on their weights (regression_t.py) where enough rows speak. Not here: the formulas
(bandit.py, empirical_likelihood.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol

import numpy as np

from campaignrl.arrays import Array, Float, Rows
from campaignrl.ope.estimators import Marginal, Marginals, RowTerms, bandit, customer_range, effective_sample_size
from campaignrl.ope.intervals import (
    CLUSTERED_T,
    EMPIRICAL_LIKELIHOOD,
    MODEL_T,
    NO_OUTLIERS,
    REGRESSION_T,
    Clusters,
    Estimate,
    Extreme,
    Outliers,
    PairSums,
    clustered_t,
    cressie_read,
    error_of_like_residuals,
    has_events,
    numbered,
    regression_interval,
    std_error,
)
from campaignrl.ope.methods.likelihood_of_rows import farthest
from campaignrl.ope.methods.shrinkage import FIXED, GRID, choose
from campaignrl.ope.methods.weighted_rows import Evidence, Range

# From this weight on a row is held back by ips_clip (cut), switch_dr (left to the model) and dros (whose weight
# w s / (w^2 + s) peaks at w = sqrt(s)): a row that counts for more than ten is what makes IPS noisy.
HEAVY = 10.0
# Effective rows of both policies from which on their difference is told by what was seen; below that, an event that
# was not seen may decide it, and the wider empirical likelihood stands (a verdict refuses such a policy anyway).
SPEAKING = 100.0


class DecisionRows(Protocol):
    """What every row of a log says about one policy; arrays (n,), as bandit.py has them."""

    @property
    def weight(self) -> Float:
        """What a row counts for: target over logged probability."""

    @property
    def reward(self) -> Float:
        """In the log's unit."""

    @property
    def predicted(self) -> Float:
        """The model's q of the logged action; 0 without a model."""

    @property
    def expected(self) -> Float:
        """The model's value of the policy; 0 without a model."""


class WeightShrinkage(NamedTuple):
    """How an estimator holds heavy weights back, by one number; an infinite one holds nothing back."""

    weight: Callable[[Float, float], Float]  # (w, number) -> w'
    usual: float
    grid: tuple[float, ...] = GRID


class Estimator(NamedTuple):
    """One row of the table below: a function of bandit.py, and the weights it is given."""

    formula: Callable[..., RowTerms]
    model: bool  # leans on the reward model
    weights: bool = True  # leans on importance weights
    likelihood: bool = False  # its interval is empirical likelihood
    marginal: Callable[[Marginals], Marginal] | None = None  # the weights it takes instead of the action's
    held: WeightShrinkage | None = None
    own_model: bool = False  # its reward model is fitted for it alone

    @property
    def adds_up(self) -> bool:
        """Whether sums over parts of a log are enough for it."""
        return self.marginal is None and not self.own_model

    def terms(self, rows: DecisionRows, setting: float | None = None) -> RowTerms:
        """The rows whose means are its value. setting: of what holds weights back; None: the usual."""
        if not self.weights:
            return self.formula(rows.expected)
        weight = rows.weight
        if self.held is not None:
            weight = self.held.weight(weight, self.held.usual if setting is None else setting)
        if not self.model:
            return self.formula(weight, rows.reward)
        return self.formula(weight, rows.reward, rows.predicted, rows.expected)


def _slots(m: Marginals) -> Marginal:
    """The weights of the two-slot pseudo-inverse: offer + channel - contact."""
    (_, offer), (_, channel), (_, contact) = m.offer.range, m.channel.range, m.contact.range
    weight = m.offer.weight + m.channel.weight - m.contact.weight
    return Marginal(weight, (-contact, offer + channel), max(m.offer.off_support, m.channel.off_support))


# Beside those of bandit.py:
#   mips_offer, mips_channel  IPS with weights of the logged action's offer or channel (Saito & Joachims 2022). Unbiased
#                             only if the reward depends on the action through that alone; no interval counts the rest.
#   offcem                    DR with weights of the offer: the model must get differences within an offer right only
#                             (Saito et al. 2023).
#   pi                        Two-slot pseudo-inverse (Swaminathan et al. 2017). Unbiased if offer and channel
#                             effects add up, and the logging policy draws a send's channel independently of its offer.
#   mrdr                      DR whose model is fitted for the least variance (Farajtabar et al. 2018).
ESTIMATORS: Mapping[str, Estimator] = MappingProxyType(
    {
        "dm": Estimator(bandit.dm, model=True, weights=False),
        "ips": Estimator(bandit.ips, model=False, likelihood=True),
        "ips_clip": Estimator(bandit.ips, model=False, held=WeightShrinkage(bandit.clipped, HEAVY)),
        "snips": Estimator(bandit.snips, model=False, likelihood=True),
        "dr": Estimator(bandit.dr, model=True, likelihood=True),
        "sndr": Estimator(bandit.sndr, model=True, likelihood=True),
        "dros": Estimator(
            bandit.dr, model=True, held=WeightShrinkage(bandit.shrunk, HEAVY**2, tuple(s * s for s in GRID))
        ),
        "switch_dr": Estimator(bandit.dr, model=True, held=WeightShrinkage(bandit.switched, HEAVY)),
        "mips_offer": Estimator(bandit.ips, model=False, likelihood=True, marginal=lambda m: m.offer),
        "mips_channel": Estimator(bandit.ips, model=False, likelihood=True, marginal=lambda m: m.channel),
        "offcem": Estimator(bandit.dr, model=True, likelihood=True, marginal=lambda m: m.offer),
        "pi": Estimator(bandit.ips, model=False, marginal=_slots),
        "mrdr": Estimator(bandit.dr, model=True, likelihood=True, own_model=True),
    }
)
USUAL = ("dm", "ips", "ips_clip", "snips", "dr", "sndr", "dros", "switch_dr")  # need nothing but a log
STREAMED = tuple(name for name, estimator in ESTIMATORS.items() if estimator.adds_up)


def with_own_weights(name: str, evidence: Evidence) -> Evidence:
    """The evidence with the weights that an estimator takes: the action's, or those of what it is made of."""
    of = ESTIMATORS[name].marginal
    if of is None or evidence.marginals is None:
        return evidence
    weight, weight_range, off_support = of(evidence.marginals)
    return evidence._replace(weight=weight, weight_range=weight_range, off_support=off_support)


def setting_of(name: str, evidence: Evidence, tuning: str) -> float | None:
    """The number by which an estimator holds weights back, usual or chosen from the log; None if it has none."""
    estimator, held = ESTIMATORS[name], ESTIMATORS[name].held
    if held is None or tuning == FIXED:
        return None if held is None else held.usual
    weight, residual = evidence.weight, evidence.reward - (evidence.predicted if estimator.model else 0.0)
    return choose(
        tuning,
        held.grid,
        lambda setting: estimator.terms(evidence, setting).point(),
        lambda setting: (weight - held.weight(weight, setting)) * residual,
        weight,
        evidence.clusters,
    )


def estimate(name: str, evidence: Evidence, alpha: float, setting: float | None = None) -> Estimate:
    """The value by one estimator, with its interval at level 1 - alpha. setting: of `setting_of`, else the usual."""
    estimator, evidence = ESTIMATORS[name], with_own_weights(name, evidence)
    point = estimator.terms(evidence, setting).point()
    if not estimator.likelihood:
        return clustered_t(point, evidence.clusters, alpha, CLUSTERED_T if estimator.weights else MODEL_T)
    base, residual, residual_range = np.zeros(len(evidence.reward)), evidence.reward, evidence.reward_range
    if estimator.model:
        base, residual, residual_range = evidence.expected, *_residual(evidence)
    part = Weighted(base, evidence.weight, evidence.weight_range, residual, residual_range)
    ends = likelihood_interval(part, evidence.clusters, alpha)
    low, high = np.clip(around(point.value, ends), *evidence.reward_range).tolist()
    return Estimate(point.value, std_error(point.influence, evidence.clusters), low, high, EMPIRICAL_LIKELIHOOD)


def around(value: float, ends: Range) -> Range:
    """The interval, stretched to its value: where the mean weight is far from 1, the two disagree."""
    return min(ends[0], value), max(ends[1], value)


def difference(a: Evidence, b: Evidence, alpha: float, at: Rows | None = None) -> Estimate:
    """Value of a less value of b on the same rows, doubly robust, paired by customer.

    The weight 1 + w_a - w_b has mean 1 too. Zero, and surely so, where a and b do the same in every row.
    at: rows from which the shape of the spread is read; None: all.
    """
    weight = 1.0 + a.weight - b.weight
    base, (residual, residual_range) = a.expected - b.expected, _residual(a)
    terms = base + (weight - 1.0) * residual
    value = float(terms.mean())
    error = std_error(terms - value, a.clusters)
    differ = base.any() or not np.array_equal(a.weight, b.weight)  # 1 + w - w is 1 up to rounding only
    if not (differ and terms.any()):
        return Estimate(0.0, 0.0, 0.0, 0.0, EMPIRICAL_LIKELIHOOD)
    (a_low, a_high), (b_low, b_high) = a.weight_range, b.weight_range
    part = Weighted(base, weight, (1.0 + a_low - b_high, 1.0 + a_high - b_low), residual, residual_range, offset=1.0)
    span = a.reward_range[1] - a.reward_range[0]
    enough = all(effective_sample_size(each.weight) >= SPEAKING for each in (a, b))
    sharp = _by_regression(weight, terms, residual, a.clusters, alpha, at) if enough else None
    ends = likelihood_interval(part, a.clusters, alpha) if sharp is None else sharp
    return difference_within(value, error, ends, span, EMPIRICAL_LIKELIHOOD if sharp is None else REGRESSION_T)


def difference_within(value: float, error: float, ends: Range, span: float, made_by: str) -> Estimate:
    """The estimate, its interval within what is possible and around its own value."""
    low, high = np.clip(around(value, ends), -span, span).tolist()
    return Estimate(value, error, low, high, made_by)


def _by_regression(
    weight: Float, terms: Float, residual: Float, clusters: Clusters, alpha: float, at: Rows | None
) -> Range | None:
    if not has_events(residual, clusters.rows):
        return None
    w, y = clusters.scaled(weight), clusters.scaled(terms)
    sums = PairSums.of(w, y)
    if at is not None and len(at) < clusters.rows:
        weight, residual = weight[at], residual[at]
        w, y = sums_of_part(clusters.of_rows()[at], weight, terms[at], len(clusters) / clusters.rows)
    return regression_interval(sums, w, y, alpha, error_of_like_residuals(weight, residual, clusters.rows))


def sums_of_part(customer: Array, weight: Float, terms: Float, row: float) -> tuple[Float, Float]:
    """Scaled sums of the customers of some rows. customer: (m,) any numbers; row: what a row counts for."""
    number = numbered(customer)
    w, y = (np.asarray(np.bincount(number, x), dtype=np.float64) for x in (weight, terms))
    return row * w, row * y


class Weighted(NamedTuple):
    """A mean of `base + (weight - offset) residual` over rows, with what bounds it; arrays (n,)."""

    base: Float
    weight: Float
    weight_range: Range
    residual: Float
    residual_range: Range
    offset: float = 0.0


def likelihood_interval(part: Weighted, clusters: Clusters, alpha: float) -> tuple[float, float]:
    """Empirical-likelihood interval of that mean, given that the mean weight is 1.

    What may have been missed is a customer with one row of extreme weight and residual, whose other rows are as
    rows are on average; or as extreme as the customers that were seen.
    """
    middle = float(part.base.mean())
    terms = part.base - middle + (part.weight - part.offset) * part.residual
    weight, outcome = clusters.scaled(part.weight), clusters.scaled(terms)
    # Weights that never vary tell nothing of how outcomes go with weights; one that did would tell all of it.
    bounds = (1.0, 1.0) if np.allclose(part.weight, 1.0, rtol=0.0, atol=1e-9) else part.weight_range
    seen = LikelihoodInputs(
        sums=PairSums.of(weight, outcome),
        row=len(clusters) / clusters.rows,
        usual=float(terms.mean()) / max(float(part.weight.mean()), 1e-12),
        totals=customer_range(weight, clusters, bounds),
        above=_ends_of(outcome[weight > 1.0]),
        below=_ends_of(outcome[weight < 1.0]),
        outliers=farthest(np.stack([weight, outcome])),
    )
    lower, upper = likelihood_ends(seen, bounds, part.residual_range, part.offset, alpha)
    return middle + lower, middle + upper


class LikelihoodInputs(NamedTuple):
    """What customers showed, scaled as in `Clusters.scaled`."""

    sums: PairSums
    row: float  # what one row counts for in a customer's mean
    usual: float  # outcome of a unit of weight
    totals: Range  # the least and the largest weight that a customer is granted
    above: list[float]  # least and largest outcome of customers of a weight above 1; empty: there are none
    below: list[float]
    outliers: Outliers = NO_OUTLIERS


def likelihood_ends(
    seen: LikelihoodInputs, bounds: Range, residual_range: Range, offset: float, alpha: float
) -> tuple[float, float]:
    """The interval of a mean of (weight - offset) residual, rows' weights being within `bounds`."""
    least, largest = seen.totals
    ends = [
        [seen.row * (bound - offset) * r + (total - seen.row * bound) * seen.usual for r in residual_range]
        for bound, total in zip(bounds, seen.totals, strict=True)
    ]
    ends[1] += seen.above
    if offset:  # a weight far below the offset moves the outcome as one above it does
        ends[0] += seen.below
    low = [Extreme(least, min(ends[0])), Extreme(largest, min(ends[1]))]
    high = [Extreme(least, max(ends[0])), Extreme(largest, max(ends[1]))]
    return cressie_read(seen.sums, low, high, alpha, seen.outliers)


def _ends_of(values: Float) -> list[float]:
    return [float(values.min()), float(values.max())] if len(values) else []


def _residual(evidence: Evidence) -> tuple[Float, Range]:
    """Reward less prediction (n,), and its bounds."""
    (least, largest), (q_least, q_largest) = evidence.reward_range, evidence.predicted_range
    return evidence.reward - evidence.predicted, (least - q_largest, largest - q_least)
