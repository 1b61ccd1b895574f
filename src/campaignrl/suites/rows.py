"""A row of a results file: every measure of one run, of all customers, by segment, and the sends by channel and offer.

Here: from quantities to rows, each against its twin and the best policy of the suite. Not here: the measures
(measure_definitions.py), the quantities (measure.py), the file (results.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np
from pydantic import Field

from campaignrl.specs import Spec, World
from campaignrl.suites.measure import Measured
from campaignrl.suites.measure_definitions import CONTRIBUTION, measured, measured_sends
from campaignrl.suites.plan import Run
from campaignrl.suites.suite import NONE, Label, Suite


class Row(Spec):
    """One run: every measure that can be had, of all customers and of parts of them or of the sends."""

    world: Label
    policy: Label
    seed: int
    value_std: float  # of the contribution between customers, currency
    measures: dict[Label, float | None]  # by id; None: cannot be had
    segments: dict[str, dict[Label, float | None]] = Field(default_factory=dict)  # measures by true segment
    channels: dict[str, dict[Label, float | None]] = Field(default_factory=dict)  # measures of its sends, by channel
    offers: dict[str, dict[Label, float | None]] = Field(default_factory=dict)  # and by offer
    profile: dict[str, dict[str, float]] = Field(default_factory=dict)  # sends a customer, by segment and action
    weeks: dict[str, list[float]] = Field(default_factory=dict)  # sends and contribution per customer, week by week

    @property
    def value(self) -> float:
        """Contribution per customer, currency."""
        return self.measures[CONTRIBUTION] or 0.0


def rows_of(suite: Suite, worlds: Mapping[str, World], runs: Mapping[Run, Measured]) -> list[Row]:
    """Rows in the order of `runs`; the twin of each is `none` with the same world and seed."""
    best = _best(suite, runs.values())
    return [
        _row(
            found, runs[Run(run.world, NONE, run.seed)], runs[Run(run.world, best[run.world], run.seed)], suite, worlds
        )
        for run, found in runs.items()
    ]


def _row(own: Measured, twin: Measured, best: Measured, suite: Suite, worlds: Mapping[str, World]) -> Row:
    beside = {"best": best.quantities["reward"]}
    if own.world in suite.ceilings:
        beside["ceiling"] = suite.ceilings[own.world]
    return Row(
        world=own.world,
        policy=own.policy,
        seed=own.seed,
        value_std=own.value_std,
        measures=measured({**own.quantities, **beside}, twin.quantities),
        segments={name: measured(of, twin.segments[name]) for name, of in own.segments.items()},
        channels=_sends(own, worlds[own.world], "channel"),
        offers=_sends(own, worlds[own.world], "offer"),
        profile=own.profile,
        weeks=own.weeks,
    )


def _best(suite: Suite, runs: Iterable[Measured]) -> dict[str, str]:
    """The policy of each world with the highest mean contribution; of equals the first."""
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for found in runs:
        values[found.world][found.policy].append(found.quantities["reward"])
    return {world: max(of, key=lambda policy: float(np.mean(of[policy]))) for world, of in values.items()}


def _sends(own: Measured, world: World, part: str) -> dict[str, dict[str, float | None]]:
    """The measures of the sends, part by part of the catalog: by "channel" or by "offer"."""
    catalog, unit = world.catalog, float(world.minor(1.0))
    found: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for action, cost in zip(catalog.actions[1:], catalog.cost_of[1:], strict=True):
        sent, cell = own.sends.get(action.name, 0.0), found[str(getattr(action, part))]
        answers = {name: counts.get(action.name, 0.0) for name, counts in own.answers.items()}
        for name, value in {"sent": sent, "cost": sent * float(cost) / unit, **answers}.items():
            cell[name] += value
    return {name: measured_sends(of) for name, of in found.items()}
