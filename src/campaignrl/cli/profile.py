"""`campaignrl profile`: customers from their events, kept up to date, and shown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from campaignrl.cli.console import say_json, say_table
from campaignrl.cli.options import Json
from campaignrl.cli.profile_segment import draw, segment
from campaignrl.profiles.profile_file import read_profiles_file

profile = typer.Typer(
    help="Customer profiles: build tags from raw events, update them, segment customers, show them.",
    no_args_is_help=True,
)


@profile.command()
def show(
    profiles: Annotated[Path, typer.Argument(help="Profiles file, or the folder that holds it.")],
    as_json: Json = False,
) -> None:
    """The tags of a profiles table: coverage, quantiles, most frequent levels."""
    frame, facts = read_profiles_file(profiles)
    if as_json:
        say_json({"customers": len(frame), **facts})
        return
    say_table(("tag", "known"), [(str(name), f"{frame[name].notna().mean():.0%}") for name in frame.columns[1:]])


profile.command()(segment)
profile.command()(draw)
