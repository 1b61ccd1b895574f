"""`campaignrl evaluate`: what a policy would earn, from a log; exit code 4 where the log cannot say."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from campaignrl.cli.console import progress, say, say_json, talk
from campaignrl.cli.options import Json, Seed
from campaignrl.errors import SupportError, UsageError
from campaignrl.ope.comparison import Breakdown, breakdown
from campaignrl.ope.data import LOGGED
from campaignrl.ope.episodes import EPISODE_INTERVALS, SEQUENTIAL
from campaignrl.ope.evaluate import evaluate as evaluate_policy
from campaignrl.ope.methods import ESTIMATORS, FIXED, INTERVALS, USUAL
from campaignrl.ope.nuisance import MODELS
from campaignrl.ope.streaming import STREAMED, evaluate_stream
from campaignrl.tables import read_log
from campaignrl.tables.log import DecisionLog


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
    interval: Annotated[
        str,
        typer.Option(
            help=f"How intervals are made: {', '.join(INTERVALS)}; of episodes {' or '.join(EPISODE_INTERVALS)}."
        ),
    ] = INTERVALS[0],
    horizon: Annotated[
        int | None, typer.Option(help="Steps of an episode to value; default: the longest episode of the log.")
    ] = None,
    discount: Annotated[float, typer.Option(help="Of each further step of an episode, in (0, 1].")] = 1.0,
    by: Annotated[
        list[str] | None, typer.Option(help="Lift by the levels of this feature, or by wave; may be given again.")
    ] = None,
    risk: Annotated[
        bool, typer.Option("--risk", help="Tell the probability that it earns less, and what one more unit costs.")
    ] = False,
    stream: Annotated[
        bool, typer.Option("--stream", help="Read a Parquet log of any size in pieces, in bounded memory.")
    ] = False,
    workers: Annotated[int, typer.Option(help="Pieces at a time with --stream; results do not depend on it.")] = 1,
    report: Annotated[Path | None, typer.Option("--report", help="Page (.html) with pictures of it all.")] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Value POLICY on a recorded LOG of another policy's decisions, and say how sure that is."""
    asked: dict[str, Any] = {
        "estimators": _estimators(estimator, stream),
        "reference": against,
        "mix": mix,
        "model": model,
        "reward_range": _range(reward_range),
        "seed": seed,
    }
    more: dict[str, Any] = {
        "tuning": tuning,
        "logging": logging,
        "interval": interval,
        "horizon": horizon,
        "discount": discount,
    }
    further = None
    if (by or risk) and set(asked["estimators"]) & set(SEQUENTIAL):
        raise UsageError("--by and --risk are about single decisions, not whole episodes: drop one.")
    with progress("evaluate"):
        if stream:
            _refuse_beside_stream({**more, "mapping": mapping, "reward": reward, "by": by, "risk": risk or None})
            found = evaluate_stream(log, policy, workers=workers, spread=report is not None, **asked)
        else:
            table = read_log(log, mapping, reward=reward)
            found = evaluate_policy(table, policy, **asked, **more)
            further = _further(table, policy, by or [], risk, asked) if by or risk else None
    if report is not None:
        page = import_module("campaignrl.report.html")  # draws: only where it is asked for
        parts = {} if further is None else further.parts
        content = page.ReportContent(title=f"What {found.policy} would earn", evaluations=((found, None),), parts=parts)
        page.write_report(report, content)
        talk(f"report: {report}")
    if as_json:
        say_json(found.to_dict() | ({} if further is None else further.to_dict()))
    else:
        say(str(found) if further is None else f"{found}\n\n{further}")
    if found.verdict == "refuse":
        raise typer.Exit(SupportError.exit_code)


def _estimators(words: str, stream: bool) -> tuple[str, ...]:
    named = {"all": STREAMED if stream else tuple(ESTIMATORS), "usual": USUAL}
    return named.get(words) or tuple(words.split(","))


def _further(log: DecisionLog, policy: str, by: list[str], risk: bool, asked: dict[str, Any]) -> Breakdown:
    """What was asked beside the value."""
    words = {name: asked[name] for name in ("reference", "mix", "model", "reward_range", "seed")}
    return breakdown(log, policy, by=by, risk=risk, **words)


def _refuse_beside_stream(words: dict[str, Any]) -> None:
    """UsageError for what takes the whole log at once."""
    usual = {"tuning": FIXED, "interval": INTERVALS[0], "discount": 1.0}
    given = [f"--{name}" for name, value in words.items() if value != usual.get(name)]
    if given:
        raise UsageError(f"{', '.join(given)} and --stream do not go together: drop one.")


def _range(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--reward-range {text!r} is not LOW,HIGH; write 0,1 for rewards from 0 to 1.") from None
    return low, high
