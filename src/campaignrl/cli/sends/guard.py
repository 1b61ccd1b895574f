"""`campaignrl guard`: what the rules are that every send must meet.

Not here: the rules and their words (guard/).
"""

from __future__ import annotations

from typing import Annotated

import typer

from campaignrl.cli.terminal import Json, say_json, say_table
from campaignrl.guard import rules_said
from campaignrl.specs import load_world

guard = typer.Typer(
    help="The rules that every send must meet.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@guard.callback()
def _group() -> None:
    """The rules that every send must meet."""


@guard.command()
def explain(
    world: Annotated[str, typer.Argument(help="Bundled world or path of a TOML file.", metavar="WORLD")],
    as_json: Json = False,
) -> None:
    """Say the rules of WORLD in words, one line a rule, in the order in which they are asked."""
    found = load_world(world)
    rules = rules_said(found)
    if as_json:
        say_json({"world": found.name, "rules": [rule._asdict() for rule in rules]})
        return
    say_table(("rule", "of", "what it says"), [(rule.rule, rule.of or "everything", rule.says) for rule in rules])
