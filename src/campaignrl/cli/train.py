"""`campaignrl train`: teach a learner from a log or in a world, and save it as a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from campaignrl.cli.console import progress, say_json, talk
from campaignrl.cli.options import Customers, Json, Output, Seed, Threads
from campaignrl.errors import UsageError
from campaignrl.policies.bundle import save_bundle
from campaignrl.specs.world import load_world
from campaignrl.tables.logfile import read_log
from campaignrl.train import train as train_policy


def train(
    policy: Annotated[str, typer.Argument(help="Learner: a bundled name, a spec file, or a bundle to learn on.")],
    output: Output,
    world: Annotated[str | None, typer.Option("--world", "-w", help="World to learn in.")] = None,
    log: Annotated[Path | None, typer.Option("--log", "-l", help="Decision log to learn from.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="Mapping TOML of a foreign log.")] = None,
    customers: Customers = 20_000,
    rounds: Annotated[int, typer.Option(min=1, help="Campaigns to learn from in a world; the first one explores.")] = 1,
    seed: Seed = 0,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Teach POLICY from a decision log (--log) or in a simulated world (--world) and write a bundle."""
    if (world is None) == (log is None):
        raise UsageError("give either --world WORLD or --log LOG, to say what to learn from.")
    with progress(f"train     {policy}") as step:
        source = load_world(world) if world is not None else read_log(log or Path(), mapping)
        learner = train_policy(
            policy, source, customers=customers, rounds=rounds, seed=seed, threads=threads, progress=step
        )
    facts = {"world": world} if world is not None else {"log": (log or Path()).name}
    facts |= {"seed": str(seed), "customers": str(customers)} if world is not None else {}
    save_bundle(learner, output, facts)
    if as_json:
        say_json({"policy": learner.name, "kind": learner.kind, "bundle": str(output), **facts})
    talk(f"{learner.name}: trained, saved as {output}")
