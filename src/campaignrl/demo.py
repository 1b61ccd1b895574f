"""The main job end to end on a bundled world: simulate, train, evaluate offline, decide, report.

What a newcomer runs first, and an example of how the pieces join. Here: the order of the steps and the files they
leave. Not here: any of the steps; printing (cli/demo.py).
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from campaignrl.campaign import Campaign, Progress, ready_policy, run_campaign, simulate
from campaignrl.choices import actions_of_day
from campaignrl.envs import Panel, customers_frame
from campaignrl.ope import compare_on_log
from campaignrl.ope.evaluate import evaluate
from campaignrl.ope.intervals import Estimate
from campaignrl.ope.methods import Evaluation
from campaignrl.policies import Policy, business_as_usual, save_bundle
from campaignrl.report import Gain, ReportContent, write_report
from campaignrl.send import Decisions
from campaignrl.send.decide import decide
from campaignrl.specs import World, WorldReference, load_world
from campaignrl.tables.files import write_frame
from campaignrl.tables.log import DecisionLog, write_log
from campaignrl.training import train
from campaignrl.true_value import Value, campaign_lift, decision_lifts

Watch = Callable[[str], AbstractContextManager[Progress | None]]  # a progress bar by title

TITLES = {"none": "nothing sent", "rules": "today's rules", "uniform": "random offers"}
LEARNING = 3  # times as many customers to learn from as to judge by: effects of published size take many to see
SEND_DAY = datetime.date(2026, 11, 21)  # of the send list; fixed, so that the demo gives the same bytes


@dataclass(frozen=True)
class Row:
    """One policy of the answer; what is measured against the baseline is None for the baseline itself."""

    policy: str
    evaluation: Evaluation  # what the log says
    campaign: Campaign  # the whole campaign
    campaign_gain: Value | None  # of the whole campaign
    from_log: Estimate | None  # gain of one decision, estimated from the log
    truth: Value | None  # the same gain, known to the simulator


@dataclass(frozen=True)
class Demo:
    """What the demo found and where it left its files."""

    world: World
    log: DecisionLog
    rows: tuple[Row, ...]
    decisions: Decisions
    folder: Path
    baseline: str

    @property
    def report(self) -> Path:
        """The HTML page."""
        return self.folder / "report.html"


def usual_policy(world: World) -> str:
    """The bundled table of business as usual in a world: its own, or that of the web shop."""
    found = business_as_usual(world)
    return "rules" if found is None else found.name


def title(policy: str) -> str:
    """What people call a policy."""
    return TITLES["rules"] if policy.startswith("rules_") else TITLES.get(policy, policy)


def run_demo(world: WorldReference, learner: str, folder: Path, customers: int, seed: int, watch: Watch) -> Demo:
    """Everything once. `learner` learns from the log of LEARNING x customers and is valued on `customers` others."""
    found = load_world(world)
    baseline = usual_policy(found)
    first, second = np.arange(2 * customers, (2 + LEARNING) * customers), np.arange(customers, 2 * customers)
    with watch("simulate  random offers") as step:
        learning = simulate(found, "uniform", customers=first, seed=seed, progress=step)
    with watch(f"train     {learner}"):
        policy = train(learner, learning)
        save_bundle(policy, folder / f"{learner}.bundle", {"world": found.name, "customers": len(first), "seed": seed})
    with watch("simulate  a log to judge by") as step:
        log = simulate(found, "uniform", customers=second, seed=seed, progress=step)
        write_log(log, folder / "log.parquet")
    playing: dict[str, str | Policy] = {"none": "none", baseline: baseline, learner: policy}
    campaigns = {}
    for name, played in playing.items():
        with watch(f"simulate  {title(name)}") as step:
            campaigns[name] = run_campaign(found, played, customers=second, seed=seed, progress=step)
    rows = [_row(found, log, name, playing[name], campaigns, baseline, seed, watch) for name in playing]
    with watch("evaluate  the truth"):
        others = [name for name in playing if name != baseline]
        lifts = decision_lifts(
            found, [playing[name] for name in others], baseline, customers=2 * customers, seed=seed + 1
        )
        truths = dict(zip(others, lifts, strict=True))
    rows = [replace(row, truth=truths.get(row.policy)) for row in rows]
    decisions = _send_list(found, policy, folder, customers, seed)
    _report(found, folder, campaigns, rows, seed, customers)
    return Demo(found, log, tuple(rows), decisions, folder, baseline)


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


def _send_list(world: World, policy: Policy, folder: Path, customers: int, seed: int) -> Decisions:
    """A morning in the middle of a campaign: today's rules have played for a third of it; now the learner decides."""
    panel = Panel(world, np.arange(2 * customers, 3 * customers), seed)
    rules = ready_policy(usual_policy(world), world)
    for _ in range(world.horizon // 3):
        panel.step(actions_of_day(panel, rules))
    write_frame(customers_frame(panel, SEND_DAY), folder / "customers.parquet")
    decisions = decide(policy, folder / "customers.parquet", world, day=SEND_DAY, seed=seed)
    write_frame(decisions.sends(), folder / "sends.csv")
    return decisions


def _report(
    world: World, folder: Path, campaigns: dict[str, Campaign], rows: list[Row], seed: int, customers: int
) -> None:
    content = ReportContent(
        world=world,
        campaigns=tuple(campaigns.values()),
        evaluations=tuple((row.evaluation, None) for row in rows),
        gains=tuple(Gain(row.policy, row.from_log, row.truth) for row in rows if row.from_log is not None),
        baseline=usual_policy(world),
        titles={**TITLES, usual_policy(world): TITLES["rules"]},
        facts={"seed": seed, "customers": customers},
    )
    write_report(folder / "report.html", content)
