"""What a whole log's tally says once all parts are joined: bounds of rows, and the figures that are judged.

Not here: tallying (rows.py), estimates (estimates.py), the verdict (verdict.py). k actions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from campaignrl.arrays import Float
from campaignrl.errors import DataError, Problem
from campaignrl.ope.data import LogSample
from campaignrl.ope.diagnostics import ESS_CAUTION, Figures, Sensitivity, Sides, sensitivity
from campaignrl.ope.estimators import weights
from campaignrl.ope.intervals import Estimate
from campaignrl.ope.methods import Range
from campaignrl.ope.streaming.estimates import Bounds, combination, disagreement_p_value, mean_weight_p_value
from campaignrl.ope.streaming.sums import AT, CustomerSums, Tally


def reward_range_of(rows: Tally, given: Range | None, fact: Any) -> tuple[Range, str]:
    """What a reward can be, and how that is known; `methods.reward_range_of`."""
    least, largest = rows.least["reward"], rows.largest["reward"]
    known = given if given is not None else fact
    if known is None:
        if not rows.largest["not_binary"]:
            return (0.0, 1.0), "0 or 1"
        return (float(least), float(largest)), "observed"
    bounds = (float(known[0]), float(known[1]))
    if not bounds[0] <= least <= largest <= bounds[1]:
        raise DataError(Problem("evaluate", "reward_range", bounds, f"around all rewards, {least:g} to {largest:g}"))
    return bounds, "given" if given is not None else "the log's facts"


def off_support(rows: Tally, who: str, n: int) -> float:
    """Mean mass of a policy, a or b, on what the log cannot speak of."""
    untried = rows.added["tried"] == 0
    return float(rows.added[f"certain_off of {who}"] + rows.added[f"mass of {who}"][untried].sum()) / n


def bounds_of(rows: Tally, reward: Range, floor: float | None, mix: float, policies: tuple[bool, bool]) -> Bounds:
    """What bounds a row. policies: whether a and b are policies, not the logging one."""
    a, b = (_weight_range(rows, who, floor, given) for who, given in zip("ab", policies, strict=True))
    if mix < 1.0:
        low, high = weights.mixed(np.array(a), mix).tolist()
        a = (low, high)
    return Bounds(
        reward=reward,
        predicted=(float(rows.least["q"]), float(rows.largest["q"])),
        weight=a,
        lift_weight=(1.0 + a[0] - b[1], 1.0 + a[1] - b[0]),
        all_ones=rows.largest["off_one"] <= 1e-9,
        all_ones_lift=rows.largest["off_one_lift"] <= 1e-9,
    )


def _weight_range(rows: Tally, who: str, floor: float | None, given: bool) -> Range:
    """`weights.weight_bound`, from least propensities of each action."""
    if not given:
        return 1.0, 1.0
    wanted, least = rows.largest[f"wanted of {who}"], rows.least["propensity"]
    if floor is None:
        seen = least[(wanted > 0.0) & np.isfinite(least)]
        floor = float(seen.min() if len(seen) else least.min())
    return 0.0, max(rows.largest[f"most wanted of {who}"] / floor, 1.0, float(rows.largest[f"weight of {who}"]))


def figures_of(
    sums: CustomerSums, rows: Tally, first: Float, bounds: Bounds, off: float, certain: float, all_rows: int
) -> Figures:
    """What the checks look at. first: the first propensities; all_rows: with the immature ones."""
    n, weight = int(sums.totals[AT["one"]]), float(sums.totals[AT["weight"]])
    square = rows.added["weight_square"]
    return Figures(
        n=n,
        customers=sums.customers,
        ess=_effective(weight, square),
        max_weight_share=float(rows.largest["weight"]) / weight if weight > 0.0 else 1.0,
        max_customer_share=float(sums.largest[0]) / weight if weight > 0.0 else 1.0,
        mean_weight=weight / n,
        mean_weight_p=mean_weight_p_value(sums, bounds.weight),
        off_support=off,
        outcomes=rows.added["outcomes"],
        one_reward=bool(rows.least["reward"] == rows.largest["reward"]),
        dropped_share=1.0 - n / all_rows,
        certain_share=certain,
        clipped_mass=rows.added["clipped"] / n,
        half_precision=weights.rounded_to_half_precision(first),
        disagreement_p=disagreement_p_value(sums),
        snips=combination("snips", sums).value,
        dr=combination("dr", sums).value,
        supported_value=float(sums.totals[AT["earned"]]) / n,
        reward_range=bounds.reward,
        mix=_closest_mix(weight, square, n),
    )


def _effective(weight: float, square: float) -> float:
    return weight * weight / square if square > 0.0 else 0.0


def _closest_mix(weight: float, square: float, n: int) -> tuple[float, float] | None:
    """`weights.closest_mix`, from sums of weights and of their squares."""
    for share in weights.MIXES:
        rest = 1.0 - share
        size = _effective(n * rest + share * weight, n * rest**2 + 2.0 * rest * share * weight + share**2 * square)
        if size >= min(ESS_CAUTION, n / 2):
            return share, size
    return None


def hidden_bias(sample: LogSample | None, gained: Estimate, mix: float, logged: bool) -> Sensitivity:
    """How far propensities may be off, by the rows of the sample. logged: the reference is the logged policy."""
    if sample is None or sample.gain is None or sample.wanted is None:
        return Sensitivity(np.nan, np.nan, 0)
    residual, lift_weight = sample.gain[:2]
    weight = sample.as_done() / sample.propensity
    other = None if logged else np.maximum(1.0 + weights.mixed(weight, mix) - lift_weight, 0.0)
    sides = Sides.of(weight, other, sample.propensity, residual, mix)
    return sensitivity(gained.value, (gained.ci_low, gained.ci_high), sides, sides)
