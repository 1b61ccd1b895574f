"""`campaignrl simulate`: run a policy in a world and write its decision log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from campaignrl.cli.console import progress, say_json, say_table, talk
from campaignrl.cli.options import Customers, Json, Output, PolicyName, Seed, Threads, WorldName
from campaignrl.simulate import run_campaign
from campaignrl.tables.logfile import write_log
from campaignrl.true_value import campaign_value


def simulate(
    world: WorldName = "ecommerce",
    policy: PolicyName = "uniform",
    customers: Customers = 20_000,
    output: Annotated[Path | None, Output.__metadata__[0]] = None,
    seed: Seed = 0,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Run POLICY in WORLD from the first day to the last; with -o, write its decision log (Parquet or CSV)."""
    with progress(f"simulate  {policy}") as step:
        campaign = run_campaign(
            world, policy, customers=customers, seed=seed, threads=threads, progress=step, keep_log=output is not None
        )
    if output is not None and campaign.log is not None:
        write_log(campaign.log, output)
        talk(f"{len(campaign.log):,} decisions written to {output}")
    value, totals = campaign_value(campaign), {k: float(v.mean()) for k, v in campaign.totals.items()}
    if as_json:
        facts = {"world": campaign.world.name, "policy": campaign.policy, "customers": customers, "seed": seed}
        say_json({**facts, "currency": campaign.world.money.currency, "value": value._asdict(), "per_customer": totals})
        return
    unit = f"{campaign.world.money.currency} per customer"
    rows = [("contribution", f"{value.value:.2f} [{value.ci_low:.2f}, {value.ci_high:.2f}]", unit)]
    money = ("revenue", "margin", "discount", "cost")
    rows += [
        (name, f"{mean:.3f}", unit if name in money else "per customer")
        for name, mean in totals.items()
        if name != "reward"
    ]
    say_table((f"{campaign.policy} in {campaign.world.name}", f"{campaign.world.horizon} days", "unit"), rows)
