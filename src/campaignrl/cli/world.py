"""`campaignrl world`: which worlds there are, what is in one, and every mistake in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from campaignrl.cli.console import say, say_json, say_table
from campaignrl.cli.options import Json
from campaignrl.specs.bundled import bundled_files
from campaignrl.specs.world import load_world

world = typer.Typer(help="List, show and check worlds.", no_args_is_help=True)


@world.command(name="list")
def list_worlds(as_json: Json = False) -> None:
    """The bundled worlds, each with a sentence."""
    titles = {name: load_world(name).title for name in bundled_files("envs")}
    if as_json:
        say_json(titles)
    else:
        say_table(("world", "what it is"), list(titles.items()))


@world.command()
def show(
    name: Annotated[str, typer.Argument(help="Bundled world or path of a TOML file.")], as_json: Json = False
) -> None:
    """Segments, channels, offers and rules of one world."""
    found = load_world(name)
    if as_json:
        say_json(found.model_dump(mode="json"))
        return
    say(f"{found.name}: {found.title}")
    say(f"{found.horizon} days, {len(found.catalog)} actions, money in {found.money.currency}\n")
    segments = [
        (
            n,
            f"{s.share:.0%}",
            f"{s.purchase.rate * 30:.2f}",
            f"{s.basket.mean:g}",
            f"{s.price_sensitivity.mean:.2f}",
            s.says,
        )
        for n, s in found.segments.items()
    ]
    say_table(("segment", "share", "orders a month", "basket", "price sensitivity", "who they are"), segments)
    channels = [
        (
            n,
            f"{c.cost:g}",
            f"{c.reach.deliver:.0%}",
            f"{c.reach.open:.1%}",
            f"{c.reach.click:.1%}",
            f"{c.unsubscribe.base:.2%}",
        )
        for n, c in found.channels.items()
    ]
    say_table(("\nchannel", "\ncost", "\ndelivered", "\nopened", "\nclicked", "\nunsubscribe"), channels)
    offers = [(n, o.title, ", ".join(o.channels), o.only_if or "everybody") for n, o in found.offers.items()]
    say_table(("\noffer", "\nwhat it is", "\nchannels", "\nwho may get it"), offers)


@world.command()
def check(file: Annotated[Path, typer.Argument(help="A world's TOML file.")]) -> None:
    """Every mistake in a world's file at once; exit code 3 if there is any."""
    found = load_world(file)
    say(f"{file}: fine. {len(found.segments)} segments, {len(found.catalog)} actions, {found.horizon} days.")
