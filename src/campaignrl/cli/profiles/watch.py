"""`campaignrl profile watch`: tags kept live by files of events as they come."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from campaignrl.cli.terminal import Json, say, say_json, talk
from campaignrl.profiles.live import watch as watched


def watch(
    folder: Annotated[Path, typer.Argument(help="Profile folder, as `profile build` leaves it.")],
    inbox: Annotated[
        Path | None, typer.Option(help="Folder to take files from (.parquet, .jsonl); default: FOLDER/inbox.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Take what lies there now, then end.")] = False,
    as_json: Json = False,
) -> None:
    """Refresh the customers that new events touch, as files come; `profile update` then takes the events in."""
    told = False
    for taken in watched(folder, inbox, once=once):
        done = taken.refreshed
        if done is None:
            talk(f"{taken.file}: put aside in {'refused'}/: {taken.wrong}")
            continue
        if as_json:
            facts = {"file": taken.file, "customers": len(done.frame), "as_of": done.as_of.isoformat()}
            say_json({**facts, "seconds": round(done.seconds, 3), "kept": list(done.kept)})
            continue
        say(f"{taken.file}: {len(done.frame):,} customers as of {done.as_of}, {done.seconds:.2f} s")
        if done.kept and not told:
            talk(f"until `profile update` as they were, for they hang on all customers: {', '.join(done.kept)}")
            told = True
