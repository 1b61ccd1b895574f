"""`campaignrl demo`: the main job on a bundled world, ending in a report and a send list."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from campaignrl.cli.terminal import Customers, Json, Seed, WorldName, progress, say, say_json, say_table, talk
from campaignrl.demo import Demo, run_demo, title
from campaignrl.ope.intervals import Estimate
from campaignrl.true_value import Value, campaign_value


def demo(
    world: WorldName = "ecommerce",
    learner: Annotated[str, typer.Option(help="Which learner to train.")] = "dr_uplift",
    customers: Customers = 20_000,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files it leaves.")] = Path("runs/demo"),
    seed: Seed = 7,
    as_json: Json = False,
) -> None:
    """Simulate, train, evaluate offline, decide and report, on simulated customers; takes a minute or two."""
    started = time.monotonic()
    found = run_demo(world, learner, output, customers, seed, progress)
    if as_json:
        say_json(_facts(found))
        return
    _answer(found)
    talk(f"done in {time.monotonic() - started:.0f} s")


def _answer(found: Demo) -> None:
    world, money = found.world, found.world.money.currency
    say(f"{world.name}: {world.title}")
    segments, actions = len(world.segments), len(world.catalog)
    n = len(found.log.customers)
    say(
        f"{n:,} customers, {segments} segments, {world.horizon} days, {actions} actions, {len(found.log):,} decisions\n"
    )
    say(f"A whole campaign of {world.horizon} days, simulated:")
    say_table(("policy", f"{money} per customer", "against today's rules", "can the log tell?"), _campaigns(found))
    say(f"\nOne decision, over {world.outcome_days} days, against today's rules:")
    say_table(("policy", "the log had said", "in truth"), _decisions(found))
    sends = int((found.decisions.action != 0).sum())
    say(f"\nreport     {found.report}")
    say(f"send list  {found.folder / 'sends.csv'} ({sends:,} of {len(found.decisions.ids):,} customers)")


def _campaigns(found: Demo) -> list[tuple[str, ...]]:
    return [
        (
            title(row.policy),
            f"{campaign_value(row.campaign).value:.2f}",
            _gain(row.campaign_gain),
            row.evaluation.verdict,
        )
        for row in found.rows
    ]


def _decisions(found: Demo) -> list[tuple[str, ...]]:
    rows = [row for row in found.rows if row.truth is not None]
    return [(title(row.policy), _gain(row.from_log), f"{row.truth.value:+.2f}" if row.truth else "-") for row in rows]


def _gain(gain: Value | Estimate | None) -> str:
    return "-" if gain is None else f"{gain.value:+.2f} [{gain.ci_low:+.2f}, {gain.ci_high:+.2f}]"


def _facts(found: Demo) -> dict[str, object]:
    return {
        "world": found.world.name,
        "baseline": found.baseline,
        "report": str(found.report),
        "sends": int((found.decisions.action != 0).sum()),
        "policies": {
            row.policy: {
                "value": campaign_value(row.campaign)._asdict(),
                "gain": row.campaign_gain and row.campaign_gain._asdict(),
                "gain_of_one_decision_from_log": row.from_log and row.from_log._asdict(),
                "gain_of_one_decision_in_truth": row.truth and row.truth._asdict(),
                "verdict": row.evaluation.verdict,
            }
            for row in found.rows
        },
    }
