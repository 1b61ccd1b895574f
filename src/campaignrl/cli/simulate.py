"""`campaignrl simulate`: run a policy in a world, by the day or by the hour, and write what happened."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from campaignrl.campaign import run_campaign, simulate_hours
from campaignrl.cli.inputs import Inputs, policy_name
from campaignrl.cli.terminal import (
    Customers,
    Json,
    Output,
    PolicyName,
    Seed,
    Threads,
    WorldName,
    progress,
    say_json,
    say_table,
    talk,
)
from campaignrl.envs.clock import Hours
from campaignrl.errors import Problem, UsageError
from campaignrl.policies import Policy, exploring, load_policy
from campaignrl.specs import World, load_world
from campaignrl.tables.files import write_frame, write_whole
from campaignrl.tables.log import write_log
from campaignrl.true_value import Value, mean_value

MONEY = ("revenue", "margin", "discount", "cost")


def simulate(
    world: WorldName = "ecommerce",
    policy: PolicyName = "uniform",
    customers: Customers = 20_000,
    output: Annotated[Path | None, Output.__metadata__[0]] = None,
    events: Annotated[
        Path | None, typer.Option(help="Run by the hour, with queues and quiet hours; write every event.")
    ] = None,
    load: Annotated[Path | None, typer.Option(help="Run by the hour; draw the load of the channels, a PNG.")] = None,
    explore: Annotated[
        float,
        typer.Option(help="Share of uniform, 0 to 1, at least, so that the log can value other policies."),
    ] = 0.0,
    seed: Seed = 0,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Run POLICY in WORLD from the first day to the last; with -o, write its decision log (Parquet or CSV)."""
    by_hour = events is not None or load is not None
    if by_hour and output is not None:
        raise UsageError("-o writes the decision log of a run by the day; with --events or --load leave it out.")
    if load is not None:
        _check_queues(load_world(world))
    inputs = Inputs()
    place = inputs.read(lambda: load_world(world))
    named = inputs.read(lambda: policy_name(policy, world))
    playing = inputs.read(
        lambda: _exploring(load_policy(named.value, place.value.catalog, place.value.features), explore)
    )
    inputs.check()
    with progress(f"simulate  {policy}") as step:
        if by_hour:
            hours = simulate_hours(world, playing.value, customers=customers, seed=seed, threads=threads, progress=step)
            found, totals = hours.world, hours.totals
            if events is not None:
                write_frame(hours.events, events)
                talk(f"{len(hours.events):,} events written to {events}")
            if load is not None:
                _draw(hours, load)
        else:
            keep = output is not None
            campaign = run_campaign(
                world, playing.value, customers=customers, seed=seed, threads=threads, progress=step, keep_log=keep
            )
            found, totals = campaign.world, campaign.totals
            if output is not None and campaign.log is not None:
                write_log(campaign.log, output)
                talk(f"{len(campaign.log):,} decisions written to {output}")
    means = {name: float(values.mean()) for name, values in totals.items()}
    _answer(found, policy, customers, seed, mean_value(totals["reward"]), means, as_json)


def _exploring(policy: Policy, share: float) -> Policy:
    """The policy with so much of uniform mixed in; UsageError for a kind that has no such share."""
    if not 0.0 <= share <= 1.0:
        raise UsageError(Problem("simulate", "--explore", share, "a share of decisions, 0 to 1"))
    may = getattr(getattr(type(policy), "Config", None), "model_fields", {})
    if share > 0.0 and policy.kind != "uniform" and "explore" not in may:
        fix = "Leave it out, or take a policy with such a share: rules, always:ACTION, a learner."
        raise UsageError(Problem(f"simulate, policy {policy.name}", "--explore", share, "a setting of its kind", fix))
    return exploring(policy, share)


def _check_queues(world: World) -> None:
    """Said before the run: a picture of loads needs a channel that can have one."""
    if not any(spec.capacity or spec.retry for spec in world.channels.values()):
        fix = "Give a channel of the world a capacity or a retry, or leave --load out; --events needs neither."
        raise UsageError(Problem("simulate --load", "world", world.name, "a world with a channel that queues", fix))


def _draw(hours: Hours, path: Path) -> None:
    from campaignrl.report.figures import png_bytes  # matplotlib is slow to import
    from campaignrl.report.figures.channel_load import channel_load

    picture = png_bytes(channel_load(hours.load))

    def write(out: BinaryIO) -> None:
        out.write(picture)

    write_whole(path, write)


def _answer(
    world: World, policy: str, customers: int, seed: int, value: Value, means: dict[str, float], as_json: bool
) -> None:
    if as_json:
        facts = {"world": world.name, "policy": policy, "customers": customers, "seed": seed}
        say_json({**facts, "currency": world.money.currency, "value": value._asdict(), "per_customer": means})
        return
    unit = f"{world.money.currency} per customer"
    rows = [("contribution", f"{value.value:.2f} [{value.ci_low:.2f}, {value.ci_high:.2f}]", unit)]
    others = ((name, mean) for name, mean in means.items() if name != "reward")
    rows += [(name, f"{mean:.3f}", unit if name in MONEY else "per customer") for name, mean in others]
    say_table((f"{policy} in {world.name}", f"{world.horizon} days", "unit"), rows)
