"""The app: which verbs there are, their exit codes, and what happens to errors.

Exit codes: 0 ok, 1 a check failed, 2 usage, 3 bad data, 4 not enough evidence, 130 interrupted. Bad input ends in one
plain message on stderr, never in a stack trace. Not here: what a verb does (its own file).
"""

from __future__ import annotations

import os
import sys

import typer

from campaignrl import __version__
from campaignrl.cli.benchmark import benchmark, compare
from campaignrl.cli.console import talk
from campaignrl.cli.decide import decide
from campaignrl.cli.demo import demo
from campaignrl.cli.evaluate import evaluate
from campaignrl.cli.simulate import simulate
from campaignrl.cli.train import train
from campaignrl.cli.world import world
from campaignrl.errors import CampaignError

INTERRUPTED = 130

app = typer.Typer(
    name="campaignrl",
    help="Learn which offer to send to whom on which channel: simulate, train, evaluate offline, decide safely.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for verb in (demo, simulate, train, evaluate, decide, benchmark, compare):
    app.command()(verb)
app.add_typer(world, name="world")


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"campaignrl {__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print it."),
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
        talk("interrupted")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader of our stdout went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
