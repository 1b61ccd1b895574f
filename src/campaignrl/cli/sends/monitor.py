"""`campaignrl monitor`: is what runs still healthy? Exit code 1 where an alarm is up, 4 where nothing is known yet.

Not here: the checks (monitor/), the page (report/pages/monitor.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from campaignrl.cli.inputs import Inputs, day_of, policy_name
from campaignrl.cli.terminal import Json, say, say_json, talk
from campaignrl.errors import Problem, UsageError
from campaignrl.ledger import Ledger
from campaignrl.monitor import ALPHA, OK, OLDEST, Health, health_of
from campaignrl.policies import load_policy
from campaignrl.report.pages import monitor_page
from campaignrl.specs import load_world
from campaignrl.tables.files import write_whole


def monitor(
    ledger: Annotated[Path, typer.Argument(help="Folder of a ledger.", metavar="LEDGER")],
    as_of: Annotated[
        str | None, typer.Option(help="The morning, YYYY-MM-DD; earlier days count. Default: today.")
    ] = None,
    policy: Annotated[
        str | None, typer.Option("--policy", "-p", help="Who decides: its propensities are recomputed too.")
    ] = None,
    world: Annotated[
        str | None, typer.Option("--world", "-w", help="World whose rules hold; default: the one the ledger keeps.")
    ] = None,
    alpha: Annotated[
        float, typer.Option(help="Chance of a false alarm of a rate in a year of mornings, above 0 and below 1.")
    ] = ALPHA,
    oldest: Annotated[int, typer.Option(min=1, help="Days after which a policy is too old.")] = OLDEST,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Page to write, HTML.")] = None,
    as_json: Json = False,
) -> None:
    """Look at what runs: feeds, rates, features, propensities; exit code 1 where an alarm is up."""
    inputs = Inputs()
    held = inputs.read(lambda: Ledger.open(ledger))
    rules = inputs.read(lambda: held.value.form if world is None else load_world(world))
    player = inputs.read(
        lambda: None if policy is None else load_policy(policy_name(policy, world), _known(rules.value))
    )
    day = inputs.read(lambda: day_of(as_of))
    inputs.read(lambda: _require_chance(alpha))
    inputs.check()
    found = health_of(held.value, as_of=day.value, world=rules.value, policy=player.value, alpha=alpha, oldest=oldest)
    if output is not None:
        page = monitor_page(ledger.name, found).encode("utf-8", errors="replace")
        write_whole(output, lambda out: out.write(page))
    if as_json:
        say_json(found.to_dict())
    else:
        _tell(found)
    raise typer.Exit(1 if found.alarms else 0 if found.is_known else 4)


def _known(world: object) -> object:
    if world is None:
        raise UsageError("monitor: the ledger keeps no rules. Give the world that they are of: --world FILE.")
    return world


def _require_chance(alpha: float) -> None:
    if not 0.0 < alpha < 1.0:
        raise UsageError(Problem("monitor", "--alpha", alpha, "above 0 and below 1"))


def _tell(found: Health) -> None:
    for one in found.alarms:
        say(f"! {one.says}")
    judged = [one for one in found.checks if one.state == OK]
    unknown = [one for one in found.checks if one.state not in (OK, "alarm")]
    for one in judged:
        say(f"  {one.says}")
    if unknown:
        talk(f"cannot be judged: {', '.join(one.name for one in unknown)}")
    say(f"{len(found.alarms)} alarms, {len(judged)} in order, {len(unknown)} unknown")
