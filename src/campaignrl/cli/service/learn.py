"""`campaignrl store learn`: what came back to a candidate, held against the champion, promoted by rule.

Not here: the learning (service/learning.py).
"""

from __future__ import annotations

import datetime
import time
from pathlib import Path
from typing import Annotated

import typer

from campaignrl.cli.inputs import day_of
from campaignrl.cli.terminal import Json, Seed, say, say_json
from campaignrl.errors import Problem, UsageError
from campaignrl.ledger import Ledger


def learn(
    url: Annotated[str, typer.Argument(help="sqlite:///FILE or postgresql://USER@HOST/NAME.", metavar="STORE")],
    ledger: Annotated[Path, typer.Option("--ledger", help="Folder of the ledger.")],
    folder: Annotated[Path, typer.Option("--output", "-o", help="Folder of the bundles it makes.")] = Path("learned"),
    promote: Annotated[bool, typer.Option("--promote", help="Let what is shown to be better decide.")] = False,
    every: Annotated[float | None, typer.Option(help="Seconds after which it learns again; left out: once.")] = None,
    as_of: Annotated[str | None, typer.Option(help="Day, YYYY-MM-DD; default: today.")] = None,
    policy: Annotated[
        str | None, typer.Option(help="Kind or bundle that learns, whoever decided; default: a copy of the champion.")
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Teach what has matured, prove what came of it, and let it watch, or decide where it is better."""
    from campaignrl.service import Store, learn_once

    opened = Store.open(url)
    while True:
        found = Ledger.open(ledger)
        if found.form is None:
            raise UsageError(Problem("store learn", "ledger", str(ledger), "one that keeps its rules"))
        day = datetime.date.today() if as_of is None else day_of(as_of)
        told = learn_once(opened, found, found.form, folder, today=day, promote=promote, learner=policy, seed=seed)
        facts = {"became": told.became, "why": told.why, "rows": told.rows, "bundle": str(told.bundle or "")}
        if as_json:
            say_json(facts)
        else:
            say(f"{told.became}: {told.why}" + (f" ({told.bundle})" if told.bundle else ""))
        if every is None:
            return
        time.sleep(every)
