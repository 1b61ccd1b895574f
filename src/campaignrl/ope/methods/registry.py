"""Which estimators there are, and which interval each gets.

ips, snips, dr and sndr weigh rows by weights whose mean is 1, which is what empirical likelihood leans on:
theirs is the interval of the value given that constraint, so ips and snips share one, and dr and sndr another.
mips_* and offcem do the same with the weights of what an action is made of, and mrdr is dr with a model fitted for it.
dm leans on no weights, and ips_clip, dros and switch_dr change theirs, at the price of a bias that no interval
shows: they get the customer-clustered t interval, and so does pi, whose weights may be negative. Where enough happened
in enough rows, those that lean on a model, and differences, get the shorter regression on the weights instead
(weighted_mean.py). Not here: the formulas (bandit.py), the intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol

import numpy as np

from campaignrl.arrays import Float, Int, Rows
from campaignrl.ope.estimators import Marginal, Marginals, RowTerms, bandit, effective_sample_size
from campaignrl.ope.intervals import (
    CLUSTERED_T,
    EMPIRICAL_LIKELIHOOD,
    HELD_T,
    MODEL_T,
    Estimate,
    clustered_t,
    std_error,
)
from campaignrl.ope.methods.shrinkage import FIXED, GRID, choose
from campaignrl.ope.methods.weighted_mean import (
    Weighted,
    around,
    difference_within,
    interval_of_difference,
    interval_of_value,
    within,
)
from campaignrl.ope.methods.weighted_rows import Evidence, Range

# From this weight on a row is held back by ips_clip (cut), switch_dr (left to the model) and dros (whose weight
# w s / (w^2 + s) peaks at w = sqrt(s)): a row that counts for more than ten is what makes IPS noisy.
HEAVY = 10.0


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

    @property
    def batch(self) -> Int | None:
        """In which the logger did not change; None: it never did."""


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
    pooled: bool = False  # its weights are over all loggers together
    batches: bool = False  # it weighs batches, in each of which the logger did not change
    whole: bool = False  # it looks at all rows at once

    @property
    def adds_up(self) -> bool:
        """Whether sums over parts of a log are enough for it."""
        return not (self.marginal or self.own_model or self.pooled or self.batches or self.whole)

    @property
    def t_interval(self) -> str:
        """What its t interval is called: what it does not count is said."""
        return MODEL_T if not self.weights else CLUSTERED_T if self.held is None else HELD_T

    def terms(self, rows: DecisionRows, setting: float | None = None) -> RowTerms:
        """The rows whose means are its value. setting: of what holds weights back; None: the usual."""
        if not self.weights:
            return self.formula(rows.expected)
        weight = rows.weight
        if self.held is not None:
            weight = self.held.weight(weight, self.held.usual if setting is None else setting)
        if not self.model:
            return self.formula(weight, rows.reward)
        if self.batches:
            return self.formula(weight, rows.reward, rows.predicted, rows.expected, rows.batch)
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
#   balanced                  DR with weights over all loggers together (Agarwal et al. 2017; Kallus et al. 2021): what
#                             one logger hardly ever did another may have done. Contexts of the waves must be alike.
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
        "sg_ips": Estimator(bandit.ips, model=False, held=WeightShrinkage(bandit.tempered, HEAVY)),
        "sg_dr": Estimator(bandit.dr, model=True, held=WeightShrinkage(bandit.tempered, HEAVY)),
        "mr": Estimator(bandit.mr, model=False, whole=True),
        "balanced": Estimator(bandit.dr, model=True, likelihood=True, pooled=True),
        "stabilised": Estimator(bandit.stabilised, model=True, batches=True),
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
    if ESTIMATORS[name].pooled and evidence.pooled is not None:
        weight = evidence.weight * evidence.pooled
        return evidence._replace(weight=weight, weight_range=(0.0, max(float(weight.max()), 1.0)))
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


def estimate(
    name: str, evidence: Evidence, alpha: float, setting: float | None = None, at: Rows | None = None
) -> Estimate:
    """The value by one estimator, with its interval at level 1 - alpha. setting: of `setting_of`, else the usual.

    at: rows from which the shape of the spread is read; None: all.
    """
    estimator, evidence = ESTIMATORS[name], with_own_weights(name, evidence)
    point = estimator.terms(evidence, setting).point()
    if not estimator.likelihood:
        return clustered_t(point, evidence.clusters, alpha, estimator.t_interval)
    part = _part(name, evidence)
    speaking = effective_sample_size(evidence.weight) if estimator.model else 0.0
    ends, made_by = interval_of_value(part, evidence.clusters, alpha, speaking, at)
    low, high = around(point.value, within(ends, evidence.reward_range))
    return Estimate(point.value, std_error(point.influence, evidence.clusters), low, high, made_by)


def _part(name: str, evidence: Evidence) -> Weighted:
    """What the interval of an estimator is that of."""
    if not ESTIMATORS[name].model:
        base = np.zeros(len(evidence.reward))
        return Weighted(base, evidence.weight, evidence.weight_range, evidence.reward, evidence.reward_range)
    residual, residual_range = _residual(evidence)
    return Weighted(evidence.expected, evidence.weight, evidence.weight_range, residual, residual_range)


def _apart(a: Evidence, b: Evidence) -> Weighted:
    """Value of a less value of b as one mean."""
    residual, residual_range = _residual(a)
    (a_low, a_high), (b_low, b_high) = a.weight_range, b.weight_range
    bounds = (1.0 + a_low - b_high, 1.0 + a_high - b_low)
    return Weighted(a.expected - b.expected, 1.0 + a.weight - b.weight, bounds, residual, residual_range, offset=1.0)


def difference(a: Evidence, b: Evidence, alpha: float, at: Rows | None = None) -> Estimate:
    """Value of a less value of b on the same rows, doubly robust, paired by customer.

    The weight 1 + w_a - w_b has mean 1 too. Zero, and surely so, where a and b do the same in every row.
    at: rows from which the shape of the spread is read; None: all.
    """
    part = _apart(a, b)
    terms = part.base + (part.weight - 1.0) * part.residual
    value = float(terms.mean())
    error = std_error(terms - value, a.clusters)
    differ = part.base.any() or not np.array_equal(a.weight, b.weight)  # 1 + w - w is 1 up to rounding only
    if not (differ and terms.any()):
        return Estimate(0.0, 0.0, 0.0, 0.0, EMPIRICAL_LIKELIHOOD)
    span = a.reward_range[1] - a.reward_range[0]
    speaking = min(effective_sample_size(each.weight) for each in (a, b))
    ends, made_by = interval_of_difference(part, a.clusters, alpha, speaking, at)
    return difference_within(value, error, ends, span, made_by)


def _residual(evidence: Evidence) -> tuple[Float, Range]:
    """Reward less prediction (n,), and its bounds."""
    (least, largest), (q_least, q_largest) = evidence.reward_range, evidence.predicted_range
    return evidence.reward - evidence.predicted, (least - q_largest, largest - q_least)
