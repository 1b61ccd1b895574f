"""The app: which verbs there are, their exit codes, and what happens to errors.

Exit codes: 0 ok, 1 a check failed, 2 usage, 3 bad data, 4 not enough evidence, 130 interrupted. Bad input ends in one
plain message on stderr, never in a stack trace. A verb's file is loaded when it is called, so that help is quick. Not
here: what a verb does (its own file).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from campaignrl import __version__
from campaignrl.cli.terminal import epilog_of, talk
from campaignrl.errors import CampaignError, nearest

INTERRUPTED = 130
WHOLE = "interrupted: a file is written whole or not at all, so none was left half done."
# What of an interrupted run can be gone on from; `train` says so itself where there is a checkpoint.
RESUMED = MappingProxyType({"benchmark": " With the same words and -o, it goes on after the runs that were finished."})

# Where each verb lives, and what its docstring says first, which a test compares.
VERBS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "demo": (
            "demo:demo",
            "Go round the loop once, on a simulated shop: from its exports to what a policy is truly worth.",
        ),
        "init": (
            "loop:init",
            "Begin a campaign's folder: with example exports, or from one's own files, whose meaning it guesses.",
        ),
        "today": (
            "loop:today",
            "Do this morning's work: exports to profiles, what came back, who may decide, the plan. It sends nothing.",
        ),
        "approve": (
            "loop:approve",
            "Release the plan of the day: decisions to the ledger, the send list to FOLDER/sends.",
        ),
        "halt": ("loop:halt", "Stop a campaign at once: no plan and no approval until the halt is released."),
        "world": ("world:world", "List, show and check worlds."),
        "profile": (
            "profiles.build:profile",
            "Customer profiles: build tags from raw events, update them, segment customers, show them.",
        ),
        "calibrate": (
            "calibrate:calibrate",
            "Make a world from EVENTS, and from a campaign's decision log: fitted where data say so, and marked.",
        ),
        "simulate": ("simulate:simulate", "Run POLICY in WORLD from the first day to the last."),
        "train": (
            "train:train",
            "Teach POLICY from a decision log (--log) or in a simulated world (--world) and write a bundle.",
        ),
        "evaluate": (
            "evaluate:evaluate",
            "Value POLICY on a recorded LOG of another policy's decisions, and say how sure that is.",
        ),
        "decide": (
            "sends.decide:decide",
            "Decide what to send to each customer today, within consent, caps and eligibility; write the send list.",
        ),
        "ledger": (
            "sends.ledger:ledger",
            "What was decided, handed over and came of it: begin a ledger, add to it, show it, read its log.",
        ),
        "serve": (
            "service.serve:serve",
            "Answer decisions over HTTP, by the guard, the policies and the ledger of `campaignrl decide`.",
        ),
        "store": (
            "service.store:store",
            "The store of a service: tokens, backup and restore, the flow into a ledger, learning, the audit trail.",
        ),
        "guard": ("sends.guard:guard", "The rules that every send must meet."),
        "audit": ("sends.audit:audit", "Recompute every rule from what was decided; exit code 1 where one was broken."),
        "monitor": (
            "sends.monitor:monitor",
            "Look at what runs: feeds, rates, features, propensities; exit code 1 where an alarm is up.",
        ),
        "erase": (
            "sends.erase:erase",
            "Erase a customer from a ledger; a keyed hash stays, so that they are suppressed ever after.",
        ),
        "benchmark": (
            "benchmark:benchmark",
            "Play every policy of SUITE in every world, for every seed, on the same customers.",
        ),
        "compare": (
            "benchmark:compare",
            "Say whether CANDIDATE is worse than BASE, beyond chance and beyond the margin.",
        ),
        "abtest": ("abtest:abtest", "A/B tests of policies: plan one, assign customers, read it."),
    }
)


class Verbs(TyperGroup):
    """The verbs of the table, each loaded on its first use."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the order of the table."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of one verb, or None for an unknown one."""
        return load_verb(cmd_name) if cmd_name in VERBS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As click does, with the nearest verb for a mistyped one."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            ctx.fail(
                f"no verb named {args[0]!r}. {nearest(args[0], VERBS)} Verbs: {', '.join(VERBS)}.".replace(" .", ".")
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The table, without loading any verb."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, says) for name, (_, says) in VERBS.items()])


def load_verb(name: str) -> Any:
    """The click command of one verb."""
    module, _, attribute = VERBS[name][0].partition(":")
    found = getattr(import_module(f"campaignrl.cli.{module}"), attribute)
    if not isinstance(found, typer.Typer):
        single = typer.Typer(rich_markup_mode=None, add_completion=False)
        single.command()(found)
        found = single
    command = typer.main.get_command(found)
    command.name = name
    dress(command, name)
    return command


def dress(command: Any, path: str) -> None:
    """One look for every help page: kinds of values in one word, two examples at the end; sub-verbs too."""
    command.rich_markup_mode = None
    command.epilog = epilog_of(path)
    command.short_help = " ".join((command.help or "").split("\n\n")[0].split())  # else it would be cut off
    for param in command.params:
        described = getattr(param, "type_descriptor", None)
        if described is not None and param.param_type_name == "option" and not param.is_flag:
            kind = next(iter(getattr(described.annotation, "__args__", ())), described.annotation)
            param.metavar = f"<{kind.__name__.lower()}>"  # `<int range>` would break between its words
    for name, part in getattr(command, "commands", {}).items():
        dress(part, f"{path} {name}")


app = typer.Typer(
    name="campaignrl",
    cls=Verbs,
    help="Learn which offer to send to whom on which channel: simulate, train, evaluate offline, decide safely.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"campaignrl {__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Learn which offer to send to whom on which channel: simulate, train, evaluate offline, decide safely."""


def main() -> None:
    """Run the command line; the only place where an error becomes a message and an exit code."""
    try:
        app()
    except CampaignError as wrong:
        talk(str(wrong))
        sys.exit(wrong.exit_code)
    except KeyboardInterrupt:
        talk(WHOLE + RESUMED.get(next((word for word in sys.argv[1:] if word in VERBS), ""), ""))
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader of our stdout went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
