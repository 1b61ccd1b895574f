"""How many customers a test needs, by formula: normal means, unequal shares, covariates, one look or any number.

n = (z(alpha / 2) + z(power))^2 sd^2 (1 - explained) (1 / share + 1 / share of the champion) / effect^2, covariates as
in Deng et al. (2013), times what looking at any time costs (ope/intervals/asymptotic_sequences.py). Not here: power
in a simulated world (simulated.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from scipy import special

from campaignrl.ope.intervals import horizon_inflation, late_inflation
from campaignrl.specs import check
from campaignrl.suites.abtest.trial import Guardrail, Trial

Looks = Literal["any time", "once", "late"]

SURE = 0.95  # how often the bound of what was measured is at least the truth


def customers_needed(
    effect: float, std: float, shares: tuple[float, float], alpha: float, power: float, looks: Looks = "once"
) -> int:
    """Customers in the two arms and all others together, for an absolute effect to be found with chance `power`.

    shares: of the champion and of the challenger, of all customers; std: of what is left after covariates.
    """
    reach = special.ndtri(power) - special.ndtri(alpha / 2)
    once: float = (reach * std / effect) ** 2 * sum(1.0 / share for share in shares)
    cost = {"any time": horizon_inflation, "late": late_inflation}
    return math.ceil(once * (1.0 if looks == "once" else cost[looks](alpha, power)))


def power_of(effect: float, std: float, shares: tuple[float, float], alpha: float, customers: int) -> float:
    """Chance that a test with one look finds an absolute effect, in the right direction."""
    error = std * math.sqrt(sum(1.0 / (share * customers) for share in shares))
    return float(special.ndtr(effect / error + special.ndtri(alpha / 2)))


def plan_trial(
    name: str,
    *,
    mean: float,
    std: float,
    effect: float,
    arms: Mapping[str, float],
    explained: float = 0.0,
    covariates: Sequence[str] = (),
    guardrails: Sequence[Guardrail] = (),
    looks: Looks = "any time",
    alpha: float = 0.05,
    power: float = 0.8,
    salt: str | None = None,
    doubt: float = 0.0,
    **more: Any,
) -> Trial:
    """A test of the size that finds `effect`, a share of the champion's mean, in the smallest challenger's arm.

    mean, std: of the measure under the champion; explained: share of its variance that the covariates explain.
    doubt: how well they are known: standard error of the logarithm of std^2 (1 - explained) / mean^2, such as
    `Pool.doubt()`; 0: exactly.
    """
    words = {
        "name": name,
        "salt": salt or name,
        "arms": dict(arms),
        "covariates": list(covariates),
        "guardrails": list(guardrails),
        "looks": looks,
        "alpha": alpha,
        "power": power,
        "effect": effect,
        "mean": mean,
        "std": std,
        "explained": explained,
        "customers": 4,
        **more,
    }
    draft = check(Trial, words, "abtest plan")
    champion, *challengers = draft.arms.values()
    left = std * math.sqrt((1.0 - explained) * math.exp(special.ndtri(SURE) * doubt))
    found = effect * abs(mean)
    many = customers_needed(found, left, (champion, min(challengers)), draft.level, power, looks)
    return draft.model_copy(update={"customers": max(many, 4)})
