"""`campaignrl evaluate`: what a policy would earn, from a log; exit code 4 where the log cannot say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from campaignrl.cli.console import progress, say, say_json
from campaignrl.cli.options import Json, Seed
from campaignrl.errors import SupportError, UsageError
from campaignrl.evaluate.estimators import ESTIMATORS, USUAL
from campaignrl.evaluate.evaluate import evaluate as evaluate_policy
from campaignrl.evaluate.learned_rewards import MODELS
from campaignrl.evaluate.other_intervals import INTERVALS
from campaignrl.evaluate.sequential_estimators import SEQUENTIAL
from campaignrl.evaluate.targets import LOGGED
from campaignrl.tables.logfile import read_log


def evaluate(
    log: Annotated[Path, typer.Argument(help="Decision log: Parquet or CSV; with --mapping, any table.")],
    policy: Annotated[
        str,
        typer.Option(
            "--policy",
            "-p",
            help="Bundle, spec file, bundled name, always:ACTION, logged, or a table of probabilities.",
        ),
    ],
    mapping: Annotated[Path | None, typer.Option("--mapping", "-m", help="Mapping TOML of a foreign log.")] = None,
    reward: Annotated[str | None, typer.Option(help="Which of the mapping's rewards; default: its first.")] = None,
    estimator: Annotated[
        str,
        typer.Option(
            help=f"usual, all, or some of {' '.join(ESTIMATORS)} with commas between; "
            f"or, for whole episodes, of {' '.join(SEQUENTIAL)}."
        ),
    ] = "usual",
    model: Annotated[str, typer.Option(help=f"Reward model: {', '.join(MODELS)}.")] = "ridge",
    tuning: Annotated[
        str, typer.Option(help="How strongly heavy weights are held back: fixed, slope or mse.")
    ] = "fixed",
    logging: Annotated[
        str | None,
        typer.Option(
            help="Policy that wrote the log, its table of probabilities, or estimate; for mips_*, offcem and pi, "
            "where the log does not show what it might have done instead."
        ),
    ] = None,
    against: Annotated[str, typer.Option(help="What the lift is over: logged, or another policy.")] = LOGGED,
    mix: Annotated[
        float, typer.Option(help="Value the policy used this share of the time, else the logged one.")
    ] = 1.0,
    reward_range: Annotated[
        str | None, typer.Option(help="Least and largest reward possible, as LOW,HIGH; sharpens intervals.")
    ] = None,
    interval: Annotated[str, typer.Option(help=f"How intervals are made: {', '.join(INTERVALS)}.")] = INTERVALS[0],
    horizon: Annotated[
        int | None, typer.Option(help="Steps of an episode to value; default: the longest episode of the log.")
    ] = None,
    discount: Annotated[float, typer.Option(help="Of each further step of an episode, in (0, 1].")] = 1.0,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Value POLICY on a recorded LOG of another policy's decisions, and say how sure that is."""
    named = {"all": tuple(ESTIMATORS), "usual": USUAL}
    chosen = named.get(estimator) or tuple(estimator.split(","))
    with progress("evaluate"):
        found = evaluate_policy(
            read_log(log, mapping, reward=reward),
            policy,
            estimators=chosen,
            reference=against,
            mix=mix,
            model=model,
            tuning=tuning,
            logging=logging,
            reward_range=_range(reward_range),
            interval=interval,
            seed=seed,
            horizon=horizon,
            discount=discount,
        )
    if as_json:
        say_json(found.to_dict())
    else:
        say(str(found))
    if found.verdict == "refuse":
        raise typer.Exit(SupportError.exit_code)


def _range(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--reward-range {text!r} is not LOW,HIGH; write 0,1 for rewards from 0 to 1.") from None
    return low, high
