"""Everything a report is made of. Not here: what is made of it (sections.py, captions.py)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from campaignrl.campaign import Campaign
from campaignrl.ope.comparison import Part
from campaignrl.ope.intervals import Estimate
from campaignrl.ope.methods import Evaluation
from campaignrl.report.facts import wording as words
from campaignrl.report.facts.kpi import NONE, check_same_customers, find
from campaignrl.specs import World
from campaignrl.true_value import Value

PREFERRED = ("dr", "sndr", "snips", "ips", "dm")  # the estimate shown first, the first of these that can be had


class Gain(NamedTuple):
    """What one decision by a policy earns more than by the baseline: read off a log, and in truth."""

    policy: str
    from_log: Estimate
    truth: Value | None = None


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    """Everything a report is made of; each part may be absent.

    campaigns: on the same customers and seed. evaluations: each with the simulator's truth per decision, or None.
    parts: lift of the first evaluation, by what its log was cut by. titles: what people call a policy, by its name.
    facts: how it was made, as shown.
    """

    title: str = "What each policy would earn"
    world: World | None = None
    campaigns: tuple[Campaign, ...] = ()
    evaluations: tuple[tuple[Evaluation, Value | None], ...] = ()
    gains: tuple[Gain, ...] = ()
    parts: Mapping[str, tuple[Part, ...]] = field(default_factory=dict)
    baseline: str = "rules"
    titles: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.campaigns:
            check_same_customers(self.campaigns)

    def label(self, policy: str) -> str:
        """What people call a policy."""
        return words.label_of(policy, self.titles)

    @cached_property
    def none(self) -> Campaign | None:
        """The campaign in which nothing is sent."""
        return find(self.campaigns, NONE)

    @cached_property
    def reference(self) -> Campaign | None:
        """What campaigns are measured against: the baseline, else sending nothing; None for a single campaign."""
        return (find(self.campaigns, self.baseline) or self.none) if len(self.campaigns) > 1 else None

    @cached_property
    def currency(self) -> str:
        """Of all money on the page."""
        return self.campaigns[0].world.money.currency if self.campaigns else ""


def best_estimate(evaluation: Evaluation) -> Estimate:
    """The estimate shown where there is room for one."""
    estimates = [evaluation.estimates[name] for name in PREFERRED if name in evaluation.estimates]
    estimates += list(evaluation.estimates.values())
    missing = Estimate(math.nan, math.nan, math.nan, math.nan, "none")
    return next((e for e in estimates if math.isfinite(e.value)), missing)
