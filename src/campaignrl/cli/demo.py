"""`campaignrl demo`: the main job on a bundled world, ending in a report and a campaign's folder to go on with."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from campaignrl.cli.terminal import Customers, Json, Seed, WorldName, progress, say, say_json, say_table, talk
from campaignrl.demo import Demo, Morning, run_demo, title
from campaignrl.ope.intervals import Estimate
from campaignrl.true_value import Value, campaign_value

TOLD = ("outcomes", "learn", "champion", "challenger", "decide", "apprentice")  # stations of a morning that are shown
QUIET = ("nothing new", "none")


def demo(
    world: WorldName = "ecommerce",
    learner: Annotated[str, typer.Option(help="Which learner to train.")] = "dr_uplift",
    customers: Customers = 20_000,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files it leaves.")] = Path("runs/demo"),
    seed: Seed = 7,
    as_json: Json = False,
) -> None:
    """Go round the loop once, on a simulated shop: from its exports to what a policy is truly worth.

    Exports become profiles, profiles a calibrated world, which teaches a policy; it is proven there, and three mornings
    decide, release, answer and learn. What the simulator knows of the policy stands beside what a log says of it. Takes
    a minute or two.
    """
    started = time.monotonic()
    found = run_demo(world, learner, output, customers, seed, progress)
    if as_json:
        say_json(_facts(found))
        return
    _loop(found)
    _answer(found)
    talk(f"done in {time.monotonic() - started:.0f} s")


def _loop(found: Demo) -> None:
    """What was done up to the third morning, a line a station."""
    say(f"{found.world.name}: {found.world.title}")
    for line in found.begun.lines:
        say(f"export     {line}")
    say(f"profiles   {found.profiles}")
    place = found.campaign / f"{found.world.name}.toml"
    say(f"calibrate  {found.fitted} of {found.numbers} numbers are fitted to the exports, the rest is lent: {place}")
    say(f"train      {found.policy.name} from {found.taught:,} decisions simulated in that world")
    may = "it decides" if found.standing.is_better else "business as usual decides, and it decides beside"
    say(f"prove      in {found.standing.on}: {may}")
    for name, gain in found.standing.over.items():
        say(f"prove      {gain.said(found.standing.unit)} over {name}")
    said: set[str] = {*QUIET}
    for morning in found.mornings:
        _morning(morning, said)


def _morning(morning: Morning, said: set[str]) -> None:
    """A morning's stations, but for what an earlier one said in the same words."""
    say(f"\n{morning.today.day}")
    for one in morning.today.stations:
        if one.name in TOLD and one.said not in said:
            say(f"{one.name:<10} {one.said}")
            said.add(one.said)
    for alert in morning.today.alerts:
        say(f"! {alert}")
    say(f"approve    {morning.approved.sends:,} sends released by {morning.approved.who}: {morning.approved.path}")


def _answer(found: Demo) -> None:
    world, money = found.world, found.world.money.currency
    n, first = len(found.rows[0].campaign.value), found.log
    say(f"\nWhat the simulator knows, of {n:,} others of its customers over {world.horizon} days:")
    say_table(("policy", f"{money} per customer", "against today's rules", "can the log tell?"), _campaigns(found))
    say(f"\nOne decision, over {world.outcome_days} days, against today's rules, read off {len(first):,} decisions:")
    say_table(("policy", "the log had said", "in truth"), _decisions(found))
    last = found.mornings[-1].today
    say(f"\nreport     {found.report}")
    say(f"page       {last.page}")
    say(f"next       campaignrl today {found.campaign} --as-of {found.next_day}")


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
        "baseline": next(row.policy for row in found.rows if row.campaign_gain is None),
        "report": str(found.report),
        "campaign": str(found.campaign),
        "fitted": found.fitted,
        "proof": found.standing.to_dict(),
        "mornings": [
            {"day": one.today.day.isoformat(), "sends": one.approved.sends, "list": str(one.approved.path)}
            for one in found.mornings
        ],
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
