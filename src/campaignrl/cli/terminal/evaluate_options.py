"""The options of `campaignrl evaluate`, each with its sentence.

Not here: what comes of them (evaluate.py), options that other verbs have too (options.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from campaignrl.ope.episodes import EPISODE_INTERVALS, SEQUENTIAL
from campaignrl.ope.methods import ESTIMATORS, INTERVALS
from campaignrl.ope.nuisance import MODELS

Log = Annotated[Path, typer.Argument(help="Decision log: Parquet or CSV; with --mapping, any table.")]
Policies = Annotated[
    list[str],
    typer.Option(
        "--policy",
        "-p",
        help="Bundle, spec file, bundled name, always:ACTION, logged, or a table of probabilities; may be given "
        "again, to compare several on the same rows.",
    ),
]
Mapping = Annotated[Path | None, typer.Option("--mapping", "-m", help="Mapping TOML of a foreign log.")]
Reward = Annotated[str | None, typer.Option(help="Which of the mapping's rewards; default: its first.")]
Estimators = Annotated[
    str,
    typer.Option(
        help=f"usual, all, auto (which of the usual suits this log), or some of {' '.join(ESTIMATORS)} "
        f"with commas between; or, for whole episodes, of {' '.join(SEQUENTIAL)}."
    ),
]
Model = Annotated[str, typer.Option(help=f"Reward model: {', '.join(MODELS)}.")]
Tuning = Annotated[str, typer.Option(help="How strongly heavy weights are held back: fixed, slope or mse.")]
Logging = Annotated[
    str | None,
    typer.Option(
        help="Policy that wrote the log, its table of probabilities, or estimate; for mips_*, offcem and pi, "
        "where the log does not show what it might have done instead."
    ),
]
Against = Annotated[str, typer.Option(help="What the lift is over: logged, or another policy.")]
Mix = Annotated[float, typer.Option(help="Value the policy used this share of the time, else the logged one.")]
RewardRange = Annotated[
    str | None, typer.Option(help="Least and largest reward possible, as LOW,HIGH; sharpens intervals.")
]
Interval = Annotated[
    str,
    typer.Option(help=f"How intervals are made: {', '.join(INTERVALS)}; of episodes {' or '.join(EPISODE_INTERVALS)}."),
]
Horizon = Annotated[
    int | None, typer.Option(help="Steps of an episode to value; default: the longest episode of the log.")
]
Discount = Annotated[float, typer.Option(help="Of each further step of an episode, in (0, 1].")]
By = Annotated[
    list[str] | None, typer.Option(help="Lift by the levels of this feature, or by wave; may be given again.")
]
Risk = Annotated[
    bool, typer.Option("--risk", help="Tell the probability that it earns less, and what one more unit costs.")
]
Robust = Annotated[
    bool,
    typer.Option("--robust", help="Beside the value two figures that few rows cannot decide (always with an outlier)."),
]
LearnedOn = Annotated[
    Path | None,
    typer.Option("--learned-on", help="Log that POLICY learned on (of --mapping too); an overlap is refused."),
]
Stream = Annotated[bool, typer.Option("--stream", help="Read a Parquet log of any size in pieces, in bounded memory.")]
Workers = Annotated[int, typer.Option(help="Pieces at a time with --stream; results do not depend on it.")]
Report = Annotated[Path | None, typer.Option("--report", help="Page (.html) with pictures of it all.")]
