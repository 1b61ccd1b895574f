"""What the simulator knows of policies, beside what a log says of them, and the report.

A log of random offers to other customers of the same world; whole campaigns on the same customers with the same luck;
one decision, as the log estimates it and as it is. Not here: printing (cli/demo.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from campaignrl.campaign import Campaign, Progress, ready_policy, run_campaign, simulate
from campaignrl.ope import compare_on_log
from campaignrl.ope.evaluate import evaluate
from campaignrl.ope.intervals import Estimate
from campaignrl.ope.methods import Evaluation
from campaignrl.policies import Policy, business_as_usual
from campaignrl.report import Gain, ReportContent, write_report
from campaignrl.specs import World
from campaignrl.tables.log import DecisionLog, write_log
from campaignrl.true_value import Value, campaign_lift, decision_lifts

Watch = Callable[[str], AbstractContextManager[Progress | None]]  # a progress bar by title

TITLES = {"none": "nothing sent", "rules": "today's rules", "uniform": "random offers"}
JUDGED = 4  # a log of one in so many of the customers who play: reading it takes longer than playing


@dataclass(frozen=True)
class Row:
    """One policy of the answer; what is measured against the baseline is None for the baseline itself."""

    policy: str
    evaluation: Evaluation  # what the log says
    campaign: Campaign  # the whole campaign
    campaign_gain: Value | None  # of the whole campaign
    from_log: Estimate | None  # gain of one decision, estimated from the log
    truth: Value | None  # the same gain, known to the simulator


def usual_policy(world: World) -> str:
    """The bundled table of business as usual in a world: its own, or that of the web shop."""
    found = business_as_usual(world)
    return "rules" if found is None else found.name


def title(policy: str) -> str:
    """What people call a policy."""
    return TITLES["rules"] if policy.startswith("rules_") else TITLES.get(policy, policy)


def judge(
    world: World, policy: Policy, folder: Path, customers: int, seed: int, watch: Watch
) -> tuple[DecisionLog, tuple[Row, ...]]:
    """A policy, the usual rules and nothing sent, on so many customers, who are not the campaign's; log and report."""
    baseline = usual_policy(world)
    ids = customers + np.arange(customers)
    with watch("simulate  a log to judge by") as step:
        log = simulate(world, "uniform", customers=ids[: -(-customers // JUDGED)], seed=seed, progress=step)
        write_log(log, folder / "log.parquet")
    playing: dict[str, str | Policy] = {"none": "none", baseline: baseline, policy.name: policy}
    campaigns = {}
    for name, played in playing.items():
        with watch(f"simulate  {title(name)}") as step:
            campaigns[name] = run_campaign(world, played, customers=ids, seed=seed, progress=step)
    rows = [_row(world, log, name, playing[name], campaigns, baseline, seed, watch) for name in playing]
    with watch("evaluate  the truth"):
        others = [name for name in playing if name != baseline]
        lifts = decision_lifts(
            world, [playing[name] for name in others], baseline, customers=2 * customers, seed=seed + 1
        )
        truths = dict(zip(others, lifts, strict=True))
    found = tuple(replace(row, truth=truths.get(row.policy)) for row in rows)
    _report(world, folder, campaigns, found, {"seed": seed, "customers": customers})
    return log, found


def _row(
    world: World,
    log: DecisionLog,
    name: str,
    policy: str | Policy,
    campaigns: dict[str, Campaign],
    baseline: str,
    seed: int,
    watch: Watch,
) -> Row:
    playing, is_baseline = ready_policy(policy, world), name == baseline
    with watch(f"evaluate  {title(name)}"):
        return Row(
            policy=name,
            evaluation=evaluate(log, playing, seed=seed),
            campaign=campaigns[name],
            campaign_gain=None if is_baseline else campaign_lift(campaigns[name], campaigns[baseline]),
            from_log=None if is_baseline else compare_on_log(log, playing, ready_policy(baseline, world), seed=seed),
            truth=None,
        )


def _report(
    world: World, folder: Path, campaigns: dict[str, Campaign], rows: tuple[Row, ...], facts: Mapping[str, int]
) -> None:
    usual = usual_policy(world)
    content = ReportContent(
        world=world,
        campaigns=tuple(campaigns.values()),
        evaluations=tuple((row.evaluation, None) for row in rows),
        gains=tuple(Gain(row.policy, row.from_log, row.truth) for row in rows if row.from_log is not None),
        baseline=usual,
        titles={**TITLES, usual: TITLES["rules"]},
        facts=dict(facts),
    )
    write_report(folder / "report.html", content)
