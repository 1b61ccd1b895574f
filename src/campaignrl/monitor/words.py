"""What each check says, in a sentence: one form of words for each of its outcomes.

Other languages have their own catalogue of the same keys (service/console). Not here: the checks (health.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        "feed.ok": "{name}: newest row {silent} days before, at most {limit} is usual",
        "feed.alarm": "{name}: nothing for {silent} days, at most {limit} is usual; {usual} rows a day came before",
        "rate.ok": "{name} {now} lies in its band [{low}, {high}]",
        "rate.down": "{name} fell to {now} [{now_low}, {now_high}] since {since}; it was {base}, band [{low}, {high}]",
        "rate.up": "{name} rose to {now} [{now_low}, {now_high}] since {since}; it was {base}, band [{low}, {high}]",
        "rate.unknown": "{name}: too few days or trials for a band",
        "context.ok": "{feature}: stability index {psi}, at most {limit}",
        "context.alarm": "{feature}: customers look otherwise than before, stability index {psi} (at most {limit})",
        "context.unknown": "features: too few customers to compare",
        "recomputed.ok": "propensities of {rows} rows recomputed: all as written",
        "recomputed.alarm": "propensities: {wrong} of {rows} rows are not the policy's, off by up to {worst}",
        "recomputed.unknown": "propensities: the policy decided nothing in the last days",
        "mean_weight.ok": "propensities: mean of 1 / (allowed x propensity) {mean}, above 1 is not shown",
        "mean_weight.alarm": "propensities are too small: mean of 1 / (allowed x propensity) {mean}, at least {low}",
        "mean_weight.unknown": "propensities: no decisions in the last days",
        "model.ok": "the deciding policy {model} is {age} days old, at most {limit}",
        "model.alarm": "the deciding policy {model} is {age} days old, more than {limit}",
        "model.unknown": "no policy decided in the last weeks",
    }
)


def sentence(code: str, figures: Mapping[str, object], words: Mapping[str, str] = SENTENCES) -> str:
    """The sentence of a code with its figures, numbers as people read them."""
    return words[code].format_map({name: figure(value) for name, value in figures.items()})


def figure(value: object) -> str:
    """A number with as many digits as tell something; any other value as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
