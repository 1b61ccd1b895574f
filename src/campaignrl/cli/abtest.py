"""`campaignrl abtest`: plan a test of two policies, assign customers to it, and read it.

Thin: read the arguments, call suites/abtest, print.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import typer

from campaignrl.cli.terminal import Encoding, Json, Output, say, say_json
from campaignrl.errors import Problem, UsageError
from campaignrl.rng import Purpose, generator
from campaignrl.suites.abtest import (
    Guardrail,
    Pool,
    Trial,
    arms_of,
    ids_to_assign,
    plan_trial,
    pool_of,
    read_outcomes,
    read_trial,
    read_trial_file,
    simulate_trials,
    size_by_playing,
)
from campaignrl.tables import ID
from campaignrl.tables.files import write_frame

abtest = typer.Typer(
    help="A/B tests of policies: plan one, assign customers, read it.", no_args_is_help=True, rich_markup_mode=None
)

TrialFile = Annotated[Path, typer.Argument(help="The test, as `abtest plan -o` wrote it.", metavar="TEST")]


@abtest.callback()
def _group() -> None:
    """A/B tests of policies: plan one, assign customers, read it."""


@abtest.command()
def plan(
    name: Annotated[str, typer.Argument(help="Name of the test; its salt too, unless --salt says another.")],
    output: Output,
    effect: Annotated[float, typer.Option(help="Smallest gain worth finding, a share: 0.05 is 5 %.")] = 0.05,
    world: Annotated[str | None, typer.Option("--world", "-w", help="World that says mean and spread.")] = None,
    champion: Annotated[str, typer.Option(help="Policy of today, played in the world.")] = "rules",
    challenger: Annotated[str, typer.Option(help="Policy in question, played in the world.")] = "rules",
    customers: Annotated[
        int, typer.Option("--customers", "-n", min=10, help="Simulated for mean and spread.")
    ] = 20_000,
    mean: Annotated[float | None, typer.Option(help="Instead of a world: mean of the measure.")] = None,
    std: Annotated[float | None, typer.Option(help="Instead of a world: its standard deviation.")] = None,
    explained: Annotated[float, typer.Option(help="Share of the variance that covariates explain.")] = 0.0,
    share: Annotated[float, typer.Option(help="Of the customers, for the challenger.")] = 0.5,
    holdout: Annotated[float, typer.Option(help="Of the customers, for an arm who are sent nothing.")] = 0.0,
    measure: Annotated[str, typer.Option(help="Column of the outcomes; more is better.")] = "value",
    covariate: Annotated[list[str] | None, typer.Option(help="Column known beforehand; may be given again.")] = None,
    guardrail: Annotated[
        list[str] | None, typer.Option(help="+COLUMN or -COLUMN (less is better), =MARGIN; may be given again.")
    ] = None,
    looks: Annotated[
        str,
        typer.Option(
            help="any: read it when you like; late: so, but most of alpha is kept for the end; once: then alone."
        ),
    ] = "any",
    alpha: Annotated[float, typer.Option(help="How often a test without a difference may stop.")] = 0.05,
    power: Annotated[float, typer.Option(help="How often the effect is to be found.")] = 0.8,
    salt: Annotated[str | None, typer.Option(help="Of the hash that assigns; default: the name.")] = None,
    simulate: Annotated[
        int, typer.Option(min=0, help="Tests to play in the world; the size grows until they show the power.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Of the simulation.")] = 0,
    as_json: Json = False,
) -> None:
    """Find the size of a test before it starts, and write the test down.

    Mean and spread come from --mean and --std, or from playing the champion in a --world, whose first morning also says
    what covariates would explain; of what is measured there the size goes by the upper 95 % bound. --simulate plays the
    whole test in it, and makes it larger until the lower bound of the share found reaches the power.
    """
    pool = None if world is None else pool_of(world, champion, challenger, customers=customers, seed=seed)
    if pool is None and simulate:
        fix = "Give the world that the tests are to be played in: -w ecommerce."
        raise UsageError(Problem("abtest plan", "--simulate", simulate, "possible without a --world", fix))
    found = (float(pool.champion.mean()), float(pool.champion.std(ddof=1))) if pool else (mean, std)
    if found[0] is None or found[1] is None:
        raise UsageError("abtest plan: give a --world, or --mean and --std.")
    trial = plan_trial(
        name,
        mean=found[0],
        std=found[1],
        effect=effect,
        arms=_arms(share, holdout),
        explained=explained,
        covariates=covariate or (),
        guardrails=[_guardrail(text) for text in guardrail or ()],
        looks=_looks(looks),
        alpha=alpha,
        power=power,
        salt=salt,
        doubt=pool.doubt(use_covariates=explained > 0.0) if pool else 0.0,
        measure=measure,
    )
    trial, facts = _planned(trial, pool, simulate, seed)
    trial.write(output)
    shares = ", ".join(f"{arm} {part:.0%}" for arm, part in trial.arms.items())
    lines = (f"{key.replace('_', ' ')}: {shares if key == 'arms' else value}" for key, value in facts.items())
    say_json(facts) if as_json else say("\n".join(lines))


@abtest.command()
def assign(
    trial: TrialFile,
    customers: Annotated[Path, typer.Argument(help="Table with a column customer_id.")],
    output: Output,
    encoding: Encoding = None,
    as_json: Json = False,
) -> None:
    """Write the arm of every customer: the same for ever, whoever else is in the table."""
    test = read_trial_file(trial)
    ids = ids_to_assign(customers, encoding)
    arm = np.array(list(test.arms), dtype=object)[arms_of(test, ids)]
    write_frame(pd.DataFrame({ID: ids, "arm": arm}), output)
    counts = {name: int((arm == name).sum()) for name in test.arms}
    say_json({"test": test.name, "arms": counts}) if as_json else say(
        ", ".join(f"{name} {many:,}" for name, many in counts.items())
    )


@abtest.command()
def read(
    trial: TrialFile,
    outcomes: Annotated[Path, typer.Argument(help="Table: customer_id, the measure, covariates, guardrails; arm.")],
    encoding: Encoding = None,
    as_json: Json = False,
) -> None:
    """Say what the test shows now, and whether to stop. Exit code 1: the split is broken or a guardrail breached."""
    test = read_trial_file(trial)
    found = read_trial(test, read_outcomes(test, outcomes, encoding))
    say_json(found.to_dict()) if as_json else say(str(found))
    raise typer.Exit(found.exit_code)


def _planned(trial: Trial, pool: Pool | None, runs: int, seed: int) -> tuple[Trial, dict[str, Any]]:
    """The test at its size, and what is said of it."""
    played = {}
    if pool is not None:
        gain = float((pool.challenger - pool.champion).mean()) / abs(float(pool.champion.mean()))
        played = {"covariates_would_explain": round(pool.explained, 4), "simulated_gain": round(gain, 4)}
    if pool is not None and runs:
        trial, shown = _played(trial, pool, runs, seed)
        played |= shown
    facts: dict[str, Any] = {"test": trial.name, "arms": trial.arms, "customers": trial.customers, "looks": trial.looks}
    facts |= {"effect": trial.effect, "mean": round(trial.mean, 4), "std": round(trial.std, 4)}
    return trial, facts | played


def _played(trial: Trial, pool: Pool, runs: int, seed: int) -> tuple[Trial, dict[str, Any]]:
    chance, use = generator(seed, Purpose.RESAMPLE, 2), trial.explained > 0.0
    sized = size_by_playing(trial, pool, chance, runs=runs, use_covariates=use)
    without = simulate_trials(sized.trial, pool.raised(0.0), chance, runs=runs, use_covariates=use)
    facts = {"customers_by_formula": trial.customers, "simulated_power": sized.played.found}
    facts |= {"simulated_power_at_least": round(sized.power_at_least, 4), "simulated_false_stops": without.stopped}
    return sized.trial, {**facts, "mean_customers_at_the_stop": round(sized.played.customers)}


def _arms(share: float, holdout: float) -> dict[str, float]:
    if not (0.0 < share < 1.0 and 0.0 <= holdout < 1.0 and share + holdout < 1.0):
        allowed = "shares that leave some customers to the champion"
        raise UsageError(Problem("abtest plan", "--share, --holdout", (share, holdout), allowed))
    arms = {"champion": 1.0 - share - holdout, "challenger": share}
    return {**arms, "holdout": holdout} if holdout else arms


def _looks(text: str) -> Literal["any time", "once", "late"]:
    known: dict[str, Literal["any time", "once", "late"]] = {"any": "any time", "once": "once", "late": "late"}
    if text not in known:
        raise UsageError(Problem("abtest plan", "--looks", text, "any, late or once"))
    return known[text]


def _guardrail(text: str) -> Guardrail:
    """`-unsubscribed=0.1`: less is better, 10 % harm allowed."""
    column, _, margin = text.partition("=")
    try:
        return Guardrail(column=column[1:], better={"+": 1, "-": -1}[column[:1]], margin=float(margin or 0.1))
    except (KeyError, ValueError):
        fix = "Write --guardrail=-unsubscribed=0.1 where less is better, --guardrail=+margin=0.05 where more is."
        raise UsageError(Problem("abtest plan", "--guardrail", text, "+COLUMN=MARGIN or -COLUMN=MARGIN", fix)) from None
